"""Where the panels of a page lie."""

from __future__ import annotations

from dataclasses import dataclass

from sweepmake.outputs.drawing.style import HEIGHT, WIDTH

__all__ = ["MOST_PANELS", "Box", "Margins", "boxes", "panel_width"]

Box = tuple[float, float, float, float]
"""Left, bottom, width and height of a panel, in inches."""

_COLUMNS = ((1, 1), (4, 2), (9, 3), (12, 4))  # up to so many panels stand in so many columns
MOST_PANELS = 12
"""How many panels there can be on one page."""


@dataclass(frozen=True, slots=True)
class Margins:
    """What stays free, in inches: around all panels, and between two of them."""

    top: float
    bottom: float
    left: float
    right: float
    beside: float
    below: float


def panel_width(count: int, margins: Margins) -> float:
    """Return the width of each of so many panels, in inches."""
    columns = _columns(count)
    room = WIDTH - margins.left - margins.right - margins.beside * (columns - 1)
    return room / columns


def boxes(count: int, margins: Margins) -> list[Box]:
    """Return the places of 1 to MOST_PANELS panels, row by row."""
    columns = _columns(count)
    rows = -(-count // columns)
    width = panel_width(count, margins)
    height = (HEIGHT - margins.top - margins.bottom - margins.below * (rows - 1)) / rows
    return [
        (
            margins.left + (at % columns) * (width + margins.beside),
            HEIGHT - margins.top - (at // columns) * (height + margins.below) - height,
            width,
            height,
        )
        for at in range(count)
    ]


def _columns(count: int) -> int:
    return next(columns for most, columns in _COLUMNS if count <= most)
