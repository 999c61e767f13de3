"""Files that a reader sees as they were or as they are to be, never a part of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["replacing"]


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a path beside a file to write to; at the end it takes the file's place in one step.

    After an error it is removed, and the file is what it was.

    Args:
        path: the file; it need not exist, its folder must.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
