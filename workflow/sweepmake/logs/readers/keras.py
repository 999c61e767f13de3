"""What the Keras formats share: metric fields, epoch headers and where a bar belongs."""

from __future__ import annotations

import re
from typing import NamedTuple

from sweepmake.logs.readers.base import NUMBER, Observation, seconds, unit_seconds

__all__ = ["Bar", "KerasEpochs", "fields"]

_HEADER = re.compile(r"(.*?)Epoch (\d+)/(\d+) *", re.ASCII | re.DOTALL)
_VALUE = re.compile(rf"(.+?): ({NUMBER})(.*)", re.DOTALL)
_PER_STEP = re.compile(r"(\d+(?:\.\d+)?[mun]?s)/(?:step|sample)", re.ASCII)
_ELAPSED = re.compile(r"(?:\d+s|[\d:]+)", re.ASCII)


class Bar(NamedTuple):
    """The fields of one bar or line: `steps` is "" when Keras does not know it (`5/Unknown`)."""

    step: str
    steps: str
    eta_s: str | None
    time_per_step_s: str | None
    final: bool
    values: dict[str, str]


def fields(text: str) -> tuple[str | None, str | None, bool, dict[str, str]] | None:
    """Return (eta_s, time_per_step_s, final, values) of what follows the bar, None when malformed.

    `ETA: 1:02 - loss: 0.8549 - dsc: 0.1451`, `1s 41ms/step - loss: 0.8549 - val_dsc: 0.1183`,
    `2s - loss: 0.8709 - 2s/epoch - 182ms/step` (Keras 2.7 with verbose=2). A field that holds no
    number ends the reading: what was before it stands (mpirun's own text glued to the last value).
    """
    eta: str | None = None
    per_step: str | None = None
    final = False
    values: dict[str, str] = {}
    for field in text.split(" - "):
        field = field.strip()
        if field.startswith("ETA: "):
            eta = seconds(field[5:])
            if eta is None:
                return None
            continue
        match = _VALUE.fullmatch(field)
        if match:
            name, value, rest = match.groups()
            if rest and not rest.startswith(("Epoch ", "-----")):
                return None
            values[name] = value
            continue
        for word in field.split(" "):
            timed = _PER_STEP.fullmatch(word)
            if timed:
                per_step = unit_seconds(timed.group(1))
                final = True
            elif _ELAPSED.fullmatch(word):
                final = True
            elif not word.endswith("/epoch"):
                return None
    return eta, per_step, final, values


class KerasEpochs:
    """The epoch that a Keras program is in, as its headers and final bars tell.

    TF 1.15 prints a second `Epoch 1/9` and a bar of the validation's own right behind the
    unfinished training bar, on the same line; those are not training values. A program that was
    started again says `Epoch 1/9` on a line of its own, or where the earlier epochs ended without a
    validation bar. Bars after an epoch's final one and before the next header come from
    `model.evaluate`: outside epochs.
    """

    def __init__(self) -> None:
        self.epoch = ""
        self.total = ""
        self.open = False
        self.validating = False
        self._bars = 0
        self._glued_seen = False
        self._plain_end = False
        self._last: tuple[str, str] | None = None
        self._step = 0
        self._steps = ""

    def header(self, text: str) -> Observation | None:
        """Return the place of `Epoch 3/12`; text in front of it is the caller's."""
        match = _HEADER.fullmatch(text)
        if not match or match.group(1):
            return None
        epoch, total = match.group(2), match.group(3)
        if self.open and self._bars and epoch == "1" and self._glued_seen and total == self.total:
            self.validating = True
            return Observation({}, kind="place")
        return self._start(epoch, total)

    def glued(self, text: str, names: dict[str, str]) -> Observation | None:
        """Take note of a header that stands right behind a bar, without a line end between."""
        match = _HEADER.fullmatch(text)
        if not match:
            return None
        epoch, total = match.group(2), match.group(3)
        fits = epoch == "1" and total == self.total and self.open and not self._plain_end
        if fits and (self._glued_seen or "accuracy" not in names):
            self.validating = self._glued_seen = True
            return None
        return self._start(epoch, total)

    def _start(self, epoch: str, total: str) -> Observation:
        self.epoch, self.total, self.open = epoch, total, True
        self.validating, self._bars, self._last, self._step = False, 0, None, 0
        self._steps = ""
        return Observation({}, epoch=epoch, total_epochs=int(total[:9]), kind="place")

    def passed(self, bars: int, step: str) -> None:
        """Take note of bars inside the open epoch that were read in bulk, up to this step."""
        self._bars += bars
        self._last = None
        self._step = int(step[:18])

    def passed_epochs(self, epoch: str, total: str) -> None:
        """Take note of whole epochs that were read in bulk; this is the last of them."""
        self.epoch, self.total, self.open, self._plain_end = epoch, total, False, True
        self._last = None

    def rises(self, step: int, steps: str) -> bool:
        """Return whether a step is behind the last one of the open epoch, and of as many."""
        return step > self._step and self._steps in ("", steps)

    @property
    def plain(self) -> bool:
        """Whether headers mean what they say: not in a validation of TF 1.15, nor ever in one."""
        return not self.validating and not self._glued_seen

    def place(self, bar: Bar) -> Observation:
        """Return the bar as an observation of the epoch that it belongs to."""
        if not bar.values:  # model.predict, or a program's own
            return Observation({}, kind="place")
        if self.validating:
            if not (bar.final and any(name.startswith("val_") for name in bar.values)):
                return Observation({}, kind="place")
            self.validating = False
        if self.open and bar.steps and self._steps not in ("", bar.steps):
            return self._aside(bar)
        self._steps = bar.steps
        key = (bar.step, bar.steps)
        full = bar.step == bar.steps
        step = int(bar.step[:18])
        if self.open and step < self._step:
            self.open = (
                False  # the header of a later epoch was lost: which epoch this is, is not known
            )
        self._step = step
        # behind the epoch's end only its own last redraw may still come
        epoch = self.epoch if self.open or (self._last == key and full) else ""
        ends = bar.final and (full or not bar.steps or bar.eta_s is None)
        self._bars += 1
        if epoch and ends and self.open:
            self.open = False
            self._plain_end = self._plain_end or not self._glued_seen
            # Keras 3 draws a full bar twice; the second is this epoch's too
            self._last = key if bar.eta_s is not None else None
        else:
            self._last = None
        return Observation(
            bar.values,
            epoch=epoch,
            step=bar.step,
            steps_per_epoch=bar.steps or None,
            eta_s="0" if ends else bar.eta_s,
            time_per_step_s=bar.time_per_step_s,
            kind="progress",
            ends=ends,
        )

    def _aside(self, bar: Bar) -> Observation:
        """Return a bar of `model.evaluate` that a callback drew inside an epoch."""
        return Observation(
            bar.values,
            epoch="",
            step=bar.step,
            steps_per_epoch=bar.steps,
            eta_s=bar.eta_s,
            time_per_step_s=bar.time_per_step_s,
            kind="aside",
        )
