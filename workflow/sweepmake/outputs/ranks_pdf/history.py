"""Reads history.csv.gz (docs/readers.md) into curves, by stage, metric and rank.

The file is streamed: a million rows take no more memory than some thousand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from sweepmake.errors import InputError
from sweepmake.logs.history_file import DAMAGES, EMPTY, PLACE_COLUMNS, STEP_TIME, open_history
from sweepmake.outputs.drawing.scale import HUGE, Floats
from sweepmake.outputs.ranks_pdf.points import ATTEMPT, EPOCH, STEP, STEPS, VALUE, Points

__all__ = ["Axis", "Curve", "Stage", "read_stages"]

_FEW_RANKS = 16
_MOST_POINTS = (1600, 400)  # per rank and metric: with few ranks, with many


@dataclass(frozen=True, slots=True)
class Curve:
    """One metric of one rank.

    Attributes:
        rank: the rank.
        x, y: the points in the order logged; y is nan where the log says so or infinite.
        pale: which points a later attempt or restart logged again.
        breaks: where, after the first, an attempt or a restart begins.
    """

    rank: int
    x: Floats
    y: Floats
    pale: np.typing.NDArray[np.bool_]
    breaks: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Axis:
    """What x is.

    Attributes:
        kind: "epoch" (whole epochs and parts of them), "step" or "row".
        label: for the axis.
        base: the number of the first epoch, 0 or 1; 0 where the log has epochs such as 0.33.
        fractional: whether the log itself has such epochs.
        steps: steps per epoch where the log does not say; 0 where unknown.
        offsets: epoch → the step with which it begins, where steps count on from epoch to epoch.
    """

    kind: str
    label: str
    base: int = 1
    fractional: bool = False
    steps: float = 0.0
    offsets: Mapping[float, float] = field(default_factory=dict)

    def places(self, block: Floats) -> Floats:
        """Return x of each row; nan for rows that have no place (an evaluation after the end)."""
        if self.kind == "row":
            return np.arange(1, len(block) + 1, dtype=np.float64)
        epoch, step, steps = block[:, EPOCH], block[:, STEP], block[:, STEPS]
        if self.kind == "step":
            return np.where(step == EMPTY, np.nan, step)
        if self.fractional:
            return np.where(epoch == EMPTY, np.nan, epoch)
        known = (step != EMPTY) & (steps != EMPTY) & (steps > 0)
        part = np.where(known, step / np.where(known, steps, 1), 1.0)
        counted = (step != EMPTY) & ~known
        if self.steps and counted.any():
            begin = np.array([self.offsets.get(number, 0.0) for number in epoch[counted]])
            part[counted] = (step[counted] - begin) / self.steps
        return np.where(epoch == EMPTY, np.nan, epoch - self.base + np.clip(part, 0, 1))

    def place(self, epoch: float | None, step: float | None, steps: float | None) -> float:
        """Return x of one place; nan where it has none."""
        cells = [EMPTY if cell is None else cell for cell in (epoch, step, steps)]
        if self.kind == "row":
            return float("nan")
        return float(self.places(np.array([[*cells, 0.0, 1.0]]))[0])


@dataclass(frozen=True, slots=True)
class Stage:
    """What one stage logged.

    Attributes:
        name: the stage.
        axis: what x is.
        metrics: the metrics, in the order of the file, without those that it never logged.
        ranks: all ranks that logged anything.
        curves: (metric, rank) → every row's points, thinned where there are many; as the metric
            STEP_TIME the seconds per step.
        ends: (metric, rank) → the last point of each epoch (every row's without epochs).
        starts: where the second attempt begins, the third, …, in x.
        most_rows: rows of the rank that has the most.
    """

    name: str
    axis: Axis
    metrics: tuple[str, ...]
    ranks: tuple[int, ...]
    curves: Mapping[tuple[str, int], Curve]
    ends: Mapping[tuple[str, int], Curve]
    starts: tuple[float, ...]
    most_rows: int

    def of(self, metric: str, *, ends: bool = False) -> list[Curve]:
        """Return a metric's curves, rank by rank."""
        curves = self.ends if ends else self.curves
        return [curves[metric, rank] for rank in self.ranks if (metric, rank) in curves]


def read_stages(path: Path, ranks: int) -> list[Stage]:
    """Return the stages of a history, in the order of the file.

    Args:
        path: history.csv.gz.
        ranks: about how many ranks it has; with many, fewer points are kept of each.

    Raises:
        InputError: it cannot be read, or is no history.
    """
    found: dict[str, _Reading] = {}
    try:
        with open_history(path) as history:
            if not history.begins_well:
                raise InputError(
                    f"expected a history that begins with {','.join(PLACE_COLUMNS)}, "
                    f"found {','.join(history.columns)[:80]!r}",
                    file=str(path),
                    hint="remove it, and the workflow makes it again",
                )
            most = _MOST_POINTS[ranks > _FEW_RANKS]
            for stage, attempt, rank, numbers in history.tables():
                reading = found.setdefault(stage, _Reading(stage, history.metrics, most))
                reading.add(attempt, rank, numbers)
    except DAMAGES as error:
        raise InputError(
            f"cannot be read as a history ({error})",
            file=str(path),
            hint="remove it, and the workflow makes it again",
        ) from error
    return [reading.close() for reading in found.values()]


class _Reading:
    """One stage while its rows come in."""

    def __init__(self, name: str, metrics: Sequence[str], most: int) -> None:
        self.name = name
        self.metrics = metrics
        self.most = most
        self.points: dict[tuple[str, int], Points] = {}
        self.ranks: dict[int, int] = {}
        self.starts: dict[int, Floats] = {}
        self.epochs: dict[float, tuple[float, float]] = {}
        self.first_epoch = EMPTY
        self.fractional = self.stepped = False
        self._last_step: tuple[int, int, float] = (-1, -1, EMPTY)

    def add(self, attempt: int, rank: int, table: Floats) -> None:
        """Take rows of one rank."""
        self.ranks[rank] = self.ranks.get(rank, 0) + len(table)
        epoch, step = table[:, 0], table[:, 1]
        dated = epoch != EMPTY
        if dated.any():
            numbers = epoch[dated]
            self.first_epoch = min(self.first_epoch, float(numbers.min()))
            self.fractional = self.fractional or bool((numbers % 1).any())
        self._see_steps(attempt, rank, table)
        if attempt not in self.starts:
            self.starts[attempt] = np.array([[epoch[0], step[0], table[0, 2], 0.0, attempt]])
        head = np.empty((len(table), 5))
        head[:, :3] = table[:, :3]
        head[:, ATTEMPT] = attempt
        for column, name in ((4, STEP_TIME), *enumerate(self.metrics, start=5)):
            value = table[:, column]
            has = value != EMPTY
            if not has.any():
                continue
            block = head[has]
            block[:, VALUE] = value[has]
            key = (name, rank)
            if key not in self.points:
                self.points[key] = Points(self.most)
            self.points[key].add(block)

    def _see_steps(self, attempt: int, rank: int, table: Floats) -> None:
        """Note which steps each epoch has; give rows without a step and epoch the last step."""
        epoch, step = table[:, 0], table[:, 1]
        has = step != EMPTY
        if has.any():
            self.stepped = True
        if (epoch == EMPTY).all() and self.stepped:
            before = self._last_step
            carried = before[2] if before[:2] == (attempt, rank) else EMPTY
            at = np.maximum.accumulate(np.where(has, np.arange(len(step)), -1))
            step[:] = np.where(at >= 0, step[np.maximum(at, 0)], carried)
            self._last_step = (attempt, rank, float(step[-1]))
        bare = has & (epoch != EMPTY) & (table[:, 2] == EMPTY)
        if bare.any():
            numbers, steps = epoch[bare], step[bare]
            begins = np.flatnonzero(np.r_[True, numbers[1:] != numbers[:-1]])
            lows = np.minimum.reduceat(steps, begins)
            highs = np.maximum.reduceat(steps, begins)
            for number, low, high in zip(numbers[begins], lows, highs, strict=True):
                old = self.epochs.get(number, (low, high))
                self.epochs[number] = (min(old[0], low), max(old[1], high))

    def close(self) -> Stage:
        """Return the stage."""
        axis = self._axis()
        curves = {key: _curve(key[1], found.rows(), axis) for key, found in self.points.items()}
        ends = {key: _curve(key[1], found.ends(), axis) for key, found in self.points.items()}
        curves = {key: curve for key, curve in curves.items() if len(curve.x)}
        logged = {name for name, _ in curves}
        starts = [float(axis.places(self.starts[at])[0]) for at in sorted(self.starts)[1:]]
        return Stage(
            name=self.name,
            axis=axis,
            metrics=tuple(name for name in self.metrics if name in logged),
            ranks=tuple(sorted(self.ranks)),
            curves=curves,
            ends={key: curve for key, curve in ends.items() if len(curve.x)},
            starts=tuple(start for start in starts if np.isfinite(start)),
            most_rows=max(self.ranks.values()),
        )

    def _axis(self) -> Axis:
        if self.first_epoch == EMPTY:
            return Axis("step", "step") if self.stepped else Axis("row", "row of the log")
        if self.fractional:
            return Axis("epoch", "epoch", base=0, fractional=True)
        offsets: dict[float, float] = {}
        most, before = 0.0, 0.0
        for number in sorted(self.epochs):
            low, high = self.epochs[number]
            if low > before > 0:  # steps count on from epoch to epoch
                offsets[number] = before
            most, before = max(most, high - offsets.get(number, 0.0)), high
        if self.first_epoch == 0:
            label = "epochs done (the log counts from 0)"
            return Axis("epoch", label, base=0, steps=most, offsets=offsets)
        return Axis("epoch", "epoch", steps=most, offsets=offsets)


def _curve(rank: int, block: Floats, axis: Axis) -> Curve:
    """Return the curve of some points: split where x goes back, the repeated part pale."""
    x = axis.places(block)
    placed = np.isfinite(x)
    x, y, attempt = x[placed], block[placed, VALUE], block[placed, ATTEMPT]
    y = np.where(np.abs(y) < HUGE, y, np.nan)
    if not len(x):  # a metric that only stands before the first epoch
        return Curve(rank, x, y, np.zeros(0, dtype=bool), ())
    again = (x[1:] < x[:-1] - 1e-9) | (attempt[1:] != attempt[:-1])
    breaks = tuple(int(at) + 1 for at in np.flatnonzero(again))
    pale = np.zeros(len(x), dtype=bool)
    newest = np.inf
    for begin, end in reversed(list(zip((0, *breaks), (*breaks, len(x)), strict=True))):
        pale[begin:end] = x[begin:end] >= newest
        newest = min(newest, float(x[begin]))
    return Curve(rank, x, y, pale, breaks)
