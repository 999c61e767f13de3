"""Rows of a history that become points, in bounded memory however many there are.

A block of rows is a table of floats: epoch, step, steps per epoch, value, attempt. An empty cell is
EMPTY, so that a logged `nan` remains one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["ATTEMPT", "EMPTY", "EPOCH", "STEP", "STEPS", "VALUE", "Floats", "Points", "thinned"]

Floats = NDArray[np.float64]

EMPTY = 9e307
"""Stands for an empty cell; no program logs it."""
EPOCH, STEP, STEPS, VALUE, ATTEMPT = range(5)


class Points:
    """The points of one metric of one rank: every row's, and the last of each epoch.

    Args:
        most: about how many points are kept of each kind.
    """

    __slots__ = ("_ends", "_most", "_rows", "count")

    def __init__(self, most: int) -> None:
        self.count = 0
        self._most = most
        self._rows: list[Floats] = []
        self._ends: list[Floats] = []

    def add(self, block: Floats) -> None:
        """Take rows, in the order logged."""
        self.count += len(block)
        self._rows.append(block)
        self._ends.append(_epoch_ends(block))
        if sum(map(len, self._rows)) > 2 * self._most:
            self._rows = [thinned(np.concatenate(self._rows), self._most)]
        if sum(map(len, self._ends)) > 2 * self._most:  # first those that blocks cut in two
            self._ends = [thinned(_epoch_ends(np.concatenate(self._ends)), self._most)]

    def rows(self) -> Floats:
        """Return the points, thinned where there are many, in the order logged."""
        return np.concatenate(self._rows)

    def ends(self) -> Floats:
        """Return the last point of each epoch; every point where there are no epochs."""
        return _epoch_ends(np.concatenate(self._ends))


def _epoch_ends(block: Floats) -> Floats:
    """Return the last row of each run of rows of one attempt and epoch."""
    epoch, attempt = block[:, EPOCH], block[:, ATTEMPT]
    last = np.ones(len(block), dtype=bool)
    last[:-1] = (epoch[1:] != epoch[:-1]) | (attempt[1:] != attempt[:-1]) | (epoch[:-1] == EMPTY)
    return np.asarray(block[last])


def thinned(block: Floats, most: int) -> Floats:
    """Return the rows that a plot of `most` / 2 columns needs: each column's least and greatest.

    Also the first row, the last, and the first of each column whose value is not finite, so that a
    gap remains one. The order is kept.
    """
    count = len(block)
    if count <= most:
        return block
    width = -(-count // max(1, most // 2))
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
