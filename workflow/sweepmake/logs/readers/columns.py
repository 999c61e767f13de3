"""Tables of columns: fastai, skorch, scikit-learn's boosting, spaCy, and loops of one's own.

    epoch     train_loss  valid_loss  accuracy  time
    0         0.512345    0.412345    0.812345  00:12

          Iter       Train Loss   Remaining Time
             1           1.2500            0.50s

A header's first column says what the rows count; its names are apart by two blanks, tabs, bars or
commas. A row has a cell for each, and counts on from the one before.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from sweepmake.logs.readers.base import Observation, Reader, is_number, seconds

__all__ = ["Columns"]

_COUNTS = {
    "epoch": "epoch", "e": "epoch", "round": "epoch",
    "iter": "step", "iteration": "step", "step": "step", "#": "step", "global_step": "step",
}  # fmt: skip
_NAME = re.compile(r"[A-Za-z_#][\w ./@()%#-]{0,60}", re.ASCII)
_LONGEST = 1000
_BEGINS = re.compile(
    r"[\s|]{0,40}(?:epoch|e|round|iter|iteration|step|global_step|#)(?:\s{2}|\t| ?[|,])",
    re.IGNORECASE,
)
_DIGITS = tuple("0123456789")
_BLANKS = re.compile(r"\s{2,}|\t")


class Columns(Reader):
    """Reads rows under a header."""

    name = "columns"

    def __init__(self) -> None:
        self._names: list[str] = []
        self._separator = ""
        self._last = -1

    def heading(self, text: str) -> Sequence[Observation]:
        """Take note of a header."""
        self._header(text)
        return ()

    def read(self, text: str) -> Sequence[Observation] | Observation | None:
        """Return a row, None where the text is none."""
        if len(text) > _LONGEST:
            return None
        if text.lstrip(" |")[:1] not in _DIGITS:
            return Observation({}, kind="place") if self._header(text) else None
        if not self._names:
            return None
        cells = self._cells(text)
        if len(cells) != len(self._names) or not cells[0].isdigit():
            return None
        if int(cells[0][:18]) < self._last:
            return None
        places: dict[str, str] = {}
        values: dict[str, str] = {}
        for name, cell in zip(self._names, cells, strict=True):
            count = _COUNTS.get(name.lower())
            number = _number(cell)
            if number is None:
                if cell not in ("", "-", "None", "NA"):
                    return None
            elif count and count not in places and len(places) == len(values) + len(places):
                places[count] = number
            else:
                values[name] = number
        if not values:
            return None
        self._last = int(cells[0][:18])
        return Observation(values, places.get("epoch"), places.get("step"))

    def _header(self, text: str) -> bool:
        """Take note of a header; return whether it is one."""
        if len(text) > _LONGEST or not _BEGINS.match(text):
            return False
        for separator in ("|", ",", ""):
            names = _split(text, separator) if separator in text else []
            distinct = len({name.lower() for name in names}) == len(names) > 1
            if distinct and names[0].lower() in _COUNTS and all(map(_is_name, names)):
                self._names, self._separator, self._last = names, separator, -1
                return True
        return False

    def _cells(self, text: str) -> list[str]:
        return _split(text, self._separator)


def _split(text: str, separator: str) -> list[str]:
    if not separator:
        return _BLANKS.split(text.strip())
    return [cell.strip() for cell in text.strip(" |").split(separator)]


def _is_name(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


def _number(cell: str) -> str | None:
    """Return a cell's number; a duration in seconds."""
    cell = cell.strip("*% ")
    return cell if is_number(cell) else seconds(cell)
