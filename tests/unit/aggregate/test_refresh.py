"""Results outside the workflow's jobs: what is new is read and drawn, what is not stays."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from sweepmake.aggregate.outcomes import read_summary
from sweepmake.aggregate.refresh import refresh
from sweepmake.aggregate.study import Case, Study
from sweepmake.measures import Measures, MetricPattern


@pytest.fixture
def study(tmp_path: Path) -> Study:
    cases = []
    for name in ("a", "b"):
        log = tmp_path / "logs" / name / "train.log"
        log.parent.mkdir(parents=True)
        log.write_text("epoch=1 loss=0.5\nepoch=2 loss=0.25\nBLEU = 27.5\n")
        logs = {"train": (str(log),)}
        cases.append(Case(name, {}, str(log.parent), "", ("train",), logs=logs))
    return Study("logs", None, tuple(cases), ("train",), str(tmp_path / "results"))


def times(study: Study) -> dict[str, int]:
    """When each of the results was written."""
    return {
        f"{case.name}/{file}": study.result(case, file).stat().st_mtime_ns
        for case in study.cases
        for file in ("history.csv.gz", "metrics.json", "ranks.pdf")
    }


def test_everything_is_made_once(study: Study) -> None:
    """The first call reads and draws all experiments, the second none."""
    assert refresh(study, cores=2) == []
    made = times(study)
    assert refresh(study, cores=2) == []
    assert times(study) == made


def test_a_log_that_grew_is_read_again(study: Study) -> None:
    """Only the experiment whose log is newer than its results is made again."""
    refresh(study, cores=2)
    made = times(study)
    log = Path(study.cases[1].logs["train"][0])
    with log.open("a") as file:
        file.write("epoch=3 loss=0.125\n")
    later = study.result(study.cases[1], "metrics.json").stat().st_mtime + 10
    os.utime(log, (later, later))
    refresh(study, cores=2)
    changed = {key for key, time in times(study).items() if time != made[key]}
    assert changed == {"b/history.csv.gz", "b/metrics.json", "b/ranks.pdf"}
    summary = read_summary(study.result(study.cases[1], "metrics.json"))
    assert summary["stages"]["train"]["metrics"]["loss"]["last"] == 0.125


def test_another_metric_reads_the_logs_again(study: Study) -> None:
    """A metric that was not looked for before, or with another pattern, is looked for now."""
    refresh(study, cores=1)
    for pattern, value in ((r"BLEU = ([\d.]+)", 27.5), (r"BLEU = (\d+)", 27)):
        metric = MetricPattern("bleu", "train", pattern)
        study = replace(study, measures=Measures(metrics=(metric,)))
        assert refresh(study, cores=1) == []
        summary = read_summary(study.result(study.cases[0], "metrics.json"))
        assert summary["measured"]["bleu"]["value"] == value


def test_one_experiment_that_cannot_be_read_is_named(study: Study) -> None:
    """Its name and the reason come back, and the other one is made all the same."""
    log = Path(study.cases[0].logs["train"][0])
    log.unlink()
    log.mkdir()
    (problem,) = refresh(study, cores=2)
    assert problem.startswith("a: ")
    assert str(log) in problem
    assert study.result(study.cases[1], "ranks.pdf").exists()


def test_plots_alone_are_drawn_again(study: Study) -> None:
    """A missing PDF is drawn from what was read before."""
    refresh(study, cores=2)
    made = times(study)
    study.result(study.cases[0], "ranks.pdf").unlink()
    refresh(study, cores=2)
    changed = {key for key, time in times(study).items() if time != made[key]}
    assert changed == {"a/ranks.pdf"}
