r"""How the bars of one Keras stream look: one compiled expression, applied to a whole block.

Once a stream has shown its metric names, its bars all look alike. An expression made for exactly
that layout finds the cells of each bar, and whatever is not such a bar comes back as text, in its
place. The expression starts a match at every separator, so that nothing can be passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import chain, compress, count
from typing import NamedTuple

from sweepmake.logs.readers.base import seconds, unit_seconds
from sweepmake.logs.readers.keras import Bar

__all__ = ["Layout", "Segments", "layout_for", "step_of", "where"]

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
_FIRST_INTS = list(range(1 << 13))  # to make them anew for each block takes as long as the rest
step_of = _STEPS.__getitem__
"""Returns the step of a place: "7/13" -> 7, of a header's 0."""


def where(truths: Iterable[object]) -> list[int]:
    """Return where something is true."""
    return list(compress(chain(_FIRST_INTS, count(len(_FIRST_INTS))), truths))


class Segments(NamedTuple):
    """The segments of a block, column by column: each is a bar, a header or something else.

    Values are one text ("0.8622 - accuracy: 0.9199"): each string that is made costs more than the
    search for its end.

    Args:
        places: "7/13" of a bar, else None.
        times: "5,0.041" of a bar, the two cells of its row; else "".
        values: of the metrics of every bar, from the first one's on; None where it is no bar.
        late: "0.8622,0.1378", the cells of the late metrics; "," where they are missing.
        headers: "3/12" of a header, else None.
        others: any other text, else None.
    """

    places: Sequence[str]
    times: Sequence[str]
    values: Sequence[str]
    late: Sequence[str]
    headers: Sequence[str]
    others: Sequence[str]

    def part(self, begin: int, end: int) -> Segments:
        """Return some of the segments."""
        if not begin and end == len(self.places):
            return self
        return Segments(*[column[begin:end] for column in self])


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

    def find(self, text: str) -> Segments | None:
        """Return the segments of a block, None where one looks like these bars and is not."""
        flat = self.pattern.split(text.lstrip("\r\n\x08") + "\n")
        places, times, values, late, headers, others = [flat[at::7] for at in range(1, 7)]
        try:
            times = list(map(_TIMES[self.reader].__getitem__, times))
            late = list(map(self.rest.__getitem__, late))
        except _UnlikeError:
            return None
        if self.reader == "keras3":  # the full bar shows the time taken, and nothing is left
            pairs = zip(times, map(_FULL.__getitem__, places), strict=True)
            times = ["0," + text.partition(",")[2] if full else text for text, full in pairs]
        return Segments(places, times, values, late, headers, others)

    def finals(self, found: Segments) -> list[int]:
        """Return where the final bars are: in Keras 2 with a time per step, in Keras 3 full."""
        if self.reader == "keras3":
            seen, final = found.places, {place for place in set(found.places) if _FULL[place]}
        else:
            seen, final = found.times, {text for text in set(found.times) if text[-1:] not in ","}
        return where(map(final.__contains__, seen))

    def bar(self, found: Segments, at: int) -> Bar:
        """Return one segment as the reader's own record."""
        step, _, steps = found.places[at].partition("/")
        eta, _, per_step = found.times[at].partition(",")
        final = step == steps if self.reader == "keras3" else bool(per_step)
        texts = [field.rpartition(" ")[2] for field in found.values[at].split(" - ")]
        values = dict(zip(self.names, texts, strict=True))
        if self.late:
            late = found.late[at].split(",")
            values |= {name: text for name, text in zip(self.late, late, strict=True) if text}
        left = None if final and self.reader == "keras2" else eta
        return Bar(step, steps, left, per_step or None, final, values)

    def lines(
        self, epochs: Iterable[str], found: Segments, kept: Iterable[object]
    ) -> tuple[str, int]:
        """Return bars as lines of the history, and how many they are.

        Args:
            epochs: the epoch of each segment.
            found: the segments.
            kept: true where a segment is a row; one is, at least.
        """
        cells = [epochs, found.places, found.times, found.values, found.late]
        if not self.late:
            cells.pop()
        rows = list(map(",".join, compress(zip(*cells, strict=False), kept)))
        return self._cells("\n".join(rows) + "\n").replace("/", ","), len(rows)

    def by_metric(self, found: Segments) -> list[list[str]]:
        """Return the values of bars, a list for each metric; "" where a late one is missing."""
        flat = self._cells(" - ".join(found.values)).replace(" - ", ",").split(",")
        columns = [flat[at :: len(self.names)] for at in range(len(self.names))]
        if self.late:
            flat = ",".join(found.late).split(",")
            columns += [flat[at :: len(self.late)] for at in range(len(self.late))]
        return columns

    def _cells(self, text: str) -> str:
        """Return values as cells: "0.8622 - accuracy: 0.9199" -> "0.8622,0.9199"."""
        for name in self.names[1:]:
            text = text.replace(f" - {name}: ", ",")
        return text


def layout_for(reader: str, names: Sequence[str], late: Sequence[str]) -> Layout:
    """Return the layout of bars with these metrics; the `late` ones are optional, all or none."""
    fields = " - ".join(f"{re.escape(name)}: {_VALUE}" for name in names[1:])
    values = f" {re.escape(names[0])}: ({_VALUE}{fields and ' - '}{fields})"
    bar = (_KERAS2 if reader == "keras2" else _KERAS3) + values + _REST
    pattern = re.compile(f"(?:{bar}|{_HEADER}|{_TEXT}){_SEPARATOR}")
    return Layout(reader, tuple(names), tuple(late), pattern, _Late(late))
