"""The page on the ranks' health: step times, how far each came, its loss, and findings in words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sweepmake.logs.history_file import STEP_TIME
from sweepmake.outputs.drawing.layout import Box
from sweepmake.outputs.drawing.page import POINTS, Page
from sweepmake.outputs.drawing.scale import Floats
from sweepmake.outputs.drawing.style import ACCENT, COLOURS, GREY, INK, look, plain, wrapped
from sweepmake.outputs.ranks_pdf.health import Health, loss_metrics, time_text
from sweepmake.outputs.ranks_pdf.history import Curve, Stage
from sweepmake.outputs.ranks_pdf.panels import (
    Panel,
    draw_curve,
    label_of,
    number_text,
    panel_boxes,
)

__all__ = ["draw_health"]

_BLUE = COLOURS[0]
_LINES = 20  # of findings
_MOST_MARKERS = 60
_MOST_STICKS = 64


def draw_health(page: Page, stage: Stage, health: Health, span: tuple[float, float]) -> None:
    """Draw the page: of one rank, which compares with no other, its time per step and words.

    Args:
        page: a page with its header.
        stage, health: what is shown.
        span: the least and greatest x of the stage.
    """
    places = panel_boxes(4)
    _draw_times(page, places[0], stage, health, span)
    if len(health.ranks) == 1:
        _draw_findings(page, places[1], health)
        return
    _draw_ends(page, places[1], stage, health)
    _draw_losses(page, places[2], stage, health)
    _draw_findings(page, places[3], health)


def _lollipops(
    panel: Panel, ranks: Sequence[int], values: Floats, marked: Sequence[int], zero: float
) -> None:
    """Draw a value per rank, the marked ones in another colour and shape, and named."""
    thick = float(np.clip(150 / len(ranks), 0.6, 5))
    size = 5.0 if len(ranks) <= _MOST_STICKS else 2.5
    for chosen, colour, marker in ((False, _BLUE, "o"), (True, ACCENT, "D")):
        use = np.array([(rank in marked) == chosen for rank in ranks]) & np.isfinite(values)
        at, height = np.asarray(ranks, dtype=np.float64)[use], values[use]
        if not len(at):
            continue
        x = np.column_stack([at, at, at]).ravel()
        y = np.column_stack([np.full(len(at), zero), height, np.full(len(at), np.nan)]).ravel()
        if len(ranks) <= _MOST_STICKS or chosen:
            panel.line(x, y, colour=colour, width=thick, alpha=0.45)
        panel.marks(at, height, marker=marker, colour=colour, size=size)
    apart = 0.05 * (max(ranks) - min(ranks))
    last = -np.inf
    for rank, value in zip(ranks, values, strict=True):
        if rank in marked and np.isfinite(value) and rank - last >= apart:
            panel.name(rank, float(value), f"rank {rank}")
            last = rank


def _scale_ranks(panel: Panel, ranks: Sequence[int], values: Floats) -> None:
    """Set the ticks of a panel with a value per rank from 0 on, room for names above."""
    span = (min(ranks) - 0.5, max(ranks) + 0.5)
    panel.scale(span, [values, values * 1.1], label="rank", whole=True, zero=True, lines=False)


def _draw_times(
    page: Page, place: Box, stage: Stage, health: Health, span: tuple[float, float]
) -> None:
    """Draw each rank's time per step; with one rank, its course."""
    facts = [rank for rank in health.ranks if rank.time_per_step_s is not None]
    curves = stage.of(STEP_TIME, ends=True)
    if not facts and not curves:
        _say(page, place, "time per step", "The log holds no times per step.")
        return
    seconds = np.array([rank.time_per_step_s for rank in facts], dtype=np.float64)
    largest = max([*seconds, *(float(np.nanmax(c.y)) for c in curves if np.isfinite(c.y).any())])
    factor, unit = (1.0, "s") if largest >= 1 else (1e3, "ms")
    title = f"time per step ({unit})"
    middle = float(np.median(seconds)) if seconds.size else float("nan")
    if len(facts) < 2 and curves:
        panel = Panel(page, place, title, f"mean {time_text(middle)}")
        values = [curve.y * factor for curve in curves]
        panel.scale(span, values, label=stage.axis.label, zero=True)
        for curve in curves:
            shown = Curve(curve.rank, curve.x, curve.y * factor, curve.pale, curve.breaks)
            draw_curve(panel, shown, look(0), markers=len(curve.x) < _MOST_MARKERS)
        return
    if len(facts) < 2:
        _say(page, place, "time per step", f"mean {time_text(middle)}")
        return
    caption = f"mean of each rank; line: the median, {time_text(middle)}"
    panel = Panel(page, place, title, caption)
    ranks = [rank.rank for rank in facts]
    _scale_ranks(panel, ranks, seconds * factor)
    marked = [health.straggler] if health.straggler is not None else []
    _lollipops(panel, ranks, seconds * factor, marked, 0.0)
    panel.across(middle * factor, colour=INK)


def _draw_ends(page: Page, place: Box, stage: Stage, health: Health) -> None:
    """Draw how far each rank came."""
    facts = [rank for rank in health.ranks if rank.end is not None]
    ends = np.array([rank.end for rank in facts], dtype=np.float64)
    caption = "where it logged its last metric"
    if health.silent:
        caption += "; diamonds: fell silent before the others"
    panel = Panel(page, place, f"how far each rank came ({stage.axis.label})", caption)
    ranks = [rank.rank for rank in facts]
    _scale_ranks(panel, ranks, ends)
    _lollipops(panel, ranks, ends, health.silent, 0.0)


def _draw_losses(page: Page, place: Box, stage: Stage, health: Health) -> None:
    """Draw the last loss of each rank."""
    names = loss_metrics(stage.metrics)
    if not names:
        _say(page, place, "loss", "No metric here has a better and a worse.")
        return
    counts = {name: sum(name == other for other in health.leaving.values()) for name in names}
    metric = max(names, key=lambda name: counts[name])
    values_of = {curve.rank: _last(curve.y) for curve in stage.of(metric, ends=True)}
    ranks = list(values_of)
    numbers = np.array([values_of[rank] for rank in ranks])
    finite = numbers[np.isfinite(numbers)]
    middle = float(np.median(finite)) if finite.size else float("nan")
    caption = f"the last of each rank; line: the median, {number_text(middle)}"
    panel = Panel(page, place, f"last {label_of(plain(metric))}", caption)
    span = (min(ranks) - 0.5, max(ranks) + 0.5)
    if not finite.size:
        panel.scale(span, [], label="rank", whole=True, lines=False)
    else:
        room = (finite.max() - finite.min()) * 0.1
        values = [numbers, finite + room]
        panel.scale(span, values, label="rank", whole=True, lines=False)
        marked = [rank for rank in health.leaving if rank in values_of]
        _lollipops(panel, ranks, numbers, marked, middle)
        panel.across(middle, colour=INK)
    holes = [rank for rank, value in values_of.items() if not np.isfinite(value)]
    feet = [panel.foot] * len(holes)
    if holes:
        panel.marks(holes, feet, marker="x", colour=ACCENT, size=7, face=None)
    for rank in holes[:6] if len(ranks) <= 16 else holes[:1]:
        panel.name(rank, None, f"rank {rank}: nan")


def _last(values: Floats) -> float:
    return float(values[-1]) if len(values) else float("nan")


def _say(page: Page, place: Box, title: str, text: str) -> None:
    """Write, where a panel would stand, why there is none."""
    left, bottom, _, height = place
    top = (bottom + height) * POINTS
    page.text(left * POINTS, top + 16, title, size=9, colour=INK)
    page.text(left * POINTS, top - 8, text, size=8, colour=GREY)


def _draw_findings(page: Page, place: Box, health: Health) -> None:
    """Write the findings."""
    left, bottom, width, height = place
    top = (bottom + height) * POINTS + 16
    page.text(left * POINTS, top, "findings", size=9, colour=INK)
    lines: list[str] = []
    for finding in health.findings:
        found, _ = wrapped(plain(finding).split(" "), width - 0.15, 8, 4)
        lines += [("\N{MIDDLE DOT} " if at == 0 else "   ") + line for at, line in enumerate(found)]
    if len(lines) > _LINES:
        lines[_LINES - 1 :] = ["   ... more in metrics.json"]
    for at, line in enumerate(lines):
        page.text(left * POINTS, top - 16 - 11.2 * at, line, size=8, colour=INK)
