r"""Keras 3: progress bars (verbose=1), here after their colour codes are gone.

     7/13 ━━━━━━━━━━━━━━━━━━━━ 0s 16ms/step - accuracy: 0.0656 - dsc: 0.1267 - loss: 0.8733
    13/13 ━━━━━━━━━━━━━━━━━━━━ 1s 41ms/step - accuracy: 0.0760 - loss: 0.8638 - val_accuracy: 0.1647
          5/Unknown 0s 16ms/step - loss: 0.8733

As written: `\x1b[1m 7/13\x1b[0m \x1b[32m━━\x1b[0m\x1b[37m━━\x1b[0m \x1b[1m0s\x1b[0m 16ms/step -
accuracy: …`. The first time is the time left; on the full bar it is the time taken, and nothing is
left.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from sweepmake.logs.readers.base import Observation, Part, Reader, seconds, unit_seconds
from sweepmake.logs.readers.keras import Bar, KerasEpochs, fields
from sweepmake.logs.readers.keras_bulk import BulkBars

__all__ = ["Keras3"]

_BAR = re.compile(
    r" *(\d+)/(\d+|Unknown) +━* *(\d+s|[\d:]+) (\d+(?:\.\d+)?[mun]?s)/step(?: - (.*))?",
    re.ASCII | re.DOTALL,
)


class Keras3(Reader):
    """Reads the bars of Keras 3."""

    name = "keras3"

    def __init__(self, epochs: KerasEpochs) -> None:
        self._epochs = epochs
        self._bulk = BulkBars(self.name, epochs)

    def read(self, text: str) -> Sequence[Observation] | Observation | None:
        """Return the bar's values, or the epoch of a header."""
        if text.startswith("Epoch "):
            return self._epochs.header(text)
        match = _BAR.fullmatch(text)
        if not match:
            return None
        step, steps, left, per_step, rest = match.groups()
        parts = fields(rest) if rest else (None, None, False, {})
        if parts is None or parts[0] or parts[1]:
            return None
        known = "" if steps == "Unknown" else steps
        eta = ("0" if step == known else seconds(left)) if known else None
        bar = Bar(step, known, eta, unit_seconds(per_step), step == known, parts[3])
        seen = self._epochs.place(bar)
        self._bulk.learn(seen)
        return seen

    def read_block(self, text: str) -> Iterable[Part] | None:
        """Return what bars, headers and whole epochs say, once the bars' layout is known."""
        return self._bulk.read(text)
