"""Panels: a page's plots, their ticks, and the curves, bands and marks in them."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from matplotlib.transforms import Bbox

from sweepmake.outputs.drawing.layout import Box, Margins, boxes
from sweepmake.outputs.drawing.page import POINTS, SOLID, Dashes, Page
from sweepmake.outputs.drawing.scale import Floats
from sweepmake.outputs.drawing.style import GREY, HEIGHT, INK, WIDTH, Look, cut
from sweepmake.outputs.drawing.ticks import decades, round_ticks, tick_labels
from sweepmake.outputs.ranks_pdf.bands import Band, quantiles
from sweepmake.outputs.ranks_pdf.history import Curve

__all__ = [
    "Entry",
    "Panel",
    "draw_band",
    "draw_curve",
    "draw_legend",
    "label_of",
    "number_text",
    "panel_boxes",
]

_MARGINS = Margins(top=1.68, bottom=0.98, left=0.95, right=0.35, beside=0.75, below=0.78)
_EQUAL = 1e-9  # of their size: values that differ by less are one, their mean rounded
_LOG_TICKS = 6
_LOG_FROM = 300.0  # a span from which a logarithmic axis shows more
_UNITS = (
    (re.compile(r"(_ms|_milliseconds)$"), "ms"),
    (re.compile(r"_per_second$|(^|_)(wps|ups|qps|it_s)$"), "1/s"),
    (re.compile(r"(_s|_sec|_seconds|_runtime|_time|^wall|_wall)$"), "s"),
    (re.compile(r"_mb$", re.IGNORECASE), "MB"),
    (re.compile(r"_gb$", re.IGNORECASE), "GB"),
    (re.compile(r"(_percent|_pct)$"), "%"),
)


def label_of(name: str) -> str:
    """Return a metric's axis label, with its unit where the name tells: `eval_runtime (s)`."""
    for pattern, unit in _UNITS:
        if pattern.search(name):
            return f"{name} ({unit})"
    return name


def panel_boxes(count: int, *, right: float = 0.0) -> list[Box]:
    """Return the places of `count` panels, row by row.

    Args:
        count: 1 to 12.
        right: inches that stay free on the right, for a legend.
    """
    return boxes(count, replace(_MARGINS, right=_MARGINS.right + right))


class Panel:
    """One plot on a page: give it its scale first, then draw.

    Args:
        page: the page.
        place: where, in inches.
        title: what y is, with its unit.
        caption: a smaller line below the title.
    """

    def __init__(self, page: Page, place: Box, title: str, caption: str = "") -> None:
        self.page = page
        self.place = place
        left, bottom, width, height = (inches * POINTS for inches in place)
        self._left, self._bottom, self._width, self._height = left, bottom, width, height
        self._clip = Bbox.from_bounds(left, bottom - 1, width, height + 2)
        self._x, self._y = (0.0, 1.0), (0.0, 1.0)
        self.log = False
        top = bottom + height
        page.text(left, top + 16, cut(title, place[2], 9), size=9, colour=INK)
        if caption:
            text = cut(caption, place[2] + 0.4, 7)
            page.text(left, top + 5, text, size=7, colour=GREY)

    def scale(
        self,
        x: tuple[float, float],
        values: Sequence[Floats],
        *,
        label: str,
        whole: bool = False,
        zero: bool = False,
        lines: bool = True,
    ) -> None:
        """Set the limits, and draw ticks, their labels and a grid.

        Args:
            x: the least and greatest x.
            values: all y; nan is left out.
            label: of the x axis.
            whole: whether x counts things, so that its ticks are whole numbers.
            zero: whether y begins at 0.
            lines: whether the grid has upright lines too.
        """
        ticks = self._scale_y(values, zero)
        begin, end = x if x[1] > x[0] else (x[0] - 0.5, x[1] + 0.5)
        margin = (end - begin) * 0.02
        self._x = (begin - margin, end + margin)
        most = max(2, int(self.place[2] / 0.5))
        marks = round_ticks(begin, end, min(most, 10), whole=whole, quarters=False)
        left, bottom, right, top = self._clip.extents
        bottom, top = bottom + 1, top - 1
        across, upright = self.at_y(ticks), self.at_x(marks)
        gap = (math.nan, math.nan)
        net = [p for y in across for p in ((left, y), (right, y), gap)]
        if lines:
            net += [p for at in upright for p in ((at, bottom), (at, top), gap)]
        if net:
            self.page.stroke(np.array(net), colour="#E6E6E6", width=0.5)
        frame = [(left, top), (left, bottom), (right, bottom), gap]
        frame += [p for at in upright for p in ((at, bottom), (at, bottom - 2.5), gap)]
        frame += [p for y in across for p in ((left, y), (left - 2.5, y), gap)]
        self.page.stroke(np.array(frame), colour=GREY, width=0.6)
        write = self.page.text
        for y, text in zip(across, tick_labels(ticks), strict=True):
            write(left - 5, y - 2.6, text, size=7.5, colour=GREY, align="right")
        for at, text in zip(upright, tick_labels(marks), strict=True):
            write(at, bottom - 11, text, size=7.5, colour=GREY, align="center")
        write((left + right) / 2, bottom - 21, label, size=8, colour=INK, align="center")
        if self.log:
            write(right, top + 16, "log scale", size=7, colour=GREY, align="right")

    def _scale_y(self, values: Sequence[Floats], zero: bool) -> list[float]:
        """Set the limits of y; return its ticks."""
        finite = [value[np.isfinite(value)] for value in values]
        low = min((float(value.min()) for value in finite if value.size), default=0.0)
        high = max((float(value.max()) for value in finite if value.size), default=1.0)
        if zero:
            low = min(low, 0.0)
        self.log = low > 0 and high / low > _LOG_FROM
        if self.log:
            margin = (high / low) ** 0.05
            low, high = low / margin, high * margin
            ticks = decades(low, high, _LOG_TICKS)
        else:
            size = max(abs(low), abs(high))
            if high - low <= _EQUAL * size:  # a constant, such as a learning rate
                around = size * 0.1 or 1.0
                low, high = (low if zero and low == 0 else low - around), high + around
            margin = (high - low) * 0.05
            low, high = (low if zero and low == 0 else low - margin), high + margin
            most = max(2, int(self.place[3] / 0.3))
            ticks = round_ticks(low, high, min(most, 8))
        self._y = (low, high)
        return ticks

    def at_x(self, x: Floats | Sequence[float]) -> Floats:
        """Return places of the page, in points."""
        low, high = self._x
        return self._left + (np.asarray(x, dtype=np.float64) - low) / (high - low) * self._width

    def at_y(self, y: Floats | Sequence[float]) -> Floats:
        """Return places of the page, in points."""
        low, high = self._y
        value = np.asarray(y, dtype=np.float64)
        if self.log:
            low, high = math.log10(low), math.log10(high)
            value = np.log10(np.where(value > 0, value, np.nan))
        return self._bottom + (value - low) / (high - low) * self._height

    def points(self, x: Floats | Sequence[float], y: Floats | Sequence[float]) -> Floats:
        """Return places of the page (n by 2)."""
        return np.column_stack([self.at_x(x), self.at_y(y)])

    def line(
        self,
        x: Floats,
        y: Floats,
        *,
        colour: str,
        width: float = 1.0,
        dashes: Dashes = SOLID,
        alpha: float = 1.0,
    ) -> None:
        """Draw a line; nan is a gap."""
        self.page.stroke(
            self.points(x, y),
            colour=colour,
            width=width,
            dashes=dashes,
            alpha=alpha,
            clip=self._clip,
        )

    def fill(self, x: Floats, low: Floats, high: Floats, *, colour: str) -> None:
        """Fill between two lines; nan is a gap."""
        sound = np.isfinite(low) & np.isfinite(high)
        edges = np.flatnonzero(np.diff(np.r_[False, sound, False].astype(int)))
        for begin, end in zip(edges[::2], edges[1::2], strict=True):
            part = slice(begin, end)
            above = self.points(x[part], high[part])
            corners = np.concatenate([self.points(x[part], low[part]), above[::-1]])
            self.page.fill(corners, colour=colour, clip=self._clip)

    def marks(
        self,
        x: Floats | Sequence[float],
        y: Floats | Sequence[float],
        *,
        marker: str,
        colour: str,
        size: float = 3.2,
        face: str | None = "",
    ) -> None:
        """Draw a marker at each point: full, with this face, or (None) open."""
        face = colour if face == "" else face
        self.page.marks(self.points(x, y), marker=marker, size=size, colour=colour, face=face)

    def upright(self, x: float, *, colour: str, width: float, dashes: Dashes) -> None:
        """Draw a line from the foot to the top, if x is in the panel."""
        low, high = self._x
        if low <= x <= high:
            at = float(self.at_x([x])[0])
            ends = np.array([(at, self._bottom), (at, self._bottom + self._height)])
            self.page.stroke(ends, colour=colour, width=width, dashes=dashes)

    def across(self, y: float, *, colour: str, width: float = 0.8) -> None:
        """Draw a line from the left to the right."""
        at = float(self.at_y([y])[0])
        ends = np.array([(self._left, at), (self._left + self._width, at)])
        self.page.stroke(ends, colour=colour, width=width)

    def name(self, x: float, y: float | None, text: str) -> None:
        """Write above a point; y None is the foot of the panel."""
        at = self._bottom if y is None else float(self.at_y([y])[0])
        half = 0.28 * 7 * len(text)  # a name at the edge stays in the panel
        place = float(self.at_x([x])[0])
        place = min(max(place, self._left + half), self._left + self._width - half)
        self.page.text(place, at + 5, text, size=7, colour=INK, align="center")

    @property
    def foot(self) -> float:
        """The least y of the panel."""
        return self._y[0]


def number_text(value: float) -> str:
    """Return a number for a caption."""
    return f"{value:.4g}"


def draw_curve(
    panel: Panel,
    curve: Curve,
    how: Look,
    *,
    width: float = 1.1,
    markers: bool = False,
    alpha: float = 1.0,
) -> None:
    """Draw one rank's curve: gaps where it is not finite, pale where a later attempt repeats it."""
    x, y, pale = curve.x, curve.y, curve.pale
    markers = markers or np.isfinite(y).sum() == 1
    if curve.breaks:
        x = np.insert(x, curve.breaks, np.nan)
        y = np.insert(y, curve.breaks, np.nan)
        pale = np.insert(pale, curve.breaks, False)
    if pale.any():
        panel.line(x, np.where(pale, y, np.nan), colour=how.colour, width=width * 0.8, alpha=0.35)
    shown = np.where(pale, np.nan, y)
    panel.line(x, shown, colour=how.colour, width=width, dashes=how.dashes, alpha=alpha)
    if markers:
        face = "" if how.filled else "white"
        panel.marks(x, shown, marker=how.marker, colour=how.colour, face=face)


def draw_band(panel: Panel, band: Band) -> None:
    """Draw where all ranks, and where eight of ten of them are, and their median."""
    least, low, middle, high, most = quantiles(band.table, (0, 0.1, 0.5, 0.9, 1))
    panel.fill(band.x, least, most, colour="#E3E3E3")
    panel.fill(band.x, low, high, colour="#B4CFE3")
    panel.line(band.x, middle, colour="#0072B2", width=1.6)
    if np.isfinite(middle).sum() == 1:
        panel.marks(band.x, middle, marker="o", colour="#0072B2")


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of a legend: a sign, and what it means."""

    text: str
    kind: Literal["line", "band", "mark", "text"] = "line"
    colour: str = INK
    width: float = 1.2
    dashes: Dashes = SOLID
    marker: str = ""
    size: float = 3.2
    face: str | None = ""


def draw_legend(page: Page, left: float, top: float, entries: Sequence[Entry]) -> None:
    """Draw a legend, one entry below the other.

    Args:
        page: the page.
        left, top: where it begins, in inches from the left and from the top.
        entries: what stands in it.
    """
    begin, middle, end = (np.array([0.0, 0.15, 0.3]) + left) * POINTS
    for at, entry in enumerate(entries):
        y = (HEIGHT - top - 0.17 * at) * POINTS
        ends = np.array([(begin, y), (end, y)])
        if entry.kind in ("line", "band"):
            width = 7.0 if entry.kind == "band" else entry.width
            page.stroke(ends, colour=entry.colour, width=width, dashes=entry.dashes)
        if entry.marker:
            face = entry.colour if entry.face == "" else entry.face
            page.marks(
                np.array([(middle, y)]),
                marker=entry.marker,
                size=entry.size,
                colour=entry.colour,
                face=face,
            )
        x = begin if entry.kind == "text" else end + 6
        text = cut(entry.text, WIDTH - left - 0.5, 7.5)
        page.text(x, y - 2.6, text, size=7.5, colour=INK)
