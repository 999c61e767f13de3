"""The folders that a configuration names: whether they can be, and whether they are apart.

Nothing is written here. Whether a folder can be written to is asked where something is run
(invocation/markers.py): to look at a sweep, nobody needs the right to.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from sweepmake.errors import InputError

__all__ = ["check_apart", "check_folder", "existing", "from_home"]

_LONGEST_BELOW = 512  # bytes that the paths of files in the folder may have beside its own
_LONGEST_NAME = 255  # bytes of a folder's name
_LONGEST_PATH = 4096


def from_home(path: str) -> str:
    """Return a path with the home folder for a `~` that it begins with, also somebody's (~name)."""
    return os.path.expanduser(path)  # noqa: PTH111 - pathlib raises where there is no such user


def existing(path: Path) -> Path:
    """Return the nearest path of a folder's own and those above it that is there."""
    return next((one for one in (path, *path.parents) if _is_there(one)), Path())


def _is_there(path: Path) -> bool:
    """Return whether a path leads to something; also False where nobody may look."""
    return os.path.exists(path)  # noqa: PTH110 - pathlib raises where nobody may look


def check_folder(key: str, folder: str) -> None:
    """Raise InputError where a folder of the configuration cannot be made, whoever tries.

    Args:
        key: what the configuration calls it.
        folder: its path. `{name}` in it would be a wildcard of Snakemake, `<name>` one of its path
            variables.
    """
    hint = f"choose another one: --config {key}=FOLDER"
    shown = folder if len(folder) <= 80 else f"{folder[:40]}…{folder[-20:]}"
    problem = _problem(Path(folder))
    if set("{}<\0\n") & set(folder):
        problem = "it cannot hold braces, <, NUL or line breaks here"
    if problem:
        raise InputError(f"config: '{key}' is '{shown}', but {problem}", hint=hint)


def _problem(folder: Path) -> str:
    """Return why a folder cannot be, "" where it can."""
    if "\0" in str(folder):
        return ""  # no path at all
    if len(os.fsencode(folder)) > _LONGEST_PATH - _LONGEST_BELOW:
        return "that is too long for a path"
    longest = max(len(os.fsencode(part)) for part in (*folder.parts, "."))
    if longest > _LONGEST_NAME:
        return f"a name of {longest} bytes is too long for a folder"
    for path in (folder, *folder.parents):
        if _is_there(path):
            return "" if path.is_dir() else f"'{path}' is a file, not a folder"
        if os.path.islink(path):  # noqa: PTH114 - as above
            return f"'{path}' is a link to '{path.readlink()}', which is not there"
    return ""


def check_apart(output: str, results: str, inside: Collection[str], names: Collection[str]) -> None:
    """Raise InputError where one folder would be written by both the runs and what shows them.

    The results may lie inside the output folder, and the reverse, but neither may be the other, nor
    a folder of the other's that something is written into. Links, `..`, and a file system that
    takes `a` and `A` for one name make no difference.

    Args:
        output: the folder of the experiments.
        results: the folder of what is made from them.
        inside: the names of the folders in `output` that are written to.
        names: the same in `results`.
    """
    if _place(output) == _place(results):
        raise InputError(
            f"config: 'output' ('{output}') and 'results' ('{results}') are one folder",
            hint="choose another one: --config results=FOLDER",
        )
    for key, folder, around, taken in (
        ("results", results, output, inside),
        ("output", output, results, names),
    ):
        if name := _name_in(folder, around, taken):
            other = "output" if key == "results" else "results"
            raise InputError(
                f"config: '{key}' is '{folder}', but in '{other}' ('{around}') that is the folder "
                f"of '{name}'",
                hint=f"choose another one: --config {key}=FOLDER",
            )


def _name_in(folder: str, around: str, taken: Collection[str]) -> str:
    """Return the name of a folder inside another one, if it is one that is taken; else ""."""
    real = Path(os.path.realpath(folder))
    if _place(real.parent) == _place(around):
        fold = str.casefold if _ignores_case(existing(real.parent)) else str
        return next((name for name in taken if fold(name) == fold(real.name)), "")
    try:
        with os.scandir(around) as entries:
            links = [entry.name for entry in entries if entry.is_symlink() and entry.name in taken]
    except OSError:
        return ""  # nothing there yet, or nothing to be seen
    return next((name for name in links if _place(f"{around}/{name}") == _place(real)), "")


def _place(path: str | Path) -> tuple[int, int, tuple[str, ...]]:
    """Return what two paths of one folder have in common, whether it is there or not.

    Device and inode of the nearest folder that is there, and the names below it.
    """
    real = Path(os.path.realpath(path))
    there = existing(real)
    found = there.stat()
    rest = real.relative_to(there).parts
    if rest and _ignores_case(there):
        rest = tuple(part.casefold() for part in rest)
    return found.st_dev, found.st_ino, rest


def _ignores_case(folder: Path) -> bool:
    """Return whether two names in a folder that differ in case only are one name."""
    try:
        with os.scandir(folder) as entries:
            names = (folder / entry.name for entry in entries)
            named = next((path for path in names if path.name.swapcase() != path.name), folder)
        return named.samefile(named.with_name(named.name.swapcase()))
    except (OSError, ValueError):
        return False  # no such name, nothing to be seen, or the root of all
