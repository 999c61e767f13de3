"""The files that a run leaves, whatever was in them before."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from sweepmake.runs.records import read_end, read_record, to_json, update_param, update_stat


def test_stat_is_sorted_by_stage(tmp_path: Path) -> None:
    """In whatever order the stages ran: the same runs leave the same file, as mlrunner's do."""
    path = tmp_path / "stat"
    for stage, state in (("train", "running"), ("avg", "running"), ("train", "finished")):
        update_stat(str(path), stage, state)
    assert path.read_text() == "avg: running\ntrain: finished\n"


def test_scripts_in_param_are_sorted_by_stage(tmp_path: Path) -> None:
    """The other stages' stay as they are, those of several lines too."""
    path = tmp_path / "param"
    path.write_text("lr: 1\n_scripts:\n  test: 'a\n\n    b'\nother: 2\n")
    for stage in ("train", "avg"):
        update_param(str(path), "lr: 2\n", stage, f'run "{stage}"')
    text = path.read_text()
    scripts = {"avg": 'run "avg"', "test": "a\nb", "train": 'run "train"'}
    assert yaml.safe_load(text) == {"lr": 2, "_scripts": scripts}
    assert list(yaml.safe_load(text)["_scripts"]) == ["avg", "test", "train"]


@pytest.mark.parametrize(
    ("written", "end"),
    [
        ("0\n", ("finished", 0)),
        ("3\n", ("failed", 3)),
        ("137", ("failed", 137)),
        ("", ("lost", None)),
        ("garbage", ("lost", None)),
        (None, ("lost", None)),
    ],
)
def test_how_a_run_ended_that_nobody_watched(
    tmp_path: Path, written: str | None, end: tuple[str, int | None]
) -> None:
    """The shell around the command has written its exit code, or it is lost."""
    path = tmp_path / "train.exit"
    if written is not None:
        path.write_text(written)
    assert read_end(str(path)) == end


def test_a_record_is_one_line_that_keeps_types_and_order(tmp_path: Path) -> None:
    """Texts, numbers, booleans, nothing; what is cut or no record counts as none."""
    record = {"b": "x\ny", "a": 1, "c": 0.1, "d": True, "e": False, "f": None}
    line = to_json(record)
    assert line.count("\n") == 1
    assert list(json.loads(line).items()) == list(record.items())
    path = tmp_path / "train.json"
    for text, expected in ((line, record), (line[:9], None), ("[1]", None)):
        path.write_text(text)
        assert read_record(str(path)) == expected
    assert read_record(str(tmp_path / "none")) is None
