"""All that is known of the experiments, column by column: what the table chooses from."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sweepmake.metric_names import direction, validation_name
from sweepmake.params.naming import Value, identity
from sweepmake.results.columns import Cell, Column, FilledColumn, Group
from sweepmake.results.doubts import doubtful
from sweepmake.results.failures import Failure
from sweepmake.results.outcomes import Outcome, StageOutcome
from sweepmake.results.study import Study

__all__ = [
    "WIZARD_HEADINGS",
    "as_cell",
    "collect_fields",
    "log_path",
    "mapping",
    "relative_path",
    "varied_parameters",
]

_NOT_FINITE = {"nan": float("nan"), "inf": float("inf"), "-inf": float("-inf")}
_NOTE_LENGTH = 160

# Training Log Wizard's columns (aggregate_results.py): key in metrics.json, heading, unit
_WIZARD = (
    ("total_job_ranks", "total processes", ""),
    ("total_epochs", "total epochs", ""),
    ("steps_x_epoch", "steps per epoch", ""),
    ("total_training_time", "total training time", "s"),
    ("early_stop_iteration", "early stop iteration", ""),
)
WIZARD_HEADINGS = frozenset(heading for _, heading, _ in _WIZARD)
"""Headings of what Training Log Wizard tells of a training, beside its metrics."""


class _Keys:
    """The keys given so far: no two columns may have one."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def claim(self, key: str, owner: str) -> str:
        """Return the key, with its owner before it where it is taken."""
        while key in self._taken:
            key = f"{owner}.{key}"
        self._taken.add(key)
        return key


def collect_fields(
    study: Study, outcomes: Sequence[Outcome], failures: Mapping[str, Failure]
) -> list[FilledColumn]:
    """Return every column that can be made, in the order of the table.

    Args:
        study: what the results are made of.
        outcomes: what became of each experiment.
        failures: how those that failed did, by name.

    Returns:
        Fields with one value per outcome, in the order of `outcomes`; those of constant parameters
        among them, not shown.
    """
    keys = _Keys()
    fields = _experiment_fields(outcomes, failures, keys)
    fields += _parameter_fields(study, outcomes, keys)
    own = _own_metrics(study, outcomes, keys)
    fields += _wizard_fields(outcomes, keys)
    validation, metrics = _metric_fields(study, outcomes, keys)
    fields += [*validation, *own, *metrics]
    fields += _cost_fields(study, outcomes, keys)
    return fields + _link_fields(study, outcomes, keys)


def as_cell(value: object) -> Cell:
    """Return a number of metrics.json as a cell: "nan" and "inf" become floats, null is empty."""
    if isinstance(value, str):
        return _NOT_FINITE.get(value)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def mapping(value: object) -> Mapping[str, Any]:
    """Return the value if it is a mapping, else an empty one (another version's file)."""
    return value if isinstance(value, Mapping) else {}


def varied_parameters(parameters: Sequence[Mapping[str, Value]]) -> tuple[list[str], list[str]]:
    """Return the names of the parameters that differ, and of those that are equal everywhere.

    1, 1.0, true and "1" differ. A single experiment has nothing to differ from: all are shown.

    Args:
        parameters: those of each experiment.
    """
    names = list(dict.fromkeys(name for one in parameters for name in one))
    if len(parameters) == 1:
        return names, []
    varied: list[str] = []
    constant: list[str] = []
    for name in names:
        values = {identity(one[name]) if name in one else None for one in parameters}
        (varied if len(values) > 1 else constant).append(name)
    return varied, constant


def _field(
    column: Column, values: Iterable[Cell], *, shown: bool = True, if_filled: bool = False
) -> FilledColumn:
    listed = tuple(values)
    return FilledColumn(
        column, listed, shown and (not if_filled or any(v is not None for v in listed))
    )


def _experiment_fields(
    outcomes: Sequence[Outcome], failures: Mapping[str, Failure], keys: _Keys
) -> list[FilledColumn]:
    def column(key: str) -> Column:
        return Column(keys.claim(key, "experiment"), key, "experiment")

    notes = [_note(one, failures.get(one.experiment.name)) for one in outcomes]
    return [
        _field(column("experiment"), [outcome.experiment.name for outcome in outcomes]),
        _field(column("status"), [outcome.status for outcome in outcomes]),
        _field(column("note"), notes, if_filled=True),
        _field(column("doubtful"), [doubtful(outcome) for outcome in outcomes], if_filled=True),
    ]


def _note(outcome: Outcome, failure: Failure | None) -> Cell:
    """Return what a reader should know at a glance, None where all is well."""
    if outcome.experiment.problem:
        return outcome.experiment.problem
    if outcome.status == "running":
        running = [stage for stage in outcome.stages if stage.status == "running"]
        attempts = [f", attempt {run.attempt}" if run.attempt > 1 else "" for run in running]
        return "; ".join(
            run.stage + attempt + _silence(run)
            for run, attempt in zip(running, attempts, strict=True)
        )
    if failure is not None:
        code = "" if failure.exit_code is None else f", exit code {failure.exit_code}"
        words = f"{failure.stage}: {failure.kind}{code}"
        return (f"{words}: {failure.last_line}" if failure.last_line else words)[:_NOTE_LENGTH]
    if outcome.status == "outdated":
        stages = [stage.stage for stage in outcome.stages if stage.status == "outdated"]
        return f"{', '.join(stages)}: of an older command, to be run again"
    if outcome.status == "unfinished":
        waiting = next(stage for stage in outcome.stages if stage.status != "finished")
        return f"{waiting.stage}: {waiting.status}"
    if outcome.status == "finished" and outcome.summary and not _has_metrics(outcome):
        return "no metric in its logs"
    return None


def _silence(run: StageOutcome) -> str:
    if run.silent_since is None:
        return ""
    since = time.strftime("%Y-%m-%d %H:%M", time.localtime(run.silent_since))
    return f", has written nothing since {since}"


def _has_metrics(outcome: Outcome) -> bool:
    stages = mapping(outcome.summary.get("stages"))
    return any(mapping(stage).get("metrics") for stage in stages.values())


def _parameter_fields(study: Study, outcomes: Sequence[Outcome], keys: _Keys) -> list[FilledColumn]:
    parameters = [outcome.experiment.parameters for outcome in outcomes]
    varied, constant = varied_parameters(parameters)
    headings = study.metric_options.headings
    return [
        _field(
            Column(keys.claim(name, "parameter"), headings.get(name, name), "parameter"),
            [one.get(name) for one in parameters],
            shown=shown,
        )
        for names, shown in ((varied, True), (constant, False))
        for name in names
    ]


def _own_metrics(study: Study, outcomes: Sequence[Outcome], keys: _Keys) -> list[FilledColumn]:
    """Return the metrics that the user's patterns found; shown even where they found nothing."""
    read_out = [mapping(outcome.summary.get("measured")) for outcome in outcomes]
    return [
        _field(
            Column(keys.claim(one.name, "metric"), one.name, "metric", direction(one.name)),
            [as_cell(mapping(found.get(one.name)).get("value")) for found in read_out],
        )
        for one in study.metric_options.metrics
    ]


def _wizard_fields(outcomes: Sequence[Outcome], keys: _Keys) -> list[FilledColumn]:
    """Return Training Log Wizard's columns of the training as a whole; its -1 is "not known"."""
    fields = []
    for key, heading, unit in _WIZARD:
        values = [as_cell(outcome.summary.get(key)) for outcome in outcomes]
        known = [
            None if value == -1 or (key == "total_job_ranks" and value == 0) else value
            for value in values
        ]
        column = Column(keys.claim(key, "training"), heading, "training", unit=unit)
        fields.append(_field(column, known, if_filled=True))
    return fields


def _metric_fields(
    study: Study, outcomes: Sequence[Outcome], keys: _Keys
) -> tuple[list[FilledColumn], list[FilledColumn]]:
    """Return (the validation metrics under Training Log Wizard's headings, all other metrics).

    The validation metrics are those of the first stage that logged anything, their last values.
    """
    found = {
        stage: [_stage_metrics(outcome, stage) for outcome in outcomes] for stage in study.stages
    }
    names = {
        stage: list(dict.fromkeys(name for metrics in each for name in metrics))
        for stage, each in found.items()
    }
    first = next((stage for stage in study.stages if names[stage]), None)
    validation: list[FilledColumn] = []
    others: list[FilledColumn] = []
    headings: set[str] = set()
    for stage in study.stages:
        for name in names[stage]:
            metrics = [each.get(name, {}) for each in found[stage]]
            short = validation_name(name) if stage == first else None
            twice = short is None and sum(name in listed for listed in names.values()) > 1
            key = keys.claim(f"{stage}.{name}" if twice else name, stage)
            if short is not None and short not in headings:
                headings.add(short)
                heading = short if key == name else key
                validation.append(_last(key, heading, "training", name, metrics))
            else:
                others.append(_last(key, key, "metric", name, metrics))
            others.extend(_bests(key, name, metrics, keys, epochs=short is not None))
    validation.sort(key=lambda field: _wizard_place(field.column.heading))
    return validation, others


def _stage_metrics(outcome: Outcome, stage: str) -> Mapping[str, Mapping[str, Any]]:
    stages = mapping(outcome.summary.get("stages"))
    return mapping(mapping(stages.get(stage)).get("metrics"))


def _wizard_place(heading: str) -> int:
    return {"val_loss": 0, "val_acc": 1}.get(heading, 2)


def _last(
    key: str, heading: str, group: Group, name: str, metrics: Sequence[Mapping[str, Any]]
) -> FilledColumn:
    """Return a metric's last values."""
    column = Column(key, heading, group, direction(name))
    return _field(column, [as_cell(one.get("last")) for one in metrics])


def _bests(
    key: str, name: str, metrics: Sequence[Mapping[str, Any]], keys: _Keys, *, epochs: bool
) -> list[FilledColumn]:
    """Return a metric's best values and their epochs, shown where they tell more than the last.

    Args:
        key: the key of its last values, "train.loss".
        name: its name, "loss".
        metrics: its part of each experiment's metrics.json.
        keys: the keys so far.
        epochs: whether to show the epochs (else they can be named in an objective only).
    """
    rule = direction(name)
    if rule is None:
        return []
    bests = [as_cell(one.get("best")) for one in metrics]
    lasts = [as_cell(one.get("last")) for one in metrics]
    tells = any(a is not None and a != b for a, b in zip(bests, lasts, strict=True))
    owner = key.removesuffix(name)
    best = keys.claim(f"{owner}best_{name}", "log")
    epoch = keys.claim(f"{best}_epoch", "log")
    places = [as_cell(one.get("best_epoch")) for one in metrics]
    heading = best.replace("_", " ", 1)
    return [
        _field(Column(best, heading, "metric", rule, derived=True), bests, shown=tells),
        _field(
            Column(epoch, f"{heading} epoch", "metric", derived=True),
            places,
            shown=tells and epochs,
            if_filled=True,
        ),
    ]


def _cost_fields(study: Study, outcomes: Sequence[Outcome], keys: _Keys) -> list[FilledColumn]:
    """Return what each stage took: wall time, CPU and GPU seconds, memory, attempts."""
    runs = [{run.stage: run for run in outcome.stages} for outcome in outcomes]
    several = any(run.attempt > 1 for each in runs for run in each.values())
    kinds: tuple[tuple[str, str, str, Callable[[StageOutcome], Cell]], ...] = (
        ("wall_time_s", "wall time (s)", "s", lambda run: run.wall_time_s),
        ("cpu_time_s", "CPU time (s)", "s", lambda run: run.cpu_time_s),
        ("gpu_time_s", "GPU time (s)", "s", lambda run: run.gpu_time_s if run.gpus else None),
        ("max_memory_mb", "peak memory (MB)", "MB", lambda run: run.max_memory_mb),
        ("attempts", "attempts", "", lambda run: run.attempt or None),
    )
    fields = []
    for stage in study.stages:
        for kind, words, unit, read in kinds:
            values = [read(each[stage]) if stage in each else None for each in runs]
            column = Column(
                keys.claim(f"{stage}.{kind}", "stage"), f"{stage} {words}", "cost", unit=unit
            )
            shown = several if kind == "attempts" else True
            fields.append(_field(column, values, shown=shown, if_filled=True))
    return fields


def _link_fields(study: Study, outcomes: Sequence[Outcome], keys: _Keys) -> list[FilledColumn]:
    """Return links to the log, the plots and the folder, as paths from the folder of results."""
    logs = [log_path(outcome) for outcome in outcomes]
    pages = [f"{one.experiment.name}/ranks.pdf" if one.summary else None for one in outcomes]
    folders = [one.experiment.folder for one in outcomes]
    listed = (
        ("log", "log", [relative_path(study, log) if log else None for log in logs]),
        ("pdf", "PDF", pages),
        (
            "folder",
            "folder",
            [relative_path(study, path) if path else None for path in folders],
        ),
    )
    return [
        _field(Column(keys.claim(key, "link"), heading, "link"), values, if_filled=True)
        for key, heading, values in listed
    ]


def log_path(outcome: Outcome) -> str:
    """Return the log to look at first: of the stage that failed, else of the last that began."""
    if outcome.failed_stage is not None and outcome.failed_stage.log:
        return outcome.failed_stage.log
    return next((stage.log for stage in reversed(outcome.stages) if stage.log), "")


def relative_path(study: Study, path: str) -> str:
    """Return a path as seen from the folder of results, where the workbook lies."""
    base = os.path.abspath(study.results)  # noqa: PTH100 - Path.resolve would follow links
    return os.path.relpath(os.path.abspath(path), base)  # noqa: PTH100
