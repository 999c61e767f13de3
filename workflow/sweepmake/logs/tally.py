"""What one rank's log adds up to: the last and the best of each metric, restarts, early stopping."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Best", "Counts", "Tally", "direction"]

_LOWER = re.compile(
    r"loss|err|ppl|perplex|wer\b|cer\b|mse|mae\b|nll|fid\b|divergence|distance", re.IGNORECASE
)
_HIGHER = re.compile(
    r"acc|auc|f1|bleu|rouge|dice|dsc|iou|\bmap|precision|recall|score|psnr|ssim|reward|return|r2\b|top-?\d",
    re.IGNORECASE,
)
_LAST_LINES = 10
_LINE_LENGTH = 500


def direction(name: str) -> str | None:
    """Return "min" for losses and errors, "max" for accuracies and scores, None for the rest (lr, …)."""
    if _LOWER.search(name):
        return "min"
    return "max" if _HIGHER.search(name) else None


@dataclass(slots=True)
class Best:
    """The best value of a metric and where it stood."""

    value: float
    text: str
    epoch: str
    step: str


@dataclass(slots=True)
class Counts:
    """What became of a rank's segments (the texts between redraws and line ends)."""

    observations: int = 0
    places: int = 0
    other: int = 0
    unparsed: int = 0
    overlong: int = 0
    rows: int = 0


@dataclass(slots=True)
class Tally:
    """The sums of one rank in one stage, over its attempts.

    The best of a metric is taken over the last value of each epoch (a running mean inside an epoch is
    not a result); where the log has no epochs, over every row.
    """

    last: dict[str, str] = field(default_factory=dict)
    best: dict[str, Best] = field(default_factory=dict)
    counts: Counts = field(default_factory=Counts)
    readers: dict[str, int] = field(default_factory=dict)
    total_epochs: int | None = None
    steps_per_epoch: str = ""
    last_epoch: str = ""
    last_step: str = ""
    restarts: int = 0
    early_stop_epoch: int | None = None
    total_training_time_s: float | None = None
    trouble: bool = False
    last_lines: deque[str] = field(default_factory=lambda: deque(maxlen=_LAST_LINES))
    _time_sum: float = 0.0
    _time_count: int = 0
    _epoch: str = ""
    _step: str = ""
    _values: dict[str, str] = field(default_factory=dict)
    _time: str = ""

    @property
    def time_per_step_s(self) -> float | None:
        """The mean over the epochs of their last time per step."""
        return self._time_sum / self._time_count if self._time_count else None

    def row(self, epoch: str, step: str, steps: str, time: str, values: Mapping[str, str]) -> None:
        """Take a finished row (in bulk: the last of several of one epoch)."""
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
            self._time_sum += float(self._time)
            self._time_count += 1
            self._time = ""
        if not self._values:
            return
        self.last.update(self._values)
        for name, text in self._values.items():
            rule = _rule(name)
            if rule is None:
                continue
            value = float(text)
            best = self.best.get(name)
            if value != value:
                continue
            if best is None or (value < best.value if rule == "min" else value > best.value):
                self.best[name] = Best(value, text, self._epoch, self._step)
        self._values.clear()

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
        """Whether the rank ended with an error, or before its last epoch without saying why."""
        if self.trouble:
            return True
        if self.total_epochs is None or self.early_stop_epoch is not None:
            return False
        return self.total_training_time_s is None and _number(self.last_epoch) < self.total_epochs


_RULES: dict[str, str | None] = {}


def _rule(name: str) -> str | None:
    if name not in _RULES:
        if len(_RULES) > 10_000:
            _RULES.clear()
        _RULES[name] = direction(name)
    return _RULES[name]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
