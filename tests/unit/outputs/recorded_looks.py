"""What somebody sees of a page or a workbook, as lines of text that can be compared.

A recorded look is a file in tests/data/looks. `SWEEPMAKE_NEW_LOOKS=1 pytest tests/unit/outputs/test_looks.py`
writes them anew; its diff shows what has changed, before somebody looks at the pages themselves.
"""  # noqa: E501

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
from matplotlib.artist import Artist
from matplotlib.backend_bases import RendererBase
from matplotlib.colors import to_hex, to_rgba

__all__ = ["compare_look", "look_of_page", "look_of_workbook"]

FOLDER = Path(__file__).parents[2] / "data" / "looks"
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_NEAR = 0.6  # points; fonts and ticks of two versions of matplotlib differ by less


class _Recorder(RendererBase):
    """Keeps what is drawn: neighbours that look alike are one line, with their number."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self._how = ""
        self._points: list[Any] = []
        self._colours: list[tuple[str, str]] = []

    def flipy(self) -> bool:
        return False

    def draw_path(self, gc: Any, path: Any, transform: Any, rgbFace: Any = None) -> None:  # noqa: N803
        edge = to_hex(gc.get_rgb(), keep_alpha=True) if gc.get_linewidth() else "none"
        face = "none" if rgbFace is None else to_hex(rgbFace, keep_alpha=True)
        alpha = 1.0 if gc.get_alpha() is None else float(gc.get_alpha())
        dashes = " ".join(f"{part:.2f}" for part in gc.get_dashes()[1] or ())
        clip = gc.get_clip_rectangle()
        box = "whole" if clip is None else " ".join(f"{part:.1f}" for part in clip.extents)
        how = f"path width {gc.get_linewidth():.2f} alpha {alpha:.2f} "
        how += f"dashes [{dashes}] ends {gc.get_joinstyle()} {gc.get_capstyle()} clip [{box}]"
        if how != self._how:
            self.finish()
        self._how = how
        self._colours.append((edge, face))
        self._points.append(np.asarray(transform.transform(path.vertices), dtype=np.float64))

    def draw_text(  # type: ignore[override]
        self, gc: Any, x: float, y: float, s: str, prop: Any, angle: float, *_: Any, **__: Any
    ) -> None:
        self.finish()
        font = f"{prop.get_family()[0]} {prop.get_size_in_points():.1f} {prop.get_weight()}"
        self.lines.append(
            f"text {to_hex(gc.get_rgb()[:3])} {font} turned {angle:.0f} at {x:.1f} {y:.1f}: {s}"
        )

    def finish(self) -> None:
        """Write the line of the paths since the last one."""
        if self._points:
            points = np.concatenate(self._points)
            points = points[np.isfinite(points).all(axis=1)]
            corners = [*points.min(axis=0), *points.max(axis=0), *points.mean(axis=0)]
            box = " ".join(f"{corner:.1f}" for corner in corners)
            edges, faces = map(_colours, zip(*self._colours, strict=True))
            size = f"times {len(self._points)} points {len(points)} box [{box}]"
            self.lines.append(f"{self._how} {size} edge {edges} face {faces}")
        self._points, self._colours = [], []


def _colours(found: Sequence[str]) -> str:
    """Return the one colour, or of several the first, the mean and the last."""
    if len(set(found)) == 1:
        return found[0]
    sound = [to_rgba(colour) for colour in found if colour != "none"]
    mean = to_hex(np.mean(sound, axis=0), keep_alpha=True)
    return f"{found[0]}..{mean}..{found[-1]}"


def look_of_page(page: Artist) -> list[str]:
    """Return what is drawn of a page, or of a figure of 72 dots per inch, in the order drawn."""
    recorder = _Recorder()
    page.draw(recorder)
    recorder.finish()
    return recorder.lines


def look_of_workbook(path: Path) -> list[str]:
    """Return how each sheet and each of its cells is shown, and what is in it."""
    lines = []
    for sheet in openpyxl.load_workbook(path).worksheets:
        lines.append(
            f"sheet {sheet.title}, frozen {sheet.freeze_panes}, {sheet.sheet_view.zoomScale}"
        )
        lines.append(f"  filter {sheet.auto_filter.ref}, prints {sheet.print_title_rows} "
                     f"{sheet.page_setup.orientation} {sheet.page_setup.fitToHeight}")  # fmt: skip
        for key, column in sorted(sheet.column_dimensions.items()):
            lines.append(
                f"  column {key}: {column.width}, level {column.outlineLevel}, {column.hidden}"
            )
        for at, row in sorted(sheet.row_dimensions.items()):
            if row.height is not None:
                lines.append(f"  row {at}: {row.height}")
        for one in sheet.conditional_formatting:
            ends = [
                (end.type, end.val, colour.rgb)
                for rule in one.rules
                for end, colour in zip(rule.colorScale.cfvo, rule.colorScale.color, strict=True)
            ]
            lines.append(f"  scale {one.sqref}: {ends}")
        lines += (_look_of_cell(cell) for row in sheet.iter_rows() for cell in row if _shows(cell))
    return lines


def _shows(cell: Any) -> bool:
    return cell.value is not None or cell.fill.fill_type or cell.border.bottom.style


def _look_of_cell(cell: Any) -> str:
    font, place = cell.font, cell.alignment
    parts = [cell.number_format, font.name, font.sz, "bold" * bool(font.b), font.u or ""]
    colour = font.color.rgb if font.color else ""
    parts += [
        colour if isinstance(colour, str) else "",
        cell.fill.fill_type and cell.fill.fgColor.rgb,
    ]
    parts += [place.horizontal, place.vertical, place.indent, "wrapped" * bool(place.wrap_text)]
    parts += [cell.border.bottom.style, "quoted" * bool(cell.quotePrefix)]
    parts += [cell.hyperlink and cell.hyperlink.target]
    shown = " ".join(str(part) for part in parts if part not in (None, "", 0.0))
    return f"  {cell.coordinate} [{shown}] {cell.value!r}"


def compare_look(name: str, found: Iterable[str]) -> None:
    """Compare a look with the recorded one, or record it where that is asked for.

    Places (with one decimal) may differ by 0.6 of a point, or all numbers by a hundredth.
    """
    path = FOLDER / f"{name}.txt"
    lines = [line.rstrip() for line in found]
    if os.environ.get("SWEEPMAKE_NEW_LOOKS") == "1":
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    recorded = path.read_text(encoding="utf-8").splitlines()
    differences = list(_differences(recorded, lines))
    assert not differences, f"{path.name}, line {differences[0][0]}: {differences[0][1:]}"


def _differences(recorded: list[str], found: list[str]) -> Iterator[tuple[int, str, str]]:
    for at, (old, new) in enumerate(zip_longest(recorded, found, fillvalue=""), 1):
        same = _NUMBER.sub("#", old) == _NUMBER.sub("#", new)
        if not same or not all(map(_near, _NUMBER.findall(old), _NUMBER.findall(new))):
            yield at, old, new


def _near(old: str, new: str) -> bool:
    is_place = len(old.partition(".")[2]) == 1
    return math.isclose(float(old), float(new), rel_tol=0.01, abs_tol=_NEAR if is_place else 0.01)
