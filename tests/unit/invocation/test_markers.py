"""The markers that stand for the workbook and the comparison, and what users do to these."""

from __future__ import annotations

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
    """The user who runs the tests may be root, who is never refused: so os.access is stood in."""
    monkeypatch.chdir(tmp_path)
    made = study([], results="results")
    check_writable(made)
    Path("results/.sweepmake").mkdir(parents=True)
    check_writable(made)
    monkeypatch.setattr(os, "access", lambda path, mode: str(path) != closed)
    with pytest.raises(InputError, match=f"'{closed}' cannot be written to"):
        check_writable(made)
