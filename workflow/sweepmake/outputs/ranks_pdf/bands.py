"""Ranks side by side: their values at common places, and how these spread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sweepmake.outputs.drawing.scale import Floats
from sweepmake.outputs.ranks_pdf.history import Curve

__all__ = ["Band", "band_of", "mean", "quantiles", "spread"]

_GRID = 400  # places at which a band is computed where ranks logged at different ones


@dataclass(frozen=True, slots=True)
class Band:
    """Ranks side by side.

    Attributes:
        ranks: the ranks, one per row of `table`.
        x: the places.
        table: values (ranks by places); nan where a rank has none.
    """

    ranks: tuple[int, ...]
    x: Floats
    table: Floats


def band_of(curves: Sequence[Curve]) -> Band:
    """Return curves at common places: their own where these are few, else 400 evenly spread.

    What a later attempt repeats is left out; between its points a curve is straight, beyond them
    it is nan.
    """
    kept = []
    for curve in curves:
        use = ~curve.pale & np.isfinite(curve.y)
        order = np.argsort(curve.x[use], kind="stable")
        kept.append((curve.x[use][order], curve.y[use][order]))
    every = [x for x, _ in kept if len(x)]
    places = np.unique(np.concatenate(every).round(9)) if every else np.empty(0)
    most = max((len(x) for x in every), default=0)
    if len(places) > _GRID or len(places) > 1.5 * most:
        places = np.linspace(places[0], places[-1], min(_GRID, 2 * most))
    table = np.full((len(kept), len(places)), np.nan)
    for row, (x, y) in zip(table, kept, strict=True):
        if len(x):
            inside = (places >= x[0] - 1e-9) & (places <= x[-1] + 1e-9)
            row[inside] = np.interp(places[inside], x, y)
    return Band(tuple(curve.rank for curve in curves), places, table)


def quantiles(table: Floats, parts: Sequence[float]) -> list[Floats]:
    """Return quantiles over the rows, nan left out (np.nanquantile is a hundred times slower)."""
    ordered = np.sort(table, axis=0)  # nan comes last
    count = np.isfinite(ordered).sum(axis=0)
    columns = np.arange(table.shape[1])
    found = []
    for part in parts:
        place = part * np.maximum(count - 1, 0)
        below = np.floor(place).astype(int)
        above = np.minimum(below + 1, np.maximum(count - 1, 0))
        share = place - below
        found.append(ordered[below, columns] * (1 - share) + ordered[above, columns] * share)
    return found


def mean(table: Floats) -> Floats:
    """Return the mean over the rows, nan left out; nan where there is nothing."""
    count = np.isfinite(table).sum(axis=0)
    total = np.nansum(table, axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def spread(table: Floats, middle: Floats) -> Floats:
    """Return the standard deviation (of the sample) over the rows, 0 where there is one value."""
    count = np.isfinite(table).sum(axis=0)
    squares = np.nansum((table - middle) ** 2, axis=0)
    return np.asarray(np.sqrt(squares / np.maximum(count - 1, 1)))
