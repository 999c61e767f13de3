"""The table of all experiments as JSON, which keeps the types of its cells, for notebooks.

One object; each row is one line of the file:

    {
    "format": 1,
    "objective": "val_acc",
    "objective_text": "val_acc, more is better",
    "constant": {"data": "digits"},
    "warnings": [],
    "columns": [
    {"key": "experiment", "heading": "experiment", "group": "experiment", "rule": null, "unit": ""}
    ],
    "rows": [
    ["Norm_new", "finished", 0.1, {"number": "nan"}, null]
    ]
    }

A cell is a text, a number, true, false, or null where it is empty. JSON has no nan and no
infinity: they are {"number": "nan"}, {"number": "inf"} and {"number": "-inf"}, so no text is taken
for one. An integer of thousands of digits, which Python refuses to print, is {"number": "0x…"}.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from sweepmake.errors import InputError
from sweepmake.replacing import replacing
from sweepmake.results.table import Cell, Column, Table

__all__ = ["read_table_json", "write_table_json"]

_FORMAT = 1
_LONGEST_INTEGER = 10_000  # bits


def write_table_json(table: Table, path: Path) -> None:
    """Write a table to a file, in one step: a reader sees the old file or the new one.

    The outcomes of the experiments are left out.

    Raises:
        OSError: it cannot be written; what was there before stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    head: dict[str, Any] = {
        "format": _FORMAT,
        "objective": table.objective,
        "objective_text": table.objective_text,
        "constant": {key: _to_json(value) for key, value in table.constant.items()},
        "warnings": list(table.warnings),
    }
    columns = [
        {"key": c.key, "heading": c.heading, "group": c.group, "rule": c.rule, "unit": c.unit}
        for c in table.columns
    ]
    with replacing(path) as partial, partial.open("w", encoding="ascii") as file:
        file.write("{\n")
        file.writelines(f"{_dump(key)}: {_dump(value)},\n" for key, value in head.items())
        file.write('"columns": [\n' + ",\n".join(map(_dump, columns)) + "\n],\n")
        rows = [_dump([_to_json(cell) for cell in row]) for row in table.rows]
        file.write('"rows": [\n' + ",\n".join(rows) + "\n]\n}\n")


def read_table_json(path: Path) -> Table:
    """Return the table that a file holds: all of it but the experiments' outcomes, which are ().

    Raises:
        InputError: there is no such file, it cannot be read, or it holds no table.
    """
    hint = "`snakemake results` makes it again"
    try:
        found = json.loads(path.read_bytes())
        if found["format"] != _FORMAT:
            problem = f"expected format {_FORMAT}, found {found['format']!r}"
            raise InputError(problem, file=str(path), hint=hint)
        table = Table(
            columns=tuple(Column(**column) for column in found["columns"]),
            rows=tuple(tuple(map(_from_json, row)) for row in found["rows"]),
            outcomes=(),
            constant={key: _from_json(value) for key, value in found["constant"].items()},
            objective=found["objective"],
            objective_text=found["objective_text"],
            warnings=tuple(found["warnings"]),
        )
        _check_widths(table)
        return table
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=str(path), hint=hint) from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError("does not hold a table", file=str(path), hint=hint) from error


def _check_widths(table: Table) -> None:
    for row in table.rows:
        if len(row) != len(table.columns):
            raise ValueError(f"a row of {len(row)} cells, {len(table.columns)} columns")


def _dump(value: object) -> str:
    return json.dumps(value, allow_nan=False)


def _to_json(cell: Cell) -> Any:
    if isinstance(cell, float) and not math.isfinite(cell):
        return {"number": repr(cell)}
    if isinstance(cell, int) and cell.bit_length() > _LONGEST_INTEGER:
        return {"number": hex(cell)}
    return cell


def _from_json(cell: Any) -> Cell:
    if isinstance(cell, dict):
        number = str(cell["number"])
        return int(number, 16) if "x" in number else float(number)
    if not isinstance(cell, str | int | float | bool | None):
        raise TypeError(f"found {cell!r} in a cell")
    return cell
