r"""The fast way for Keras bars: one compiled expression per layout, applied to a whole block.

Once a stream has shown its metric names, its bars all look alike; `findall` with an expression made
for exactly that layout returns the cells of each bar, and whatever is not such a bar comes back as
text for the readers, in its place. The expression starts a match at every separator, so that
nothing can be passed over. What it takes, the readers take too, with the same result: the tests
compare both ways.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import compress, count
from operator import add, ge, lt
from typing import NamedTuple

from .base import is_number, seconds, unit_seconds
from .keras import Bar

__all__ = ["EPOCH_ENDS", "Columns", "Epochs", "Layout", "layout_for", "rows_text", "whole_epochs"]

EPOCH_ENDS = 100  # so many last rows of epochs are kept for the summary

# One column per cell, one entry per segment: step/steps, times, value, …, rest of the bar,
# epoch/epochs, other text. Of the first, the last two and the values only one kind is there; the
# others are None.
Columns = Sequence[Sequence[str]]

# A match ends with the separators behind it, so that matches lie side by side and nothing is passed
# over.
_SEPARATOR = r"\x08*[\r\n\x08]+"
_HEADER = r"Epoch ([0-9]++/[0-9]++) *+"
_TEXT = r"([^\r\n\x08]++)"
_REST = r"([^\r\n\x08]*+)"
_VALUE = r"([-+0-9.enaif]++)"  # wider than a number: `find` looks at what it caught
_PLACE = r" *+([0-9]++/[0-9]++)"
_KERAS2 = rf"{_PLACE} \[[=>.]*+\] - ([^-\r\n\x08]++)-"
# ━ is three bytes in UTF-8; blocks are decoded as Latin-1
_KERAS3 = rf"(?:\x1b\[1m)?+{_PLACE}(?:\x1b\[0m)?+ [^ \r\n\x08]*+ ([^-\r\n\x08]++)-"
_KERAS2_TIMES = re.compile(
    r"ETA: (\d{1,9}(?:s|(?::\d{1,9}){1,2})) |(?:\d+s|[\d:]+) (\d+[mu]?s)/(?:step|sample) ", re.ASCII
)
_KERAS3_TIMES = re.compile(
    r"(?:\x1b\[1m)?(\d{1,9}(?:s|(?::\d{1,9}){1,2}))(?:\x1b\[0m)? (\d+[mu]?s)/step ", re.ASCII
)
# Keras prints %.4f or %.4e
_NUMBER = re.compile(r"-?\d+\.\d{4}(?:e[+-]\d+)?|nan|inf", re.ASCII)
_BOUND = 100_000
_WRONG = "?"


class _Steps(dict[str | None, int]):
    """ "7/13" -> 7; a header has no step and counts as 0; bounded."""

    def __missing__(self, text: str | None) -> int:
        if len(self) > _BOUND:
            self.clear()
        found = self[text] = int(text.partition("/")[0][:18]) if text else 0
        return found


class _Full(dict[str | None, bool]):
    """ "13/13" -> True; bounded."""

    def __missing__(self, text: str | None) -> bool:
        if len(self) > _BOUND:
            self.clear()
        step, _, steps = (text or "").partition("/")
        found = self[text] = step == steps != ""
        return found


class _Times(dict[str | None, str]):
    """ "ETA: 5s " -> "5,", "1s 41ms/step " -> "0,0.041": the two cells of a row; bounded."""

    def __init__(self, pattern: re.Pattern[str]) -> None:
        super().__init__()
        self._pattern = pattern

    def __missing__(self, text: str | None) -> str:
        if len(self) > _BOUND:
            self.clear()
        match = self._pattern.fullmatch(text or "")
        if match is None:
            return "" if text is None else _WRONG
        left, per_step = match.groups()
        eta = (seconds(left) or "") if left else "0"  # no ETA: the final bar, nothing is left
        found = self[text] = f"{eta},{(unit_seconds(per_step) or '') if per_step else ''}"
        return found


class _Late(dict[str | None, str]):
    """ " - val_loss: 0.8622 - val_dsc: 0.1378" -> ",0.8622,0.1378", nothing -> ",,"; bounded."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self._none = "," * len(names)
        fields = "".join(f" - {re.escape(name)}: ({_NUMBER.pattern})" for name in names)
        self._pattern = re.compile(fields + " *", re.ASCII)

    def __missing__(self, text: str | None) -> str:
        if len(self) > 2_000:
            self.clear()
        found = self._none
        if text is not None and text.strip(" "):
            match = self._pattern.fullmatch(text)
            found = _WRONG if match is None else ",".join(("", *match.groups()))
        self[text] = found
        return found


_STEPS = _Steps()
_FULL = _Full()
_TIMES = {"keras2": _Times(_KERAS2_TIMES), "keras3": _Times(_KERAS3_TIMES)}


class Layout(NamedTuple):
    """How the bars of one stream look.

    Args:
        reader: "keras2" or "keras3".
        names: the metrics of every bar; `late` those that only the final bar adds, all or none.
        pattern: finds the cells of each segment.
        rest: what stands behind the metrics of every bar -> its cells.
    """

    reader: str
    names: tuple[str, ...]
    late: tuple[str, ...]
    pattern: re.Pattern[str]
    rest: _Late

    @property
    def columns(self) -> tuple[str, ...]:
        """All metric names, in the order of the log."""
        return self.names + self.late

    def find(self, region: str) -> Columns | None:
        """Return the cells of every segment by column; times and rest already as cells of a row.

        None where a text looks like one of these bars and is not.
        """
        flat = self.pattern.split(region.lstrip("\r\n\x08") + "\n")
        each = len(self.names) + 6  # the groups and the nothing between two matches
        columns: list[Sequence[str]] = [flat[at::each] for at in range(1, each)]
        columns[1] = list(map(_TIMES[self.reader].__getitem__, columns[1]))
        columns[-3] = list(map(self.rest.__getitem__, columns[-3]))
        if _WRONG in columns[1] or _WRONG in columns[-3]:
            return None
        return columns if all(map(_are_numbers, columns[2:-3])) else None

    def bar(self, columns: Columns, at: int) -> Bar:
        """Return one segment's cells as the reader's own record."""
        step, _, steps = columns[0][at].partition("/")
        eta, _, per_step = columns[1][at].partition(",")
        full = step == steps
        final = full if self.reader == "keras3" else bool(per_step)
        values = {name: column[at] for name, column in zip(self.names, columns[2:-3], strict=True)}
        late = columns[-3][at].split(",")[1:]
        values |= {name: text for name, text in zip(self.late, late, strict=True) if text}
        left = None if final and self.reader == "keras2" else "0" if final else eta
        return Bar(step, steps, left, per_step or None, final, values)


def _are_numbers(texts: Sequence[str]) -> bool:
    """Return whether all texts (empty ones aside) are numbers."""
    joined = "\n".join(filter(None, texts)).encode()
    # the common case at little cost: without their digits, decimals are points
    points = joined.translate(None, b"0123456789")
    if points == b".\n" * (len(points) // 2) + b"." and b"\n.\n" not in b"\n%b\n" % joined:
        return True
    return all(is_number(text) for text in set(texts) if text)


class Epochs(NamedTuple):
    """Whole epochs of one layout, each a header, its bars and the final one.

    Args:
        lines: their rows, but for the last epoch's last.
        rows: how many lines.
        bars: how many bars were read.
        numbers: each epoch's number, as printed.
        total: of how many.
        ends: each epoch's last row: step, steps, ETA, time per step (s), values.
    """

    lines: str
    rows: int
    bars: int
    numbers: list[str]
    total: str
    ends: list[str]


def rows_text(columns: Columns, layout: Layout, known: int) -> list[str]:
    """Return bars as rows without their epoch (step and steps still as "7/13").

    Args:
        columns: the cells by column, as `find` gives them; what is no bar is left out.
        layout: their layout; its metrics are the first columns of the rows.
        known: how many metric columns the rows have.
    """
    place, times, *values = columns[:-3]
    if layout.reader == "keras3":  # the full bar shows the time taken
        full = map(_FULL.__getitem__, place)
        pairs = zip(times, full, strict=True)
        times = ["0," + text.partition(",")[2] if ended else text for text, ended in pairs]
    rows = map(",".join, compress(zip(place, times, *values, strict=True), place))
    more = "," * (known - len(layout.columns))
    if not layout.late and not more:
        return list(rows)
    rest = [late + more for late in columns[-3]] if more else columns[-3]
    return list(map(add, rows, compress(rest, place)))


def with_epoch(epoch: str, rows: Sequence[str]) -> str:
    """Return rows as lines of the history, each with its epoch, without the last line end."""
    prefix = epoch + ","
    return prefix + ("\n" + prefix).join(rows)


def whole_epochs(columns: Columns, heads: list[int], layout: Layout, known: int) -> Epochs | None:
    """Return epochs as rows, None unless each is a header, rising steps and a final bar at its end.

    Args:
        columns: the cells by column.
        heads: where the headers are; the last one is not part of it.
        layout: their layout.
        known: how many metric columns the rows have.
    """
    begin, end = heads[0], heads[-1]
    part = [column[begin:end] for column in columns]
    doubled = _doubled(part, layout, len(heads) - 1)
    if doubled is None:
        return None
    numbers, totals = zip(*[columns[-2][at].split("/") for at in heads[:-1]], strict=True)
    as_int = [int(number[:18]) for number in numbers]
    if len(set(totals)) != 1 or not all(map(lt, as_int, as_int[1:])):
        return None
    if len({place.partition("/")[2] for place in set(part[0]) if place}) != 1:
        return None  # another bar, drawn inside an epoch
    rows = rows_text(part, layout, known)
    bars = len(rows)
    lines, ends = [], []
    start = 0
    # a header is no row: the rows of the n-th epoch lie n places before its bars
    for at, (number, head) in enumerate(zip(numbers, heads[1:], strict=True), 1):
        stop = head - begin - at
        mine = rows[start:stop]
        if stop - 1 in doubled:
            del mine[-2]
            bars -= 1
        ends.append(mine[-1])
        start = stop
        lines.append(with_epoch(number, mine))
    lines[-1] = lines[-1][: lines[-1].rfind("\n") + 1]  # the last row may still get values
    text = "\n".join(lines).replace("/", ",")
    ends = [row.replace("/", ",", 1) for row in ends]
    return Epochs(text, bars - 1, len(rows), list(numbers), totals[0], ends)


def _doubled(part: Columns, layout: Layout, epochs: int) -> set[int] | None:
    """Return the bars (counted without headers) that repeat their step at the end of an epoch.

    None unless each epoch rises to a final bar at its end.
    """
    numbers = list(map(_STEPS.__getitem__, part[0]))
    three = layout.reader == "keras3"
    if three:
        final = list(map(_FULL.__getitem__, part[0]))
    else:  # only the final bar of Keras 2 has a time per step
        final = [times[-1:] not in "," for times in part[1]]
    passed, doubled = 1, set()
    for at in compress(count(), map(ge, numbers, numbers[1:])):
        if not numbers[at + 1]:
            if not (numbers[at] and final[at] and part[-2][at + 1]):
                return None
            passed += 1
        elif numbers[at] == numbers[at + 1] and final[at + 1] and at + 1 - passed not in doubled:
            doubled.add(at + 1 - passed)
        else:
            return None
    if passed != epochs or not (final[-1] and numbers[-1]):
        return None
    # Keras 3: both of a doubled bar are full
    finals = epochs + (len(doubled) if three else 0)
    return doubled if sum(final) == finals else None


def layout_for(reader: str, names: Sequence[str], late: Sequence[str]) -> Layout:
    """Return the layout of bars with these metrics; the `late` ones are optional, all or none."""
    fields = " -".join(f" {re.escape(name)}: {_VALUE}" for name in names)
    bar = (_KERAS2 if reader == "keras2" else _KERAS3) + fields + _REST
    pattern = re.compile(f"(?:{bar}|{_HEADER}|{_TEXT}){_SEPARATOR}")
    return Layout(reader, tuple(names), tuple(late), pattern, _Late(late))
