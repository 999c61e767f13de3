"""results/experiments.xlsx and results/experiments.csv: what a user opens after a sweep."""

from __future__ import annotations

import errno
import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from sweepmake.errors import SweepmakeError
from sweepmake.outputs.workbook.about import about_rows, params_lines
from sweepmake.outputs.workbook.averages import build_averages
from sweepmake.outputs.workbook.csv_file import csv_text
from sweepmake.outputs.workbook.failure_rows import build_failures
from sweepmake.outputs.workbook.rank_rows import MOST_ROWS, build_ranks
from sweepmake.outputs.workbook.sheets import MOST_LINKS, add_about, add_sheet
from sweepmake.replacing import replacing
from sweepmake.results.columns import Sheet
from sweepmake.results.study import Study
from sweepmake.results.table import Table

__all__ = ["CSV", "MOST_COLUMNS", "WORKBOOK", "write_workbook"]

WORKBOOK = "experiments.xlsx"
CSV = "experiments.csv"
MOST_COLUMNS = 16_384
"""Columns of a sheet: Excel's limit."""

_FROZEN = {"experiments": "B2", "settings": "A2", "ranks": "D2", "failures": "B2"}


def write_workbook(study: Study, table: Table, *, now: datetime, command: str) -> None:
    """Write the workbook and the CSV file of a study.

    Whoever opens one of them sees the old file or the new one, never a part.

    Args:
        study: what the results are made of.
        table: its table.
        now: when this happens.
        command: the command line, for the sheet "about".

    Raises:
        SweepmakeError: a file cannot be written (a full disk, a folder in its place, …); the old
            files stay.
    """
    folder = Path(study.results)
    with _explained(folder):
        if folder.exists() and not folder.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, "it is a file, not a folder", str(folder))
        folder.mkdir(parents=True, exist_ok=True)
    book, text = folder / WORKBOOK, folder / CSV
    # both are written before one takes its place
    with _explained(text), replacing(text) as other, _explained(book), replacing(book) as draft:
        _write_book(study, table, draft, now=now, command=command)
        with _explained(text), other.open("w", encoding="utf-8", newline="") as file:
            file.writelines(csv_text(table))


def _write_book(study: Study, table: Table, path: Path, *, now: datetime, command: str) -> None:
    """Write the workbook with all its sheets."""
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    book.properties.creator = "Sweepmake"
    book.properties.created = now.replace(tzinfo=None)
    sheets = {
        "experiments": Sheet(table.columns, table.rows),
        "settings": build_averages(study, table),
        "ranks": build_ranks(study, table),
        "failures": build_failures(study, table),
    }
    notes = [note for title, sheet in sheets.items() for note in _losses(title, sheet)]
    fitting = {title: _fit(sheet) for title, sheet in sheets.items()}
    facts = about_rows(study, table, now=now, command=command, notes=tuple(notes))
    less = next((c.rule == "min" for c in table.columns if c.key == table.objective), False)
    scaled = {"experiments": table.objective, "settings": f"{table.objective}.mean"}
    for title, sheet in fitting.items():
        add_sheet(
            book,
            title,
            sheet,
            frozen=_FROZEN[title],
            objective=scaled.get(title),
            less_is_better=less,
        )
    add_about(book, facts, params_lines(study))
    packed = io.BytesIO()
    book.save(packed)  # not to the disk: if that is full, openpyxl leaves its archive open
    path.write_bytes(packed.getbuffer())


def _fit(sheet: Sheet) -> Sheet:
    """Return what of a sheet Excel can hold."""
    if len(sheet.rows) <= MOST_ROWS and len(sheet.columns) <= MOST_COLUMNS:
        return sheet
    return replace(
        sheet,
        columns=sheet.columns[:MOST_COLUMNS],
        rows=tuple(row[:MOST_COLUMNS] for row in sheet.rows[:MOST_ROWS]),
        left_out=sheet.left_out + max(len(sheet.rows) - MOST_ROWS, 0),
    )


def _losses(title: str, sheet: Sheet) -> list[str]:
    """Return what Excel cannot hold of a sheet."""
    notes = []
    rows = sheet.left_out + max(len(sheet.rows) - MOST_ROWS, 0)
    if rows:
        notes.append(f"sheet '{title}': {rows:,} rows are left out; a sheet has 1,048,576")
    columns = len(sheet.columns) - MOST_COLUMNS
    if columns > 0:
        notes.append(f"sheet '{title}': {columns:,} columns are left out; a sheet has 16,384")
    links = sum(column.group == "link" for column in sheet.columns)
    if links * len(sheet.rows) > MOST_LINKS:
        notes.append(
            f"sheet '{title}': some links are plain text, as Excel opens no more than "
            f"{MOST_LINKS:,}"
        )
    return notes


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn an error of the system into one for the user.

    Raises:
        SweepmakeError: the file could not be written.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        hint = "the old file, if there was one, is as it was"
        if error.errno == errno.ENOSPC:
            hint = f"free some space there and in {tempfile.gettempdir()}; {hint}"
        raise SweepmakeError(f"cannot write '{path}': {reason} ({hint})") from error
