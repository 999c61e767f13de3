"""The sheets of the workbook: their frames, and their rows as XML, one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from sweepmake.aggregate.book_file import SheetContent
from sweepmake.aggregate.cells import (
    LINK_COLOUR,
    Look,
    Styles,
    book_value,
    clean_text,
    is_formula_like,
    link_target,
    number_xml,
    text_xml,
)
from sweepmake.aggregate.columns import Cell, Column, Grid, as_number
from sweepmake.aggregate.layout import ColumnLayout, header_lines, lay_out

if TYPE_CHECKING:
    from openpyxl import Workbook
    from openpyxl.worksheet.worksheet import Worksheet

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

_Writer = Callable[[Cell, str], str]
"""Makes the XML of a cell of its value and its reference ("B7")."""


def add_grid(
    book: Workbook,
    title: str,
    grid: Grid,
    *,
    frozen: str = "B2",
    objective: str | None = None,
    less_is_better: bool = False,
) -> SheetContent:
    """Add a sheet: a styled header, one row per row of the grid, filters, links, marks.

    Args:
        book: the workbook; the sheet gets all but its rows here.
        title: the sheet's name.
        grid: its columns and rows.
        frozen: the cell left of and above which everything stays in view.
        objective: key of the column that gets a colour scale.
        less_is_better: whether less of that column is better.

    Returns:
        The rows.
    """
    from openpyxl.utils import get_column_letter

    sheet = book.create_sheet(title)
    layouts = [
        lay_out(column, [row[at] for row in grid.rows]) for at, column in enumerate(grid.columns)
    ]
    letters = [get_column_letter(at) for at in range(1, len(grid.columns) + 1)]
    _frame(sheet, grid, layouts, frozen)
    if objective in [column.key for column in grid.columns] and grid.rows:
        at = [column.key for column in grid.columns].index(str(objective))
        _colour(sheet, f"{letters[at]}2:{letters[at]}{len(grid.rows) + 1}", less_is_better)
    extent = f"A1:{letters[-1]}{len(grid.rows) + 1 + bool(grid.left_out)}"
    content = SheetContent(sheet, (), extent)
    height = _LINE_HEIGHT * header_lines(grid.columns, layouts) + 4
    content.rows = _rows(sheet, grid, layouts, letters, height, content.links)
    return content


def _rows(
    sheet: Worksheet,
    grid: Grid,
    layouts: Sequence[ColumnLayout],
    letters: Sequence[str],
    height: float,
    links: list[tuple[str, str]],
) -> Iterator[str]:
    """Return the rows' XML; all styles are numbered before the first row is asked for.

    Args:
        sheet: the sheet.
        grid: its columns and rows.
        layouts, letters: how each column is shown, and its name in references.
        height: of the header.
        links: where the links that stand in the rows are put.
    """
    styles = Styles(sheet)
    linked = _linked(grid)
    heads = [
        styles.number(
            _heading_look(column, any(as_number(row[at]) is not None for row in grid.rows))
        )
        for at, column in enumerate(grid.columns)
    ]
    writers = [
        _link_writer(styles, column, links if column.key in linked else None)
        if column.group == "link"
        else _writer(styles, column, layout)
        for column, layout in zip(grid.columns, layouts, strict=True)
    ]
    plain = styles.number(Look())

    return _stream(grid, list(zip(writers, letters, heads, strict=True)), height, plain)


def _stream(
    grid: Grid, columns: Sequence[tuple[_Writer, str, int]], height: float, plain: int
) -> Iterator[str]:
    """Yield the rows' XML, cell by cell.

    Args:
        grid: the columns and rows.
        columns: of each column what writes its cells, its letters, the style of its heading.
        height: of the header.
        plain: the style of the line that says what is left out.
    """
    yield f'<row r="1" ht="{height:g}" customHeight="1">'
    for column, (_, letters, style) in zip(grid.columns, columns, strict=True):
        yield text_xml(clean_text(column.heading), f"{letters}1", style)
    yield "</row>"
    for number, row in enumerate(grid.rows, 2):
        yield f'<row r="{number}">'
        for (write, letters, _), value in zip(columns, row, strict=True):
            if value is not None:
                yield write(value, f"{letters}{number}")
        yield "</row>"
    if grid.left_out:
        number = len(grid.rows) + 2
        text = f"… and {grid.left_out:,} rows more, for which the sheet has no room"
        yield f'<row r="{number}">{text_xml(text, f"A{number}", plain)}</row>'


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


def _linked(grid: Grid) -> frozenset[str]:
    """Return the columns that can have links: as many as fit under the limit of a sheet."""
    columns = [column.key for column in grid.columns if column.group == "link"]
    return frozenset(columns[: MOST_LINKS // max(len(grid.rows), 1)])


def _frame(sheet: Worksheet, grid: Grid, layouts: Sequence[ColumnLayout], frozen: str) -> None:
    """Set what stands around the rows: panes, widths, the filter, the page."""
    from openpyxl.utils import get_column_letter

    sheet.freeze_panes = frozen
    sheet.print_title_rows = "1:1"
    _fit_to_width(sheet)
    for at, (column, layout) in enumerate(zip(grid.columns, layouts, strict=True), 1):
        dimension = sheet.column_dimensions[get_column_letter(at)]
        dimension.width = layout.width
        if column.key in grid.details:
            dimension.outlineLevel = 1
            dimension.hidden = True
    last = max(len(grid.rows), 1) + 1
    sheet.auto_filter.ref = f"A1:{get_column_letter(len(grid.columns))}{last}"


def _fit_to_width(sheet: Worksheet) -> None:
    """Print on landscape pages, as wide as the sheet."""
    sheet.sheet_properties.pageSetUpPr.fitToPage = True
    sheet.page_setup.orientation = "landscape"
    sheet.page_setup.fitToHeight = 0


def _colour(sheet: Worksheet, cells: str, less_is_better: bool) -> None:
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
    sheet.conditional_formatting.add(cells, rule)


def _text_writer(styles: Styles, look: Look) -> _Writer:
    """Return what writes texts of one look."""
    plain, risky = styles.number(look), styles.number(look, risky=True)

    def write(value: Cell, reference: str) -> str:
        text = clean_text(str(value))
        return text_xml(text, reference, risky if is_formula_like(text) else plain)

    return write


def _link_writer(styles: Styles, column: Column, links: list[tuple[str, str]] | None) -> _Writer:
    """Return what writes a column's links, as texts where there are too many of them."""
    if links is None:
        return _text_writer(styles, Look())
    style, words = styles.number(Look(colour=LINK_COLOUR, align="left", indent=1)), column.heading

    def write(value: Cell, reference: str) -> str:
        links.append((reference, link_target(str(value))))
        return text_xml(words, reference, style)

    return write


def _writer(styles: Styles, column: Column, layout: ColumnLayout) -> _Writer:
    """Return what writes a column's cells."""
    if column.key == "status" and column.group == "experiment":
        by_status = {
            status: styles.number(Look(fill=fill, align="center"))
            for status, fill in STATUS_FILLS.items()
        }
        other = styles.number(Look())
        return lambda value, reference: text_xml(
            clean_text(str(value)), reference, by_status.get(str(value), other)
        )
    measured = column.group in ("training", "metric", "objective")
    left = Look(align="left", indent=int(column.key != "experiment"))
    write_text = _text_writer(styles, Look(align="right") if measured else left)
    plain = styles.number(Look(number_format=layout.number_format))
    small_style = styles.number(Look(number_format=layout.small_format))
    best_style = styles.number(Look(number_format=layout.number_format, bold=True, fill=_BEST_FILL))
    best, small = layout.best, layout.small

    def write(value: Cell, reference: str) -> str:
        value = book_value(value)
        if value is None or isinstance(value, str):
            return write_text(value, reference)
        if value == best and not isinstance(value, bool):
            return number_xml(value, reference, best_style)
        if -small < value < small and value:
            return number_xml(value, reference, small_style)
        return number_xml(value, reference, plain)

    return write


def add_about(
    book: Workbook, facts: Sequence[tuple[str, Cell]], lines: Sequence[str]
) -> SheetContent:
    """Add the sheet about the whole: named facts, then params.yaml line by line.

    Args:
        book: the workbook; the sheet gets all but its rows here.
        facts: (name, value); a name without a value is a heading.
        lines: the text of params.yaml.

    Returns:
        The rows.
    """
    sheet = book.create_sheet("about")
    _fit_to_width(sheet)
    sheet.column_dimensions["A"].width = 26
    sheet.column_dimensions["B"].width = 110
    styles = Styles(sheet)
    write_heading = _text_writer(styles, Look(bold=True, line=True))
    write_name = _text_writer(styles, Look(bold=True, colour="44546A"))
    write_value = _text_writer(styles, Look(align="left"))
    write_line = _text_writer(styles, Look(monospace=True))
    plain = styles.number(Look(align="left"))
    rows: list[str] = []

    def add(*cells: str) -> None:
        rows.append(f'<row r="{len(rows) + 1}">{"".join(cells)}</row>')

    def add_heading(text: str) -> None:
        if rows:
            add()
        add(write_heading(text, f"A{len(rows) + 1}"), write_heading(" ", f"B{len(rows) + 1}"))

    for name, value in facts:
        if value is None:
            add_heading(name)
            continue
        place, found = f"B{len(rows) + 1}", book_value(value)
        number = found if isinstance(found, int | float) else None
        told = write_value(found, place) if number is None else number_xml(number, place, plain)
        add(write_name(name, f"A{len(rows) + 1}"), told)
    if lines:
        add_heading("params.yaml")
    for line in lines:
        add(write_line(line, f"B{len(rows) + 1}"))
    return SheetContent(sheet, rows, f"A1:B{max(len(rows), 1)}")
