"""Snakemake's locks that a killed workflow has left behind, and which of them may go.

Snakemake locks by files in `.snakemake/locks` that list what a workflow reads (`0.input.lock`) and
makes (`0.output.lock`); they do not say who that is, and survive it (Snakemake 9.27,
persistence/file.py). One may go where its workflow is known to be dead, and all that it makes is a
sweep's. It is known to be dead

- where it has noted which locks are its own, under a claim that is free now; or
- where no lock in the folder names anything but what a sweep makes and reads: a workflow that makes
  such files has the claims on their folders.

Other workflows may share the folder: what could be theirs stays.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

__all__ = ["clear_locks", "note_locks"]

_NOTES = "sweepmake"


def note_locks(notes: Path, folders: Iterable[str], locks: Iterable[str]) -> None:
    """Note that the workflow that holds the claims on some folders has made some locks.

    Args:
        notes: the folder of Snakemake's notes.
        folders: those that are claimed.
        locks: the paths of the locks.
    """
    lines = "".join(f"{_mark(Path(lock))}\n" for lock in locks)
    for folder in folders:
        path = _note(notes, folder)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(lines, encoding="utf-8")


def clear_locks(notes: Path, folders: Sequence[str], sources: Collection[str]) -> None:
    """Remove the locks of dead workflows.

    Args:
        notes: the folder of Snakemake's notes.
        folders: the folders of sweeps on which this workflow has all claims there are.
        sources: what the jobs of a sweep read beside these folders, and the names of its programs.
    """
    locks = {path: _read(path) for path in sorted((notes / "locks").glob("*.lock"))}
    if not locks:
        return
    dead = {line for folder in folders for line in _read(_note(notes, folder))} - {""}
    noted = {path for path in locks if _mark(path) in dead}
    made = [name for path in noted if _is_output(path) for name in locks[path]]
    if all(_is_in(name, folders) for name in made):
        _remove(noted)
    others = {path: names for path, names in locks.items() if path not in noted}
    known = {path: _are_known(path, names, folders, sources) for path, names in others.items()}
    if all(known.values()):
        _remove(others)


def _are_known(
    path: Path, names: Iterable[str], folders: Sequence[str], sources: Collection[str]
) -> bool:
    """Return whether a lock names nothing but what a sweep makes or, where it may, reads."""
    if _is_output(path):
        return all(_is_in(name, folders) for name in names)
    return all(
        _is_in(name, folders) or name in sources or Path(name).name in sources for name in names
    )


def _is_output(lock: Path) -> bool:
    return lock.name.endswith(".output.lock")


def _is_in(name: str, folders: Sequence[str]) -> bool:
    return any(Path(name).is_relative_to(folder) for folder in folders)


def _note(notes: Path, folder: str) -> Path:
    name = hashlib.sha256(os.path.realpath(folder).encode()).hexdigest()[:16]
    return notes / _NOTES / f"{name}.locks"


def _read(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []


def _mark(lock: Path) -> str:
    """Return what tells a lock from a later one of its name; "" where it has gone.

    A Snakemake that ends removes all locks in the folder, whose they may be.
    """
    try:
        found = lock.stat()
    except FileNotFoundError:
        return ""
    return f"{lock.name} {found.st_ino} {found.st_mtime_ns}"


def _remove(locks: Iterable[Path]) -> None:
    for lock in locks:
        lock.unlink(missing_ok=True)
