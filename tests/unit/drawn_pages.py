"""What stands on a page of ranks.pdf: taken where the page is handed to matplotlib, without a PDF.

A panel is read as a reader reads it: by the ticks and the numbers beside them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backend_bases import GraphicsContextBase, RendererBase
from matplotlib.colors import to_hex
from matplotlib.font_manager import findfont, get_font
from matplotlib.markers import MarkerStyle
from numpy.typing import NDArray

from sweepmake.outputs.drawing import style
from sweepmake.outputs.drawing.page import Page
from sweepmake.outputs.drawing.style import Book
from sweepmake.outputs.ranks_pdf import ranks

__all__ = ["DrawnPage", "Line", "Marks", "Panel", "Shape", "Text", "drawn_ranks", "read_page"]

Floats = NDArray[np.float64]

_GRID = "#e6e6e6"


@dataclass(frozen=True, slots=True)
class Line:
    """A line: its points (n by 2, nan between its pieces) and how it looks."""

    points: Floats
    colour: str
    width: float
    dashes: tuple[float, ...] = ()
    alpha: float = 1.0
    clip: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True)
class Shape:
    """A filled polygon."""

    points: Floats
    colour: str
    clip: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True)
class Marks:
    """Markers of one kind at some points; `face` None: open ones."""

    points: Floats
    marker: str
    size: float
    colour: str
    face: str | None


@dataclass(frozen=True, slots=True)
class Text:
    """A line of text: x of its left end, its middle and its right end; y of its baseline."""

    left: float
    middle: float
    right: float
    y: float
    text: str
    size: float
    colour: str


class _Recorder(RendererBase):
    """Keeps what a page draws."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[Line] = []
        self.shapes: list[Shape] = []
        self.marks: list[Marks] = []
        self.texts: list[Text] = []

    def draw_path(self, gc: Any, path: Any, transform: Any, rgbFace: Any = None) -> None:  # noqa: N803
        points = transform.transform(path.vertices)
        clip = gc.get_clip_rectangle()
        box = None if clip is None else tuple(map(float, clip.extents))
        if rgbFace is not None:
            self.shapes.append(Shape(points, to_hex(rgbFace), box))
            return
        dashes = tuple(float(part) for part in gc.get_dashes()[1] or ())
        alpha = 1.0 if gc.get_alpha() is None else float(gc.get_alpha())
        line = Line(points, _colour(gc), float(gc.get_linewidth()), dashes, alpha, box)
        self.lines.append(line)

    def draw_markers(  # type: ignore[override]
        self, gc: Any, marker_path: Any, marker_trans: Any, path: Any, trans: Any, face: Any = None
    ) -> None:
        shape = marker_trans.transform(marker_path.vertices)
        name = next(name for name, unit in _markers().items() if _alike(shape, unit))
        size = _extent(shape) / _extent(_markers()[name])
        points = trans.transform(path.vertices)
        filled = None if face is None else to_hex(face)
        self.marks.append(Marks(points, name, float(size), _colour(gc), filled))

    def draw_text(  # type: ignore[override]
        self, gc: Any, x: float, y: float, s: str, prop: Any, *_: Any, **__: Any
    ) -> None:
        size = float(prop.get_size_in_points())
        font = get_font(findfont(prop))
        font.set_size(size, 72)
        width = sum(font.load_char(ord(letter)).linearHoriAdvance / 65536 for letter in s)
        text = Text(x, x + width / 2, x + width, y, s, size, _colour(gc))
        self.texts.append(text)


def _colour(context: GraphicsContextBase) -> str:
    return to_hex(context.get_rgb()[:3])


@cache
def _markers() -> dict[str, Floats]:
    styles = {name: MarkerStyle(name) for name in "os^DvPX<*x"}
    return {
        name: np.asarray(style.get_transform().transform(style.get_path().vertices))
        for name, style in styles.items()
    }


def _extent(shape: Floats) -> float:
    return float(np.abs(shape).max())


def _alike(shape: Floats, unit: Floats) -> bool:
    return shape.shape == unit.shape and np.allclose(shape / _extent(shape), unit / _extent(unit))


@dataclass(frozen=True, slots=True)
class Panel:
    """One plot of a page, its contents in the coordinates that its own ticks tell.

    Attributes:
        title, caption, label: the title, the smaller line below it, what stands under the x axis.
        x_ticks, y_ticks: the numbers at the axes.
        x_span, y_span: the limits.
        lines, shapes, marks: what is drawn, in the order drawn, without frame and grid.
        names: (x, y, text) of what is written inside, y a little above the point.
        grid: how many lines the grid has that are upright, and that lie.
    """

    title: str
    caption: str
    label: str
    x_ticks: tuple[float, ...]
    y_ticks: tuple[float, ...]
    x_span: tuple[float, float]
    y_span: tuple[float, float]
    lines: tuple[Line, ...]
    shapes: tuple[Shape, ...]
    marks: tuple[Marks, ...]
    names: tuple[tuple[float, float, str], ...]
    grid: tuple[int, int]

    def line(self, colour: str, *, width: float | None = None) -> Line:
        """Return the one line of a colour (and width)."""
        (found,) = (
            line
            for line in self.lines
            if line.colour == colour.lower() and width in (None, line.width)
        )
        return found

    def mark(self, marker: str) -> Marks:
        """Return the one set of marks of a kind."""
        (found,) = (one for one in self.marks if one.marker == marker)
        return found


@dataclass(frozen=True, slots=True)
class DrawnPage:
    """One page, in points."""

    lines: tuple[Line, ...]
    shapes: tuple[Shape, ...]
    marks: tuple[Marks, ...]
    texts: tuple[Text, ...]

    @property
    def heading(self) -> str:
        """What the page shows."""
        return next(one.text for one in self.texts if one.size == 10)

    @property
    def notes(self) -> list[str]:
        """The lines at the foot, from above."""
        foot = [one for one in self.texts if one.size == 7.5 and one.y < 50 and one.left < 40]
        return [one.text for one in sorted(foot, key=lambda one: -one.y)]

    def written(self, size: float) -> list[str]:
        """Return the texts of a size, from above."""
        return [one.text for one in sorted(self.texts, key=lambda one: -one.y) if one.size == size]

    def legend(self) -> dict[str, tuple[Line | Marks, ...]]:
        """Return what stands right of the panel: text → the signs before it."""
        right = max(float(frame[2, 0]) for frame, _ in self._frames())
        entries: dict[str, tuple[Line | Marks, ...]] = {}
        for one in sorted(self.texts, key=lambda one: -one.y):
            if one.left > right and one.size == 7.5 and one.y > 50:
                drawn = (*self.lines, *self.marks)
                entries[one.text] = tuple(
                    sign
                    for sign in drawn
                    if (sign.points[:, 0] > right).all()
                    and np.allclose(sign.points[:, 1], one.y + 2.6)
                )
        return entries

    def panels(self) -> list[Panel]:
        """Return the panels in the order drawn."""
        return [self._panel(frame, ticks) for frame, ticks in self._frames()]

    def panel(self, title: str) -> Panel:
        """Return the panel of this title."""
        (found,) = (one for one in self.panels() if one.title == title)
        return found

    def _frames(self) -> Iterator[tuple[Floats, list[Floats]]]:
        """Yield (upper left, lower left and lower right corner; the tick marks) of each panel."""
        for line in self.lines:
            first, *rest = _pieces(line.points)
            if len(first) == 3 and line.clip is None and line.width == 0.6:
                yield first, rest

    def _panel(self, frame: Floats, marks: list[Floats]) -> Panel:
        (left, top), (_, bottom), (right, _) = frame.tolist()
        box = (left, bottom, right, top)
        at_x = sorted(float(mark[0, 0]) for mark in marks if mark[0, 0] == mark[1, 0])
        at_y = sorted(float(mark[0, 1]) for mark in marks if mark[0, 1] == mark[1, 1])
        below = [one for one in self.texts if math.isclose(one.y, bottom - 11)]
        beside = [one for one in self.texts if math.isclose(one.right, left - 5, abs_tol=0.6)]
        x_ticks = [_number(_nearest(below, "middle", at)) for at in at_x]
        y_ticks = [_number(_nearest(beside, "y", at - 2.6)) for at in at_y]
        log = any(
            one.text == "log scale" and math.isclose(one.right, right, abs_tol=0.6)
            for one in self.texts
        )
        to_x = _Axis(at_x, x_ticks, (left, right))
        to_y = _Axis(at_y, y_ticks, (bottom, top), log=log)

        def inside(points: Floats) -> bool:
            x, y = points[np.isfinite(points).all(axis=1)].T
            return len(x) > 0 and bool(
                (x >= left - 0.01).all() and (x <= right + 0.01).all()
                and (y >= bottom - 1.01).all() and (y <= top + 1.01).all()
            )  # fmt: skip

        def read(one: Any) -> Any:
            points = np.column_stack([to_x.read(one.points[:, 0]), to_y.read(one.points[:, 1])])
            return replace(one, points=points)

        within = [one for one in self.lines if inside(one.points)]
        grids = [one for one in within if one.colour == _GRID and one.clip is None]
        net = [piece for one in grids for piece in _pieces(one.points)]
        drawn = [one for one in within if one.clip is not None or one.width not in (0.5, 0.6)]
        titles = [one for one in self.texts if one.left == left and math.isclose(one.y, top + 16)]
        captions = [one for one in self.texts if one.left == left and math.isclose(one.y, top + 5)]
        labels = [one for one in self.texts if math.isclose(one.y, bottom - 21)
                  and left < one.middle < right]  # fmt: skip
        names = [one for one in self.texts if one.size == 7 and left < one.middle < right
                 and bottom < one.y < top + 4]  # fmt: skip
        for one in (*drawn, *self.shapes):
            if one.clip is not None and inside(one.points):
                expected = (box[0], box[1] - 1, box[2], box[3] + 1)
                assert np.allclose(one.clip, expected), "nothing may leave its panel"
        return Panel(
            title=titles[0].text,
            caption="".join(one.text for one in captions),
            label=labels[0].text,
            x_ticks=tuple(x_ticks),
            y_ticks=tuple(y_ticks),
            x_span=(float(to_x.read(left)), float(to_x.read(right))),
            y_span=(float(to_y.read(bottom)), float(to_y.read(top))),
            lines=tuple(read(one) for one in drawn),
            shapes=tuple(read(one) for one in self.shapes if inside(one.points)),
            marks=tuple(read(one) for one in self.marks if inside(one.points)),
            names=tuple(
                (float(to_x.read(one.middle)), float(to_y.read(one.y - 5)), one.text)
                for one in names
            ),
            grid=(
                sum(bool(piece[0, 0] == piece[1, 0]) for piece in net),
                sum(bool(piece[0, 1] == piece[1, 1]) for piece in net),
            ),
        )


class _Axis:
    """Reads places of a page by the ticks of an axis; its ends where there are no two ticks."""

    def __init__(
        self, places: list[float], values: list[float], ends: tuple[float, float], *,
        log: bool = False,
    ) -> None:  # fmt: skip
        if len(places) < 2:
            places, values = list(ends), [0.0, 1.0]
        self.log = log
        shown = np.log10(values) if log else np.array(values)
        self.slope = (shown[-1] - shown[0]) / (places[-1] - places[0])
        self.start = shown[0] - self.slope * places[0]
        assert np.allclose(self.start + self.slope * np.array(places), shown), "uneven ticks"

    def read(self, place: Any) -> Any:
        found = self.start + self.slope * np.asarray(place, dtype=np.float64)
        return 10**found if self.log else found


def _pieces(points: Floats) -> list[Floats]:
    """Return the parts of a line between its gaps."""
    gaps = np.flatnonzero(~np.isfinite(points).all(axis=1))
    parts = np.split(points, gaps)
    kept = [part[np.isfinite(part).all(axis=1)] for part in parts]
    return [part for part in kept if len(part)]


def _nearest(texts: list[Text], side: str, place: float) -> str:
    found = min(texts, key=lambda one: abs(getattr(one, side) - place))
    assert abs(getattr(found, side) - place) < 0.6, f"no number at the tick at {place}"
    return found.text


def _number(text: str) -> float:
    return float(text.replace("\N{MINUS SIGN}", "-"))


def read_page(page: Page) -> DrawnPage:
    """Return what a page draws."""
    recorder = _Recorder()
    page.draw(recorder)
    return DrawnPage(
        tuple(recorder.lines),
        tuple(recorder.shapes),
        tuple(recorder.marks),
        tuple(recorder.texts),
    )


def drawn_ranks(history: Path, metrics: Path, monkeypatch: Any) -> list[DrawnPage]:
    """Return the pages of ranks.pdf of these files."""
    found: list[DrawnPage] = []

    class Kept(Book):
        def __enter__(self) -> Kept:
            return self

        def __exit__(self, *_: object) -> None:
            return None

        def add(self, page: Page) -> None:
            found.append(read_page(page))

    assert ranks.Book is style.Book
    with monkeypatch.context() as patch:
        patch.setattr(ranks, "Book", Kept)
        count = ranks.plot_ranks(history, metrics, Path("nowhere.pdf"), title="t", parameters={})
    assert count == len(found)
    return found
