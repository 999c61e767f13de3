"""A progress bar that prints what Keras 2.15 prints, byte for byte, and remembers every update.

On a terminal each redraw goes back over the one before it (backspaces, a carriage return), so a log
holds all of them in one line:

     1/15 [=>............................] - ETA: 0s - loss: 2.7367 - accuracy: 0.0625
    15/15 [==============================] - 0s 2ms/step - loss: 1.4581 - accuracy: 0.5500
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from typing import TextIO

__all__ = ["ProgressBar", "Update"]

Update = tuple[int, int, bool, dict[str, float]]
"""The step, the steps of the epoch, whether the bar was drawn, and the values in full precision."""

_WIDTH = 30


class ProgressBar:
    """The bar of one epoch (keras.utils.Progbar with verbose=1 on a terminal).

    Args:
        steps: how many steps the epoch has.
        interval_s: redraw at most this often; the last update of an epoch is always drawn.
        stream: where to draw; standard output unless told otherwise.
        clock: what tells the time in seconds.
    """

    def __init__(
        self,
        steps: int,
        interval_s: float = 0.05,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.updates: list[Update] = []
        self._steps = steps
        self._interval_s = interval_s
        self._stream = sys.stdout if stream is None else stream
        self._clock = clock
        self._began_s = clock()
        self._drawn_s: float | None = None
        self._after_first_s: float | None = None
        self._drawn_width = 0

    def update(self, step: int, values: Mapping[str, float], finish: bool = False) -> None:
        """Note that `step` steps are done, and draw that unless the last drawing is too recent.

        Args:
            values: the running means of the epoch so far, in the order to print them.
            finish: the epoch is over: print times instead of an ETA, and end the line.
        """
        now_s = self._clock()
        seconds_per_step = self._seconds_per_step(step, now_s)
        recent = self._drawn_s is not None and now_s - self._drawn_s < self._interval_s
        shown = finish or not recent
        self.updates.append((step, self._steps, shown, dict(values)))
        if not shown:
            return
        self._drawn_s = now_s
        text = self._bar(step)
        if finish:
            text += f" - {now_s - self._began_s:.0f}s{_duration(seconds_per_step)}/step"
        else:
            text += f" - ETA: {_eta(seconds_per_step * (self._steps - step))}"
        for name, value in values.items():
            text += f" - {name}: " + (f"{value:.4f}" if abs(value) > 1e-3 else f"{value:.4e}")
        back = "\b" * self._drawn_width + "\r"
        padding = " " * (self._drawn_width - len(text))
        self._drawn_width = len(text)
        self._stream.write(back + text + padding + ("\n" if finish else ""))
        self._stream.flush()

    def _bar(self, step: int) -> str:
        digits = len(str(self._steps))
        filled = int(_WIDTH * step / self._steps)
        bar = "=" * (filled - 1)
        if filled:
            bar += ">" if step < self._steps else "="
        return f"{step:{digits}d}/{self._steps} [{bar}{'.' * (_WIDTH - filled)}]"

    def _seconds_per_step(self, step: int, now_s: float) -> float:
        """Return the mean time of a step; the first one, often slow, counts only by itself."""
        if step == 1:
            self._after_first_s = now_s
        if step == 1 or self._after_first_s is None:
            return (now_s - self._began_s) / step
        return (now_s - self._after_first_s) / (step - 1)


def _eta(seconds: float) -> str:
    """Return 5s, 1:05 or 1:00:05."""
    if seconds > 3600:
        return f"{seconds // 3600:.0f}:{seconds % 3600 // 60:02.0f}:{int(seconds % 60):02d}"
    if seconds > 60:
        return f"{seconds // 60:.0f}:{int(seconds % 60):02d}"
    return f"{int(seconds)}s"


def _duration(seconds: float) -> str:
    """Return ' 2s', ' 41ms' or ' 130us'."""
    if seconds >= 1 or seconds == 0:
        return f" {seconds:.0f}s"
    if seconds >= 1e-3:
        return f" {seconds * 1e3:.0f}ms"
    return f" {seconds * 1e6:.0f}us"
