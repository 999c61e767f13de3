"""How long regular expressions of the user's may take on one log.

An expression with nested repeats can take longer than the universe on one line. Python's `re` looks
for signals while it tries (CPython, Modules/_sre: MAYBE_CHECK_SIGNALS), so that a timer ends it
where a thread could not: the timer's signal handler raises in the middle of the search. What is
counted is the time of the processor, so that a busy machine, or a stopped process, changes nothing.

    patience = Patience(60)
    with patience:  # raises TooSlowError
        found = expression.search(line)
"""

from __future__ import annotations

import signal
from types import FrameType, TracebackType

__all__ = ["Patience", "TooSlowError"]

_LEAST = 1e-6  # seconds; 0 would stop the timer
_BYTES_PER_S = 1_000_000
"""So slowly may a log be searched, however long it is, beside the time that is given anyway."""


class TooSlowError(Exception):
    """An expression has taken longer than it may.

    Attributes:
        pattern: the expression, "" where it is not known.
    """

    pattern: str = ""


class Patience:
    """The time that is left for the expressions that are tried on one log.

    In a thread other than the main one no signal is handled: there, nothing is ended.

    Args:
        seconds: how long they may take, beside a second for each megabyte of the log.
    """

    def __init__(self, seconds: float) -> None:
        self._left = float(seconds)
        self._before: object = None
        self._counts = False

    def grant(self, size: int) -> None:
        """Take note of so many more bytes to be searched."""
        self._left += size / _BYTES_PER_S

    def __enter__(self) -> None:
        try:
            self._before = signal.signal(signal.SIGVTALRM, _end)
        except ValueError:
            return  # in a thread
        self._counts = True
        signal.setitimer(signal.ITIMER_VIRTUAL, max(self._left, _LEAST))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        if self._counts:
            self._counts = False
            self._left = signal.setitimer(signal.ITIMER_VIRTUAL, 0)[0]
            signal.signal(signal.SIGVTALRM, self._before)  # type: ignore[arg-type]


def _end(number: int, frame: FrameType | None) -> None:
    raise TooSlowError
