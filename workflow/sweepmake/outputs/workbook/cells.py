"""Cells of a workbook: what they hold, and the styles that they share.

Nothing that a parameter or a log contains becomes a formula: a text's cell is said to be one,
whatever it begins with.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sweepmake.results.columns import Cell

if TYPE_CHECKING:
    from openpyxl.cell import Cell as BookCell
    from openpyxl.worksheet._write_only import WriteOnlyWorksheet

__all__ = [
    "LINK_COLOUR",
    "Look",
    "Styles",
    "book_value",
    "clean_text",
    "is_formula_like",
    "is_short",
    "number_cell",
    "text_cell",
]

LINK_COLOUR = "0563C1"

_LONGEST = 32_767  # characters (UTF-16 units) of an Excel cell
_CUT = " … (cut)"
_LARGEST = 2**53  # a spreadsheet's numbers are doubles: beyond, integers change
# what XML 1.0 cannot hold, and lone halves of surrogate pairs
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_STARTERS = tuple("=+-@\t\r\n＝＋－＠")  # noqa: RUF001 - fullwidth signs begin formulas too


def clean_text(text: str) -> str:
    """Return text that XML can hold: what it cannot becomes U+FFFD; too long text is cut."""
    if not text.isprintable():
        text = text.replace("\r\n", "\n").replace("\r", "\n")  # as XML's readers do
        text = _ILLEGAL.sub("\ufffd", text)
    if len(text) > _LONGEST // 2 and len(text.encode("utf-16-le")) // 2 > _LONGEST:
        kept = text.encode("utf-16-le")[: 2 * (_LONGEST - len(_CUT))]
        text = kept.decode("utf-16-le", "ignore") + _CUT
    return text


def is_formula_like(text: str) -> bool:
    """Return whether a spreadsheet may take this text for a formula."""
    return text.lstrip(" ").startswith(_STARTERS)


def book_value(value: Cell) -> Cell:
    """Return what stands in a workbook for a cell: numbers that it cannot hold are text."""
    if type(value) is float:
        return value if math.isfinite(value) else str(value)
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return value if -_LARGEST <= value <= _LARGEST else _integer_text(value)
    return float(value)


def _integer_text(value: int) -> str:
    """Return an integer's digits; in hexadecimal where Python refuses to print so many."""
    return str(value) if value.bit_length() < 10_000 else clean_text(hex(value))


@dataclass(frozen=True, slots=True)
class Look:
    """How a cell looks.

    Attributes:
        number_format: Excel's format code.
        bold: of the font.
        colour: of the text, "RRGGBB"; "" for black.
        fill: the background, "RRGGBB"; "" for none.
        wrap: whether long text is broken into lines.
        top: whether text of several lines begins at the top, and is cut where the row ends.
        align: "left", "right", "center" or "" for Excel's choice.
        line: whether a line is drawn below.
        indent: steps between the border and the text.
        monospace: whether the font is one of equal widths.
    """

    number_format: str = "General"
    bold: bool = False
    colour: str = ""
    fill: str = ""
    wrap: bool = False
    top: bool = False
    align: str = ""
    line: bool = False
    indent: int = 0
    monospace: bool = False


class Styles:
    """The looks of a sheet's cells: one cell for each, which is filled again and again.

    openpyxl writes each cell of a row before it asks for the next, where the row is a generator.
    """

    def __init__(self, sheet: WriteOnlyWorksheet) -> None:
        self._sheet = sheet
        self._models: dict[tuple[Look, bool], BookCell] = {}

    def model(self, look: Look, *, risky: bool = False) -> BookCell:
        """Return the one cell of a look.

        Args:
            look: the look.
            risky: whether it is for a text that looks like a formula: it gets Excel's mark
                "a text, even after editing".
        """
        found = self._models.get((look, risky))
        if found is None:
            found = self._models[look, risky] = _styled(self._sheet, look, risky)
        return found


def _styled(sheet: WriteOnlyWorksheet, look: Look, risky: bool) -> BookCell:
    """Return a cell of a look."""
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Alignment, Border, Font, PatternFill, Side

    cell = WriteOnlyCell(sheet)
    cell.number_format = look.number_format
    cell.font = Font(
        name="Consolas" if look.monospace else "Calibri",
        sz=10 if look.monospace else 11,
        b=look.bold,
        color=look.colour or None,
        u="single" if look.colour == LINK_COLOUR else None,
    )
    if look.fill:
        cell.fill = PatternFill("solid", fgColor=look.fill)
    cell.alignment = Alignment(
        horizontal=look.align or None,
        vertical="top" if look.top else "center" if look.wrap else None,
        wrap_text=look.wrap or look.top or None,
        indent=look.indent,
    )
    if look.line:
        cell.border = Border(bottom=Side("thin", color="808080"))
    cell.quotePrefix = risky
    return cell


def text_cell(model: BookCell, text: str) -> BookCell:
    """Return the cell, holding a text that is already clean, whatever it begins with."""
    model.value = text
    model.data_type = "s"  # also of "=1+1" and "#N/A"
    return model


def number_cell(model: BookCell, value: float | bool) -> BookCell:
    """Return the cell, holding a finite number or a truth value, in all its digits."""
    if is_short(value):
        model.value = value
    else:
        model.value = repr(value)
        model.data_type = "n"
    return model


def is_short(value: float | bool) -> bool:
    """Return whether openpyxl writes a number as Python does: of a float it keeps 16 digits."""
    return type(value) is not float or f"{value:.16g}" == repr(value)
