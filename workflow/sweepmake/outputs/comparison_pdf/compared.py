"""What the pages of the comparison show: the objective and the varied parameters, side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sweepmake.outputs.drawing.scale import (
    Floats,
    Scale,
    number,
    parameter_scale,
    value_scale,
)
from sweepmake.outputs.drawing.style import plain
from sweepmake.outputs.drawing.text import cut_middle
from sweepmake.results.columns import Column, cell_text
from sweepmake.results.study import Study
from sweepmake.results.table import Table

__all__ = ["Comparison", "compare", "count", "limits"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """The experiments of a table, the best first.

    Attributes:
        table: the table.
        scales: the axes of the varied parameters, by their keys, without those averaged over.
        averaged: keys of the varied parameters that are averaged over (`over:`, as a rule seed).
        objective: the objective's axis; all nan where there is none.
        better: "max", "min", or None where there is no objective.
        settings: per experiment the number of its setting: experiments with equal numbers differ
            in the averaged parameters only.
    """

    table: Table
    scales: dict[str, Scale]
    averaged: tuple[str, ...]
    objective: Scale
    better: str | None
    settings: tuple[int, ...]

    @property
    def values(self) -> Floats:
        """The objective in its drawing coordinates, per experiment; nan where there is none."""
        return self.objective.positions

    @property
    def best(self) -> int | None:
        """The row of the best experiment, None where none has a value."""
        rows = np.flatnonzero(np.isfinite(self.values))
        return int(rows[0]) if len(rows) and self.better else None

    def problem(self) -> str:
        """Say why nothing can be compared; "" where it can."""
        if self.table.objective is None:
            wrong = [text for text in self.table.warnings if text.startswith("objective ")]
            if wrong or self.table.objective_text:
                return wrong[0] if wrong else f"No experiment has {self.table.objective_text}."
            return (
                "There is no objective to compare the experiments by. Name one in the first "
                "document of params.yaml, such as objective: {metric: val_acc, mode: max}."
            )
        if not np.isfinite(self.values).any():
            return f"No experiment has a number for {self.objective.label} yet: {self.states()}."
        return ""

    def states(self) -> str:
        """Say how many experiments there are of each status."""
        counts = Counter(outcome.status for outcome in self.table.outcomes)
        return ", ".join(f"{n} {status}" for status, n in counts.most_common()) or "none"

    def missing(self) -> str:
        """Say how many experiments are not shown because they have no number; "" for none."""
        without = [
            outcome.status
            for outcome, value in zip(self.table.outcomes, self.values, strict=True)
            if not np.isfinite(value)
        ]
        if not without:
            return ""
        states = ", ".join(f"{n} {status}" for status, n in Counter(without).most_common())
        return (
            f"Not shown, for they have no number for {self.objective.label}: "
            f"{len(without)} of {count(len(self.table.rows))} ({states})."
        )

    def name(self, row: int) -> str:
        """Return a name of an experiment that a reader understands: its varied parameters."""
        columns = [
            column
            for column in self.table.columns
            if column.key in self.scales or column.key in self.averaged
        ]
        cells = self.table.rows[row]
        parts = [
            f"{plain(column.heading)} {plain(cell_text(cells[self.table.position(column.key)], 4))}"
            for column in columns
        ]
        if not parts:
            return plain(self.table.outcomes[row].experiment.name)
        return ", ".join(cut_middle(" ".join(part.split()), 40) for part in parts)

    def means(self, rows: Sequence[int]) -> Floats:
        """Return the mean of each setting among some experiments, in the order of their first."""
        groups: dict[int, list[float]] = {}
        for row in rows:
            if np.isfinite(self.values[row]):
                groups.setdefault(self.settings[row], []).append(float(self.values[row]))
        return np.array([np.mean(group) for group in groups.values()], dtype=np.float64)

    def spread(self, rows: Sequence[int]) -> float:
        """Return the standard deviation over the averaged parameters, pooled over the settings.

        It is the root of the settings' mean variance (n - 1 in the denominator); nan where no
        setting has two experiments.
        """
        groups: dict[int, list[float]] = {}
        for row in rows:
            if np.isfinite(self.values[row]):
                groups.setdefault(self.settings[row], []).append(float(self.values[row]))
        several = [group for group in groups.values() if len(group) > 1]
        if not several:
            return float("nan")
        squares = sum(float(np.var(group, ddof=1)) * (len(group) - 1) for group in several)
        return float(np.sqrt(squares / sum(len(group) - 1 for group in several)))


def count(experiments: int) -> str:
    """Return "1 experiment", "2 experiments"."""
    return f"{experiments} experiment{'' if experiments == 1 else 's'}"


def compare(study: Study, table: Table) -> Comparison:
    """Return what the pages of the comparison show."""
    varied = [column for column in table.columns if column.group == "parameter"]
    varied = [column for column in varied if len(set(map(repr, table.values(column.key)))) > 1]
    averaged = tuple(column.key for column in varied if column.key in study.metric_options.over)
    shown = [column for column in varied if column.key not in averaged] or varied
    scales = {
        column.key: parameter_scale(_heading(column), table.values(column.key)) for column in shown
    }
    if table.objective is None:
        objective = value_scale("", np.full(len(table.rows), np.nan))
        better = None
    else:
        column = table.columns[table.position(table.objective)]
        values = np.array([number(cell) for cell in table.values(column.key)], dtype=np.float64)
        objective = value_scale(_heading(column), values)
        better = column.rule or "max"
    seen: dict[tuple[str, ...], int] = {}
    keys = [column.key for column in varied if column.key not in averaged]
    cells = [table.values(key) for key in keys]
    settings = tuple(
        seen.setdefault(tuple(repr(column[row]) for column in cells), len(seen))
        for row in range(len(table.rows))
    )
    averaged = tuple(key for key in averaged if key not in scales)
    return Comparison(table, scales, averaged, objective, better, settings)


def limits(comparison: Comparison) -> tuple[float, float, int]:
    """Return (least, greatest, how many lie outside) of the objective's axis.

    Outliers, as a rule runs that diverged, would press all others into one line: beyond three
    times the span of nine tenths of the values the axis ends. The best is always inside.
    """
    values = comparison.values[np.isfinite(comparison.values)]
    if not len(values):
        return 0.0, 1.0, 0
    low, high = float(values.min()), float(values.max())
    first, last = np.percentile(values, (5, 95))
    if last > first:
        low = max(low, float(first - 3 * (last - first)))
        high = min(high, float(last + 3 * (last - first)))
    if comparison.best is not None:
        best = float(comparison.values[comparison.best])
        low, high = min(low, best), max(high, best)
    outside = int(((values < low) | (values > high)).sum())
    margin = (high - low) * 0.06 or abs(high) * 0.05 or 0.5
    return low - margin, high + margin, outside


def _heading(column: Column) -> str:
    return plain(f"{column.heading} ({column.unit})" if column.unit else column.heading)
