"""What the user says about metrics: `metric`, `objective`, `over`, and the headings of columns."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["HEADINGS", "MODES", "TAKES", "MetricOptions", "MetricPattern", "Mode", "Objective",
           "Take", "metrics_to_json"]  # fmt: skip

Take = Literal["last", "first", "max", "min", "mean"]
TAKES: tuple[Take, ...] = ("last", "first", "max", "min", "mean")
Mode = Literal["max", "min"]
MODES: tuple[Mode, ...] = ("max", "min")

HEADINGS: Mapping[str, str] = {
    "ppn": "processes per socket",
    "cps": "cores per process",
    "intra": "intra threads",
    "inter": "inter threads",
    "bt": "blocktime",
    "img": "training images",
    "lr": "learning rate",
    "mom": "momentum",
    "bs": "batch size",
    "dpout": "dropout",
}
"""Training Log Wizard's headings of its short parameter names."""


@dataclass(frozen=True, slots=True)
class MetricPattern:
    """A number that a regular expression reads out of a stage's log.

    Attributes:
        name: the metric's name, a column of the table.
        stage: the stage whose log is searched; "" for all, of which the last one counts that has
            a match.
        pattern: the expression; the number is its group `value`, else its first, else the match.
        take: which of several matches counts.
        file, line: where it is written, for messages; None where that is not known.
    """

    name: str
    stage: str
    pattern: str
    take: Take = "last"
    file: str | None = field(default=None, compare=False)
    line: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Objective:
    """What orders the experiments.

    Attributes:
        expression: a metric's name, or an expression of metrics such as `val_dsc / val_loss`.
        mode: whether more or less is better.
        file, line: where it is written, for messages; None where that is not known.
    """

    expression: str
    mode: Mode
    file: str | None = field(default=None, compare=False)
    line: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class MetricOptions:
    """All that the user says about metrics.

    Attributes:
        metrics: the user's own metrics, in the order of the file.
        objective: None where the user names none.
        over: the parameters over which results are averaged.
        headings: parameter → heading of its column.
    """

    metrics: tuple[MetricPattern, ...] = ()
    objective: Objective | None = None
    over: tuple[str, ...] = ("seed",)
    headings: Mapping[str, str] = field(default_factory=lambda: HEADINGS)


def metrics_to_json(metrics: Sequence[MetricPattern]) -> str:
    """Return metrics as one argument of a program; `logs.options.read_metrics` takes it."""
    return json.dumps([[one.name, one.stage, one.pattern, one.take] for one in metrics])
