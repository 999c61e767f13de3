"""Judges one run for the stage runner, which asks by JSON on stdin and reads JSON from stdout.

    {"record": {…}, "retry_on": [...]}          → {"kind": "out of memory", "retried": true}
    {"metric": {…}, "stage": …, "logs": [...]}  → {"lacks": "val_acc is nan"}, "" for nothing

It is started for the few runs that need it (runs/judging.py), after they have ended.
"""

from __future__ import annotations

import json
import math
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sweepmake.logs.options import LogOptions
from sweepmake.logs.parse import StageLogs, parse_logs
from sweepmake.params.metrics import MetricPattern
from sweepmake.results.columns import as_number
from sweepmake.results.ended_run import describe_run
from sweepmake.results.failure_kinds import is_retried

__all__ = ["judge_failure", "judge_metrics", "main"]


def main() -> None:
    """Answer the question on stdin."""
    question = json.load(sys.stdin)
    answer: dict[str, object]
    if "record" in question:
        answer = judge_failure(question["record"], question["retry_on"])
    else:
        logs = tuple(map(Path, question["logs"]))
        answer = {"lacks": judge_metrics(question["metric"], question["stage"], logs)}
    sys.stdout.write(json.dumps(answer))


def judge_failure(record: Mapping[str, object], retry_on: list[str]) -> dict[str, object]:
    """Return the `kind` of a failure, and whether a run that failed so is `retried`.

    Args:
        record: the record of the run.
        retry_on: the words of the stage's `retry_on`; none for all but what would come again.
    """
    failure = describe_run(record)
    kind = failure.kind if failure else "failed"
    return {"kind": kind, "retried": is_retried(kind, retry_on or None)}


def judge_metrics(asked: Mapping[str, Any], stage: str, logs: tuple[Path, ...]) -> str:
    """Return which metric of a run is not there or not finite, in words; "" where all are well.

    Args:
        asked: `names` of the metrics, the user's `patterns` among them, `options` of the readers.
        stage: the stage's name.
        logs: its attempts' logs, oldest first.
    """
    patterns = [MetricPattern(*one) for one in asked["patterns"]]
    with tempfile.TemporaryDirectory(prefix="sweepmake-") as folder:
        parsed = parse_logs(
            [StageLogs(stage, logs)],
            Path(folder),
            options=LogOptions.from_config(asked["options"]),
            metrics=patterns,
        )
        summary = json.loads(parsed.metrics.read_text(encoding="utf-8"))
    read = summary["stages"].get(stage, {}).get("metrics", {})
    measured = summary.get("measured", {})
    for name in asked["names"]:
        value = measured[name]["value"] if name in measured else read.get(name, {}).get("last")
        if value is None:
            return f"there is no metric '{name}' in its log"
        number = as_number(value)
        if number is None or not math.isfinite(number):
            return f"its metric '{name}' is {value}"
    return ""
