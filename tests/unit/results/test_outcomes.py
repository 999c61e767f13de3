"""What became of experiments: by their records, also by those that nobody was there to close."""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sweepmake.logs.parse import StageLogs, parse_logs
from sweepmake.results import outcomes
from sweepmake.results.outcomes import read_outcome
from sweepmake.results.study import Study
from sweepmake.results.summary_file import read_summary
from sweepmake.runs.experiment import Experiment

HERE = os.uname().nodename


@pytest.fixture
def study(tmp_path: Path) -> Study:
    folder = tmp_path / "output" / "a"
    (folder / ".sweepmake").mkdir(parents=True)
    experiment = Experiment(
        "a", {"lr": 0.1}, str(folder), str(folder / ".sweepmake"), ("train", "test")
    )
    return Study("params.yaml", None, (experiment,), ("train", "test"), str(tmp_path / "results"))


def write(study: Study, stage: str, **record: object) -> None:
    """Write the record of a stage's newest run."""
    whole = {"state": "finished", "exit_code": 0, "host": HERE, "gpu": 1, "slot": "0", **record}
    path = Path(study.experiments[0].records) / f"{stage}.json"
    path.write_text(json.dumps(whole), encoding="utf-8")


def status(study: Study) -> str:
    return read_outcome(study, study.experiments[0]).status


@pytest.mark.parametrize(
    ("train", "test", "whole"),
    [
        (None, None, "not started"),
        ("finished", None, "unfinished"),
        ("finished", "finished", "finished"),
        ("failed", None, "failed"),
        ("finished", "interrupted", "interrupted"),
        ("lost", "finished", "lost"),
        ("failed", "running", "running"),
        ("interrupted", "failed", "failed"),
        ("lost", "interrupted", "interrupted"),
    ],
)
def test_the_status_follows_from_the_stages(
    study: Study, train: str | None, test: str | None, whole: str
) -> None:
    """An experiment has finished when all its stages have, and failed when one has."""
    for stage, state in (("train", train), ("test", test)):
        if state is not None:
            write(study, stage, state=state, host="node7")
    assert status(study) == whole
    found = read_outcome(study, study.experiments[0])
    bad = [stage for stage, state in (("train", train), ("test", test))
           if state in ("failed", "interrupted", "lost")]  # fmt: skip
    assert (found.failed_stage and found.failed_stage.stage) == (bad[0] if bad else None)


def test_a_test_of_an_older_training_does_not_count(study: Study) -> None:
    """When train runs again, test is to come again: what it found is of another model."""
    write(study, "train", started=10.0)
    write(study, "test", started=20.0)
    assert status(study) == "finished"
    write(study, "train", started=30.0)
    assert status(study) == "unfinished"
    assert read_outcome(study, study.experiments[0]).stages[1].wall_time_s is None
    write(study, "train", started=30.0, state="failed", exit_code=1)
    assert status(study) == "failed"


def test_a_summary_of_deleted_logs_does_not_count(study: Study) -> None:
    """Who deletes an experiment's folder sees no numbers of it, though its results are there."""
    log = Path(study.experiments[0].folder) / "log.train.20261121.120000"
    log.write_text("epoch=1 loss=0.5\n")
    parse_logs([StageLogs("train", (log,))], Path(study.results) / "a")
    assert read_outcome(study, study.experiments[0]).summary["stages"]
    log.unlink()
    assert read_outcome(study, study.experiments[0]).summary == {}


def test_a_run_is_running_as_long_as_someone_holds_its_lock(study: Study) -> None:
    """A record that says "running" is believed while the process that wrote it lives."""
    write(study, "train", state="running", exit_code=None)
    lock = Path(study.experiments[0].records) / "train.lock"
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert status(study) == "running"
    assert status(study) == "lost"


def test_a_run_that_ends_while_it_is_read_is_not_lost(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its record is read before its end, its lock after it."""
    write(study, "train", state="running", exit_code=None)
    settle = outcomes._settled

    def settle_later(*arguments: Any) -> tuple[str, object]:
        write(study, "train", state="interrupted", exit_code=130, wall_time_s=3.0)
        return settle(*arguments)

    monkeypatch.setattr(outcomes, "_settled", settle_later)
    (train, _) = read_outcome(study, study.experiments[0]).stages
    assert (train.status, train.exit_code, train.wall_time_s) == ("interrupted", 130, 3.0)


@pytest.mark.parametrize(("code", "whole"), [("0", "unfinished"), ("3", "failed"), ("", "lost")])
def test_a_run_that_ended_while_nobody_watched(study: Study, code: str, whole: str) -> None:
    """The exit code that the command left tells; without one nobody knows."""
    write(study, "train", state="running", exit_code=None)
    records = Path(study.experiments[0].records)
    (records / "train.lock").touch()
    (records / "train.exit").write_text(code)
    assert status(study) == whole


def test_a_run_on_another_host_is_running(study: Study) -> None:
    """Locks of another machine are not seen here, so its record is believed."""
    write(study, "train", state="running", exit_code=None, host="node7")
    assert status(study) == "running"


def test_gpu_time_counts_each_gpu(study: Study) -> None:
    """A slot of two GPUs for ten seconds is twenty GPU seconds; without GPU there are none."""
    write(study, "train", wall_time_s=10.0, gpu=1, slot="0,1")
    write(study, "test", wall_time_s=5.0, gpu=0, slot="")
    train, test = read_outcome(study, study.experiments[0]).stages
    assert (train.gpus, train.gpu_time_s) == (2, 20.0)
    assert (test.gpus, test.gpu_time_s) == (0, 0.0)


def test_a_record_is_told_whole(study: Study) -> None:
    """All that the table, the failures and the sheet "about" show of a run."""
    told = {
        "started": 1.0, "ended": 3.0, "wall_time_s": 2.0, "cpu_time_s": 1.5, "max_memory_mb": 9.0,
        "attempt": 2, "log": "a/log.train", "host": "node7", "command": "python", "commit": "abc",
    }  # fmt: skip
    write(study, "train", **told)
    train = read_outcome(study, study.experiments[0]).stages[0]
    assert {key: getattr(train, key) for key in told} == told


def test_gpus_that_a_scheduler_gave_are_counted_as_declared(study: Study) -> None:
    """On a cluster no slot is leased; what a record does not tell is empty, not "None"."""
    write(study, "train", gpu=4, slot=None, host=None, command=None, log=None, exit_code="?")
    train = read_outcome(study, study.experiments[0]).stages[0]
    assert (train.gpus, train.gpu_time_s, train.attempt, train.exit_code) == (4, None, 0, None)
    assert (train.host, train.command, train.log) == ("", "", "")


@pytest.mark.parametrize(
    ("logs", "died", "problem", "whole", "stages"),
    [
        (("one", "two"), False, "", "unfinished", ["finished", "not started"]),
        (("one",), True, "", "failed", ["failed", "not started"]),
        ((), False, "no log", "unreadable", ["not started", "not started"]),
    ],
)
def test_logs_made_elsewhere_tell_how_their_experiment_stands(
    study: Study, logs: tuple[str, ...], died: bool, problem: str, whole: str, stages: list[str]
) -> None:
    """There are no records: a stage with logs has finished, unless one of its ranks died."""
    listed = {"train": logs} if logs else {}
    experiment = replace(study.experiments[0], records="", logs=listed, problem=problem)
    metrics = study.result(experiment, "metrics.json")
    metrics.parent.mkdir(parents=True)
    ranks = {"0": {"died": False}, "1": {"died": died}}
    metrics.write_text(json.dumps({"stages": {"train": {"ranks": ranks}}}))
    found = read_outcome(study, experiment)
    assert (found.status, [stage.status for stage in found.stages]) == (whole, stages)
    assert (found.stages[0].attempt, found.stages[0].log) == (len(logs), logs[-1] if logs else "")


def test_a_record_that_a_crash_has_cut_is_no_record(study: Study) -> None:
    """Half a JSON file does not stop the table."""
    (Path(study.experiments[0].records) / "train.json").write_text('{"state": "fini')
    assert status(study) == "not started"


def test_a_summary_is_read_up_to_its_rows(tmp_path: Path) -> None:
    """All of metrics.json but `results` and what follows it."""
    log = tmp_path / "log.train"
    log.write_text("epoch=1 loss=0.5\nepoch=2 loss=0.25\n")
    metrics = parse_logs([StageLogs("train", (log,))], tmp_path).metrics
    whole = json.loads(metrics.read_text())
    expected = {key: value for key, value in whole.items() if not key.startswith("results")}
    assert read_summary(metrics) == expected
    assert expected["stages"]["train"]["metrics"]["loss"]["last"] == 0.25


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", '{"stages": '])
def test_a_broken_summary_is_none(tmp_path: Path, text: str) -> None:
    """A file that this version did not write is as good as none."""
    path = tmp_path / "metrics.json"
    path.write_text(text)
    assert read_summary(path) == {}
    assert read_summary(tmp_path / "nowhere.json") == {}


@pytest.mark.parametrize(
    ("state", "whole"), [("finished", "outdated"), ("failed", "failed"), ("running", "running")]
)
def test_a_run_of_an_older_command_is_outdated(study: Study, state: str, whole: str) -> None:
    """A finished run counts while its command is the one in params.yaml, and else runs again."""
    experiment = replace(study.experiments[0], commands={"train": "train --lr 0.1", "test": "test"})
    write(study, "train", fingerprint="train --lr 0.1")
    write(study, "test", fingerprint="test")
    assert read_outcome(study, experiment).status == "finished"
    write(study, "test", fingerprint="test --old", state=state, host="node7")
    assert read_outcome(study, experiment).status == whole
