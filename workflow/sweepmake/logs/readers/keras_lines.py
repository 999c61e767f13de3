"""Keras with verbose=2: one line per epoch, of TF 2.2, of Keras 2.7 to 2.15, and of Keras 3.

    13/13 - 1s - loss: 0.8709 - accuracy: 0.2186 - val_loss: 0.8622
    13/13 - 2s - loss: 0.8709 - accuracy: 0.2186 - val_loss: 0.8622 - 2s/epoch - 182ms/step
    13/13 - 0s - 25ms/step - accuracy: 0.0760 - loss: 0.8638 - val_loss: 0.8566

     - 12s - loss: 0.9500 - acc: 0.5000 - val_loss: 0.9000

A bar alone on the line above the last form, `4/4 [====]`, tells its step.
The first stands under TF 2.2, the second under Keras 2.7 to 2.15, the third under Keras 3, the last
under Keras to 2.2 and TF 1.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from sweepmake.logs.readers.base import Observation, Reader
from sweepmake.logs.readers.keras import Bar, KerasEpochs, fields

__all__ = ["KerasLines"]

_LINE = re.compile(r" *(\d+)/(\d+|Unknown) - (\d+m?s|[\d:]+) - (.*)", re.ASCII | re.DOTALL)

_ALONE = re.compile(r" *(\d{1,12})/(\d{1,12}) \[=*\]", re.ASCII)
_OLD = re.compile(r" - \d+(?:s|s \d+[mu]?s/(?:step|sample)) - (.*)", re.ASCII | re.DOTALL)


class KerasLines(Reader):
    """Reads the epoch lines of verbose=2."""

    name = "keras_lines"

    def __init__(self, epochs: KerasEpochs) -> None:
        self._epochs = epochs
        self._bar: tuple[str, str] | None = None

    def read(self, text: str) -> Sequence[Observation] | Observation | None:
        """Return the line's values, or the epoch of a header."""
        if text.startswith("Epoch "):
            return self._epochs.header(text)
        alone = _ALONE.fullmatch(text)
        if alone:
            self._bar = (alone[1], alone[2])
            return Observation({}, kind="place")
        match = _LINE.fullmatch(text)
        if not match:
            return self._old(text)
        parts = fields(match.group(4))
        if parts is None or not parts[3]:
            return None
        steps = "" if match.group(2) == "Unknown" else match.group(2)
        seen = self._epochs.place(Bar(match.group(1), steps, None, parts[1], True, parts[3]))
        return seen._replace(eta_s=None)

    def _old(self, text: str) -> Observation | None:
        match = _OLD.fullmatch(text)
        parts = fields(match.group(1)) if match else None
        if not parts or not parts[3]:
            return None
        bar, self._bar = self._bar, None
        if bar is None:
            return self._epochs.line(parts[3])
        return self._epochs.place(Bar(*bar, None, parts[1], True, parts[3]))._replace(eta_s=None)
