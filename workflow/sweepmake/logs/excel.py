"""history.xlsx: the history and the summary's metrics as sheets, for who asks for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sweepmake.logs.history_file import open_history
from sweepmake.logs.summary import json_number
from sweepmake.replacing import replacing

__all__ = ["write_excel"]

_ROWS = 1_048_576  # a sheet holds no more


def write_excel(history: Path, metrics: Path, output: Path) -> None:
    """Write the workbook, replacing it in one step.

    Sheets: "history" (continued in "history 2", … where a sheet is full) with numbers as numbers,
    "nan" and "inf" as text, empty cells empty; "metrics" with a row per stage and metric.
    """
    from openpyxl import Workbook  # type: ignore[import-untyped,unused-ignore]

    book = Workbook(write_only=True)
    with open_history(history) as table:
        sheet, count = book.create_sheet("history"), 1
        sheet.append(table.columns)
        for row in table.rows():
            if count % _ROWS == 0:
                sheet = book.create_sheet(f"history {count // _ROWS + 1}")
                sheet.append(table.columns)
                count += 1
            sheet.append([row[0], *map(_cell, row[1:])])
            count += 1
    sheet = book.create_sheet("metrics")
    for entry in _metric_rows(json.loads(metrics.read_text(encoding="utf-8"))):
        sheet.append(entry)
    with replacing(output) as partial:
        book.save(partial)


def _cell(text: str) -> object:
    return json_number(text) if text else None


def _metric_rows(content: dict[str, Any]) -> Iterator[list[object]]:
    keys = ("last", "best", "best_epoch", "best_step", "best_rank", "mean", "std", "ranks", "rule")
    yield ["stage", "metric", *keys]
    for stage, found in content["stages"].items():
        for name, values in found["metrics"].items():
            yield [stage, name, *(values[key] for key in keys)]
