"""Files that are replaced in one step: whole, or as they were."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sweepmake.replacing import replacing


def test_a_file_is_replaced_at_the_end(tmp_path: Path) -> None:
    """Until then a reader sees the old one; nothing else is left."""
    path = tmp_path / "a.txt"
    path.write_text("old")
    with replacing(path) as partial:
        partial.write_text("new")
        assert path.read_text() == "old"
        assert partial.parent == tmp_path
        assert partial.name.startswith(".")
    assert path.read_text() == "new"
    assert [one.name for one in tmp_path.iterdir()] == ["a.txt"]


def test_after_an_error_the_old_file_stays(tmp_path: Path) -> None:
    """And what was begun is removed."""
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), replacing(path) as partial:
        _begin(partial)
    assert path.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["a.txt"]


LEFT = """
import sys
from pathlib import Path
from sweepmake.replacing import replacing
with replacing(Path(sys.argv[1])) as partial:
    partial.write_text("half")
    print(flush=True)
    sys.stdin.read()
"""


def test_what_killed_writers_leave_behind_goes_with_the_next_one(tmp_path: Path) -> None:
    """Not what a living one is writing, and not other files."""
    path = tmp_path / "a.txt"
    others = [".a.txt.old", ".a.txt2.7", "a.txt.7", ".b.txt.7"]
    for name in others:
        (tmp_path / name).touch()
    dead, living = (_start(path) for _ in range(2))
    dead.kill()
    dead.communicate()
    assert (tmp_path / f".a.txt.{dead.pid}").exists()
    with replacing(path) as partial:
        partial.write_text("new")
    left = {one.name for one in tmp_path.iterdir()}
    assert left == {"a.txt", f".a.txt.{living.pid}", *others}
    living.communicate()
    assert path.read_text() == "half"


def _start(path: Path) -> subprocess.Popen[str]:
    """Start a process that is writing the file; it ends when it has read all."""
    process = subprocess.Popen(
        [sys.executable, "-c", LEFT, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "\n"
    return process


def _begin(partial: Path) -> None:
    partial.write_text("half")
    raise RuntimeError
