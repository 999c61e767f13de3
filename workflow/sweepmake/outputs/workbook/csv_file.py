"""The table as CSV, safe to open in a spreadsheet.

A text that a spreadsheet would take for a formula gets an apostrophe before it, and so does one
that begins with an apostrophe: `plain_text` takes it away again, and loses nothing.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from sweepmake.outputs.workbook.cells import clean_text, is_formula_like
from sweepmake.results.columns import Cell
from sweepmake.results.table import Table

__all__ = ["csv_text", "guarded", "plain_text"]


def csv_text(table: Table) -> Iterator[str]:
    """Yield the lines of a table: its headings, then its rows. An empty cell is an empty text."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    yield _line(buffer, writer, [guarded(column.heading) for column in table.columns])
    for row in table.rows:
        yield _line(buffer, writer, [_shown(value) for value in row])


def guarded(text: str) -> str:
    """Return a text as it stands in the CSV file."""
    text = clean_text(text)
    return f"'{text}" if text.startswith("'") or is_formula_like(text) else text


def plain_text(text: str) -> str:
    """Return what `guarded` was given, of a text of the CSV file."""
    return text.removeprefix("'")


def _line(buffer: io.StringIO, writer: object, cells: list[str]) -> str:
    buffer.seek(0)
    buffer.truncate()
    writer.writerow(cells)  # type: ignore[attr-defined] # its type has no public name
    return buffer.getvalue()


def _shown(value: Cell) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return guarded(value)
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 10_000:
        return hex(value)  # Python refuses to print more digits than some thousands
    return str(value)
