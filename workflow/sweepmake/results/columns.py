"""Columns and cells: what every table of results is made of."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import Literal
from urllib.parse import quote

__all__ = [
    "Cell",
    "Column",
    "FilledColumn",
    "Group",
    "Sheet",
    "as_number",
    "cell_text",
    "link_target",
    "unique_headings",
]

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
        derived: whether it only tells more of a metric: its best value, or the epoch of that.
    """

    key: str
    heading: str
    group: Group
    rule: str | None = None
    unit: str = ""
    derived: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class FilledColumn:
    """A column and its cells.

    Attributes:
        column: the column.
        values: one cell for each experiment.
        shown: whether it is worth a column; an objective may name it in any case.
    """

    column: Column
    values: tuple[Cell, ...]
    shown: bool = True

    @property
    def filled(self) -> bool:
        """Whether any cell holds anything."""
        return any(value is not None for value in self.values)


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table of anything: the sheets beside the experiments.

    Attributes:
        columns: the columns, in their order.
        rows: as long as `columns`.
        details: keys of columns that a reader may fold away.
        left_out: how many rows more there are than a sheet can hold.
    """

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    details: frozenset[str] = frozenset()
    left_out: int = 0


def as_number(value: object) -> float | None:
    """Return a cell or a value of JSON as a number; None for what is none: texts, true, nan, …."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        return None
    try:
        return float(value)
    except OverflowError:  # an integer beyond all floats
        return math.inf if value > 0 else -math.inf


def cell_text(value: Cell, digits: int = 6) -> str:
    """Return a cell as a reader sees it in words and labels, floats with so many digits."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.{digits}g}" if isinstance(value, float) else str(value)


def link_target(path: str) -> str:
    """Return a relative path as the target of a link, percent-encoded byte by byte."""
    return quote(PurePath(path).as_posix().encode("utf-8", "surrogateescape"), safe="/")


def unique_headings(columns: Iterable[Column]) -> list[Column]:
    """Return the columns, with the key added to a heading that stands twice."""
    listed = list(columns)
    seen: dict[str, int] = {}
    for column in listed:
        seen[column.heading] = seen.get(column.heading, 0) + 1
    return [
        replace(column, heading=f"{column.heading} ({column.key})")
        if seen[column.heading] > 1 and column.heading != column.key
        else column
        for column in listed
    ]
