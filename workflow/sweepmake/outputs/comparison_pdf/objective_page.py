"""The page of the comparison that shows the objective by each varied parameter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from sweepmake.outputs.comparison_pdf.compared import Comparison, count, limits
from sweepmake.outputs.drawing.layout import Box, Margins, boxes, panel_width
from sweepmake.outputs.drawing.scale import Floats, Scale
from sweepmake.outputs.drawing.style import ACCENT, COLOURS, GREY, HEIGHT, WIDTH, cut

__all__ = ["draw_objective", "objective_notes"]

_FEW_VALUES = 24  # so many values have a mean each; of more, the median of parts is drawn
_SEPARATE = 8  # so few values always have
_PARTS = 10
_MARGINS = Margins(top=1.62, bottom=1.15, left=0.95, right=0.35, beside=0.75, below=0.75)
_TURNED = 0.5  # inches more below a panel whose labels are turned


def draw_objective(figure: Figure, comparison: Comparison, keys: tuple[str, ...]) -> None:
    """Draw one panel for each of some parameters."""
    low, high, _ = limits(comparison)
    scales = [comparison.scales[key] for key in keys]
    places = _places(scales)
    for at, (scale, place) in enumerate(zip(scales, places, strict=True)):
        left, bottom, width, height = place
        axes = figure.add_axes((left / WIDTH, bottom / HEIGHT, width / WIDTH, height / HEIGHT))
        _draw_panel(axes, comparison, scale, (low, high))
        first = at == 0 or places[at - 1][0] > place[0]
        axes.set_ylim(low, high)
        _ticks(axes, comparison.objective, first=first, height=height)
        _parameter_ticks(axes, scale, width)


def objective_notes(comparison: Comparison) -> list[str]:
    """Return what the reader must know to read the page."""
    over = " and ".join(comparison.averaged)
    _, _, outside = limits(comparison)
    notes = [
        "Grey: single experiments. Blue: the median of those with this value, or of neighbours "
        "where there are many values. Orange star: the best."
    ]
    if over and np.isfinite(comparison.spread(range(len(comparison.values)))):
        notes.append(
            f"Bars: the spread over {over}, \N{PLUS-MINUS SIGN} one standard deviation, with all "
            "other parameters equal."
        )
    if outside:
        notes.append(f"So far away that they are drawn on the edge: {count(outside)}.")
    if missing := comparison.missing():
        notes.append(missing)
    return notes


def _draw_panel(
    axes: Axes, comparison: Comparison, scale: Scale, ends: tuple[float, float]
) -> None:
    rows = np.flatnonzero(np.isfinite(comparison.values) & np.isfinite(scale.positions))
    x, y = scale.positions[rows], np.clip(comparison.values[rows], *ends)
    distinct = np.unique(x)
    few = len(distinct) <= _FEW_VALUES and (
        scale.categories or len(distinct) <= _SEPARATE or len(rows) >= 2 * len(distinct)
    )
    gap = float(np.diff(distinct).min()) if len(distinct) > 1 else 1.0
    if few:
        x = x + _jitter(len(rows), len(distinct)) * gap
    size = 30 if len(rows) <= 12 else 14 if len(rows) <= 60 else 7 if len(rows) <= 400 else 3.5
    axes.scatter(x, y, s=size, color=GREY, alpha=0.45 if len(rows) <= 400 else 0.3, linewidths=0)
    if few:
        _draw_means(axes, comparison, scale, rows, distinct)
    elif len(rows) >= 2 * _PARTS:
        parts = np.array_split(np.argsort(x, kind="stable"), min(_PARTS, len(rows) // 5))
        middles = [(float(np.median(x[part])), float(np.median(y[part]))) for part in parts]
        axes.plot(*zip(*middles, strict=True), color=COLOURS[0], linewidth=1.6, marker="o")
    best = comparison.best
    if best is not None and np.isfinite(scale.positions[best]):
        place = (scale.positions[best], comparison.values[best])
        axes.plot(*place, marker="*", markersize=13, color=ACCENT, markeredgecolor="white")
    low, high = (distinct[0], distinct[-1]) if len(distinct) else (0.0, 1.0)
    margin = 0.5 if scale.categories else (high - low) * 0.06 or 0.5
    axes.set_xlim(low - margin, high + margin)


def _draw_means(
    axes: Axes, comparison: Comparison, scale: Scale, rows: NDArray[np.intp], places: Floats
) -> None:
    means, spreads = [], []
    for place in places:
        here = rows[scale.positions[rows] == place].tolist()
        means.append(float(np.median(comparison.means(here))))
        spreads.append(comparison.spread(here))
    axes.plot(
        places,
        means,
        color=COLOURS[0],
        linewidth=1.4,
        linestyle="" if scale.categories else "-",
        marker="D" if scale.categories else "o",
        markersize=4.5,
    )
    bars = np.array(spreads)
    has = np.isfinite(bars)
    if has.any():
        axes.errorbar(
            places[has],
            np.array(means)[has],
            yerr=bars[has],
            fmt="none",
            ecolor=COLOURS[0],
            elinewidth=1.2,
            capsize=3,
        )


def _jitter(points: int, values: int) -> Floats:
    """Return shifts that keep points of one value apart: the golden ratio's multiples."""
    if points <= 3 * values:
        return np.zeros(points)
    return np.asarray((np.arange(points) * 0.6180339887498949 % 1.0 - 0.5) * 0.36)


def _ticks(axes: Axes, scale: Scale, *, first: bool, height: float) -> None:
    low, high = axes.get_ylim()
    shown = [
        (tick, label)
        for tick, label in zip(scale.ticks, scale.labels, strict=True)
        if low <= tick <= high
    ]
    if len(shown) < 2:  # the axis shows a part without outliers, or one value alone
        values = np.linspace(low, high, 5)
        real = 10**values if scale.logarithmic else values
        shown = [(at, f"{value:.3g}") for at, value in zip(values, real, strict=True)]
    axes.set_yticks([tick for tick, _ in shown], [label for _, label in shown])
    if first:
        suffix = ", log scale" if scale.logarithmic else ""
        axes.set_ylabel(cut(scale.label, height - 0.5, 8) + suffix)


def _places(scales: Sequence[Scale]) -> list[Box]:
    """Return the place of each panel, row by row: lower where labels are turned."""
    width = panel_width(len(scales), _MARGINS)
    turned = _TURNED if any(_is_turned(scale, width) for scale in scales) else 0
    below = _MARGINS.below + turned
    return boxes(len(scales), replace(_MARGINS, below=below, bottom=_MARGINS.bottom + turned))


def _is_turned(scale: Scale, width: float) -> bool:
    """Return whether the labels of a panel of so many inches are too long to lie."""
    longest = max(map(len, scale.labels), default=0)
    return longest * 0.065 > width / max(1, len(scale.labels))


def _parameter_ticks(axes: Axes, scale: Scale, width: float) -> None:
    axes.set_xticks(scale.ticks, scale.labels)
    room = width / max(1, len(scale.labels))
    if _is_turned(scale, width):
        steep = room < 0.45
        for label in axes.get_xticklabels():
            label.set(
                rotation=90 if steep else 30,
                ha="center" if steep else "right",
                rotation_mode="default" if steep else "anchor",
                text=cut(label.get_text(), 0.75, 7.5),
            )
    axes.set_title(
        cut(scale.label, width, 9) + (", log scale" if scale.logarithmic else ""),
        size=9,
        loc="left",
    )
