"""Files that are replaced in one step: whole, or as they were."""

from __future__ import annotations

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


def _begin(partial: Path) -> None:
    partial.write_text("half")
    raise RuntimeError
