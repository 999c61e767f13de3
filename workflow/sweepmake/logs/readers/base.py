"""What every reader speaks: observations, blocks of rows, number texts and durations.

A reader gets one segment of one rank's stream (the text between two redraws or line ends, colour
codes gone) and returns an Observation, or None when the segment is not of its format. One that has
learned how its stream looks may read many segments at once. Values stay the text that the log
printed; nothing is rounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

__all__ = [
    "NUMBER",
    "Block",
    "Ends",
    "Observation",
    "Part",
    "Reader",
    "is_number",
    "seconds",
    "unit_seconds",
]

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
    """

    values: Mapping[str, str]
    epoch: str | None = None
    step: str | None = None
    steps_per_epoch: str | None = None
    eta_s: str | None = None
    time_per_step_s: str | None = None
    total_epochs: int | None = None
    kind: str = "line"


class Ends(NamedTuple):
    """The last row of each epoch of a block, column by column, in their order.

    In a log without epochs each row is the last of one. All texts are as in a row of the history.

    Args:
        epochs: "3".
        places: "13,13": step and steps per epoch.
        times: "0,0.041": ETA and time per step (s).
        values: of each metric; "" where a row has none.
    """

    epochs: Sequence[str]
    places: Sequence[str]
    times: Sequence[str]
    values: Sequence[Sequence[str]]


class Block(NamedTuple):
    """Many rows at once, in the order logged: nothing in them begins again, and none is empty.

    Args:
        names: the metrics of the rows.
        lines: the rows, `epoch,step,steps per epoch,ETA,time per step` and a cell for each metric,
            each with a line feed behind it.
        rows: how many, at least one.
        observations: how many segments with metrics they were.
        places: how many segments only told where the stream is.
        ends: the last row of each epoch. More rows of the last one may follow; the epoch that a
            block breaks off in may be missing if the next row is of the same one.
    """

    names: tuple[str, ...]
    lines: str
    rows: int
    observations: int
    places: int
    ends: Ends


Part = Observation | Block | str
"""What a reader finds in a block of text: a str is a segment that it leaves to all readers."""


class Reader(Protocol):
    """One log format. Readers keep state per stream: one instance reads one stream of one rank."""

    name: str

    def read(self, text: str) -> Sequence[Observation] | Observation | None:
        """Return what the segment says, None when it is not of this format."""
        ...

    def read_block(self, text: str) -> Iterable[Part] | None:
        """Return what whole segments say, in their order; None: they are to be read one by one.

        The fast way, for a reader that has learned from what it read one by one how its stream
        looks. Both ways must give the same rows and counts. The parts are taken one after the
        other, so a reader's own state may change with each segment that it leaves to `read`.

        Args:
            text: segments of the stream, their separators and colour codes between them, in
                Latin-1 (one character a byte).
        """
        return None

    def heading(self, text: str) -> Sequence[Observation]:
        """Take note of a segment without a number: a table's header, `Test set:`.

        All readers are told. What it closes (a table's last rule) may be returned.
        """
        return ()

    def finish(self) -> Sequence[Observation]:
        """Return what was held back until the stream's end."""
        return ()


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
