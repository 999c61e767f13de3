r"""Keras 1.15 to 2.15: progress bars (verbose=1).

     1/13 [=>............................] - ETA: 5s - loss: 0.8710 - accuracy: 0.9199 - dsc: 0.1290
    13/13 [==============================] - 1s 41ms/step - loss: 0.8709 - val_loss: 0.8622
      117/20000 [..............................] - ETA: 1:08:06 - loss: 0.8534 - accuracy: 0.2626
          5/Unknown - 1s 20ms/step - loss: 0.8534
     8/13 [=================>............] - ETA: 0s - loss: 0.8911 - dsc: 0.1089Epoch 1/9

The last one is TF 1.15's, where the validation's own bar begins.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from sweepmake.logs.readers.base import Observation, Part, Reader
from sweepmake.logs.readers.keras import Bar, KerasEpochs, fields
from sweepmake.logs.readers.keras_bulk import BulkBars

__all__ = ["Keras2"]

_BAR = re.compile(r" *(\d+)/(?:(\d+) \[[=>.]*\]|Unknown) - (.*)", re.ASCII | re.DOTALL)


class Keras2(Reader):
    """Reads the bars of Keras up to 2.15."""

    name = "keras2"

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
        parts = fields(match.group(3))
        if parts is None:
            return None
        eta, per_step, final, values = parts
        bar = Bar(match.group(1), match.group(2) or "", eta, per_step, final, values)
        seen = [self._epochs.place(bar)]
        self._bulk.learn(seen[0])
        if "Epoch " in match.group(3):
            header = self._epochs.glued(match.group(3), values)
            if header is not None:
                seen.append(header)
        return seen

    def read_block(self, text: str) -> Iterable[Part] | None:
        """Return what bars, headers and whole epochs say, once the bars' layout is known."""
        return self._bulk.read(text)
