"""The page of the comparison that shows the learning curves of all experiments."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from sweepmake.outputs.comparison_pdf.compared import Comparison, count
from sweepmake.outputs.comparison_pdf.learning_curves import Curves, LearningCurve
from sweepmake.outputs.drawing.scale import Floats, value_scale
from sweepmake.outputs.drawing.style import COLOURS, HEIGHT, WIDTH, cut, plain

__all__ = ["curves_notes", "curves_problem", "draw_curves"]

_NAMED = 6
_REST = "#8A8A8A"
_LEFT, _RIGHT, _TOP, _BOTTOM = 0.95, 0.35, 1.45, 2.25  # inches around the axes


def curves_problem(curves: Curves, comparison: Comparison) -> str:
    """Say why there are no curves to draw; "" where there are."""
    if curves.curves:
        return ""
    return f"No experiment has logged a metric by epoch or step yet: {comparison.states()}."


def curves_notes(curves: Curves, comparison: Comparison) -> list[str]:
    """Return what the reader must know to read the page."""
    drawn, all_of_them = len(curves.curves), len(comparison.table.rows)
    notes = [
        f"{drawn} of {count(all_of_them)} logged {plain(curves.metric)}. Each curve is the mean of "
        "an experiment's ranks."
    ]
    if partial := sum(curve.partial for curve in curves.curves):
        notes.append(f"Of long histories the first ranks alone are read: {count(partial)}.")
    if cut_short := sum(curve.cut for curve in curves.curves):
        notes.append(f"Too long to be read whole, so their curves end early: {count(cut_short)}.")
    low, high = _ends(curves, comparison)
    outside = sum(bool(((curve.y < low) | (curve.y > high)).any()) for curve in curves.curves)
    if outside:
        notes.append(f"Curves that leave the axis: {outside}.")
    bare = sum(not np.isfinite(curve.y).any() for curve in curves.curves)
    if bare:
        notes.append(f"Never a finite number: {count(bare)}.")
    if curves.unreadable:
        some = ", ".join(map(plain, curves.unreadable[:2])) + ", …" * (len(curves.unreadable) > 2)
        notes.append(
            f"Damaged history.csv.gz: {count(len(curves.unreadable))} ({some}). Remove it, and the "
            "workflow makes it again."
        )
    return notes


def draw_curves(figure: Figure, curves: Curves, comparison: Comparison) -> None:
    """Draw all curves, the best few in colour and with their names."""
    width, height = WIDTH - _LEFT - _RIGHT, HEIGHT - _TOP - _BOTTOM
    axes = figure.add_axes((_LEFT / WIDTH, _BOTTOM / HEIGHT, width / WIDTH, height / HEIGHT))
    named = _named(curves, comparison)
    rest = [curve for curve in curves.curves if curve not in named]
    low, high = _ends(curves, comparison)
    logarithmic = _scale_is_logarithmic(curves)
    _draw_rest(axes, rest)
    for at in reversed(range(len(named))):
        curve = named[at]
        name = f"{curve.row + 1}. {comparison.name(curve.row)}"
        axes.plot(
            curve.x,
            curve.y,
            color=COLOURS[at],
            linewidth=1.8 if at == 0 else 1.3,
            marker="o" if _alone(curve) else None,
            label=cut(name, width / 2 - 0.4, 8),
        )
    if logarithmic:
        axes.set_yscale("log")
    axes.set_ylim(low, high)
    _x_limits(axes, curves)
    axes.set_xlabel(curves.axis)
    axes.set_ylabel(plain(curves.metric) + (", log scale" if logarithmic else ""))
    handles, labels = axes.get_legend_handles_labels()
    title = "the best, by the objective" if comparison.best is not None else "the first"
    axes.legend(
        handles[::-1],
        labels[::-1],
        loc="upper left",
        bbox_to_anchor=(0, -0.1),
        ncols=2,
        frameon=False,
        fontsize=8,
        title=f"{title}:" if rest else None,
        alignment="left",
    )


def _named(curves: Curves, comparison: Comparison) -> list[LearningCurve]:
    """Return the curves of the best experiments, of the first where there is no objective."""
    usable = [curve for curve in curves.curves if np.isfinite(curve.y).any()]
    if comparison.best is not None:
        usable = [curve for curve in usable if np.isfinite(comparison.values[curve.row])] or usable
    return usable[:_NAMED]


def _draw_rest(axes: Axes, curves: list[LearningCurve]) -> None:
    strength = min(0.7, max(0.12, 25 / max(1, len(curves))))
    lines = [
        np.column_stack([curve.x, curve.y])[np.isfinite(curve.y)]
        for curve in curves
        if not _alone(curve)
    ]
    axes.add_collection(
        LineCollection(lines, colors=_REST, linewidths=0.6, alpha=strength), autolim=True
    )
    for curve in filter(_alone, curves):
        axes.plot(curve.x, curve.y, marker="o", markersize=3, color=_REST, alpha=strength)


def _alone(curve: LearningCurve) -> bool:
    return int(np.isfinite(curve.y).sum()) == 1


def _all_values(curves: Curves) -> Floats:
    return np.concatenate([curve.y[np.isfinite(curve.y)] for curve in curves.curves])


def _scale_is_logarithmic(curves: Curves) -> bool:
    return value_scale("", _all_values(curves)).logarithmic


def _ends(curves: Curves, comparison: Comparison) -> tuple[float, float]:
    """Return the ends of the metric's axis: outliers may leave it, the named curves do not."""
    values = _all_values(curves)
    if not len(values):
        return 0.0, 1.0
    logarithmic = _scale_is_logarithmic(curves)
    if logarithmic:
        values = np.log10(values)
    first, last = np.percentile(values, (2, 98))
    low, high = float(values.min()), float(values.max())
    if last > first:
        low, high = max(low, first - 2 * (last - first)), min(high, last + 2 * (last - first))
    for curve in _named(curves, comparison):
        own = curve.y[np.isfinite(curve.y)]
        own = np.log10(own) if logarithmic else own
        low, high = min(low, float(own.min())), max(high, float(own.max()))
    margin = (high - low) * 0.04 or abs(high) * 0.05 or 0.5
    low, high = low - margin, high + margin
    return (10**low, 10**high) if logarithmic else (low, high)


def _x_limits(axes: Axes, curves: Curves) -> None:
    places = np.concatenate([curve.x for curve in curves.curves])
    low, high = float(places.min()), float(places.max())
    margin = (high - low) * 0.02 or 0.5
    axes.set_xlim(low - margin, high + margin)
    if high - low < 12 and curves.axis == "epoch" and not (places % 1).any():
        axes.set_xticks(np.arange(low, high + 1))
