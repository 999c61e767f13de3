"""What the stage runner has found out about a run, as the table of results tells it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sweepmake.results.ended_run import describe_run
from sweepmake.results.study import Study
from sweepmake.results.table import read_results_table
from sweepmake.runs.experiment import Experiment


@pytest.fixture
def study(tmp_path: Path) -> Study:
    folder = tmp_path / "output" / "a"
    (folder / ".sweepmake").mkdir(parents=True)
    experiment = Experiment("a", {}, str(folder), str(folder / ".sweepmake"), ("train",))
    return Study("params.yaml", None, (experiment,), ("train",), str(tmp_path / "results"))


def note(study: Study, **record: object) -> object:
    """Return the table's note on a run with this record."""
    whole = {"stage": "train", "host": "another", "gpu": 1, "slot": "0", **record}
    path = Path(study.experiments[0].records) / "train.json"
    path.write_text(json.dumps(whole), encoding="utf-8")
    table = read_results_table(study)
    return dict(zip([column.key for column in table.columns], table.rows[0], strict=True))["note"]


def test_the_reason_of_a_failure_is_the_runners(study: Study) -> None:
    """The log of a run that ended well has no line that tells it."""
    record = {"state": "failed", "exit_code": 0, "kind": "not successful", "reason": "no m.pt"}
    assert note(study, **record) == "train: not successful, exit code 0: no m.pt"
    failure = describe_run({"stage": "train", **record})
    assert failure is not None
    assert (failure.kind, failure.last_line, failure.exit_code) == ("not successful", "no m.pt", 0)


def test_a_hung_run_is_shown_as_one(study: Study) -> None:
    """With the time at which it last wrote."""
    shown = note(study, state="running", silent_since=1_700_000_000)
    assert str(shown).startswith("train, has written nothing since 2023-11-1")
    assert note(study, state="running") == "train"
