"""results/experiments.html: the table of all experiments as one page that needs nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections import Counter
from html import escape
from importlib import resources
from pathlib import Path
from typing import TypeGuard

from sweepmake.errors import SweepmakeError
from sweepmake.replacing import replacing
from sweepmake.results.columns import Cell, Column, link_target
from sweepmake.results.outcomes import STATUSES
from sweepmake.results.study import Study
from sweepmake.results.table import Table

__all__ = ["write_page"]

_EXACT = 2**53  # JavaScript's numbers are doubles: beyond, integers change

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<header>
<h1>{title}</h1>
{about}
<div id="tools">
<input id="filter" type="search" placeholder="filter: words that a row must contain" \
aria-label="filter">
{statuses}
<span id="shown" role="status"></span>
</div>
<noscript><p class="warning">This page needs JavaScript. The same table is in experiments.csv.</p>
</noscript>
</header>
<main tabindex="0"><table>
<thead><tr>{headings}</tr></thead>
<tbody></tbody>
</table></main>
<script id="data" type="application/json">{data}</script>
<script>{script}</script>
</body>
</html>
"""


def write_page(study: Study, table: Table, path: Path) -> None:
    """Write the table as one HTML file that loads nothing and sends nothing; whole or not at all.

    Args:
        study: for the title.
        table: the experiments, the best first.
        path: the file.

    Raises:
        SweepmakeError: it cannot be written; the old one stays.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as partial:
            partial.write_text(_render(study, table), encoding="utf-8", errors="replace")
    except OSError as error:
        raise SweepmakeError(f"{path}: cannot be written: {error.strerror or error}") from error


def _render(study: Study, table: Table) -> str:
    folder = resources.files("sweepmake.outputs")
    style = folder.joinpath("page.css").read_text(encoding="utf-8")
    script = folder.joinpath("page.js").read_text(encoding="utf-8")
    policy = (
        f"default-src 'none'; style-src {_digest(style)}; script-src {_digest(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    title = f"Experiments of {study.source}"
    return _PAGE.format(
        policy=escape(policy, quote=True),
        title=escape(title),
        style=style,
        script=script,
        about="\n".join(_about(table)),
        statuses="\n".join(_statuses(table)),
        headings="".join(_heading(table, column) for column in table.columns),
        data=_data(table),
    )


def _digest(text: str) -> str:
    """Return the source expression that allows an inline script or style by its SHA-256."""
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


def _about(table: Table) -> list[str]:
    lines = []
    if table.objective_text:
        lines.append(f"<p>Sorted by {escape(table.objective_text)}: the best first.</p>")
    if table.constant:
        pairs = ", ".join(f"{key} = {value}" for key, value in table.constant.items())
        lines.append(
            f"<details><summary>Equal everywhere: {len(table.constant)} of the parameters</summary>"
            f"{escape(pairs)}</details>"
        )
    lines += [f'<p class="warning">{escape(warning)}</p>' for warning in table.warnings]
    return lines


def _statuses(table: Table) -> list[str]:
    counts = Counter(outcome.status for outcome in table.outcomes)
    return [
        f'<button type="button" class="status" aria-pressed="false" data-status="{escape(status)}">'
        f"{counts[status]} {escape(status)}</button>"
        for status in STATUSES
        if counts[status]
    ]


def _heading(table: Table, column: Column) -> str:
    classes = [name for name in ("number",) if _is_numeric(table.values(column.key))]
    classes += ["objective"] if column.key == table.objective else []
    names = f' class="{" ".join(classes)}"' if classes else ""
    unit = "" if not column.unit or column.unit in column.heading else f" ({column.unit})"
    return (
        f'<th scope="col"{names}><button type="button" title="{escape(column.key, quote=True)}">'
        f"{escape(column.heading + unit)}</button></th>"
    )


def _data(table: Table) -> str:
    """Return the cells as JSON that can stand in a script element."""
    links = [at for at, column in enumerate(table.columns) if column.group == "link"]
    rows = [
        {
            "cells": [_cell(cell) for cell in row],
            "links": {at: f"./{link_target(str(row[at]))}" for at in links if row[at] is not None},
            "status": outcome.status,
        }
        for row, outcome in zip(table.rows, table.outcomes, strict=True)
    ]
    best = None
    if table.objective is not None and table.rows:
        first = table.values(table.objective)[0]
        best = 0 if _is_finite(first) else None
    columns = [_column(table, column) for column in table.columns]
    text = json.dumps(
        {"columns": columns, "rows": rows, "best": best},
        allow_nan=False,
        ensure_ascii=False,
        separators=(",", ":"),
    )
    # no "</script>" or "<!--" may end or change the element; inside JSON this is the same text
    return text.replace("<", "\\u003c")


def _column(table: Table, column: Column) -> dict[str, object]:
    values = table.values(column.key)
    numbers = [value for value in values if _is_finite(value)]
    about: dict[str, object] = {}
    if _is_numeric(values):
        about["number"] = True
    if column.group == "parameter":
        about["exact"] = True
    if column.group == "link":
        about["link"] = column.heading
    if column.group == "experiment" and column.heading == "status":
        about["status"] = True
    if column.rule:
        about["rule"] = column.rule
        if len(set(numbers)) > 1:
            about["best"] = (max if column.rule == "max" else min)(numbers)
    if column.key == table.objective and numbers:
        about["bar"] = _span(numbers)
    return about


def _span(numbers: list[int | float]) -> list[float]:
    """Return where bars begin and end: without the outliers, which would make all others equal."""
    ordered = sorted(numbers)
    low, high = ordered[len(ordered) // 20], ordered[-1 - len(ordered) // 20]
    room = high - low
    if not math.isfinite(room):
        return [low, high] if math.isfinite(low + high) else [0.0, 1.0]
    return [max(ordered[0], low - room), min(ordered[-1], high + room)]


def _is_finite(value: Cell) -> TypeGuard[int | float]:
    """Return whether a cell is a number that JSON and JavaScript can hold."""
    if isinstance(value, float):
        return -math.inf < value < math.inf
    return isinstance(value, int) and not isinstance(value, bool) and -_EXACT <= value <= _EXACT


def _is_numeric(values: list[Cell]) -> bool:
    """Return whether a column is right-aligned: it has numbers, and few other values."""
    filled = [value for value in values if value is not None]
    numbers = [v for v in filled if isinstance(v, int | float) and not isinstance(v, bool)]
    return bool(numbers) and 2 * len(numbers) >= len(filled)


def _cell(value: Cell) -> Cell:
    """Return a cell as JSON and JavaScript can hold it: nan, inf and long integers become text."""
    if isinstance(value, bool):
        return str(value).lower()
    if value is None or isinstance(value, str) or _is_finite(value):
        return value
    return str(value)
