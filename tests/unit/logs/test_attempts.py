"""Attempts of one run joined: a resumed one goes on, one that began again is another training."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from sweepmake.logs.parse import StageLogs, parse_logs


def parse(tmp_path: Path, *logs: str) -> tuple[list[tuple[str, ...]], dict[str, Any]]:
    """Return (attempt, epoch, step, loss) of each row, and what the stage adds up to."""
    paths = []
    for number, text in enumerate(logs):
        path = tmp_path / f"log.{number}"
        path.write_text(text)
        paths.append(path)
    found = parse_logs([StageLogs("train", tuple(paths))], tmp_path / "out")
    with gzip.open(found.history, "rt") as file:
        rows = [(r["attempt"], r["epoch"], r["step"], r["loss"]) for r in csv.DictReader(file)]
    stage: dict[str, Any] = json.loads(found.metrics.read_text())["stages"]["train"]
    return rows, stage


def epochs(first: int, last: int, offset: float = 0) -> str:
    """Return the lines of some epochs; the loss falls with them."""
    return "".join(f"epoch: {n}, loss: {10 - n + offset:g}\n" for n in range(first, last + 1))


def test_a_resumed_attempt_replaces_what_it_logs_again(tmp_path: Path) -> None:
    """Killed in epoch 5, resumed at 4, killed and resumed at 6: each epoch stands once."""
    rows, stage = parse(tmp_path, epochs(1, 5, -5), epochs(4, 6, -3), epochs(6, 9))
    assert [row[0] + row[1] for row in rows] == [
        "11",
        "12",
        "13",
        "24",
        "25",
        "36",
        "37",
        "38",
        "39",
    ]
    assert stage["metrics"]["loss"]["best"] == 1
    assert stage["metrics"]["loss"]["last"] == 1
    rank = stage["ranks"]["0"]
    assert (rank["rows"], rank["last_epoch"], rank["restarts"]) == (9, 9, 0)


def test_an_attempt_that_goes_on_behind_the_last_epoch_replaces_nothing(tmp_path: Path) -> None:
    """The checkpoint was of the last epoch that had been logged."""
    rows, _ = parse(tmp_path, epochs(1, 3), epochs(4, 5))
    assert [row[0] + row[1] for row in rows] == ["11", "12", "13", "24", "25"]


def test_an_attempt_from_the_start_is_another_training(tmp_path: Path) -> None:
    """Its rows stand beside the others; and what resumes it does not cut the first."""
    rows, _ = parse(tmp_path, epochs(1, 3), epochs(1, 4), epochs(3, 5))
    assert [row[0] + row[1] for row in rows] == ["11", "12", "13", "21", "22", "33", "34", "35"]


def test_a_half_done_epoch_counts_nowhere(tmp_path: Path) -> None:
    """Also where its bar was drawn as far as the resumed one's first."""
    bar = "Epoch {0}/3\n1/3 [=>] - ETA: 1s - loss: {1}\r2/3 [==>] - ETA: 1s - loss: {1}\r"
    end = "3/3 [===] - 1s - loss: {0}\n"
    first = bar.format(1, 0.9) + end.format(0.9) + bar.format(2, 0.1)
    second = bar.format(2, 0.8) + end.format(0.8) + bar.format(3, 0.7) + end.format(0.7)
    rows, stage = parse(tmp_path, first, second)
    assert {row[:2] for row in rows} == {("1", "1"), ("2", "2"), ("2", "3")}
    assert stage["metrics"]["loss"]["best"] == 0.7


@pytest.mark.parametrize("epoch", ["", "epoch: 1, "])
def test_inside_an_epoch_steps_decide(tmp_path: Path, epoch: str) -> None:
    """A checkpoint every thousand steps, in a log with and without epochs."""

    def steps(*numbers: int) -> str:
        return "".join(f"{epoch}step: {n}, loss: {1 / n:g}\n" for n in numbers)

    before = "epoch: 0, step: 100, loss: 1\n" if epoch else ""
    rows, _ = parse(tmp_path, before + steps(100, 200, 300, 400), steps(300, 400, 500))
    assert [row[0] + row[2] for row in rows if row[1] != "0"] == [
        "1100", "1200", "2300", "2400", "2500"
    ]  # fmt: skip
