"""The table of all experiments: what the workbook, the CSV file, the report and plots show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from sweepmake.aggregate.outcomes import Outcome
from sweepmake.naming import Value

__all__ = ["Cell", "Column", "Table"]

Cell = str | int | float | bool | None
"""A value; None for an empty cell. Floats may be nan or infinite where a log says so."""

Group = Literal["experiment", "objective", "parameter", "training", "metric", "cost", "link"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        key: its name in code: "lr", "val_loss", "train.wall_time_s".
        heading: what a reader sees: "learning rate".
        group: what it tells about.
        rule: "max" or "min" where one of them is better, else None.
        unit: "s", "MB", … or "".
    """

    key: str
    heading: str
    group: Group
    rule: str | None = None
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """The experiments, the best first.

    Attributes:
        columns: the columns, in their order.
        rows: one per experiment, as long as `columns`: by the objective, the best first; those
            without it after them, in the order of the file.
        outcomes: the experiment of each row.
        constant: the parameters that are equal in all experiments.
        objective: key of the objective's column; None where there is nothing to order by.
        objective_text: what the objective is, in words ("val_acc, more is better").
        warnings: what the user should know, one sentence each.
    """

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    outcomes: tuple[Outcome, ...]
    constant: Mapping[str, Value] = field(default_factory=dict)
    objective: str | None = None
    objective_text: str = ""
    warnings: tuple[str, ...] = ()

    def position(self, key: str) -> int:
        """Return the place of a column, from 0.

        Raises:
            KeyError: there is no such column.
        """
        for at, column in enumerate(self.columns):
            if column.key == key:
                return at
        raise KeyError(key)

    def values(self, key: str) -> list[Cell]:
        """Return the cells of a column, in the order of the rows."""
        at = self.position(key)
        return [row[at] for row in self.rows]
