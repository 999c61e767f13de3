r"""The fast way for Keras bars: one compiled expression per layout, applied to a whole block.

Once a stream has shown its metric names, its bars all look alike; `findall` with an expression made for
exactly that layout returns the cells of each bar, and whatever is not such a bar comes back as text for the
readers, in its place. The expression starts a match at every separator, so that nothing can be passed over.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from .base import seconds, unit_seconds
from .keras import Bar

__all__ = ["Cells", "Layout", "layout_for"]

Cells = tuple[str, ...]

_SEPARATOR = r"(?=[\r\n\x08])\x08*+[\r\n]*+"
_TEXT = r"([^\r\n\x08]++)"
_END = r" *+(?=[\r\n\x08]|\Z)"
# Keras prints %.4f or %.4e; anything else is left to the readers
_VALUE = r"(-?[0-9]++\.[0-9]{4}(?:e[+-][0-9]++)?|nan|inf)"
_KERAS2 = (
    r" *+([0-9]++)/([0-9]++) \[[=>.]*+\] - (?:ETA: ([0-9:]++s?)|(?:[0-9]++s|[0-9:]++) ([0-9]++[mu]?s)/step)"
)
# ━ is three bytes in UTF-8; blocks are decoded as Latin-1
_KERAS3 = (
    r"(?:\x1b\[1m)? *+([0-9]++)/([0-9]++)(?:\x1b\[0m)? [^ \r\n\x08]*+ (?:\x1b\[1m)?"
    r"([0-9:]++s?)(?:\x1b\[0m)? ([0-9]++[mu]?s)/step"
)


class Layout(NamedTuple):
    """How the bars of one stream look.

    Args:
        reader: "keras2" or "keras3".
        names: the metrics of every bar; `late` those that only the final bar adds.
        findall: returns (step, steps, eta, time per step, value, …, other text) for each separator.
    """

    reader: str
    names: tuple[str, ...]
    late: tuple[str, ...]
    pattern: re.Pattern[str]

    @property
    def columns(self) -> tuple[str, ...]:
        """The metric names in the order of the cells."""
        return self.names + self.late

    def is_final(self, cells: Cells) -> bool:
        """Return whether a bar closes its epoch."""
        if self.reader == "keras2":
            return bool(cells[3])
        return cells[0] == cells[1]

    def bar(self, cells: Cells) -> Bar:
        """Return the cells as the reader's own record."""
        final = self.is_final(cells)
        eta = "0" if final and self.reader == "keras3" else SECONDS[cells[2]]
        values = {n: v for n, v in zip(self.columns, cells[4:-1], strict=True) if v}
        return Bar(cells[0], cells[1], eta or None, PER_STEP[cells[3]] or None, final, values)


class _Durations(dict[str, str]):
    """Duration text -> seconds text, each form worked out once; bounded."""

    def __init__(self, unit: bool) -> None:
        super().__init__({"": ""})
        self._convert = unit_seconds if unit else seconds

    def __missing__(self, text: str) -> str:
        if len(self) > 50_000:
            self.clear()
            self[""] = ""
        found = self[text] = self._convert(text) or ""
        return found


SECONDS = _Durations(unit=False)
PER_STEP = _Durations(unit=True)


def layout_for(reader: str, names: Sequence[str], late: Sequence[str]) -> Layout:
    """Return the layout of bars with these metrics; `late` ones are optional, all or none."""
    fields = "".join(f" - {re.escape(name)}: {_VALUE}" for name in names)
    more = "".join(f" - {re.escape(name)}: {_VALUE}" for name in late)
    bar = (_KERAS2 if reader == "keras2" else _KERAS3) + fields + (f"(?:{more})?" if more else "")
    pattern = re.compile(f"{_SEPARATOR}(?:{bar}{_END}|{_TEXT})?")
    return Layout(reader, tuple(names), tuple(late), pattern)
