"""What a workbook says of itself: how its experiments stand, what they share, what made it."""

from __future__ import annotations

import platform
from collections import Counter
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from sweepmake import __version__
from sweepmake.results.columns import Cell
from sweepmake.results.outcomes import STATUSES
from sweepmake.results.study import Study
from sweepmake.results.table import Table

__all__ = ["about_rows", "params_lines"]

_MOST_COMMITS = 20


def about_rows(
    study: Study, table: Table, *, now: datetime, command: str, notes: tuple[str, ...] = ()
) -> list[tuple[str, Cell]]:
    """Return (name, value) pairs; a name without a value is a heading.

    Args:
        study: what the results are made of.
        table: its table.
        now: when the workbook is made.
        command: the command line that makes it.
        notes: what else the user should know, after the table's warnings.
    """
    counts = Counter(outcome.status for outcome in table.outcomes)
    rows: list[tuple[str, Cell]] = [("Experiments", None), ("planned", len(table.outcomes))]
    rows += [(status, counts[status]) for status in STATUSES if counts[status]]
    rows.append(("objective", table.objective_text or "none: no metric says what is better"))
    if study.metric_options.over:
        rows.append(("settings: mean over", ", ".join(study.metric_options.over)))
    warnings = (*table.warnings, *notes)
    if warnings:
        rows.append(("Warnings", None))
        rows += [(str(number), text) for number, text in enumerate(warnings, 1)]
    if table.constant:
        rows.append(("Parameters that are equal in all experiments", None))
        headings = study.metric_options.headings
        rows += [
            (headings.get(name, name), "(no value)" if value is None else value)
            for name, value in table.constant.items()
        ]
    rows.append(("Made", None))
    rows.append(("date", now.isoformat(sep=" ", timespec="seconds")))
    rows.append(("command", command))
    rows.append(("from", study.source))
    rows += _versions()
    rows += [("git commit", commit) for commit in _commits(table)]
    return rows


def params_lines(study: Study) -> list[str]:
    """Return the params.yaml line by line; [] where there is none, or it is gone."""
    if study.params is None:
        return []
    try:
        text = Path(study.params).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        return [f"(cannot be read: {error.strerror})"]
    return text.splitlines()


def _versions() -> list[tuple[str, Cell]]:
    try:
        snakemake = version("snakemake")
    except PackageNotFoundError:
        snakemake = "not installed"
    return [
        ("sweepmake", __version__),
        ("snakemake", snakemake),
        ("Python", platform.python_version()),
    ]


def _commits(table: Table) -> list[str]:
    """Return the git commits of the working directory that runs were made with, most runs first."""
    counts = Counter(
        run.commit for outcome in table.outcomes for run in outcome.stages if run.commit
    )
    listed = [
        f"{commit} ({count} run{'s' * (count != 1)})"
        for commit, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    ]
    more = len(listed) - _MOST_COMMITS
    return listed[:_MOST_COMMITS] + ([f"and {more} more"] if more > 0 else [])
