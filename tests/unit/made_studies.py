"""Small studies for tests: experiments with given parameters, records and summaries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sweepmake.metric_names import direction
from sweepmake.params.metrics import MetricOptions
from sweepmake.params.naming import Value
from sweepmake.results.outcomes import Outcome, StageOutcome
from sweepmake.results.study import Study
from sweepmake.runs.experiment import Experiment


def metric(name: str, last: Any, best: Any = None, epoch: int | None = None) -> dict[str, Any]:
    """Return a metric's part of metrics.json."""
    rule = direction(name)
    best = last if best is None and rule else best
    return {"last": last, "rule": rule, "best": best, "best_epoch": epoch, "ranks": 1}


def summary(stages: Mapping[str, Mapping[str, Any]], **flat: Any) -> dict[str, Any]:
    """Return a metrics.json of one rank.

    Args:
        stages: stage -> metric -> its last value, or its part of metrics.json.
        flat: Training Log Wizard's keys, and `measured`.
    """
    described: dict[str, Any] = {}
    for stage, metrics in stages.items():
        parts = {
            name: value if isinstance(value, dict) else metric(name, value)
            for name, value in metrics.items()
        }
        last = {name: part["last"] for name, part in parts.items()}
        described[stage] = {"metrics": parts, "ranks": {"0": {"last": last, "account": {}}}}
    return {**flat, "stages": described}


def outcome(
    name: str,
    parameters: Mapping[str, Value],
    found: Mapping[str, Any] | None = None,
    *,
    status: str = "finished",
    stages: Sequence[str] = ("train",),
    problem: str = "",
    **run: Any,
) -> Outcome:
    """Return an experiment whose stages all have one status.

    Args:
        name: its name.
        parameters: its parameters.
        found: its metrics.json.
        status: its status.
        stages: its stages.
        problem: why there is nothing to read.
        run: fields of its stages' StageOutcome.
    """
    folder = f"output/{name}"
    records = f"{folder}/.sweepmake"
    experiment = Experiment(name, parameters, folder, records, tuple(stages), problem=problem)
    state = "not started" if status in ("unfinished", "unreadable") else status
    run.setdefault("log", f"output/{name}/log.train.20261121.214150")
    runs = tuple(StageOutcome(stage, state, **run) for stage in stages)
    return Outcome(experiment, status, runs, found or {})


def study(
    outcomes: Sequence[Outcome],
    options: MetricOptions | None = None,
    results: str = "results",
) -> Study:
    """Return the study of these experiments."""
    stages = tuple(dict.fromkeys(stage for one in outcomes for stage in one.experiment.stages))
    return Study(
        source="params.yaml",
        params=None,
        experiments=tuple(one.experiment for one in outcomes),
        stages=stages,
        results=results,
        metric_options=options or MetricOptions(),
    )
