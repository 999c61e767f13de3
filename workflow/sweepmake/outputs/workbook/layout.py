"""How a sheet of columns looks: number formats by the size of the numbers, widths, best values."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from sweepmake.outputs.workbook.cells import book_value
from sweepmake.results.columns import Cell, Column

__all__ = ["ColumnLayout", "header_lines", "lay_out"]

_DIGITS = 4  # significant digits shown of a metric
_NARROWEST, _WIDEST = 7.0, 50.0
_HEADER_WIDEST = 11.0  # a heading alone makes a column no wider: it is wrapped
_SAMPLE = 1_000  # numbers whose width is measured
_ARROW = 3.0  # room for the arrow of the filter


@dataclass(frozen=True, slots=True)
class ColumnLayout:
    """How a column is shown.

    Attributes:
        number_format: Excel's format code of its numbers.
        small_format: that of numbers too small for it, such as 1e-7 among losses of about 1.
        small: numbers nearer to zero than this are small.
        width: in Excel's unit, about a digit.
        best: the best value, where one is to be marked; else None.
    """

    number_format: str
    small_format: str
    small: float
    width: float
    best: float | None = None


def lay_out(column: Column, values: Sequence[Cell]) -> ColumnLayout:
    """Return how a column with these values is shown."""
    found = [book_value(value) for value in values if value is not None]
    texts = [value for value in found if isinstance(value, str)]
    numbers = [float(v) for v in found if v is not None and not isinstance(v, str | bool)]
    number_format, small = _number_format(column, numbers)
    shown = max(_text_width(texts), _number_width(numbers, number_format))
    if column.group == "link":
        shown = 0.0  # a word stands for each
    words = max((len(word) for word in column.heading.replace("_", " ").split()), default=0)
    heading = max(min(len(column.heading), _HEADER_WIDEST), words) + _ARROW
    width = min(max(shown + 2, heading, _NARROWEST), _WIDEST)
    return ColumnLayout(number_format, "0.000E+00", small, width, _best(column, numbers))


def header_lines(columns: Sequence[Column], layouts: Sequence[ColumnLayout]) -> int:
    """Return how many lines the tallest heading takes."""
    return max(
        (
            _wrapped(column.heading, layout.width - _ARROW + 1)
            for column, layout in zip(columns, layouts, strict=True)
        ),
        default=1,
    )


def _wrapped(text: str, width: float) -> int:
    """Return how many lines a text takes when it is broken at blanks."""
    lines, room = 1, width
    for word in text.split():
        if len(word) > room and room < width:
            lines += 1
            room = width
        lines += int(len(word) // max(width, 1)) if len(word) > width else 0
        room -= len(word) + 1
    return lines


def _number_format(column: Column, numbers: Sequence[float]) -> tuple[str, float]:
    """Return (format code, below what a number is too small for it).

    Parameters are shown as they are; seconds and megabytes as their size asks; metrics with four
    significant digits of a typical value.
    """
    if column.group == "parameter" or not numbers:
        return "General", 0.0
    sizes = [abs(number) for number in numbers if number]
    typical = statistics.median(sizes) if sizes else 0.0
    if all(number.is_integer() for number in numbers) and column.unit == "":
        return ("General" if max(sizes, default=0) < 1e9 else "0.000E+00"), 0.0
    if column.unit:
        return ("#,##0" if typical >= 100 else "0.0" if typical >= 10 else "0.000"), 0.0
    if not 1e-4 <= typical < 1e7:
        return "0.000E+00", 0.0
    decimals = min(max(_DIGITS - 1 - math.floor(math.log10(typical)), 0), 6)
    if column.rule == "max" and max(sizes) <= 1:
        decimals = max(decimals, 4)
    return ("0." + "0" * decimals if decimals else "0"), 5 * 10.0 ** -(decimals + 1)


def _text_width(texts: Sequence[str]) -> float:
    """Return how wide the longest line of the texts is, in digits."""
    lines = (line for text in texts for line in text[:500].split("\n", 5))
    return float(max(map(len, lines), default=0))


def _number_width(numbers: Sequence[float], number_format: str) -> float:
    """Return how wide the widest number is when shown, in digits."""
    if not numbers:
        return 0.0
    if number_format == "General":
        sample = (*numbers[:_SAMPLE], min(numbers), max(numbers))
        texts = (f"{one:.11g}" if one.is_integer() else f"{one:g}" for one in sample)
        return float(min(max(map(len, texts)), 12))
    if "E" in number_format:
        return 10.0
    decimals = len(number_format.partition(".")[2])
    whole = max(len(f"{abs(end):.0f}") + (end < 0) for end in (min(numbers), max(numbers)))
    return float(whole + (whole - 1) // 3 * ("," in number_format) + decimals + bool(decimals))


def _best(column: Column, numbers: Sequence[float]) -> float | None:
    """Return the best value of a ruled column, None where there is nothing to choose."""
    if column.rule is None or len(numbers) < 2 or min(numbers) == max(numbers):
        return None
    return max(numbers) if column.rule == "max" else min(numbers)
