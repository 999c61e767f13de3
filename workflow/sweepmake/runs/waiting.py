"""What a run that waits for its GPUs says: after whom it waits, and no more often than needed.

The stage runner imports this module, so it needs to start fast: time only.
"""

from __future__ import annotations

import time

from sweepmake.runs.claims import is_alive
from sweepmake.visible import one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sweepmake.runs.claims import Holder

__all__ = ["Told", "held_by", "in_words"]

AGAIN_S = 600.0  # before what has changed is said again; twice as long each time
_MOST_SHOWN = 3


class Told:
    """What has been said of a wait."""

    __slots__ = ("_again", "_last", "_pause", "_say")

    def __init__(self, say: Callable[[str], None] | None) -> None:
        self._say = say
        self._last = ""
        self._pause = AGAIN_S
        self._again = 0.0

    def tell(self, reason: str) -> None:
        """Say why the run waits, if it is news, and not too soon after the last news.

        In a busy sweep that waits for another one the holders change with each of its runs.
        """
        now = time.monotonic()
        if self._say is None or reason in ("", self._last) or now < self._again:
            return
        if self._last:
            self._pause *= 2
        self._say(reason)
        self._last = reason
        self._again = now + self._pause


def in_words(blocked: Mapping[str, str]) -> str:
    """Return why GPUs cannot be had: "GPUs 0, 1 are held by …; GPU 2 is used by …".

    Args:
        blocked: id of a GPU → why, as it stands behind "is".
    """
    groups: dict[str, list[str]] = {}
    for name, why in blocked.items():
        groups.setdefault(why, []).append(name)
    parts = [
        f"{_called(names)} {'is' if len(names) == 1 else 'are'} {why}"
        for why, names in list(groups.items())[:_MOST_SHOWN]
    ]
    more = len(groups) - len(parts)
    return one_line("; ".join(parts)) + (f"; and {more} more" if more > 0 else "")


def _called(names: list[str]) -> str:
    """Return "GPU 0", "GPUs 0, 1", or NVIDIA's names as they are."""
    if all(name.isdecimal() for name in names):
        return f"GPU{'s' if len(names) > 1 else ''} {', '.join(names)}"
    return ", ".join(f"GPU {name}" if name.isdecimal() else name for name in names)


def held_by(holder: Holder) -> str:
    """Return who holds a GPU: "held by train of A_1 in /home/me, process 4711, since 14:02"."""
    words = f"held by {holder.what}, {holder}" if holder.what else f"held by {holder}"
    if is_alive(holder) is False:
        words += " (it has ended, and what it started has not)"
    return one_line(words)
