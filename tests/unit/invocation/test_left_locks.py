"""Which of Snakemake's locks may go: dead workflows' own, and nothing that could be another's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sweepmake.invocation.left_locks import clear_locks, note_locks

OURS = {
    "0.input.lock": "output/a/.sweepmake/train.done\n/x/scripts/read_logs.py\nparams.yaml\n",
    "0.output.lock": "output/a/.sweepmake/train.done\nresults/a/metrics.json\n",
}
THEIRS = {"1.input.lock": "results/a/metrics.json\n", "1.output.lock": "models/x.npz\n"}
FOLDERS = ["output", "results"]
SOURCES = {"params.yaml", "read_logs.py"}


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    (tmp_path / "locks").mkdir()
    return tmp_path


def write(notes: Path, locks: dict[str, str]) -> list[str]:
    for name, text in locks.items():
        (notes / "locks" / name).write_text(text)
    return [str(notes / "locks" / name) for name in locks]


def left(notes: Path) -> list[str]:
    return sorted(path.name for path in (notes / "locks").iterdir())


def test_locks_that_name_nothing_but_a_sweep_go(notes: Path) -> None:
    """What only a workflow makes that would have the claims on the folders."""
    write(notes, OURS)
    clear_locks(notes, FOLDERS, SOURCES)
    assert left(notes) == []


@pytest.mark.parametrize("known", [[], ["output"], ["results"], ["output/a"]])
def test_locks_on_a_folder_that_another_may_have_stay(notes: Path, known: list[str]) -> None:
    """A claim that is not free says that the workflow may be alive."""
    write(notes, OURS)
    clear_locks(notes, known, SOURCES)
    assert left(notes) == sorted(OURS)


def test_beside_other_workflows_only_what_was_noted_goes(notes: Path) -> None:
    """One that reads the sweep's files, and lives, has a lock that names nothing else."""
    write(notes, OURS | THEIRS)
    clear_locks(notes, FOLDERS, SOURCES)
    assert left(notes) == sorted(OURS | THEIRS)
    note_locks(notes, ["output"], write(notes, OURS))
    clear_locks(notes, FOLDERS, SOURCES)
    assert left(notes) == sorted(THEIRS)


def test_what_was_noted_under_a_claim_that_is_held_stays(notes: Path) -> None:
    """The note counts where its writer has let the folder go."""
    note_locks(notes, ["elsewhere"], write(notes, OURS | THEIRS))
    clear_locks(notes, FOLDERS, SOURCES)
    assert left(notes) == sorted(OURS | THEIRS)


def test_a_later_lock_of_the_same_name_is_another(notes: Path) -> None:
    """Numbers are given again."""
    note_locks(notes, FOLDERS, write(notes, OURS))
    for path in (notes / "locks").iterdir():
        os.utime(path, (1, 1))
    write(notes, THEIRS)
    clear_locks(notes, FOLDERS, SOURCES)
    assert left(notes) == sorted(OURS | THEIRS)


def test_a_lock_on_files_of_others_as_well_stays(notes: Path) -> None:
    """A workflow with rules of its own beside the sweep's: its user has to know that it died."""
    mixed = OURS | {"0.output.lock": OURS["0.output.lock"] + "models/x.npz\n"}
    note_locks(notes, FOLDERS, write(notes, mixed))
    clear_locks(notes, FOLDERS, SOURCES)
    assert left(notes) == sorted(mixed)


def test_without_locks_there_is_nothing_to_do(tmp_path: Path) -> None:
    """No folder of Snakemake's is needed, and a lock that has gone is no error."""
    clear_locks(tmp_path / "none", FOLDERS, SOURCES)
    note_locks(tmp_path, ["output"], [str(tmp_path / "gone.lock")])
    clear_locks(tmp_path, FOLDERS, SOURCES)
