"""Files that a reader sees as they were or as they are to be, never a part of them."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["forget_partials", "replacing"]

_partials: set[Path] = set()  # what this process is writing


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a path beside a file to write to; at the end it takes the file's place in one step.

    After an error it is removed, and the file is what it was.

    Args:
        path: the file; it need not exist, its folder must.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    _clear(path)
    _partials.add(partial)
    try:
        with _locked(partial):
            yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
        _partials.discard(partial)


def forget_partials() -> None:
    """Remove what this process is writing at the moment; for a program that ends at once."""
    for partial in [one for one in _partials if one.name.endswith(f".{os.getpid()}")]:
        partial.unlink(missing_ok=True)


@contextmanager
def _locked(partial: Path) -> Iterator[None]:
    """Make a file, and say by a lock that its writer lives."""
    file = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        with suppress(OSError):  # without locks, what is left behind stays there
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(file)


def _clear(path: Path) -> None:
    """Remove what processes that were killed have left behind of earlier versions of a file."""
    start = f".{path.name}."
    for entry in os.scandir(path.parent):
        if not entry.name.startswith(start) or not entry.name.removeprefix(start).isdigit():
            continue
        with suppress(OSError):  # its writer lives, or has just ended
            file = os.open(entry.path, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(entry.path)  # noqa: PTH108 - as scandir has it
            finally:
                os.close(file)
