"""The page of the comparison that shows the whole grid: a heat map, or parallel coordinates."""

from __future__ import annotations

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure

from sweepmake.outputs.comparison_pdf.compared import Comparison, limits
from sweepmake.outputs.drawing.scale import Floats, Scale
from sweepmake.outputs.drawing.style import ACCENT, GREY, HEIGHT, INK, WIDTH, cut

__all__ = ["draw_grid", "grid_notes", "kind_of_grid"]

_LEFT, _RIGHT, _TOP, _BOTTOM = 1.5, 0.9, 1.75, 1.45  # inches around the axes
_LEFT_OF_NAMES = 3.6
_MOST_CELLS = 40  # values of a parameter in a heat map; more are points
_WRITTEN = 240  # cells of a heat map that hold their number
_MOST_AXES = 9
_MOST_RANKED = 40
_PALE = "#DDDDDD"


def kind_of_grid(comparison: Comparison) -> str:
    """Return which picture shows the grid: "cells", "points", "parallel" or "ranking"."""
    if len(comparison.scales) < 2:
        return "ranking"
    if len(comparison.scales) > 2:
        return "parallel"
    distinct = [len(_distinct(scale)) for scale in comparison.scales.values()]
    return "cells" if max(distinct) <= _MOST_CELLS else "points"


def grid_notes(comparison: Comparison) -> list[str]:
    """Return what the reader must know to read the page."""
    over = " and ".join(comparison.averaged)
    mean = f" (mean over {over})" if over else ""
    kind = kind_of_grid(comparison)
    notes = {
        "cells": [f"Colour and number: {comparison.objective.label}{mean}. Framed: the best cell."],
        "points": ["Each point is an experiment. Framed: the best."],
        "parallel": ["Each line is an experiment. Orange: the best."],
        "ranking": [],
    }[kind]
    if kind == "cells" and _values_by_cell(comparison)[1]:
        notes.append("A dash: no experiment with these values has a number.")
    if kind == "parallel" and len(comparison.scales) > _MOST_AXES:
        notes.append(
            f"The {_MOST_AXES} parameters that tell most about the objective, of "
            f"{len(comparison.scales)}."
        )
    if kind == "ranking" and np.isfinite(comparison.values).sum() > _MOST_RANKED:
        notes.append(f"The best {_MOST_RANKED}.")
    if missing := comparison.missing():
        notes.append(missing)
    return notes


def draw_grid(figure: Figure, comparison: Comparison) -> None:
    """Draw the grid in the picture that suits its parameters."""
    kind = kind_of_grid(comparison)
    left = _LEFT_OF_NAMES if kind == "ranking" else _LEFT
    width, height = WIDTH - left - _RIGHT, HEIGHT - _TOP - _BOTTOM
    axes = figure.add_axes((left / WIDTH, _BOTTOM / HEIGHT, width / WIDTH, height / HEIGHT))
    axes.grid(False)
    draw = {
        "cells": _draw_cells,
        "points": _draw_points,
        "parallel": _draw_parallel,
        "ranking": _draw_ranking,
    }
    draw[kind](figure, axes, comparison)


def _colours(comparison: Comparison) -> tuple[Colormap, Normalize]:
    """Return viridis, the better the darker, over the objective's axis."""
    name = "viridis_r" if comparison.better == "max" else "viridis"
    low, high, _ = limits(comparison)
    values = comparison.values[np.isfinite(comparison.values)]
    return matplotlib.colormaps[name], Normalize(
        max(low, float(values.min())), min(high, float(values.max())), clip=True
    )


def _colour_bar(figure: Figure, comparison: Comparison) -> None:
    colours, span = _colours(comparison)
    place = ((WIDTH - 0.7) / WIDTH, _BOTTOM / HEIGHT, 0.16 / WIDTH, 1 - (_TOP + _BOTTOM) / HEIGHT)
    axes = figure.add_axes(place)
    bar = figure.colorbar(ScalarMappable(span, colours), cax=axes)
    scale = comparison.objective
    ticks = [
        (tick, label)
        for tick, label in zip(scale.ticks, scale.labels, strict=True)
        if span.vmin is not None and span.vmax is not None and span.vmin <= tick <= span.vmax
    ]
    if ticks:
        bar.set_ticks([tick for tick, _ in ticks], labels=[label for _, label in ticks])
    suffix = ", log scale" if scale.logarithmic else ""
    axes.set_title(cut(scale.label, 1.4, 8) + suffix, size=8, loc="right")
    axes.grid(False)


def _two_scales(comparison: Comparison) -> tuple[Scale, Scale]:
    """Return the axes for x and y: the parameter with more values on the longer x."""
    first, second = comparison.scales.values()
    if len(_distinct(second)) > len(_distinct(first)):
        return second, first
    return first, second


def _distinct(scale: Scale) -> Floats:
    return np.unique(scale.positions[np.isfinite(scale.positions)])


def _values_by_cell(comparison: Comparison) -> tuple[Floats, int]:
    """Return (the mean per cell, y by x; nan where there is none; how many have none)."""
    across, up = _two_scales(comparison)
    xs, ys = _distinct(across), _distinct(up)
    sums = np.zeros((len(ys), len(xs)))
    counts = np.zeros((len(ys), len(xs)))
    for x, y, value in zip(across.positions, up.positions, comparison.values, strict=True):
        if np.isfinite([x, y, value]).all():
            at = np.searchsorted(ys, y), np.searchsorted(xs, x)
            sums[at] += value
            counts[at] += 1
    cells = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    return cells, int((counts == 0).sum())


def _draw_cells(figure: Figure, axes: Axes, comparison: Comparison) -> None:
    cells, _ = _values_by_cell(comparison)
    colours, span = _colours(comparison)
    axes.set_facecolor("#F2F2F2")
    axes.pcolormesh(
        np.ma.masked_invalid(cells), cmap=colours, norm=span, edgecolors="white", linewidth=0.5
    )
    across, up = _two_scales(comparison)
    names = [_names(scale) for scale in (across, up)]
    axes.set_xticks(np.arange(cells.shape[1]) + 0.5, names[0])
    axes.set_yticks(np.arange(cells.shape[0]) + 0.5, names[1])
    if cells.shape[1] * max(map(len, names[0])) > 110:
        axes.tick_params(axis="x", rotation=90 if cells.shape[1] > 25 else 30)
    axes.tick_params(length=0)
    axes.set_xlabel(across.label)
    axes.set_ylabel(up.label)
    if cells.size <= _WRITTEN:
        _write_cells(axes, comparison, cells, colours, span)
    best = np.nanargmax(cells) if comparison.better == "max" else np.nanargmin(cells)
    y, x = np.unravel_index(best, cells.shape)
    axes.add_patch(
        matplotlib.patches.Rectangle(
            (float(x), float(y)), 1, 1, fill=False, edgecolor=ACCENT, linewidth=2.5
        )
    )
    _colour_bar(figure, comparison)


def _names(scale: Scale) -> list[str]:
    """Return a label for every distinct value of a parameter."""
    known = dict(zip(scale.ticks, scale.labels, strict=True))
    names = []
    for place in _distinct(scale):
        value = 10**place if scale.logarithmic else place
        names.append(known.get(float(place), "" if scale.categories else f"{value:.4g}"))
    return names


def _write_cells(
    axes: Axes, comparison: Comparison, cells: Floats, colours: Colormap, span: Normalize
) -> None:
    size = 8 if cells.size <= 100 else 6
    for (y, x), value in np.ndenumerate(cells):
        if not np.isfinite(value):
            axes.text(
                x + 0.5, y + 0.5, "\N{EN DASH}", size=size, color=GREY, ha="center", va="center"
            )
            continue
        red, green, blue, _ = colours(span(value))
        dark = 0.3 * red + 0.59 * green + 0.11 * blue < 0.5
        shown = 10**value if comparison.objective.logarithmic else value
        axes.text(
            x + 0.5,
            y + 0.5,
            f"{shown:.4g}",
            size=size,
            color="white" if dark else INK,
            ha="center",
            va="center",
        )


def _draw_points(figure: Figure, axes: Axes, comparison: Comparison) -> None:
    across, up = _two_scales(comparison)
    colours, span = _colours(comparison)
    rows = np.flatnonzero(np.isfinite(comparison.values))[::-1]
    axes.scatter(
        across.positions[rows],
        up.positions[rows],
        c=comparison.values[rows],
        cmap=colours,
        norm=span,
        s=40 if len(rows) < 200 else 16,
        linewidths=0,
    )
    if (best := comparison.best) is not None:
        axes.plot(
            across.positions[best],
            up.positions[best],
            marker="o",
            markersize=11,
            markerfacecolor="none",
            markeredgecolor=ACCENT,
            markeredgewidth=2,
        )
    for scale, which in ((across, "x"), (up, "y")):
        suffix = ", log scale" if scale.logarithmic else ""
        settings = {f"{which}ticks": scale.ticks, f"{which}ticklabels": scale.labels}
        axes.set(**settings, **{f"{which}label": scale.label + suffix})
    axes.margins(0.04)
    _colour_bar(figure, comparison)


def _draw_parallel(figure: Figure, axes: Axes, comparison: Comparison) -> None:
    scales = [*_telling(comparison), comparison.objective]
    rows = np.flatnonzero(np.isfinite(comparison.values))[::-1]
    heights = np.column_stack([_spread_out(scale) for scale in scales])[rows]
    low, high, _ = limits(comparison)
    heights[:, -1] = np.clip((comparison.values[rows] - low) / (high - low), 0, 1)
    colours, shades = _colours(comparison)
    kept = np.asarray(np.isfinite(heights).all(axis=1))
    x = np.arange(len(scales), dtype=np.float64)
    axes.add_collection(
        LineCollection(
            [np.column_stack([x, line]) for line in heights[kept]],
            colors=colours(shades(comparison.values[rows][kept])),
            linewidths=1.6 if len(rows) <= 40 else 0.8 if len(rows) <= 300 else 0.5,
            # the worst come first and are the faintest, so that the good ones stay visible
            alpha=np.linspace(1 if len(rows) <= 40 else 0.15, 1, max(1, len(rows)))[kept] ** 1.5,
        )
    )
    if comparison.best is not None and len(heights) and kept[-1]:
        axes.plot(x, heights[-1], color=ACCENT, linewidth=2.4)
    room = (WIDTH - _LEFT - _RIGHT) / max(1, len(scales) - 1)
    for at, scale in enumerate(scales):
        ends = (low, high) if scale is comparison.objective else None
        _draw_axis(axes, at, scale, ends, room)
    axes.set(xlim=(-0.1, len(scales) - 1 + 0.1), ylim=(-0.1, 1.1), xticks=[], yticks=[])
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
    strip = np.linspace(low, high, 128).reshape(-1, 1)
    axes.pcolormesh(
        len(scales) - 1 + np.array([0.015, 0.05]),
        np.linspace(0, 1, 129),
        strip,
        cmap=colours,
        norm=shades,
        edgecolors="face",
        linewidth=0.3,
    )


def _telling(comparison: Comparison) -> list[Scale]:
    """Return the parameters' axes; of many those whose values explain most of the variance."""
    scales = list(comparison.scales.values())
    if len(scales) <= _MOST_AXES:
        return scales
    finite = np.isfinite(comparison.values)
    values = comparison.values[finite]

    def explained(scale: Scale) -> float:
        # the share of the variance that lies between ten groups of equal or near values
        order = scale.fractions()[finite]
        groups = np.clip((np.nan_to_num(order, nan=-1.0) * 10).astype(int), -1, 9)
        means = {group: values[groups == group].mean() for group in set(groups.tolist())}
        return float(np.var([means[group] for group in groups.tolist()]))

    best = sorted(range(len(scales)), key=lambda at: -explained(scales[at]))[:_MOST_AXES]
    return [scales[at] for at in sorted(best)]


def _spread_out(scale: Scale) -> Floats:
    """Return heights on an axis; of many experiments of one category, side by side."""
    heights = scale.fractions()
    distinct = _distinct(scale)
    if not scale.categories or len(heights) <= 2 * len(distinct) or len(distinct) < 2:
        return heights
    shifts = np.arange(len(heights)) * 0.6180339887498949 % 1.0 - 0.5
    return np.asarray(heights + shifts * 0.16 / (len(distinct) - 1), dtype=np.float64)


def _draw_axis(
    axes: Axes, x: int, scale: Scale, ends: tuple[float, float] | None, room: float
) -> None:
    axes.plot([x, x], [0, 1], color=GREY, linewidth=0.8, zorder=3)
    places = np.array(scale.ticks, dtype=np.float64)
    heights = (places - ends[0]) / (ends[1] - ends[0]) if ends else scale.fraction(places)
    for height, label in zip(heights, scale.labels, strict=True):
        if not -0.01 <= height <= 1.01:
            continue
        axes.plot([x - 0.012, x], [height, height], color=GREY, linewidth=0.8, zorder=3)
        axes.text(
            x - 0.025,
            height,
            label,
            size=7,
            ha="right",
            va="center",
            zorder=4,
            bbox={"facecolor": "white", "alpha": 0.85, "linewidth": 0, "pad": 0.6},
        )
    suffix = ", log" if scale.logarithmic else ""
    axes.text(x, 1.1, cut(scale.label, room - 0.35, 8) + suffix, size=8, ha="center", va="bottom")
    if ends:
        axes.text(x, -0.1, "objective", size=7, color=GREY, ha="center", va="top")


def _draw_ranking(figure: Figure, axes: Axes, comparison: Comparison) -> None:
    del figure
    rows = np.flatnonzero(np.isfinite(comparison.values))[:_MOST_RANKED]
    values = comparison.values[rows]
    places = np.arange(len(rows))
    axes.grid(True, axis="x")
    axes.hlines(places, values.min(), values, color=_PALE, linewidth=1)
    axes.scatter(values, places, s=22, color=GREY, zorder=3)
    axes.scatter(values[:1], places[:1], s=34, color=ACCENT, zorder=4)
    axes.set_yticks(
        places, [cut(comparison.name(int(row)), _LEFT_OF_NAMES - 0.6, 7.5) for row in rows]
    )
    axes.set_ylim(max(len(rows), 6) - 0.5, -0.5)
    scale = comparison.objective
    if len(scale.ticks) > 1:
        axes.set_xticks(scale.ticks, scale.labels)
    axes.set_xlabel(scale.label + (", log scale" if scale.logarithmic else ""))
    axes.margins(x=0.05)
