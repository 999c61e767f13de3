"""Folders that a test compares before and after."""

from __future__ import annotations

import hashlib
from pathlib import Path


def state_of(folder: Path) -> dict[str, tuple[str, int, int]]:
    """What anybody could see of a tree: content, permissions, time of the last change."""
    return {
        str(path): (
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
            path.lstat().st_mode,
            path.lstat().st_mtime_ns,
        )
        for path in sorted([folder, *folder.rglob("*")])
    }
