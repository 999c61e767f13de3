"""Results outside the workflow's jobs: what is new is read and drawn, what is not stays."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sweepmake.errors import InputError
from sweepmake.outputs import refresh as refresh_module
from sweepmake.outputs.refresh import refresh
from sweepmake.params.metrics import MetricOptions, MetricPattern
from sweepmake.results.study import Study
from sweepmake.results.summary_file import read_summary
from sweepmake.runs.experiment import Experiment


@pytest.fixture
def study(tmp_path: Path) -> Study:
    experiments = []
    for name in ("a", "b"):
        log = tmp_path / "logs" / name / "train.log"
        log.parent.mkdir(parents=True)
        log.write_text("epoch=1 loss=0.5\nepoch=2 loss=0.25\nBLEU = 27.5\n")
        logs = {"train": (str(log),)}
        experiments.append(Experiment(name, {}, str(log.parent), "", ("train",), logs=logs))
    return Study("logs", None, tuple(experiments), ("train",), str(tmp_path / "results"))


def times(study: Study) -> dict[str, int]:
    """When each of the results was written."""
    return {
        f"{experiment.name}/{file}": study.result(experiment, file).stat().st_mtime_ns
        for experiment in study.experiments
        for file in ("history.csv.gz", "metrics.json", "ranks.pdf")
    }


def test_everything_is_made_once(study: Study) -> None:
    """The first call reads and draws all experiments, the second none."""
    assert refresh(study, cores=2) == []
    made = times(study)
    assert refresh(study, cores=2) == []
    assert times(study) == made


def test_an_experiment_without_logs_is_left_alone(study: Study) -> None:
    """It has not started: there is nothing to read, and no folder is made for it."""
    experiment = replace(study.experiments[0], name="to come", logs={})
    assert refresh(replace(study, experiments=(experiment,)), cores=1) == []
    assert not study.result(experiment, "metrics.json").parent.exists()


def test_a_log_that_grew_is_read_again(study: Study) -> None:
    """Only the experiment whose log is newer than its results is made again."""
    refresh(study, cores=2)
    made = times(study)
    log = Path(study.experiments[1].logs["train"][0])
    with log.open("a") as file:
        file.write("epoch=3 loss=0.125\n")
    later = study.result(study.experiments[1], "metrics.json").stat().st_mtime + 10
    os.utime(log, (later, later))
    refresh(study, cores=2)
    changed = {key for key, time in times(study).items() if time != made[key]}
    assert changed == {"b/history.csv.gz", "b/metrics.json", "b/ranks.pdf"}
    summary = read_summary(study.result(study.experiments[1], "metrics.json"))
    assert summary["stages"]["train"]["metrics"]["loss"]["last"] == 0.125


def test_what_is_as_old_as_its_log_is_not_read_again(study: Study) -> None:
    """File systems that tell whole seconds would have it read for ever."""
    refresh(study, cores=1)
    made = times(study)
    for experiment in study.experiments:
        at = study.result(experiment, "metrics.json").stat().st_mtime_ns
        os.utime(experiment.logs["train"][0], ns=(at, at))
    refresh(study, cores=1)
    assert times(study) == made


@pytest.mark.parametrize("grown", [0, 1])
@pytest.mark.parametrize("stages", [("train", "train"), ("train", "test")])
def test_any_log_that_grew_counts(study: Study, stages: tuple[str, str], grown: int) -> None:
    """The first or second attempt's log, the first or second stage's."""
    folder = Path(study.experiments[0].folder)
    logs: dict[str, tuple[str, ...]] = {}
    for number, stage in enumerate(stages):
        log = folder / f"{number}.log"
        log.write_text(f"epoch={number + 1} loss=0.5\n")
        logs[stage] = (*logs.get(stage, ()), str(log))
    experiment = replace(study.experiments[0], stages=tuple(logs), logs=logs)
    study = replace(study, experiments=(experiment,), stages=experiment.stages)
    assert refresh(study, cores=1) == []
    made = times(study)
    later = study.result(experiment, "metrics.json").stat().st_mtime + 10
    os.utime(folder / f"{grown}.log", (later, later))
    assert refresh(study, cores=1) == []
    assert times(study)["a/metrics.json"] != made["a/metrics.json"]


def test_another_metric_reads_the_logs_again(study: Study) -> None:
    """A metric that was not looked for before, or with another pattern, is looked for now."""
    refresh(study, cores=1)
    for pattern, value in ((r"BLEU = ([\d.]+)", 27.5), (r"BLEU = (\d+)", 27)):
        metric = MetricPattern("bleu", "train", pattern)
        study = replace(study, metric_options=MetricOptions(metrics=(metric,)))
        assert refresh(study, cores=1) == []
        summary = read_summary(study.result(study.experiments[0], "metrics.json"))
        assert summary["measured"]["bleu"]["value"] == value


def test_one_experiment_that_cannot_be_read_is_named(study: Study) -> None:
    """Its name and the reason come back, and the other one is made all the same."""
    log = Path(study.experiments[0].logs["train"][0])
    log.unlink()
    log.mkdir()
    (problem,) = refresh(study, cores=2)
    assert problem.startswith("a: ")
    assert str(log) in problem
    assert study.result(study.experiments[1], "ranks.pdf").exists()


def test_plots_alone_are_drawn_again(study: Study) -> None:
    """A missing PDF is drawn from what was read before."""
    refresh(study, cores=2)
    made = times(study)
    study.result(study.experiments[0], "ranks.pdf").unlink()
    refresh(study, cores=2)
    changed = {key for key, time in times(study).items() if time != made[key]}
    assert changed == {"a/ranks.pdf"}


def test_logs_of_an_outdated_stage_tell_nothing(study: Study, tmp_path: Path) -> None:
    """It ran before the stage whose work it builds on ran again."""
    folder = tmp_path / "a"
    (folder / "records").mkdir(parents=True)
    for stage, started in (("train", 200.0), ("test", 100.0)):
        (folder / f"log.{stage}.20261121.214150").write_text("epoch=1 loss=0.5\n")
        record = {"stage": stage, "state": "finished", "started": started}
        (folder / f"records/{stage}.json").write_text(json.dumps(record))
    one = Experiment("a", {}, str(folder), str(folder / "records"), ("train", "test"))
    study = replace(study, experiments=(one,), stages=("train", "test"))
    assert refresh(study, cores=1) == []
    assert list(read_summary(study.result(one, "metrics.json"))["stages"]) == ["train"]
    (folder / "records/test.json").write_text(json.dumps({**record, "started": 300.0}))
    assert refresh(study, cores=1) == []
    assert list(read_summary(study.result(one, "metrics.json"))["stages"]) == ["train", "test"]


def test_what_goes_wrong_with_an_experiment_is_one_line(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name and the reason, also where the fault is ours; an error of input as it is told."""
    experiment = study.experiments[0]
    one = refresh_module._refresh_experiment
    assert one(study, experiment) == ""

    def fail(error: Exception) -> Any:
        def raising(*_: object, **__: object) -> None:
            raise error

        return raising

    study.result(experiment, "metrics.json").unlink()
    for error, words in (
        (InputError("bad", file="f", line=3), "a: f:3: bad"),
        (PermissionError(13, "Permission denied", "f"), "a: 'f': Permission denied"),
        (KeyError("x"), "a: KeyError: 'x'"),
    ):
        monkeypatch.setattr(refresh_module, "parse_logs", fail(error))
        assert one(study, experiment) == words


def test_a_process_that_dies_costs_its_own_experiment_only(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the kernel kills it for its memory: it is named, and all others are made."""
    names = [f"x{at}" for at in range(6)]
    experiments = tuple(replace(study.experiments[0], name=name) for name in names)
    parse = refresh_module.parse_logs

    def parse_or_die(stages: Any, output: Path, **options: Any) -> object:
        if output.name == "x2":
            os._exit(9)
        return parse(stages, output, **options)

    monkeypatch.setattr(refresh_module, "parse_logs", parse_or_die)
    (problem,) = refresh(replace(study, experiments=experiments), cores=2)
    assert problem.startswith("x2: the process")
    made = [name for name in names if (Path(study.results) / name / "ranks.pdf").exists()]
    assert made == [name for name in names if name != "x2"]


def test_the_study_is_not_sent_with_every_experiment(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It holds all experiments: ten thousand would be sent ten thousand times, for an hour."""
    experiments = tuple(replace(study.experiments[0], name=f"x{at}") for at in range(200))
    sent: list[int] = []

    def note(given: Study, experiments: Sequence[Experiment], cores: int) -> dict[str, str]:
        sent.append(len(pickle.dumps((given, experiments[0]))))
        return {experiment.name: "" for experiment in experiments}

    monkeypatch.setattr(refresh_module, "_refresh_some", note)
    assert refresh(replace(study, experiments=experiments), cores=2) == []
    assert sent[0] < 2_000


def test_an_expression_that_never_ends_costs_no_other_experiment(study: Study) -> None:
    """In the pool's processes, too: one line for the log that it never ends on."""
    pattern = r"(\w+ ?)*:(?P<x>\d)"
    slow = Path(study.experiments[0].logs["train"][0])
    with slow.open("a") as file:
        file.write("word " * 40 + "x=1 !\n")
    bad = replace(study, log_options={"pattern": pattern, "pattern_time_s": 1})
    (problem,) = refresh(bad, cores=2)
    assert problem.startswith(f"a: {slow}: the log pattern '{pattern}' took longer than 1 s (")
    assert "\n" not in problem
    assert study.result(study.experiments[1], "ranks.pdf").exists()
    assert not study.result(study.experiments[0], "metrics.json").exists()
    metric = MetricOptions(metrics=(MetricPattern("m", "", pattern),))
    slow_metric = replace(study, metric_options=metric, log_options={"pattern_time_s": 1})
    assert refresh(slow_metric, cores=2) == []
    summary = read_summary(study.result(study.experiments[0], "metrics.json"))
    assert summary["stages"]["train"]["metrics"]["loss"]["last"] == 0.25
    assert "took longer than 1 s" in summary["measured"]["m"]["note"]
    assert refresh(slow_metric, cores=2) == [], "and it is not tried again"
