r"""The fast way for Keras bars: one compiled expression per layout, applied to a whole block.

Once a stream has shown its metric names, its bars all look alike; `findall` with an expression made
for exactly that layout returns the cells of each bar, and whatever is not such a bar comes back as
text for the readers, in its place. The expression starts a match at every separator, so that
nothing can be passed over. What it takes, the readers take too, with the same result: the tests
compare both ways.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import accumulate, chain, compress, count, islice, repeat
from operator import eq, ge, itemgetter, lt, sub
from typing import NamedTuple

from sweepmake.logs.readers.base import seconds, unit_seconds
from sweepmake.logs.readers.keras import Bar

__all__ = [
    "EPOCH_ENDS",
    "Columns",
    "Epochs",
    "Layout",
    "finished",
    "layout_for",
    "rows_text",
    "whole_epochs",
]

EPOCH_ENDS = 100  # so many last rows of epochs are kept for the summary

# One column per cell, one entry per segment: step/steps, times, values, late values, epoch/epochs,
# other text. Of the first, the last two and the values only one kind is there; the others are None.
# Values are one text ("0.8622 - accuracy: 0.9199"): each string that is made costs more than the
# search for its end.
Columns = Sequence[Sequence[str]]

# A match ends with the separators behind it, so that matches lie side by side and nothing is passed
# over.
_SEPARATOR = r"(?:\x08++[\r\n]?+|[\r\n])[\r\n\x08]*+"
_HEADER = r"Epoch ([0-9]++/[0-9]++) *+"
_TEXT = r"([^\r\n\x08]++)"
_REST = r"([^\r\n\x08]*+)"
# any number; what Keras prints, %.4f or %.4e, comes first
_VALUE = (
    r"(?:[0-9]++\.[0-9]{4}(?![0-9])(?:e[-+][0-9]++)?+|nan|inf"
    r"|[-+]?+(?:[0-9]++(?:\.[0-9]*+)?+|\.[0-9]++)(?:e[-+]?+[0-9]++)?+)"
)
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


class _UnlikeError(Exception):
    """A text looks like one of these bars and is not."""


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
            if text is not None:
                raise _UnlikeError(text)
            self[None] = ""
            return ""
        left, per_step = match.groups()
        eta = (seconds(left) or "") if left else "0"  # no ETA: the final bar, nothing is left
        found = self[text] = f"{eta},{(unit_seconds(per_step) or '') if per_step else ''}"
        return found


class _Late(dict[str | None, str]):
    """ " - val_loss: 0.8622 - val_dsc: 0.1378" -> "0.8622,0.1378", nothing -> ","; bounded."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self._none = "," * (len(names) - 1)
        fields = "".join(f" - {re.escape(name)}: ({_NUMBER.pattern})" for name in names)
        self._pattern = re.compile(fields + " *", re.ASCII)

    def __missing__(self, text: str | None) -> str:
        if len(self) > 2_000:
            self.clear()
        found = self._none
        if text is not None and text.strip(" "):
            match = self._pattern.fullmatch(text)
            if match is None:
                raise _UnlikeError(text)
            found = ",".join(match.groups())
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
        """Return the cells of every segment by column; times and late values as cells of a row.

        None where a text looks like one of these bars and is not.
        """
        flat = self.pattern.split(region.lstrip("\r\n\x08") + "\n")
        columns: list[Sequence[str]] = [flat[at::7] for at in range(1, 7)]
        try:
            columns[1] = list(map(_TIMES[self.reader].__getitem__, columns[1]))
            columns[3] = list(map(self.rest.__getitem__, columns[3]))
        except _UnlikeError:
            return None
        return columns

    def bar(self, columns: Columns, at: int) -> Bar:
        """Return one segment's cells as the reader's own record."""
        step, _, steps = columns[0][at].partition("/")
        eta, _, per_step = columns[1][at].partition(",")
        full = step == steps
        final = full if self.reader == "keras3" else bool(per_step)
        texts = [field.rpartition(" ")[2] for field in columns[2][at].split(" - ")]
        values = dict(zip(self.names, texts, strict=True))
        if self.late:
            late = columns[3][at].split(",")
            values |= {name: text for name, text in zip(self.late, late, strict=True) if text}
        left = None if final and self.reader == "keras2" else "0" if final else eta
        return Bar(step, steps, left, per_step or None, final, values)


class Epochs(NamedTuple):
    """Whole epochs of one layout, each a header, its bars and the final one.

    Args:
        lines: their rows, but for the last epoch's last.
        rows: how many lines.
        bars: how many bars were read.
        numbers: each epoch's number, as printed.
        total: of how many.
        ends: the latest epochs' last rows, but for the last epoch's.
        places: each epoch's last step/steps.
        times: ETA and time per step (s) of that row.
        values: its values, by metric.
    """

    lines: str
    rows: int
    bars: int
    numbers: list[str]
    total: str
    ends: list[str]
    places: Sequence[str]
    times: Sequence[str]
    values: list[list[str]]


def rows_text(
    epochs: Iterable[str], columns: Columns, layout: Layout, kept: Sequence[object]
) -> list[str]:
    """Return bars as rows that `finished` makes lines of.

    Args:
        epochs: the epoch of each segment.
        columns: the cells by column, as `find` gives them.
        layout: their layout.
        kept: true where a segment is a row.
    """
    place, times, values, late = columns[:4]
    if layout.reader == "keras3":  # the full bar shows the time taken
        full = map(_FULL.__getitem__, place)
        pairs = zip(times, full, strict=True)
        times = ["0," + text.partition(",")[2] if ended else text for text, ended in pairs]
    cells = [epochs, place, times, values, late] if layout.late else [epochs, place, times, values]
    return list(map(",".join, compress(zip(*cells, strict=False), kept)))


def finished(rows: Sequence[str], layout: Layout, known: int) -> str:
    """Return rows as lines of the history.

    Args:
        rows: as `rows_text` gives them.
        layout: the layout of the bars; its metrics are the first columns of the rows.
        known: how many metric columns the rows have.
    """
    end = "," * (known - len(layout.columns)) + "\n"
    return _cells(end.join(rows) + end, layout).replace("/", ",") if rows else ""


def _cells(text: str, layout: Layout) -> str:
    """Return values as cells: "0.8622 - accuracy: 0.9199" -> "0.8622,0.9199"."""
    for name in layout.names[1:]:
        text = text.replace(f" - {name}: ", ",")
    return text


def whole_epochs(columns: Columns, heads: list[int], layout: Layout, known: int) -> Epochs | None:
    """Return epochs as rows, None unless each is a header, rising steps and a final bar at its end.

    Args:
        columns: the cells by column.
        heads: where the headers are, three at least; the last one is not part of it.
        layout: their layout.
        known: how many metric columns the rows have.
    """
    begin, end = heads[0], heads[-1]
    part = [column[begin:end] for column in columns[:4]]
    marks = "/".join(itemgetter(*heads[:-1])(columns[4])).split("/")
    numbers, totals = marks[::2], marks[1::2]
    if len(set(totals)) != 1 or max(map(len, numbers)) > 18:
        return None
    as_int = list(map(int, numbers))
    if not all(map(lt, as_int, as_int[1:])):
        return None
    stops = [head - begin - 1 for head in heads[1:]]
    doubled = _doubled(part, layout, stops)
    if doubled is None:
        return None
    if len({place.partition("/")[2] for place in set(part[0]) if place}) != 1:
        return None  # another bar, drawn inside an epoch
    kept = list(part[0])
    for stop in compress(stops, doubled):
        kept[stop - 1] = ""
    lengths = map(sub, heads[1:], heads)
    rows = rows_text(chain.from_iterable(map(repeat, numbers, lengths)), part, layout, kept)
    # neither headers nor the first of a doubled bar are rows
    last = map(sub, map(sub, stops, accumulate(doubled)), count(1))
    ends = list(map(rows.__getitem__, islice(last, max(0, len(stops) - EPOCH_ENDS), None)))
    rows.pop()  # it may still get values
    ends.pop()
    at_stops = itemgetter(*stops)
    places, times, values, late = map(at_stops, part)
    each = len(layout.names)
    flat = _cells(" - ".join(values), layout).replace(" - ", ",").split(",")
    by_metric = [flat[at::each] for at in range(each)]
    if layout.late:
        flat = ",".join(late).split(",")
        by_metric += [flat[at :: len(layout.late)] for at in range(len(layout.late))]
    return Epochs(
        finished(rows, layout, known), len(rows), len(part[0]) - len(stops), numbers, totals[0],
        finished(ends, layout, known).splitlines(), places, times, by_metric,
    )  # fmt: skip


def _doubled(part: Columns, layout: Layout, stops: list[int]) -> list[bool] | None:
    """Return for each epoch whether the bar before its last one is of the same step.

    None unless each epoch rises to a final bar at its end.

    Args:
        part: the cells by column, from the first header on.
        layout: their layout.
        stops: where the epochs' last bars are.
    """
    at_stops = itemgetter(*stops)
    steps = list(map(_STEPS.__getitem__, part[0]))
    last = at_stops(steps)
    doubled = list(map(eq, [steps[stop - 1] for stop in stops], last))
    # behind each epoch but the last a header follows, which counts as step 0
    falls = len(stops) - 1 + sum(doubled)
    if not all(last) or sum(map(ge, steps, islice(steps, 1, None))) != falls:
        return None
    if layout.reader == "keras3":  # both of a doubled bar are full
        seen = part[0]
        final = {place for place in set(seen) if _FULL[place]}.__contains__
        finals = len(stops) + sum(doubled)
    else:  # only the final bar of Keras 2 has a time per step
        seen = part[1]
        final = {times for times in set(seen) if times[-1:] not in ","}.__contains__
        finals = len(stops)
    return doubled if sum(map(final, seen)) == finals and all(map(final, at_stops(seen))) else None


def layout_for(reader: str, names: Sequence[str], late: Sequence[str]) -> Layout:
    """Return the layout of bars with these metrics; the `late` ones are optional, all or none."""
    fields = " - ".join(f"{re.escape(name)}: {_VALUE}" for name in names[1:])
    values = f" {re.escape(names[0])}: ({_VALUE}{fields and ' - '}{fields})"
    bar = (_KERAS2 if reader == "keras2" else _KERAS3) + values + _REST
    pattern = re.compile(f"(?:{bar}|{_HEADER}|{_TEXT}){_SEPARATOR}")
    return Layout(reader, tuple(names), tuple(late), pattern, _Late(late))
