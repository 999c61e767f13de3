"""The markers that stand for the workbook and the comparison, and what users do to these."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from made_studies import study

from sweepmake.errors import InputError
from sweepmake.invocation.markers import check_targets, check_writable, forget_missing
from sweepmake.outputs import TABLES


def test_a_marker_goes_when_its_file_has_gone(tmp_path: Path) -> None:
    """Each marker stands for its own files."""
    made = study([], results=str(tmp_path))
    (tmp_path / ".sweepmake").mkdir()
    markers = [tmp_path / ".sweepmake" / f"{one}.done" for one in ("experiments", "comparison")]
    for file in (*markers, *(tmp_path / name for name in (*TABLES, "comparison.pdf"))):
        file.touch()
    forget_missing(made)
    assert [marker.exists() for marker in markers] == [True, True]
    (tmp_path / "experiments.csv").unlink()
    forget_missing(made)
    assert [marker.exists() for marker in markers] == [False, True]


@pytest.mark.parametrize("target", ["results/experiments.xlsx", "./results/comparison.pdf"])
def test_a_file_asked_for_by_its_path_is_explained(target: str) -> None:
    """Other arguments pass."""
    made = study([], results="results")
    check_targets(made, ["--cores", "2", "results", "results/a/ranks.pdf"])
    with pytest.raises(InputError, match="snakemake --cores 4 results makes it"):
        check_targets(made, ["--cores", "2", target])


@pytest.mark.parametrize("closed", ["results", "results/.sweepmake"])
def test_a_closed_folder_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, closed: str
) -> None:
    """The user who runs the tests may be root, who is never refused: so os.mkdir is stood in."""
    monkeypatch.chdir(tmp_path)
    check_writable("results", "results")
    Path("results/.sweepmake").mkdir(parents=True)
    check_writable("results", "results")
    assert sorted(tmp_path.rglob("*")) == [tmp_path / "results", tmp_path / "results/.sweepmake"]

    def refuse(path: Path, *more: object) -> None:
        if str(path.parent) == closed:
            raise PermissionError(errno.EACCES, "Permission denied")
        os.mkdir(path)  # noqa: PTH102 - Path.mkdir is this

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(InputError, match=f"'{closed}' cannot be written to: Permission denied"):
        check_writable("results", "results")


@pytest.mark.parametrize("folder", ["/proc", "/proc/sweep/output", "/sys/x"])
def test_a_folder_of_the_kernels_is_named(folder: str) -> None:
    """Also for root, whom the permissions there do not concern; the nearest that is there."""
    with pytest.raises(InputError, match=r"'/(proc|sys)' cannot be written to: .*output=FOLDER"):
        check_writable("output", folder)
