"""A page to draw on, in points: strokes, fills, marks and text, handed straight to the renderer.

matplotlib's Axes spend 40 ms each on ticks, spines and text that nobody asked for; a page of twelve
panels drawn through this artist costs a tenth of that.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, Literal

import numpy as np
from matplotlib.artist import Artist
from matplotlib.colors import to_rgba
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.markers import MarkerStyle
from matplotlib.path import Path
from matplotlib.text import Text
from matplotlib.transforms import Affine2D, Bbox, IdentityTransform

from sweepmake.outputs.drawing.scale import Floats

__all__ = ["DASHED", "DOTTED", "POINTS", "SOLID", "Align", "Clip", "Dashes", "Page"]

POINTS = 72.0  # per inch
Dashes = tuple[float, ...]
SOLID: Dashes = ()
DASHED: Dashes = (4, 2)
DOTTED: Dashes = (1, 1.6)
Clip = Bbox | None
Align = Literal["left", "center", "right"]

_FAMILY = "DejaVu Sans"
_IDENTITY = IdentityTransform()


class Page(Artist):
    """What is drawn on one page, in order. Places are in points from the lower left corner."""

    def __init__(self) -> None:
        super().__init__()
        self._commands: list[Callable[[Any], None]] = []

    def stroke(
        self,
        points: Floats,
        *,
        colour: str,
        width: float = 1.0,
        dashes: Dashes = SOLID,
        alpha: float = 1.0,
        clip: Clip = None,
    ) -> None:
        """Draw a line through points (n by 2); rows of nan are gaps."""
        self._commands.append(partial(_stroke, points, colour, width, dashes, alpha, clip))

    def fill(self, points: Floats, *, colour: str, clip: Clip = None) -> None:
        """Fill the polygon with these corners (n by 2)."""
        self._commands.append(partial(_fill, points, colour, clip))

    def marks(
        self, points: Floats, *, marker: str, size: float, colour: str, face: str | None
    ) -> None:
        """Draw a marker of this size at each point (n by 2); `face` None leaves it open."""
        points = points[np.isfinite(points).all(axis=1)]
        if len(points):
            self._commands.append(partial(_marks, points, marker, size, colour, face))

    def text(
        self, x: float, y: float, text: str, *, size: float, colour: str, align: Align = "left"
    ) -> None:
        """Write a line of text; y is its baseline."""
        self._commands.append(partial(_text, x, y, text, size, colour, align))

    def draw(self, renderer: Any) -> None:
        """Draw everything (matplotlib calls this)."""
        for command in self._commands:
            command(renderer)


def _context(renderer: Any, colour: str, width: float, alpha: float, clip: Clip) -> Any:
    """Return a graphics context; a line's ends and corners are round."""
    context = renderer.new_gc()
    context.set_foreground(colour)
    context.set_linewidth(width)
    context.set_alpha(alpha)
    context.set_joinstyle("round")
    if clip is not None:
        context.set_clip_rectangle(clip)
    return context


def _stroke(
    points: Floats,
    colour: str,
    width: float,
    dashes: Dashes,
    alpha: float,
    clip: Clip,
    renderer: Any,
) -> None:
    context = _context(renderer, colour, width, alpha, clip)
    if dashes:
        context.set_dashes(0, [part * max(width, 0.6) for part in dashes])
    renderer.draw_path(context, Path(points), _IDENTITY)
    context.restore()


def _fill(points: Floats, colour: str, clip: Clip, renderer: Any) -> None:
    context = _context(renderer, colour, 0.0, 1.0, clip)
    renderer.draw_path(context, Path(points, closed=False), _IDENTITY, to_rgba(colour))
    context.restore()


def _marks(
    points: Floats, marker: str, size: float, colour: str, face: str | None, renderer: Any
) -> None:
    context = _context(renderer, colour, 1.3 if face is None else 0.7, 1.0, None)
    shape, turn = _marker(marker)
    face_colour = None if face is None else to_rgba(face)
    grown = turn + Affine2D().scale(size)
    renderer.draw_markers(context, shape, grown, Path(points), _IDENTITY, face_colour)
    context.restore()


def _text(
    x: float, y: float, text: str, size: float, colour: str, align: Align, renderer: Any
) -> None:
    if not text:
        return
    font = _font(size)
    if align != "left":
        width = size * sum(map(_advance, text))
        x -= width if align == "right" else width / 2
    context = _context(renderer, colour, 1.0, 1.0, None)
    renderer.draw_text(context, x, y, text, font, 0, mtext=_without_ligatures())
    context.restore()


@lru_cache(maxsize=1)
def _without_ligatures() -> Text | None:
    """Return what tells matplotlib 3.11 to write "fi" as two letters.

    Its ligature would make the PDF hold the font twice, which takes 0.3 s, and "finetune" is not
    found by a search.
    """
    text = Text()
    if not hasattr(text, "set_fontfeatures"):
        return None  # older ones have no ligatures
    text.set_fontfeatures(("-liga", "-clig", "-dlig"))
    return text


@lru_cache(maxsize=1024)
def _advance(letter: str) -> float:
    """Return a character's width, in the font's size (the renderer's way to tell costs as much as
    to write it)."""
    font = get_font(findfont(_font(8.0)))
    font.set_size(8.0, POINTS)
    return font.load_char(ord(letter)).linearHoriAdvance / 65536 / 8


@lru_cache(maxsize=64)
def _font(size: float) -> FontProperties:
    return FontProperties(family=_FAMILY, size=size)


@lru_cache(maxsize=64)
def _marker(marker: str) -> tuple[Path, Affine2D]:
    style = MarkerStyle(marker)
    return style.get_path(), style.get_transform().frozen()  # type: ignore[return-value]
