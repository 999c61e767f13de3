"""The sheets of the workbook: their frames, and their rows, written one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sweepmake.outputs.workbook.cells import (
    LINK_COLOUR,
    Look,
    Styles,
    book_value,
    clean_text,
    is_formula_like,
    is_short,
    number_cell,
    text_cell,
)
from sweepmake.outputs.workbook.layout import ColumnLayout, header_lines, lay_out
from sweepmake.results.columns import Cell, Column, Sheet, as_number, link_target

if TYPE_CHECKING:
    from openpyxl import Workbook
    from openpyxl.cell import Cell as BookCell
    from openpyxl.worksheet._write_only import WriteOnlyWorksheet

__all__ = ["MOST_LINKS", "STATUS_FILLS", "add_about", "add_sheet"]

MOST_LINKS = 65_530
"""Links of a sheet that Excel opens; beyond, it calls the file damaged."""

STATUS_FILLS = {
    "finished": "D8F0DC",
    "running": "D6E6F8",
    "failed": "F8D4D0",
    "interrupted": "FBE3C8",
    "lost": "FBE3C8",
    "outdated": "FFF6CC",
    "held back": "FBE3C8",
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
_TRUTH_FORMAT = '"TRUE";"TRUE";"FALSE"'  # without it, LibreOffice shows 1 and 0

_Writer = Callable[[Cell], "BookCell | Cell"]
"""Makes what stands for a value in a row."""


def add_sheet(
    book: Workbook,
    title: str,
    sheet: Sheet,
    *,
    frozen: str = "B2",
    objective: str | None = None,
    less_is_better: bool = False,
) -> None:
    """Add a worksheet: a styled header, one row per row of the sheet, filters, links, marks.

    Args:
        book: the workbook, in openpyxl's write-only mode.
        title: the worksheet's name.
        sheet: its columns and rows.
        frozen: the cell left of and above which everything stays in view.
        objective: key of the column that gets a colour scale.
        less_is_better: whether less of that column is better.
    """
    from openpyxl.utils import get_column_letter

    worksheet = book.create_sheet(title)
    layouts = [
        lay_out(column, [row[at] for row in sheet.rows]) for at, column in enumerate(sheet.columns)
    ]
    _frame(worksheet, sheet, layouts, frozen)
    keys = [column.key for column in sheet.columns]
    if objective in keys and sheet.rows:
        letter = get_column_letter(keys.index(str(objective)) + 1)
        _colour(worksheet, f"{letter}2:{letter}{len(sheet.rows) + 1}", less_is_better)
    styles = Styles(worksheet)
    worksheet.append(_headings(styles, sheet))
    writers = _writers(styles, sheet, layouts)
    for number, row in enumerate(sheet.rows, 2):
        if any(isinstance(value, str) and ("\n" in value or "\r" in value) for value in row):
            worksheet.row_dimensions[number].height = _LINE_HEIGHT  # as low as the others
        worksheet.append(
            None if value is None else write(value)
            for write, value in zip(writers, row, strict=True)
        )
    if sheet.left_out:
        text = f"… and {sheet.left_out:,} rows more, for which the sheet has no room"
        worksheet.append([text_cell(styles.model(Look()), text)])
    worksheet.close()


def _headings(styles: Styles, sheet: Sheet) -> Iterator[BookCell]:
    """Yield the cells of the header."""
    for at, column in enumerate(sheet.columns):
        numeric = any(as_number(row[at]) is not None for row in sheet.rows)
        yield text_cell(styles.model(_heading_look(column, numeric)), clean_text(column.heading))


def _writers(styles: Styles, sheet: Sheet, layouts: Sequence[ColumnLayout]) -> list[_Writer]:
    """Return what makes the cells of each column."""
    linked = _linked(sheet)
    return [
        _link_writer(styles, column, column.key in linked)
        if column.group == "link"
        else _writer(styles, column, layout)
        for column, layout in zip(sheet.columns, layouts, strict=True)
    ]


def _heading_look(column: Column, numeric: bool) -> Look:
    """Return how a heading looks: over numbers in the middle, as the filter's arrow is right."""
    return Look(
        bold=True,
        colour="FFFFFF",
        fill=_HEADER_FILLS[column.group],
        wrap=True,
        align="center" if numeric or column.key == "status" else "left",
        indent=int(not numeric and column.key not in ("experiment", "status")),
    )


def _linked(sheet: Sheet) -> frozenset[str]:
    """Return the columns that can have links: as many as fit under the limit of a sheet."""
    columns = [column.key for column in sheet.columns if column.group == "link"]
    return frozenset(columns[: MOST_LINKS // max(len(sheet.rows), 1)])


def _frame(
    worksheet: WriteOnlyWorksheet, sheet: Sheet, layouts: Sequence[ColumnLayout], frozen: str
) -> None:
    """Set what stands around the rows: panes, widths, the filter, the page.

    In write-only mode all this comes before the first row.
    """
    from openpyxl.utils import get_column_letter

    worksheet.freeze_panes = frozen
    worksheet.print_title_rows = "1:1"
    worksheet.row_dimensions[1].height = _LINE_HEIGHT * header_lines(sheet.columns, layouts) + 4
    _fit_to_width(worksheet)
    for at, (column, layout) in enumerate(zip(sheet.columns, layouts, strict=True), 1):
        dimension = worksheet.column_dimensions[get_column_letter(at)]
        dimension.width = layout.width
        if column.key in sheet.details:
            dimension.outlineLevel = 1
            dimension.hidden = True
    last = max(len(sheet.rows), 1) + 1
    worksheet.auto_filter.ref = f"A1:{get_column_letter(len(sheet.columns))}{last}"


def _fit_to_width(worksheet: WriteOnlyWorksheet) -> None:
    """Print on landscape pages, as wide as the sheet."""
    worksheet.sheet_properties.pageSetUpPr.fitToPage = True
    worksheet.page_setup.orientation = "landscape"
    worksheet.page_setup.fitToHeight = 0


def _colour(worksheet: WriteOnlyWorksheet, cells: str, less_is_better: bool) -> None:
    """Give a column a colour scale, from the worst value to the best."""
    from openpyxl.formatting.rule import ColorScaleRule

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
    worksheet.conditional_formatting.add(cells, rule)


def _text_writer(styles: Styles, look: Look) -> _Writer:
    """Return what makes cells of texts of one look."""
    # where it does not begin at the top, LibreOffice draws a second line across the row above
    lines = replace(look, top=True)
    plain, risky = styles.model(look), styles.model(look, risky=True)
    plain_lines, risky_lines = styles.model(lines), styles.model(lines, risky=True)

    def write(value: Cell) -> BookCell:
        text = clean_text(str(value))
        if "\n" in text:
            return text_cell(risky_lines if is_formula_like(text) else plain_lines, text)
        return text_cell(risky if is_formula_like(text) else plain, text)

    return write


def _link_writer(styles: Styles, column: Column, linked: bool) -> _Writer:
    """Return what makes a column's links; texts where there are too many of them."""
    if not linked:
        return _text_writer(styles, Look())
    cell, words = styles.model(Look(colour=LINK_COLOUR, align="left", indent=1)), column.heading

    def write(value: Cell) -> BookCell:
        cell.hyperlink = link_target(str(value))
        return text_cell(cell, words)

    return write


def _writer(styles: Styles, column: Column, layout: ColumnLayout) -> _Writer:
    """Return what makes a column's cells."""
    if column.key == "status" and column.group == "experiment":
        by_status = {
            status: styles.model(Look(fill=fill, align="center"))
            for status, fill in STATUS_FILLS.items()
        }
        other = styles.model(Look())
        return lambda value: text_cell(by_status.get(str(value), other), clean_text(str(value)))
    of_results = column.group in ("training", "metric", "objective")
    left = Look(align="left", indent=int(column.key != "experiment"))
    write_text = _text_writer(styles, Look(align="right") if of_results else left)
    plain = styles.model(Look(number_format=layout.number_format))
    small_style = styles.model(Look(number_format=layout.small_format))
    best_style = styles.model(Look(number_format=layout.number_format, bold=True, fill=_BEST_FILL))
    truth = styles.model(Look(number_format=_TRUTH_FORMAT, align="left", indent=1))
    best, small = layout.best, layout.small
    bare = layout.number_format == "General"  # needs no style: openpyxl is faster without

    def write(value: Cell) -> BookCell | Cell:
        value = book_value(value)
        if value is None or isinstance(value, str):
            return write_text(value)
        if isinstance(value, bool):
            return number_cell(truth, value)
        if value == best:
            return number_cell(best_style, value)
        if -small < value < small and value:
            return number_cell(small_style, value)
        return value if bare and is_short(value) else number_cell(plain, value)

    return write


def add_about(book: Workbook, facts: Sequence[tuple[str, Cell]], lines: Sequence[str]) -> None:
    """Add the sheet about the whole: named facts, then params.yaml line by line.

    Args:
        book: the workbook, in openpyxl's write-only mode.
        facts: (name, value); a name without a value is a heading.
        lines: the text of params.yaml.
    """
    worksheet = book.create_sheet("about")
    _fit_to_width(worksheet)
    worksheet.column_dimensions["A"].width = 26
    worksheet.column_dimensions["B"].width = 110
    styles = Styles(worksheet)
    write_name = _text_writer(styles, Look(bold=True, colour="44546A"))
    write_value = _text_writer(styles, Look(align="left"))
    write_line = _text_writer(styles, Look(monospace=True))
    write_heading = _text_writer(styles, Look(bold=True, line=True))
    plain, line_end = styles.model(Look(align="left")), styles.model(Look(line=True))

    def add_heading(text: str, *, first: bool = False) -> None:
        if not first:
            worksheet.append([])
        worksheet.append([write_heading(text), line_end])

    for at, (name, value) in enumerate(facts):
        found = book_value(value)
        if found is None:
            add_heading(name, first=at == 0)
        elif isinstance(found, str):
            worksheet.append([write_name(name), write_value(found)])
        else:
            worksheet.append([write_name(name), number_cell(plain, found)])
    if lines:
        add_heading("params.yaml", first=not facts)
    for line in lines:
        worksheet.append([None, write_line(line)])
