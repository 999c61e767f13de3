r"""A reader by regular expression, from the config.

    logs:
      pattern: 'ep=(?P<epoch>\d+) it=(?P<step>\d+)/(?P<steps_per_epoch>\d+) L=(?P<loss>\S+)'

reads `ep=3 it=40/200 L=0.4351`. The groups epoch, step, steps_per_epoch, total_epochs, eta_s and
time_per_step_s say where the line stands; every other named group is a metric of that name. The
pattern is searched in each line; several patterns are tried in their order. What a place's group
captures is a number, or left out; a decimal comma is read (`0,5` is 0.5).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from sweepmake.errors import InputError
from sweepmake.logs.readers.base import Observation, Reader, is_number, seconds
from sweepmake.logs.readers.grammar.numbers import plain
from sweepmake.patience import TooSlowError

__all__ = ["RegexReader", "compile_patterns"]

_PLACES = ("epoch", "step", "steps_per_epoch", "total_epochs", "eta_s", "time_per_step_s")
_LONGEST = 4096  # a user's pattern may be quadratic: no more than this of a line is shown to it


class RegexReader(Reader):
    """Reads lines by the user's patterns."""

    name = "regex"

    def __init__(self, patterns: Sequence[re.Pattern[str]]) -> None:
        self._patterns = patterns

    def read(self, text: str) -> Sequence[Observation] | Observation | None:
        """Return the groups of the first pattern that is found.

        Raises:
            TooSlowError: a pattern has taken longer than it may; see there.
        """
        for pattern in self._patterns:
            try:
                match = pattern.search(text[:_LONGEST])
            except TooSlowError as late:
                late.pattern = pattern.pattern
                raise
            if match:
                found = {key: value.strip() for key, value in match.groupdict().items() if value}
                return _observation(found)
        return None


def _observation(found: dict[str, str]) -> Observation:
    values = {k: v for k, v in found.items() if k not in _PLACES and is_number(v)}
    for key in ("epoch", "step", "steps_per_epoch"):
        if key in found and not is_number(found[key]):
            found[key] = plain(found[key], decimal_comma=True) or ""
            if not is_number(found[key]):
                del found[key]
    total = found.get("total_epochs", "")
    time = {key: found[key] for key in ("eta_s", "time_per_step_s") if key in found}
    times = {key: value if is_number(value) else seconds(value) for key, value in time.items()}
    return Observation(
        values,
        found.get("epoch"),
        found.get("step"),
        found.get("steps_per_epoch"),
        times.get("eta_s"),
        times.get("time_per_step_s"),
        int(total[:18]) if total.isdecimal() else None,
        kind="line" if values else "place",
    )


def compile_patterns(patterns: Sequence[str]) -> tuple[re.Pattern[str], ...]:
    """Return the compiled patterns.

    Raises:
        InputError: a pattern is not valid, or has no named group that is a metric or a place.
    """
    compiled = []
    for text in patterns:
        try:
            pattern = re.compile(text)
        except re.error as error:
            hint = "Python's re syntax; named groups are (?P<name>…)"
            raise InputError(
                f"the log pattern {text!r} is not valid: {error}", hint=hint
            ) from error
        if not pattern.groupindex:
            raise InputError(
                f"the log pattern {text!r} has no named group",
                hint="write (?P<loss>\\S+) where the value stands",
            )
        compiled.append(pattern)
    return tuple(compiled)
