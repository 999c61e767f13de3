"""Reads the learning curves of many experiments, one metric of each, at a bounded cost.

A history has a row per step of every rank; a curve needs the last value of each epoch. Histories
are streamed, and of long ones only the first ranks are read.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sweepmake.logs.history_file import DAMAGES, open_history
from sweepmake.metric_names import is_validation
from sweepmake.outputs.drawing.scale import HUGE, Floats
from sweepmake.results.study import Study
from sweepmake.results.table import Table

__all__ = ["Curves", "LearningCurve", "read_learning_curves"]

_ALL_BYTES = 500_000_000  # of text, of all histories together: some 20 s of one processor
_LEAST_BYTES = 300_000  # of each history
_OVERRUN = 8  # a rank that has begun is read to its end, but for no more than so many shares
_MOST_POINTS = 400


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """One experiment's metric, as the mean of its ranks.

    Attributes:
        row: the experiment's row in the table, from 0.
        x, y: epochs or steps, and the metric; y is nan where a log says so.
        cut: whether the history was too long for this curve to be read to its end.
        partial: whether it was too long for all its ranks to be read.
    """

    row: int
    x: Floats
    y: Floats
    cut: bool = False
    partial: bool = False


@dataclass(frozen=True, slots=True)
class Curves:
    """The learning curves of a study.

    Attributes:
        metric: the metric's name; "" where no history has one.
        axis: "epoch" or "step".
        curves: in the order of the table; experiments without the metric have none.
        unreadable: experiments whose history is damaged.
    """

    metric: str = ""
    axis: str = "epoch"
    curves: tuple[LearningCurve, ...] = ()
    unreadable: tuple[str, ...] = ()


def read_learning_curves(study: Study, table: Table) -> Curves:
    """Return the learning curves of all experiments that have a history.

    The metric is the objective's if histories have it, else the first validation metric, else the
    loss, else the first that there is.

    Args:
        study: says where the histories are.
        table: the experiments, and the objective.
    """
    paths = {
        row: study.result(outcome.experiment, "history.csv.gz")
        for row, outcome in enumerate(table.outcomes)
    }
    paths = {row: path for row, path in paths.items() if path.is_file()}
    unreadable: list[str] = []
    logged: dict[int, list[str]] = {}
    for row, path in paths.items():
        try:
            with open_history(path) as history:
                logged[row] = history.metrics
        except DAMAGES:
            unreadable.append(table.outcomes[row].experiment.name)
    share = max(_LEAST_BYTES, _ALL_BYTES // max(1, len(logged)))
    for metric in _choices(table, logged.values()):
        found: dict[str, list[LearningCurve]] = {"epoch": [], "step": []}
        damaged: list[str] = []
        for row, metrics in logged.items():
            if metric not in metrics:
                continue
            try:
                axis, curve = _read(paths[row], metric, row, share)
            except DAMAGES:
                damaged.append(table.outcomes[row].experiment.name)
                continue
            if len(curve.x):
                found[axis].append(curve)
        axis = "epoch" if len(found["epoch"]) >= len(found["step"]) else "step"
        if found[axis]:
            return Curves(metric, axis, tuple(found[axis]), tuple(unreadable + damaged))
    return Curves(unreadable=tuple(unreadable))


def _choices(table: Table, logged: Iterable[Sequence[str]]) -> list[str]:
    """Return the metrics that histories have, the one that should be drawn first."""
    names: dict[str, None] = {}
    for metrics in logged:
        names.update(dict.fromkeys(metrics))
    objective = f"{table.objective or ''} {table.objective_text}"
    asked = re.findall(r"[\w./-]+", objective)
    asked += [word.rpartition(".")[2] for word in asked]

    def order(name: str) -> tuple[bool, bool, bool]:
        return (name not in asked, not is_validation(name), name != "loss")

    return sorted(names, key=order)


def _read(path: Path, metric: str, row: int, share: int) -> tuple[str, LearningCurve]:
    """Return what x is, and the curve of one history.

    Raises:
        One of DAMAGES: the file cannot be read.
    """
    ranks: dict[str, _Points] = {}
    drawn, last = "", ""
    read, cut, partial = 0, False, False
    with open_history(path) as history:
        for size, stage, rank, epoch, step, text in history.metric(metric):
            read += size
            if read > share and (rank != last or read > _OVERRUN * share) and ranks:
                cut, partial = rank == last, True
                break
            last = rank
            if not text or stage != (drawn or stage):
                continue  # the first stage that has the metric is drawn
            drawn = stage
            ranks.setdefault(rank, _Points()).add(epoch, step, float(text))
    axis = "epoch" if any(points.epochs for points in ranks.values()) else "step"
    x, y = _mean([points.epochs if axis == "epoch" else points.steps for points in ranks.values()])
    return axis, LearningCurve(row, x, np.where(np.abs(y) < HUGE, y, np.nan), cut, partial)


class _Points:
    """One rank's values: the last of each epoch, and of each step where there are no epochs."""

    def __init__(self) -> None:
        self.epochs: dict[float, float] = {}
        self.steps: dict[float, float] = {}
        self._every = 1
        self._seen = 0

    def add(self, epoch: str, step: str, value: float) -> None:
        """Take a row; of many steps every second is kept, then every fourth, …"""
        if epoch:
            self.epochs[float(epoch)] = value
            return
        self._seen += 1
        if self._seen % self._every:
            return
        self.steps[float(step) if step else float(self._seen)] = value
        if len(self.steps) > 2 * _MOST_POINTS:
            self.steps = dict(list(self.steps.items())[1::2])
            self._every *= 2


def _mean(ranks: Sequence[Mapping[float, float]]) -> tuple[Floats, Floats]:
    """Return x and the mean over the ranks that have a finite value there; nan where none has."""
    places = sorted(set().union(*ranks))
    if len(places) > _MOST_POINTS:
        kept = np.linspace(0, len(places) - 1, _MOST_POINTS).round().astype(int)
        places = [places[at] for at in kept]
    means = []
    for place in places:
        values = [rank[place] for rank in ranks if place in rank]
        finite = [value for value in values if math.isfinite(value)]
        means.append(sum(finite) / len(finite) if finite else float("nan"))
    return np.array(places, dtype=np.float64), np.array(means, dtype=np.float64)
