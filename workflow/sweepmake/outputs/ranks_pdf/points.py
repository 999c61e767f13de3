"""Rows of a history that become points, in bounded memory however many there are.

A block of rows is a table of floats: epoch, step, steps per epoch, value, attempt. An empty cell is
EMPTY, so that a logged `nan` remains one.
"""

from __future__ import annotations

import numpy as np

from sweepmake.logs.history_file import EMPTY
from sweepmake.outputs.drawing.scale import Floats

__all__ = ["ATTEMPT", "EPOCH", "STEP", "STEPS", "VALUE", "Points"]

EPOCH, STEP, STEPS, VALUE, ATTEMPT = range(5)


class Points:
    """The points of one metric of one rank: every row's, and the last of each epoch.

    Args:
        most: about how many points are kept of each kind.
    """

    __slots__ = ("_ends", "_rows", "count")

    def __init__(self, most: int) -> None:
        self.count = 0
        self._rows = _Thinning(most)
        self._ends = _Thinning(most)

    def add(self, block: Floats) -> None:
        """Take rows, in the order logged."""
        self.count += len(block)
        self._rows.add(block)
        ends = _epoch_ends(block)
        before = self._ends.last()
        if before is not None and len(_epoch_ends(np.stack([before, ends[0]]))) == 1:
            self._ends.drop_last()  # its epoch goes on in this block
        self._ends.add(ends)

    def rows(self) -> Floats:
        """Return the points, thinned where there are many, in the order logged."""
        return self._rows.close()

    def ends(self) -> Floats:
        """Return the last point of each epoch; every point where there are no epochs."""
        return self._ends.close()


class _Thinning:
    """Points of which all parts are thinned alike, whenever they come.

    Two points, the least and the greatest, are kept of every `_width` rows; when there are too many
    points the width is doubled. Rows wait until there are enough of them to be thinned.
    """

    __slots__ = ("_kept", "_most", "_waiting", "_waiting_rows", "_width")

    def __init__(self, most: int) -> None:
        self._most = most
        self._width = 2  # nothing is lost yet
        self._kept: list[Floats] = []
        self._waiting: list[Floats] = []
        self._waiting_rows = 0

    def add(self, block: Floats) -> None:
        self._waiting.append(block)
        self._waiting_rows += len(block)
        if self._waiting_rows > max(self._most, 16 * self._width):
            self._take()

    def last(self) -> Floats | None:
        return np.asarray(self._waiting[-1][-1]) if self._waiting else None

    def drop_last(self) -> None:
        self._waiting[-1] = self._waiting[-1][:-1]
        self._waiting_rows -= 1
        if not len(self._waiting[-1]):
            self._waiting.pop()

    def _take(self) -> None:
        """Thin what waits, but for the last row, which may have to go yet."""
        waiting = np.concatenate(self._waiting)
        self._kept.append(_extremes(waiting[:-1], self._width))
        self._waiting, self._waiting_rows = [waiting[-1:]], 1
        while sum(map(len, self._kept)) > 2 * self._most:
            self._kept = [_extremes(np.concatenate(self._kept), 4)]
            self._width *= 2

    def close(self) -> Floats:
        """Return all points."""
        waiting = np.concatenate(self._waiting)
        return np.concatenate([*self._kept, _extremes(waiting, self._width)])


def _epoch_ends(block: Floats) -> Floats:
    """Return the last row of each run of rows of one attempt and epoch."""
    epoch, attempt = block[:, EPOCH], block[:, ATTEMPT]
    last = np.ones(len(block), dtype=bool)
    last[:-1] = (epoch[1:] != epoch[:-1]) | (attempt[1:] != attempt[:-1]) | (epoch[:-1] == EMPTY)
    return np.asarray(block[last])


def _extremes(block: Floats, width: int) -> Floats:
    """Return the least and the greatest of every `width` rows.

    Also the first row, the last, and the first of each width whose value is not finite, so that a
    gap remains one. The order is kept.
    """
    count = len(block)
    if width <= 2 or count <= 2:
        return block
    columns = -(-count // width)
    value = np.full(columns * width, block[-1, VALUE])
    value[:count] = block[:, VALUE]
    grid = value.reshape(columns, width)
    finite = np.isfinite(grid)
    start = np.arange(columns) * width
    low = start + np.where(finite, grid, np.inf).argmin(axis=1)
    high = start + np.where(finite, grid, -np.inf).argmax(axis=1)
    bad = (start + (~finite).argmax(axis=1))[~finite.all(axis=1)]
    kept = np.unique(np.concatenate([[0, count - 1], low, high, bad]))
    return np.asarray(block[kept[kept < count]])
