"""What is remembered of mlrunner's folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from sweepmake.errors import InputError
from sweepmake.kept_folders import NOTHING_KEPT, Kept, read_kept, write_kept


def test_what_is_kept_is_read_back(tmp_path: Path) -> None:
    """Names, adopted runs and what is held back; records to be written are no part of it."""
    kept = Kept({"a": "b"}, frozenset({"b", "c"}), {"d": "another command"})
    write_kept(str(tmp_path), kept)
    assert read_kept(str(tmp_path)) == kept
    write_kept(str(tmp_path), NOTHING_KEPT)
    assert read_kept(str(tmp_path)) == NOTHING_KEPT


def test_nothing_is_written_where_there_is_nothing_to_remember(tmp_path: Path) -> None:
    """A sweep that mlrunner never touched gets no file."""
    assert read_kept(str(tmp_path / "output")) == NOTHING_KEPT
    write_kept(str(tmp_path / "output"), NOTHING_KEPT)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"names": 1, "adopted": [], "held": {}}'])
def test_a_damaged_file_is_named(tmp_path: Path, text: str) -> None:
    """It is not taken for none: then runs that have finished would start again."""
    (tmp_path / ".sweepmake").mkdir()
    (tmp_path / ".sweepmake/mlrunner.json").write_text(text)
    with pytest.raises(InputError, match=r"mlrunner\.json' says which folders"):
        read_kept(str(tmp_path))
