"""The sheets of the workbook, written row by row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from sweepmake.aggregate.cells import LINK_COLOUR, Look, Styles, link_target
from sweepmake.aggregate.columns import Cell, Column, Grid, is_number
from sweepmake.aggregate.layout import ColumnLayout, header_lines, lay_out

if TYPE_CHECKING:
    from openpyxl import Workbook
    from openpyxl.worksheet._write_only import WriteOnlyWorksheet

__all__ = ["MOST_LINKS", "STATUS_FILLS", "add_about", "add_grid"]

MOST_LINKS = 65_530
"""Links of a sheet that Excel opens; beyond, it calls the file damaged."""

STATUS_FILLS = {
    "finished": "D8F0DC",
    "running": "D6E6F8",
    "failed": "F8D4D0",
    "interrupted": "FBE3C8",
    "lost": "FBE3C8",
    "unfinished": "FFF6CC",
    "not started": "ECECEC",
    "unreadable": "E6DCEC",
}
_HEADER_FILLS = {
    "experiment": "37474F",
    "objective": "8C5A00",
    "parameter": "1F4E79",
    "training": "2E5D3A",
    "metric": "2E5D3A",
    "cost": "5C4A72",
    "link": "37474F",
}
_BEST_FILL = "FFE699"
_SCALE = ("F8B4A6", "FFFFFF", "9AD1A6")  # worst, middle, best
_LINE_HEIGHT = 15.0


def add_grid(
    book: Workbook,
    title: str,
    grid: Grid,
    *,
    frozen: str = "B2",
    objective: str | None = None,
    less_is_better: bool = False,
) -> None:
    """Add a sheet: a styled header, one row per row of the grid, filters, links, marks.

    Args:
        book: the workbook, in openpyxl's write-only mode.
        title: the sheet's name.
        grid: its columns and rows.
        frozen: the cell left of and above which everything stays in view.
        objective: key of the column that gets a colour scale.
        less_is_better: whether less of that column is better.
    """
    sheet: WriteOnlyWorksheet = book.create_sheet(title)
    layouts = [
        lay_out(column, [row[at] for row in grid.rows]) for at, column in enumerate(grid.columns)
    ]
    _prepare(sheet, grid, layouts, frozen)
    styles = Styles(sheet)
    heads = [
        Look(bold=True, colour="FFFFFF", fill=_HEADER_FILLS[column.group], wrap=True)
        for column in grid.columns
    ]
    sheet.append(
        styles.cell(column.heading, look) for column, look in zip(grid.columns, heads, strict=True)
    )
    links = _Links(len(grid.rows), grid.columns)
    writers = [
        _writer(styles, column, layout, links)
        for column, layout in zip(grid.columns, layouts, strict=True)
    ]
    for row in grid.rows:
        sheet.append(
            None if value is None else write(value)
            for write, value in zip(writers, row, strict=True)
        )
    if grid.left_out:
        sheet.append([f"… and {grid.left_out:,} rows more, for which the sheet has no room"])
    _finish(sheet, grid, objective, less_is_better)


class _Links:
    """Which columns can have links: as many as fit under the limit of a sheet."""

    def __init__(self, rows: int, columns: Sequence[Column]) -> None:
        linked = [column.key for column in columns if column.group == "link"]
        room = MOST_LINKS // rows if rows else len(linked)
        self.keys = frozenset(linked[:room])


def _prepare(
    sheet: WriteOnlyWorksheet, grid: Grid, layouts: Sequence[ColumnLayout], frozen: str
) -> None:
    """Set what stands before the rows in the file: panes, widths, heights."""
    from openpyxl.utils import get_column_letter

    sheet.freeze_panes = frozen
    sheet.print_title_rows = "1:1"
    _fit_to_width(sheet)
    sheet.sheet_format.defaultRowHeight = _LINE_HEIGHT
    for at, (column, layout) in enumerate(zip(grid.columns, layouts, strict=True), 1):
        dimension = sheet.column_dimensions[get_column_letter(at)]
        dimension.width = layout.width
        if column.key in grid.details:
            dimension.outlineLevel = 1
            dimension.hidden = True
    sheet.row_dimensions[1].height = _LINE_HEIGHT * header_lines(grid.columns, layouts) + 4


def _fit_to_width(sheet: WriteOnlyWorksheet) -> None:
    """Print on landscape pages, as wide as the sheet."""
    sheet.sheet_properties.pageSetUpPr.fitToPage = True
    sheet.page_setup.orientation = "landscape"
    sheet.page_setup.fitToHeight = 0


def _finish(
    sheet: WriteOnlyWorksheet, grid: Grid, objective: str | None, less_is_better: bool
) -> None:
    """Set what stands after the rows: the filter and the colours of the objective."""
    from openpyxl.formatting.rule import ColorScaleRule
    from openpyxl.utils import get_column_letter

    last = max(len(grid.rows), 1) + 1
    sheet.auto_filter.ref = f"A1:{get_column_letter(max(len(grid.columns), 1))}{last}"
    keys = [column.key for column in grid.columns]
    if objective is None or objective not in keys or not grid.rows:
        return
    letter = get_column_letter(keys.index(objective) + 1)
    low, middle, high = reversed(_SCALE) if less_is_better else _SCALE
    rule = ColorScaleRule(
        start_type="min",
        start_color=low,
        mid_type="percentile",
        mid_value=50,
        mid_color=middle,
        end_type="max",
        end_color=high,
    )
    sheet.conditional_formatting.add(f"{letter}2:{letter}{last}", rule)


def _writer(
    styles: Styles, column: Column, layout: ColumnLayout, links: _Links
) -> Callable[[Cell], object]:
    """Return what makes a column's cells of values, with all looks made once."""
    plain = Look(number_format=layout.number_format)
    if column.group == "link":
        look = Look(colour=LINK_COLOUR) if column.key in links.keys else plain
        if column.key in links.keys:
            words = column.heading
            return lambda value: styles.cell(words, look, link_target(str(value)))
        return lambda value: styles.cell(value, look)
    if column.key == "status":
        looks = {status: Look(fill=fill) for status, fill in STATUS_FILLS.items()}
        return lambda value: styles.cell(value, looks.get(str(value), plain))
    small = Look(number_format=layout.small_format)
    best = Look(number_format=layout.number_format, bold=True, fill=_BEST_FILL)
    text = Look(align="right" if column.group in ("training", "metric", "objective") else "")

    def write(value: Cell) -> object:
        if isinstance(value, str) or not is_number(value):
            return styles.cell(value, text)
        if value == layout.best:
            return styles.cell(value, best)
        if value and abs(float(value)) < layout.small:
            return styles.cell(value, small)
        return styles.cell(value, plain)

    return write


def add_about(book: Workbook, rows: Sequence[tuple[str, Cell]], lines: Sequence[str]) -> None:
    """Add the sheet about the whole: named facts, then params.yaml line by line.

    Args:
        book: the workbook, in openpyxl's write-only mode.
        rows: (name, value); a name without a value is a heading.
        lines: the text of params.yaml.
    """
    sheet: WriteOnlyWorksheet = book.create_sheet("about")
    _fit_to_width(sheet)
    sheet.column_dimensions["A"].width = 26
    sheet.column_dimensions["B"].width = 110
    styles = Styles(sheet)
    heading = Look(bold=True, line=True)
    name_look, value_look = Look(bold=True, colour="44546A"), Look(align="left", wrap=False)
    code = Look(monospace=True)
    for name, value in rows:
        if value is None:
            sheet.append([])
            sheet.append(styles.cell(text, heading) for text in (name, " "))
        else:
            sheet.append(
                styles.cell(cell, look) for cell, look in ((name, name_look), (value, value_look))
            )
    if lines:
        sheet.append([])
        sheet.append(styles.cell(text, heading) for text in ("params.yaml", " "))
    for line in lines:
        sheet.append(cell for cell in (None, styles.cell(line, code)))
