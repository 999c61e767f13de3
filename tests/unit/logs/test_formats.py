"""The forms of logs that people have: every value that a person reads in them is read.

Each folder of tests/data/log-formats holds a log in one program's form, and what is right in it.
"""

from __future__ import annotations

import csv
import gzip
import json
import re
from pathlib import Path

import pytest

from sweepmake.logs.parse import StageLogs, parse_logs

DATA = Path(__file__).resolve().parents[2] / "data" / "log-formats"
FIRST_METRIC = "time_per_step_s"
WORDS = {
    "train": ("train", "training", "learn"),
    "evaluation": ("val", "vali", "valid", "validation", "eval", "evaluation", "dev"),
    "test": ("test", "testing"),
}
# whose ranks stand in the lines: taken apart by the launcher's side
OF_RANKS = {"rank_as_metric", "sagemaker_tags"}


def parts(name: str) -> tuple[str | None, str]:
    """Return a name's phase and its letters and digits without it."""
    words = re.findall(r"[a-z0-9]+", name.lower())
    for phase, known in WORDS.items():
        if len(words) > 1 and words[0] in known:
            return phase, "".join(words[1:])
    return None, "".join(words)


def fits(column: str, wanted: str) -> bool:
    """Return whether a column may hold a metric: the same name, or one that ends in it."""
    (own, name), (phase, short) = parts(column), parts(wanted)
    if not (name.endswith(short) or short.endswith(name)):
        return False
    if phase is None:
        return True
    return own in (None, "train") if phase == "train" else own in ("evaluation", "test")


def same(text: str, value: float | str | None) -> bool:
    return text == "" if value is None else text != "" and float(text) == float(value)


def history(case: Path, folder: Path) -> tuple[list[str], list[dict[str, str]]]:
    parse_logs([StageLogs("train", (case / "log",))], folder)
    with gzip.open(folder / "history.csv.gz", "rt", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    return rows[0], [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]


@pytest.mark.parametrize("name", sorted({one.name for one in DATA.iterdir()} - OF_RANKS))
def test_every_value_stands_in_its_place(name: str, tmp_path: Path) -> None:
    """Rank, epoch, step and value are as a person reads them; no column has two phases."""
    expected = json.loads((DATA / name / "expect.json").read_text())
    header, rows = history(DATA / name, tmp_path)
    metrics = header[header.index(FIRST_METRIC) + 1 :]
    assert len(set(header)) == len(header)
    phases: dict[str, set[str]] = {}
    for right in expected["right"]:
        place = [
            row
            for row in rows
            if row["rank"] == str(right["rank"])
            and same(row["epoch"], right["epoch"])
            and (right["step"] is None or same(row["step"], right["step"]))
        ]
        for wanted, value in right["values"].items():
            columns = [
                column
                for row in place
                for column in metrics
                if fits(column, wanted) and row[column] and same(row[column], value)
            ]
            assert columns, f"{wanted} = {value} in {right}"
            if phase := parts(wanted)[0]:
                phases.setdefault(columns[0], set()).add(phase)
    assert [column for column, found in phases.items() if len(found) > 1] == []
    never = {one.lower() for one in expected.get("never", [])}
    assert [one for one in metrics if one.lower() in never] == []
