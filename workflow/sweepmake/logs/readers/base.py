"""What every reader speaks: observations, number texts and durations.

A reader gets one segment of one rank's stream (the text between two redraws or line ends, colour
codes gone) and returns an Observation, or None when the segment is not of its format. Values stay
the text that the log printed; nothing is rounded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

__all__ = ["NUMBER", "Observation", "Reader", "is_number", "seconds", "unit_seconds"]

# A number as programs print it. No nested repeats: matching is linear.
NUMBER = (
    r"[+-]?(?:[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?|\.[0-9]+(?:[eE][+-]?[0-9]+)?"
    r"|[nN][aA][nN]|[iI]nf(?:inity)?|INF)"
)
_NUMBER = re.compile(NUMBER)
_DURATION = re.compile(
    r"(?:(\d{1,6}) days?, ?|(\d{1,6})-)?(?:(\d{1,9}):)?(\d{1,9}):(\d{1,9}(?:\.\d{1,9})?)", re.ASCII
)
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_UNIT = re.compile(r"(\d+(?:\.\d+)?)(h|ms|us|µs|ns|m|s)", re.ASCII)


class Observation(NamedTuple):
    """What one segment said.

    Args:
        values: metric name -> number as printed; empty when the segment only tells where we are.
        epoch: number as printed; None means "the epoch this rank is in"; "" means outside any
            epoch.
        step: step inside the epoch (or the iteration, where the log has no epochs).
        steps_per_epoch: how many steps an epoch has.
        eta_s: seconds to the end of the epoch, as text.
        time_per_step_s: seconds per step, as text.
        total_epochs: how many epochs the run was asked for.
        kind: "progress" (a redraw: the last one of a step wins), "line" (a row of its own unless it
            only adds to its epoch), "summary" (belongs to the last row of its epoch or step),
            "aside" (a row that leaves the last one open) or "place" (no row).
        ends: True when the epoch's last redraw has been seen.
    """

    values: Mapping[str, str]
    epoch: str | None = None
    step: str | None = None
    steps_per_epoch: str | None = None
    eta_s: str | None = None
    time_per_step_s: str | None = None
    total_epochs: int | None = None
    kind: str = "line"
    ends: bool = False


class Reader(Protocol):
    """One log format. Readers keep state per stream: one instance reads one stream of one rank."""

    name: str

    def read(self, text: str) -> Sequence[Observation] | Observation | None:
        """Return what the segment says, None when it is not of this format."""
        ...

    def finish(self) -> Sequence[Observation]:
        """Return what was held back until the stream's end."""
        ...


def is_number(text: str) -> bool:
    """Return whether the whole text is one number, nan and inf included."""
    return _NUMBER.fullmatch(text) is not None


def seconds(text: str) -> str | None:
    """Return a duration as seconds in text: "1:02:03" -> "3723", "9s" -> "9", "?" -> None.

    Keras 2 prints "9s", "1:02" and "1:02:03"; tqdm "00:12" and "1:02:03"; Python's timedelta
    "1 day, 0:00:08".
    """
    match = _DURATION.fullmatch(text)
    if match:
        days, short_days, hours, minutes, last = match.groups()
        whole = int(days or short_days or 0) * 86400 + int(hours or 0) * 3600 + int(minutes) * 60
        return _plain(whole + float(last)) if "." in last else str(whole + int(last))
    return unit_seconds(text)


def unit_seconds(text: str) -> str | None:
    """Return "182ms" as "0.182", "2s" as "2", "35us" as "3.5e-05"; None when it is neither."""
    match = _UNIT.fullmatch(text)
    if not match:
        return None
    number, unit = match.groups()
    return number if unit == "s" else _plain(float(number) * _UNITS[unit])


def _plain(value: float) -> str:
    """Return a float in at most 9 significant digits, without a trailing ".0"."""
    return f"{value:.9g}"
