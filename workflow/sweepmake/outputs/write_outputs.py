"""Write everything that shows all experiments, and tell the user where it is."""

from __future__ import annotations

import os
import sys
from collections import Counter
from datetime import datetime
from pathlib import Path

from sweepmake.outputs.page import write_page
from sweepmake.outputs.table_json import write_table_json
from sweepmake.outputs.workbook.tables import write_workbook
from sweepmake.results.outcomes import STATUSES
from sweepmake.results.study import Study
from sweepmake.results.table import Table
from sweepmake.visible import one_line

__all__ = ["describe", "write_comparison", "write_tables"]


def write_tables(study: Study, table: Table) -> None:
    """Write the files that are named in `outputs.TABLES`, and say where they are.

    Raises:
        SweepmakeError: a file cannot be written; those that were there before stay.
    """
    command = os.environ.get("SWEEPMAKE_COMMAND", "")
    write_workbook(study, table, now=datetime.now().astimezone(), command=command)
    results = Path(study.results)
    write_table_json(table, results / "experiments.json")
    write_page(study, table, results / "experiments.html")
    for warning in table.warnings:
        print(one_line(f"warning: {warning}"), file=sys.stderr)  # noqa: T201
    if not os.environ.get("SWEEPMAKE_QUIET"):
        text = f"Workbook: {study.results}/experiments.xlsx: {describe(table)}"
        print(one_line(text))  # noqa: T201


def write_comparison(study: Study, table: Table) -> None:
    """Write comparison.pdf, and its pages for the report."""
    from sweepmake.outputs.comparison_pdf.comparison import plot_comparison

    plot_comparison(study, table, Path(study.results))


def describe(table: Table) -> str:
    """Return "18 experiments: 16 finished, 2 failed; best: <name> (val_acc 0.97)".

    The best is one that has finished: others may have a better number, but not their last one.
    """
    counts = Counter(outcome.status for outcome in table.outcomes)
    total = len(table.outcomes)
    parts = [f"{counts[status]} {status}" for status in STATUSES if counts[status]]
    text = f"{total} experiment{'' if total == 1 else 's'}: {', '.join(parts) or 'none'}"
    if table.objective is None:
        return text
    for outcome, value in zip(table.outcomes, table.values(table.objective), strict=True):
        if outcome.status == "finished" and isinstance(value, int | float) and value == value:
            return f"{text}; best: {outcome.experiment.name} ({table.objective} {value:.6g})"
    return text
