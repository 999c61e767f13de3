"""What the Keras formats share: metric fields, epoch headers and where a bar belongs."""

from __future__ import annotations

import re
from typing import NamedTuple

from sweepmake.logs.readers.base import NUMBER, Observation, seconds, unit_seconds

__all__ = ["Bar", "KerasEpochs", "fields"]

_HEADER = re.compile(r"(.*?)Epoch (\d+)/(\d+) *", re.ASCII | re.DOTALL)
_VALUE = re.compile(rf"(.+?): ({NUMBER})(.*)", re.DOTALL)
_PER_STEP = re.compile(r"(\d+(?:\.\d+)?[mun]?s)/(?:step|sample)", re.ASCII)
_WHOLE = re.compile(r"-?\d+\.\d{4}(?:e[+-]\d\d)?|nan|inf", re.ASCII)
_OTHERS = re.compile(r"^[\d.,%:/=-]|\d/\d|\[[=>.]|ETA|: [\d.]|\d: ", re.ASCII)
_ELAPSED = re.compile(r"(?:\d+s|[\d:]+)", re.ASCII)


class Bar(NamedTuple):
    """The fields of one bar or line: `steps` is "" when Keras does not know it (`5/Unknown`).

    No further step of the epoch follows a `final` one.
    """

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
            if rest and not rest.startswith(("Epoch ", "-----")) and not _glued(value, rest):
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


def _glued(value: str, rest: str) -> bool:
    """Return whether a value is whole though the text of a program follows it.

    Keras prints four digits behind the point (`%.4f`, `%.4e`), so `0.6620saving` is whole; text
    that begins with a digit, or brings another bar, is not told apart.
    """
    return _WHOLE.fullmatch(value) is not None and _OTHERS.search(rest) is None


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
        self.open = False
        self._total = ""
        self._validating = False
        self._bars = 0
        self._glued_seen = False
        self._plain_end = False
        self._closed_by: tuple[str, str] | None = None  # the bar that Keras 3 draws twice
        self._step = 0
        self._steps = ""

    def header(self, text: str) -> Observation | None:
        """Return the place of `Epoch 3/12`; text in front of it is the caller's."""
        match = _HEADER.fullmatch(text)
        if not match or match.group(1):
            return None
        epoch, total = match.group(2), match.group(3)
        if self.open and self._bars and epoch == "1" and self._glued_seen and total == self._total:
            self._validating = True
            return Observation({}, kind="place")
        return self.start(epoch, total)

    def glued(self, text: str, names: dict[str, str]) -> Observation | None:
        """Take note of a header that stands right behind a bar, without a line end between."""
        match = _HEADER.fullmatch(text)
        if not match:
            return None
        epoch, total = match.group(2), match.group(3)
        fits = epoch == "1" and total == self._total and self.open and not self._plain_end
        if fits and (self._glued_seen or "accuracy" not in names):
            self._validating = self._glued_seen = True
            return None
        return self.start(epoch, total)

    def start(self, epoch: str, total: str) -> Observation:
        """Begin an epoch; return its place."""
        self.epoch, self._total, self.open = epoch, total, True
        self._validating, self._bars, self._closed_by, self._step = False, 0, None, 0
        self._steps = ""
        return Observation({}, epoch=epoch, total_epochs=int(total[:9]), kind="place")

    @property
    def plain(self) -> bool:
        """Whether headers mean what they say: not in a validation of TF 1.15, nor ever in one."""
        return not self._validating and not self._glued_seen

    def goes_on(self, step: int, steps: str) -> bool:
        """Return whether the open epoch goes on with this step, of so many."""
        known = self._steps in ("", steps)
        return self.open and not self._validating and known and step > self._step

    def line(self, values: dict[str, str]) -> Observation:
        """Return the epoch's line of old programs, which has no step: ` - 12s - loss: 0.9500`."""
        epoch = self.epoch if self.open else ""
        self.open = False
        return Observation(values, epoch=epoch)

    def place(self, bar: Bar) -> Observation:
        """Return the bar as an observation of the epoch that it belongs to.

        Without metrics, or of a validation, it is no row. With another number of steps than its
        epoch's it is an aside. Every other bar belongs to the open epoch, to the one that it has
        closed already, or to none.
        """
        if not bar.values or self._validates(bar):
            return Observation({}, kind="place")
        if self.open and bar.steps and self._steps not in ("", bar.steps):
            return self._aside(bar)
        return Observation(
            bar.values,
            epoch=self._epoch_of(bar),
            step=bar.step,
            steps_per_epoch=bar.steps or None,
            eta_s="0" if bar.final else bar.eta_s,
            time_per_step_s=bar.time_per_step_s,
            kind="progress",
        )

    def _validates(self, bar: Bar) -> bool:
        """Return whether a bar is a validation's own; the first that tells its result is not."""
        if self._validating and bar.final and any(name.startswith("val_") for name in bar.values):
            self._validating = False
        return self._validating

    def _epoch_of(self, bar: Bar) -> str:
        """Return the epoch of a bar, "" outside epochs; the bar may close it."""
        key, step = (bar.step, bar.steps), int(bar.step[:18])
        if step < self._step:
            self.open = False  # the header of a later epoch was lost: nobody knows of which
        epoch = self.epoch if self.open or key == self._closed_by else ""
        self._step, self._steps, self._closed_by = step, bar.steps, None
        self._bars += 1
        if self.open and bar.final:
            self.open = False
            self._plain_end = self._plain_end or not self._glued_seen
            self._closed_by = key if bar.step == bar.steps and bar.eta_s is not None else None
        return epoch

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
