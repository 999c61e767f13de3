"""Ludwig: a table in box characters per epoch and output feature.

    │ label    │   loss │   accuracy │
    │ train    │ 1.2500 │     0.5000 │
    │ vali     │ 1.3750 │     0.4500 │

The header's first cell is the output feature; a row's is the phase. Names are `train_loss`,
`val_loss`; from the second feature on with the feature between.
"""

from __future__ import annotations

from collections.abc import Sequence

from sweepmake.logs.readers.base import Observation, Reader, is_number
from sweepmake.logs.readers.grammar.phases import phase_of

__all__ = ["BoxTables"]

_BAR = "\u2502"


class BoxTables(Reader):
    """Reads rows of phases under a header of metrics."""

    name = "box_tables"

    def __init__(self) -> None:
        self._header: list[str] = []
        self._first = ""

    def heading(self, text: str) -> Sequence[Observation]:
        """Take note of a header."""
        self._take_header(_cells(text))
        return ()

    def read(self, text: str) -> Sequence[Observation] | Observation | None:
        """Return the row of a phase."""
        cells = _cells(text)
        if len(cells) < 2:
            return None
        phase = phase_of(cells[0])
        if phase is None:
            return Observation({}, kind="place") if self._take_header(cells) else None
        if len(cells) != len(self._header) or not all(map(is_number, cells[1:])):
            return None
        feature = self._header[0]
        group = "" if feature == self._first else f"{feature}_"
        names = [f"{phase}_{group}{name}" for name in self._header[1:]]
        return Observation(dict(zip(names, cells[1:], strict=True)), kind="summary")

    def _take_header(self, cells: list[str]) -> bool:
        if len(cells) < 2 or phase_of(cells[0]) or not all(cell[:1].isalpha() for cell in cells):
            return False
        self._header = cells
        self._first = self._first or cells[0]
        return True


def _cells(text: str) -> list[str]:
    text = text.strip()
    if not text.startswith(_BAR) or not text.endswith(_BAR):
        return []
    return [cell.strip() for cell in text[1:-1].split(_BAR)]
