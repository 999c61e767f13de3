"""What one rank's log adds up to: the last and the best of each metric, restarts, early
stopping."""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sweepmake.logs.demux.account import Counts
from sweepmake.logs.readers.base import Ends
from sweepmake.metric_names import direction

__all__ = ["Best", "SegmentCounts", "Tally"]

_LAST_LINES = 10
_LINE_LENGTH = 500


class Best(NamedTuple):
    """The best value of a metric and where it stood."""

    value: float
    text: str
    epoch: str
    step: str


class SegmentCounts(Counts):
    """What became of a rank's segments (the texts between redraws and line ends)."""

    def __init__(self) -> None:
        self.observations = self.places = self.other = 0
        self.unparsed = self.overlong = self.rows = 0


class Tally(Counts):
    """The sums of one rank in one stage, over its attempts.

    The best of a metric is taken over the last value of each epoch (a running mean inside an epoch
    is not a result); where the log has no epochs, over every row.
    """

    def __init__(self) -> None:
        self.last: dict[str, str] = {}
        self.best: dict[str, Best] = {}
        self.counts = SegmentCounts()
        self.readers: dict[str, int] = {}
        self.total_epochs: int | None = None
        self.steps_per_epoch = ""
        self.last_epoch = ""
        self.last_step = ""
        self.restarts = 0
        self.early_stop_epoch: int | None = None
        self.total_training_time_s: float | None = None
        self.trouble = False
        self.failed = False
        self.last_lines: deque[str] = deque(maxlen=_LAST_LINES)
        self._time_ns = 0
        self._time_count = 0
        self._epoch = ""
        self._step = ""
        self._values: dict[str, str] = {}
        self._time = ""

    @property
    def time_per_step_s(self) -> float | None:
        """The mean over the epochs of their last time per step."""
        return self._time_ns / self._time_count / 1e9 if self._time_count else None

    def row(self, epoch: str, step: str, steps: str, time: str, values: Mapping[str, str]) -> None:
        """Take a finished row."""
        if not epoch and self.last_epoch:  # an evaluation outside the epochs
            for name, text in values.items():
                self.last.setdefault(name, text)
            return
        if epoch != self._epoch or not epoch:
            self.close()
            self._epoch = epoch
        self._step = step
        self._values.update(values)
        if steps and not self.steps_per_epoch:
            self.steps_per_epoch = steps
        if time:
            self._time = time
        self.last_epoch = epoch or self.last_epoch
        self.last_step = step or self.last_step

    def close(self) -> None:
        """Close the epoch: its last values count for the best."""
        if self._time:
            self._add_time(self._time, 1)
            self._time = ""
        if not self._values:
            return
        self.last.update(self._values)
        for name, text in self._values.items():
            rule = direction(name)
            if rule is None:
                continue
            self._compare(name, rule, Best(float(text), text, self._epoch, self._step))
        self._values.clear()

    def block(self, names: Sequence[str], ends: Ends) -> None:
        """Take many rows at once: the last ones of their epochs.

        All epochs but the last one are over; that one may go on.

        Args:
            names: the metrics, in the order of their values.
            ends: the rows.
        """
        if len(ends.epochs) > 1:
            self.close()
            for cells, often in Counter(ends.times[:-1]).items():
                text = cells.partition(",")[2]
                if text:
                    self._add_time(text, often)
            for name, texts in zip(names, ends.values, strict=True):
                self._add_ended(name, texts[:-1], ends)
        step, _, steps = ends.places[-1].partition(",")
        time = ends.times[-1].partition(",")[2]
        values = {name: texts[-1] for name, texts in zip(names, ends.values, strict=True)}
        values = {name: text for name, text in values.items() if text}
        self.row(ends.epochs[-1], step, steps, time, values)

    def _add_ended(self, name: str, texts: Sequence[str], ends: Ends) -> None:
        """Take one metric's last values of epochs that are over."""
        last = next((text for text in reversed(texts) if text), None)
        if last is None:
            return
        self.last[name] = last
        rule = direction(name)
        if rule is None:
            return
        values = list(map(float, [text or "nan" for text in texts] if "" in texts else texts))
        sound = values
        if math.isnan(sum(values)):  # min and max know no nan
            sound = [value for value in values if value == value]
        if sound:
            value = min(sound) if rule == "min" else max(sound)
            at = values.index(value)
            step = ends.places[at].partition(",")[0]
            self._compare(name, rule, Best(value, texts[at], ends.epochs[at], step))

    def _compare(self, name: str, rule: str, new: Best) -> None:
        """Keep the better of the best so far and a new one; the earlier of equals."""
        best = self.best.get(name)
        if new.value != new.value:
            return
        if best is None or (new.value < best.value if rule == "min" else new.value > best.value):
            self.best[name] = new

    def _add_time(self, text: str, count: int) -> None:
        """Add times per step, in whole nanoseconds: the sum does not depend on the order."""
        self._time_ns += round(min(float(text), 1e9) * 1e9) * count
        self._time_count += count

    def moved(self, old: str, new: str, *, again: bool) -> None:
        """Note a change of epoch; one that goes back is a restart of the program."""
        if again or (old and new and _number(new) < _number(old)):
            self.restarts += 1

    def went_back(self, old: str, new: str | None) -> None:
        """Note a step behind the one before, in a log without epochs: a restart."""
        if old and new and _number(new) < _number(old):
            self.restarts += 1

    def say(self, text: str) -> None:
        """Remember one of the last texts of the rank."""
        self.last_lines.append(text[:_LINE_LENGTH])

    @property
    def died(self) -> bool:
        """Whether the last attempt failed, or ended early without saying why.

        A traceback alone does not tell: programs print those of errors that they handled.
        """
        if self.failed:
            return True
        if self.early_stop_epoch is not None or self.total_training_time_s is not None:
            return False
        if self.total_epochs is not None:
            return _number(self.last_epoch) < self.total_epochs
        return self.trouble

    def take_rows(self, rows: Tally) -> None:
        """Take over what other rows add up to: rows that are a part of this tally's."""
        self.last, self.best = rows.last, rows.best
        self.last_epoch, self.last_step = rows.last_epoch, rows.last_step
        self._time_ns, self._time_count = rows._time_ns, rows._time_count
        self.counts.rows = rows.counts.rows

    def begin_attempt(self) -> None:
        """Forget how the attempt before ended."""
        self.failed = self.trouble = False


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
