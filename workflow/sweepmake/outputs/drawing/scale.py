"""Where the values of a parameter, or of the objective, lie on an axis: numbers and categories.

Positions are drawing coordinates (the logarithm where an axis is logarithmic), so that every page
places points, lines and means by plain arithmetic and only writes the ticks that stand here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from os.path import commonprefix
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from sweepmake.outputs.drawing.text import cut_middle
from sweepmake.outputs.drawing.ticks import decades, round_ticks, value_labels
from sweepmake.results.columns import Cell

__all__ = ["HUGE", "Floats", "Scale", "number", "parameter_scale", "value_scale"]

Floats: TypeAlias = NDArray[np.float64]

_DECADES = 1.5  # numbers that span more get a logarithmic axis
_VALUE_DECADES = 3  # the objective: a loss of 0.1 and one of 10 stay on a plain axis
_MOST_TICKS = 8
_MOST_MARKS = 9  # of a logarithmic axis
_STEPS = 5  # between round numbers
_MOST_CATEGORIES = 24
_LONGEST_LABEL = 18
HUGE = 1e100
"""Beyond, an axis has no scale."""


@dataclass(frozen=True, slots=True)
class Scale:
    """An axis.

    Attributes:
        label: what it shows.
        positions: one per experiment; nan where it has no value or no finite one.
        ticks, labels: where which value stands.
        categories: whether the values are categories, at 0, 1, 2, …
        logarithmic: whether positions are decimal logarithms.
    """

    label: str
    positions: Floats
    ticks: tuple[float, ...]
    labels: tuple[str, ...]
    categories: bool = False
    logarithmic: bool = False

    def fractions(self) -> Floats:
        """Return the positions moved to 0 … 1; 0.5 where all are equal."""
        return self.fraction(self.positions)

    def fraction(self, places: Floats) -> Floats:
        """Return some positions on this axis moved to 0 … 1 in the same way."""
        finite = self.positions[np.isfinite(self.positions)]
        low, high = (finite.min(), finite.max()) if len(finite) else (0.0, 0.0)
        if high <= low:
            return np.where(np.isfinite(places), 0.5, np.nan)
        return np.asarray((places - low) / (high - low), dtype=np.float64)


def parameter_scale(label: str, cells: Sequence[Cell]) -> Scale:
    """Return the axis of a parameter.

    Numbers lie on a number axis, a logarithmic one where they span decades. All else, and numbers
    mixed with other values, are categories: numbers first, then texts by name. Numbers that span
    decades and include 0 or less stand side by side like categories, since no axis shows both.

    Args:
        label: for the axis.
        cells: one value per experiment; None where it has none.
    """
    numbers = [number(cell) for cell in cells if cell is not None]
    if numbers and None not in cells and all(abs(value) < HUGE for value in numbers):
        distinct = sorted(set(numbers))
        wide = _spans(distinct, _DECADES) or _multiplies(distinct)
        if not wide or distinct[0] > 0 or len(distinct) > _MOST_CATEGORIES:
            return _number_scale(label, np.array(numbers), distinct, wide and distinct[0] > 0)
    return _category_scale(label, cells)


def value_scale(label: str, values: Floats) -> Scale:
    """Return the axis of measured values: logarithmic where they are positive and span decades."""
    clean = np.where(np.abs(values) < HUGE, values, np.nan)
    distinct = sorted(set(clean[np.isfinite(clean)].tolist()))
    logarithmic = bool(distinct) and distinct[0] > 0 and _spans(distinct, _VALUE_DECADES)
    return _number_scale(label, clean, distinct, logarithmic, exact=False)


def number(cell: Cell) -> float:
    """Return a cell as a number; nan where it is none."""
    if isinstance(cell, bool) or not isinstance(cell, int | float):
        return math.nan
    try:
        return float(cell)
    except OverflowError:  # a seed of 400 digits
        return math.nan


def _spans(distinct: Sequence[float], decades: float) -> bool:
    """Return whether the numbers, without 0 and by their size, span so many decades."""
    sizes = [abs(value) for value in distinct if value]
    return len(sizes) > 1 and math.log10(max(sizes)) - math.log10(min(sizes)) > decades


def _multiplies(distinct: Sequence[float]) -> bool:
    """Return whether a few values are spread by factors, such as 16, 32, 64, 128."""
    if not 3 <= len(distinct) <= _MOST_TICKS or distinct[0] <= 0:
        return False
    factors = [after / before for before, after in pairwise(distinct)]
    return min(factors) >= 1.5 and max(factors) <= min(factors) ** 1.5


def _number_scale(
    label: str,
    values: Floats,
    distinct: Sequence[float],
    logarithmic: bool,
    *,
    exact: bool = True,
) -> Scale:
    if logarithmic:
        with np.errstate(invalid="ignore", divide="ignore"):
            positions = np.log10(values)
        places = [math.log10(value) for value in distinct]
    else:
        positions, places = values, list(distinct)
    if exact and _far_apart(places):
        return Scale(
            label, positions, tuple(places), value_labels(distinct), logarithmic=logarithmic
        )
    marks = _marks(distinct, logarithmic)
    ticks = [math.log10(mark) for mark in marks] if logarithmic else marks
    return Scale(label, positions, tuple(ticks), value_labels(marks), logarithmic=logarithmic)


def _category_scale(label: str, cells: Sequence[Cell]) -> Scale:
    def order(cell: Cell) -> tuple[bool, bool, float, str]:
        value = number(cell)
        return (cell is None, math.isnan(value), 0.0 if math.isnan(value) else value, str(cell))

    # True equals 1 and nan does not equal itself, so both go by their name as well
    kinds = [(type(cell) is bool, "nan" if cell != cell else cell) for cell in cells]
    distinct = sorted(set(kinds), key=lambda kind: order(kind[1]))
    place = {kind: float(at) for at, kind in enumerate(distinct)}
    positions = np.array([place[kind] for kind in kinds], dtype=np.float64)
    step = math.ceil(len(distinct) / _MOST_CATEGORIES)
    shown = distinct[::step]
    names = _short_names([kind[1] for kind in shown])
    ticks = tuple(place[kind] for kind in shown)
    return Scale(label, positions, ticks, names, categories=True)


def _short_names(cells: Sequence[Cell]) -> tuple[str, ...]:
    """Return the labels of categories; of long texts the part in which they differ."""
    names = tuple(map(_name, cells))
    texts = [" ".join(cell.split()) for cell in cells if isinstance(cell, str)]
    if len(set(names)) == len(names) or len(texts) < 2:
        return names
    head = len(commonprefix(texts))  # noqa: RUF071 - letter by letter
    tail = len(commonprefix([text[head:][::-1] for text in texts]))  # noqa: RUF071
    own = iter(texts)
    return tuple(
        f"…{cut_middle(next(own)[head:][: -tail or None].strip(), _LONGEST_LABEL - 2)}…"
        if isinstance(cell, str)
        else name
        for cell, name in zip(cells, names, strict=True)
    )


def _name(cell: Cell) -> str:
    if cell is None:
        return "none"
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, str):
        return _short_name(cell) if cell.strip() else f"'{cell}'"
    return (
        value_labels([number(cell)])[0] if math.isfinite(number(cell)) else _short_name(str(cell))
    )


def _far_apart(places: Sequence[float]) -> bool:
    """Return whether each value can have a tick of its own."""
    if len(places) > _MOST_TICKS:
        return False
    gaps = [after - before for before, after in pairwise(places)]
    return not gaps or min(gaps) >= 0.07 * (places[-1] - places[0])


def _short_name(text: str) -> str:
    return cut_middle(" ".join(text.split()), _LONGEST_LABEL)


def _marks(distinct: Sequence[float], logarithmic: bool) -> list[float]:
    """Return some round numbers that lie among these."""
    if not distinct:
        return []
    low, high = distinct[0], distinct[-1]
    if logarithmic:
        return decades(low, high, _MOST_MARKS)
    if high - low <= 1e-12 * max(abs(low), abs(high)):
        return [low]
    return round_ticks(low, high, _STEPS)
