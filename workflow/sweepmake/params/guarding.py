"""What the stage runner is told of a run's work: when it is done, ended early, resumed."""

from __future__ import annotations

import glob
import json
from collections.abc import Mapping, Sequence

from sweepmake.params.guard_keys import fill_path
from sweepmake.params.metrics import MetricPattern
from sweepmake.params.naming import Value
from sweepmake.params.stages import Stage

__all__ = ["guard_of"]

_READING = ("launcher", "reader", "pattern")  # what of `logs` decides about numbers


def guard_of(
    stage: Stage,
    values: Mapping[str, Value],
    *,
    enforce: bool,
    metrics: Sequence[MetricPattern],
    log_options: Mapping[str, object],
    resumed: Sequence[str],
) -> str:
    """Return what one run is held to, as JSON for the stage runner; "" for nothing.

    Args:
        stage: its stage.
        values: its parameters, with `_output` and `_name`.
        enforce: whether `runtime` and `mem_mb` are limits.
        metrics: the user's metrics, for those that `success` names.
        log_options: how logs are read, for the other metrics.
        resumed: the command, cut where {_time} goes, where an attempt is resumed; () for never.
    """
    told: dict[str, object] = {}
    if enforce:
        told |= {"runtime": stage.runtime, "mem_mb": stage.mem_mb}
    told["fail_on"] = stage.fail_on
    if stage.silence is not None:
        told["silence"] = {"minutes": stage.silence.minutes, "end": stage.silence.end}
    if stage.success is not None:
        success = stage.success
        told["files"] = [fill_path(path, values, glob.escape) for path in success.files]
        told["pattern"] = success.pattern
        told["metric"] = _metrics(stage.name, success.metric, metrics, log_options)
    if resumed:
        told["resume"] = list(resumed)
        told["resume_if"] = fill_path(stage.resume_if or "", values, glob.escape)
    told = {name: value for name, value in told.items() if value}
    return json.dumps(told, ensure_ascii=False) if told else ""


def _metrics(
    stage: str,
    names: Sequence[str],
    metrics: Sequence[MetricPattern],
    log_options: Mapping[str, object],
) -> dict[str, object]:
    """Return what the program that reads the metrics of a run is told; {} where none are."""
    if not names:
        return {}
    known = {metric.name: metric for metric in metrics if metric.stage in ("", stage)}
    chosen = [known[name] for name in names if name in known]
    return {
        "names": list(names),
        "patterns": [[one.name, stage, one.pattern, one.take] for one in chosen],
        "options": {key: log_options[key] for key in _READING if key in log_options},
    }
