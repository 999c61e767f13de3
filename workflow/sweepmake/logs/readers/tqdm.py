"""tqdm bars with a postfix, and Lightning's bars, which are tqdm's.

    epoch 1/5:  10%|█         | 4/40 [00:00<00:00, 78.02it/s, acc=0.344, loss=1.3977]
    Epoch 3:  90%|█████████ | 18/20 [00:00<00:00, 75.21it/s, train_loss=0.0658, val_loss=0.060]
    Validate Epoch  #2: 100% 5/5 [00:01<00:00,  5.00it/s, loss=1.5, accuracy=55.5]
     33%|███▎      | 12/36 [00:00<00:00, 249.01it/s]

`set_postfix` redraws the bar before its count moves, so tqdm shows the values of step 5 beside
4/40. Where the redraws between two counts are as many as the steps between them, each gets its own
step; otherwise the step is the one that the bar showed. Lightning moves the count first: its last
redraw of a step is right, and what stands beside 0 is left over from the epoch before. Bars without
a postfix hold no metric. What an evaluation's own bar shows when it is full belongs to the epoch's
last row, under its phase. An evaluation that Lightning leaves in the bar of the next epoch is stale
until one of its values changes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from sweepmake.logs.readers.base import Observation, Reader, is_number, seconds
from sweepmake.logs.readers.grammar.phases import TRAINING, phase_of, phased
from sweepmake.metric_names import is_evaluation

__all__ = ["Tqdm"]

_BAR = re.compile(
    r"(?:\[\d+\] *)?([^|]*?):? *(?:(\d+)%)?(?:\|([^|]*)\| *|(?<=%) +)(\d+)(?:/(\d+|\?))? "
    r"\[(\d[\d:.]*)<([\d:?]+), *([\d.]+|\?) ?(s/\w+|\w+/s)(?:, ?(.*?))?\] *",
    re.ASCII,
)
_NUMBERS = re.compile(r"\d[\d.]*")
_MOST_NUMBERS = 4  # in a bar's name; more are the row of a table
_EPOCH = re.compile(r"epoch[ :=#]*\[?(\d+)(?: ?/ ?(\d+)| of (\d+))?", re.ASCII | re.IGNORECASE)


class _Bar(NamedTuple):
    epoch: str | None
    total_epochs: int | None
    step: int
    steps: str | None
    eta_s: str | None
    time_per_step_s: str | None
    values: dict[str, str]
    phase: str | None = None

    def observation(self, step: int) -> Observation:
        return Observation(
            self.values,
            self.epoch,
            str(step),
            self.steps,
            self.eta_s,
            self.time_per_step_s,
            self.total_epochs,
            kind="progress",
        )


class Tqdm(Reader):
    """Reads tqdm's bars; holds redraws of one count back until the count moves."""

    name = "tqdm"

    def __init__(self) -> None:
        self._held: list[_Bar] = []
        self._postfix_first: bool | None = None  # tqdm's loop; False where the count moves first
        self._shown: dict[str, str] = {}  # the evaluation that the last bar showed
        self._stale: dict[str, str] = {}  # … that the last bar of the epoch before showed
        self._shown_epoch: str | None = None

    def read(self, text: str) -> Sequence[Observation] | Observation | None:
        """Return the redraws whose step has become certain."""
        if "/s" not in text and "s/" not in text:
            return None
        bar = _parse(text)
        if bar is None:
            return None
        if bar.phase is not None:
            return self._evaluation(bar)
        if not bar.values:
            released = self._release(bar) if self._held and not self._same(bar) else []
            place = Observation({}, bar.epoch, total_epochs=bar.total_epochs, kind="place")
            return [*released, place]
        if self._postfix_first is None:
            self._postfix_first = bar.step == 0
        if not self._postfix_first:
            fresh = self._without_stale(bar)
            return fresh.observation(fresh.step) if fresh.step else Observation({}, kind="place")
        released = [] if not self._held or self._same(bar) else self._release(bar)
        self._held.append(bar)
        return released or Observation({}, kind="place")

    def _evaluation(self, bar: _Bar) -> list[Observation]:
        """Return what an evaluation's own bar shows once it is full; its steps are its own."""
        released = self._release(bar) if self._held else []
        if not bar.values or str(bar.step) != bar.steps:
            return [*released, Observation({}, kind="place")]
        values = {phased(name, bar.phase): text for name, text in bar.values.items()}
        return [*released, Observation(values, bar.epoch, kind="summary")]

    def _without_stale(self, bar: _Bar) -> _Bar:
        """Return a bar without the evaluation of the epoch before, which Lightning leaves in it."""
        shown = {name: text for name, text in bar.values.items() if is_evaluation(name)}
        if bar.epoch != self._shown_epoch:
            self._stale, self._shown_epoch = self._shown, bar.epoch
        self._shown = shown
        if not self._stale or not shown:
            return bar
        if any(self._stale.get(name) != text for name, text in shown.items()):
            self._stale = {}
            return bar
        return bar._replace(values={k: v for k, v in bar.values.items() if k not in shown})

    def _same(self, bar: _Bar) -> bool:
        held = self._held[0]
        return (held.step, held.epoch, held.steps) == (bar.step, bar.epoch, bar.steps)

    def _release(self, bar: _Bar | None) -> list[Observation]:
        """Return the held redraws with their steps, now that `bar` shows the next count."""
        held, self._held = self._held, []
        first = held[0]
        # the first redraw of a count repeats the values before it, but for the very first postfix
        fresh = held if first.step == 0 else held[1:]
        certain = (
            bar is not None
            and bar.epoch == first.epoch
            and bar.step - first.step == len(fresh)
            and bool(fresh)
            and bar.values == fresh[-1].values
        )
        steps = [first.step + 1 + i if certain else first.step for i in range(len(fresh))]
        out = [one.observation(step) for one, step in zip(fresh, steps, strict=True)]
        if first.step:
            out.insert(0, first.observation(first.step))
        return out if certain else _changed(out)

    def finish(self) -> Sequence[Observation]:
        """Return the redraws of the last count, at the step that they showed."""
        return self._release(None) if self._held else ()


def _changed(redraws: list[Observation]) -> list[Observation]:
    """Return the first redraw, and as rows of their own those with other values than before."""
    return redraws[:1] + [
        now._replace(kind="line")
        for before, now in pairwise(redraws)
        if before.values != now.values
    ]


def _parse(text: str) -> _Bar | None:
    match = _BAR.fullmatch(text.strip())
    if not match:
        return None
    description, _, _, step, steps, _, left, rate, unit, postfix = match.groups()
    if len(_NUMBERS.findall(description)) > _MOST_NUMBERS:
        return None
    found = _EPOCH.search(description)
    total = found and (found.group(2) or found.group(3))
    values: dict[str, str] = {}
    for item in (postfix or "").split(", "):
        name, equals, value = item.partition("=")
        if equals and name.strip() != "v_num" and is_number(value.strip()):
            values[name.strip()] = value.strip()
    return _Bar(
        str(int(found.group(1)[:18])) if found else None,
        int(total[:9]) if total else None,
        int(step[:18]),
        steps if steps and steps != "?" else None,
        seconds(left),
        _per_step(rate, unit),
        values,
        _phase(description),
    )


def _phase(description: str) -> str | None:
    """Return the evaluation that a bar is of: `Validate Epoch  #2`, `Testing DataLoader 0`."""
    phases = [phase_of(word) for word in re.findall(r"[A-Za-z]+", description)]
    return next((one for one in phases if one not in (None, TRAINING)), None)


def _per_step(rate: str, unit: str) -> str | None:
    """Return seconds per step: "78.02", "it/s" -> "0.0128172"; "1.20", "s/it" -> "1.20"."""
    if not is_number(rate):
        return None
    if unit.startswith("s/"):
        return rate
    speed = float(rate)
    return f"{1 / speed:.6g}" if speed > 0 else None
