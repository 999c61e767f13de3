r"""The fast way for Keras bars: one compiled expression per layout, applied to a whole block.

Once a stream has shown its metric names, its bars all look alike; `findall` with an expression made for
exactly that layout returns the cells of each bar, and whatever is not such a bar comes back as text for the
readers, in its place. The expression starts a match at every separator, so that nothing can be passed over.
What it takes, the readers take too, with the same result: the tests compare both ways.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import compress, count
from operator import add, ge, lt
from typing import NamedTuple

from .base import is_number, seconds, unit_seconds
from .keras import Bar

__all__ = ["EPOCH_ENDS", "Cells", "Columns", "Epochs", "Layout", "layout_for", "rows_text", "whole_epochs"]

EPOCH_ENDS = 100  # so many last rows of epochs are kept for the summary

# (step/steps, times, value, …, rest of the bar, epoch/epochs, other text)
Cells = tuple[str, ...]
Columns = Sequence[Sequence[str]]

# A match ends with the separators behind it, so that matches lie side by side and nothing is passed over.
_SEPARATOR = r"\x08*[\r\n\x08]+"
_HEADER = r"Epoch ([0-9]++/[0-9]++) *+"
_TEXT = r"([^\r\n\x08]++)"
_REST = r"([^\r\n\x08]*+)"
_VALUE = r"([-+0-9.enaif]++)"  # wider than a number: `find` looks at what it caught
_PLACE = r" *+([0-9]++/[0-9]++)"
_KERAS2 = rf"{_PLACE} \[[=>.]*+\] - ([^-\r\n\x08]++)-"
# ━ is three bytes in UTF-8; blocks are decoded as Latin-1
_KERAS3 = rf"(?:\x1b\[1m)?+{_PLACE}(?:\x1b\[0m)?+ [^ \r\n\x08]*+ ([^-\r\n\x08]++)-"
_KERAS2_TIMES = re.compile(r"ETA: (\d{1,9}(?:s|(?::\d{1,9}){1,2})) |(?:\d+s|[\d:]+) (\d+[mu]?s)/step ", re.ASCII)
_KERAS3_TIMES = re.compile(
    r"(?:\x1b\[1m)?(\d{1,9}(?:s|(?::\d{1,9}){1,2}))(?:\x1b\[0m)? (\d+[mu]?s)/step ", re.ASCII
)
# Keras prints %.4f or %.4e
_NUMBER = re.compile(r"-?\d+\.\d{4}(?:e[+-]\d+)?|nan|inf", re.ASCII)
_BOUND = 100_000
_WRONG = "?"


class _Steps(dict[str, int]):
    """"7/13" -> 7; a header has no step and counts as 0; bounded."""

    def __missing__(self, text: str) -> int:
        if len(self) > _BOUND:
            self.clear()
        found = self[text] = int(text.partition("/")[0][:18] or 0)
        return found


class _Full(dict[str, bool]):
    """"13/13" -> True; bounded."""

    def __missing__(self, text: str) -> bool:
        if len(self) > _BOUND:
            self.clear()
        step, _, steps = text.partition("/")
        found = self[text] = step == steps != ""
        return found


class _Times(dict[str, str]):
    """"ETA: 5s " -> "5,", "1s 41ms/step " -> "0,0.041": the two cells of a row; bounded."""

    def __init__(self, pattern: re.Pattern[str]) -> None:
        super().__init__({"": ""})
        self._pattern = pattern

    def __missing__(self, text: str) -> str:
        if len(self) > _BOUND:
            self.clear()
            self[""] = ""
        match = self._pattern.fullmatch(text)
        if match is None:
            return _WRONG
        left, per_step = match.groups()
        eta = (seconds(left) or "") if left else "0"  # no ETA: the final bar, nothing is left
        found = self[text] = f"{eta},{(unit_seconds(per_step) or '') if per_step else ''}"
        return found


class _Late(dict[str, str]):
    """" - val_loss: 0.8622 - val_dsc: 0.1378" -> ",0.8622,0.1378", nothing -> ",,"; bounded."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self._none = "," * len(names)
        fields = "".join(f" - {re.escape(name)}: ({_NUMBER.pattern})" for name in names)
        self._pattern = re.compile(fields + " *", re.ASCII)

    def __missing__(self, text: str) -> str:
        if len(self) > 2_000:
            self.clear()
        match = self._pattern.fullmatch(text) if text.strip(" ") else None
        if match is not None:
            found = "," + ",".join(match.groups())
        else:
            found = _WRONG if text.strip(" ") else self._none
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

    def find(self, region: str) -> tuple[list[Cells], Columns] | None:
        """Return the cells of every segment, by row and by column; times and rest as cells of a row.

        None where a text looks like one of these bars and is not.
        """
        found = self.pattern.findall(region.lstrip("\r\n\x08") + "\n")
        if not found:
            return [], []
        columns: list[Sequence[str]] = list(zip(*found, strict=True))
        columns[1] = list(map(_TIMES[self.reader].__getitem__, columns[1]))
        columns[-3] = list(map(self.rest.__getitem__, columns[-3]))
        if _WRONG in columns[1] or _WRONG in columns[-3]:
            return None
        if not all(map(_are_numbers, columns[2:-3])):
            return None
        return found, columns

    def is_final(self, cells: Cells) -> bool:
        """Return whether a bar closes its epoch."""
        return not cells[1].startswith("ETA") if self.reader == "keras2" else _FULL[cells[0]]

    def bar(self, cells: Cells) -> Bar:
        """Return the cells as the reader's own record."""
        step, _, steps = cells[0].partition("/")
        final = self.is_final(cells)
        eta, _, per_step = _TIMES[self.reader][cells[1]].partition(",")
        values = dict(zip(self.names, cells[2:-3], strict=True))
        if late := cells[-3].strip(" "):
            values |= zip(self.late, self.rest[" " + late].split(",")[1:], strict=True)
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
        ends: each epoch's last row: step/steps, time per step (s), values.
        end_lines: the last rows of the latest epochs, but for the last.
    """

    lines: str
    rows: int
    bars: int
    numbers: list[str]
    total: str
    ends: list[list[str]]
    end_lines: list[str]


def rows_text(columns: Columns, layout: Layout, known: int) -> list[str]:
    """Return bars as rows without their epoch (step and steps still as "7/13").

    Args:
        columns: the cells by column, as `find` gives them; what is no bar becomes a text of no meaning.
        layout: their layout; its metrics are the first columns of the rows.
        known: how many metric columns the rows have.
    """
    place, times, *values = columns[:-3]
    if layout.reader == "keras3":  # the full bar shows the time taken
        full = map(_FULL.__getitem__, place)
        pairs = zip(times, full, strict=True)
        times = ["0," + text.partition(",")[2] if ended else text for text, ended in pairs]
    rows = map(",".join, zip(place, times, *values, strict=True))
    more = "," * (known - len(layout.columns))
    if not layout.late and not more:
        return list(rows)
    rest = [late + more for late in columns[-3]] if more else columns[-3]
    return list(map(add, rows, rest))


def with_epoch(epoch: str, rows: Sequence[str]) -> str:
    """Return rows as lines of the history, each with its epoch, without the last line end."""
    prefix = epoch + ","
    return prefix + ("\n" + prefix).join(rows)


def whole_epochs(columns: Columns, begin: int, heads: list[int], layout: Layout, known: int) -> Epochs | None:
    """Return epochs as rows, None unless each is a header, rising steps and a final bar at its end.

    Args:
        columns: the cells by column.
        begin: where the first header is; `heads` where the others are, the last one excluded.
        layout: their layout.
        known: how many metric columns the rows have.
    """
    end = heads[-1]
    part = [column[begin:end] for column in columns]
    found = _heads(part, layout)
    if found is None:
        return None
    starts, doubled = found
    numbers, totals = zip(*[part[-2][at].split("/") for at in starts], strict=True)
    as_int = [int(number[:18]) for number in numbers]
    if len(set(totals)) != 1 or not all(map(lt, as_int, as_int[1:])):
        return None
    rows = rows_text(part, layout, known)
    ends = [*(at - 1 for at in starts[1:]), end - begin - 1]
    lines = []
    for number, start, final in zip(numbers, starts, ends, strict=True):
        mine = rows[start + 1 : final + 1]
        if final in doubled:
            del mine[-2]
        if final == ends[-1]:
            mine.pop()
        if mine:
            lines.append(with_epoch(number, mine))
    bars = end - begin - len(starts)
    late = zip(numbers[-EPOCH_ENDS:-1], ends[-EPOCH_ENDS:-1], strict=True)
    return Epochs(
        ("\n".join(lines) + "\n").replace("/", ",") if lines else "",
        bars - len(doubled) - 1,
        bars,
        list(numbers),
        totals[0],
        [rows[at].split(",") for at in ends],
        [f"{number},{rows[final]}".replace("/", ",", 1) for number, final in late],
    )


def _heads(part: Columns, layout: Layout) -> tuple[list[int], set[int]] | None:
    """Return where the headers are and the final bars that repeat their step; None if not regular."""
    numbers = list(map(_STEPS.__getitem__, part[0]))
    three = layout.reader == "keras3"
    if three:
        final = list(map(_FULL.__getitem__, part[0]))
    else:  # only the final bar of Keras 2 has a time per step
        final = [times[-1:] not in "," for times in part[1]]
    heads, doubled = [0], set()
    for at in compress(count(), map(ge, numbers, numbers[1:])):
        if not numbers[at + 1]:
            if not (numbers[at] and final[at]):
                return None
            heads.append(at + 1)
        elif numbers[at] == numbers[at + 1] and final[at + 1] and at not in doubled:
            doubled.add(at + 1)
        else:
            return None
    if not (final[-1] and numbers[-1]) or not all(part[-2][at] for at in heads):
        return None
    # Keras 3: both of a doubled bar are full
    finals = len(heads) + (len(doubled) if three else 0)
    return (heads, doubled) if sum(final) == finals else None


def layout_for(reader: str, names: Sequence[str], late: Sequence[str]) -> Layout:
    """Return the layout of bars with these metrics; the `late` ones are optional, all or none."""
    fields = " -".join(f" {re.escape(name)}: {_VALUE}" for name in names)
    bar = (_KERAS2 if reader == "keras2" else _KERAS3) + fields + _REST
    pattern = re.compile(f"(?:{bar}|{_HEADER}|{_TEXT}){_SEPARATOR}")
    return Layout(reader, tuple(names), tuple(late), pattern, _Late(late))
