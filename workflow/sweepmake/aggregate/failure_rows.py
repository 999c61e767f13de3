"""The failures: every experiment that must run again, where it broke, and the last words."""

from __future__ import annotations

from sweepmake.aggregate.columns import Cell, Column, Grid
from sweepmake.aggregate.fields import log_path, relative_path
from sweepmake.aggregate.outcomes import Outcome
from sweepmake.aggregate.study import Study
from sweepmake.aggregate.table import Table

__all__ = ["build_failures"]

_COLUMNS = (
    Column("experiment", "experiment", "experiment"),
    Column("status", "status", "experiment"),
    Column("stage", "stage", "experiment"),
    Column("exit_code", "exit code", "experiment"),
    Column("kind", "kind of failure", "experiment"),
    Column("rank", "rank", "experiment"),
    Column("last_line", "last log line", "experiment"),
    Column("attempts", "attempts", "experiment"),
    Column("host", "host", "experiment"),
    Column("log", "log", "link"),
)


def build_failures(study: Study, table: Table) -> Grid:
    """Return one row per experiment that failed, was interrupted or lost, or cannot be read.

    Args:
        study: what the results are made of.
        table: its table.
    """
    places = {case.name: at for at, case in enumerate(study.cases)}
    bad = [one for one in table.outcomes if one.failed_stage is not None or one.case.problem]
    bad.sort(key=lambda outcome: places.get(outcome.case.name, 0))
    return Grid(_COLUMNS, tuple(_row(study, outcome) for outcome in bad))


def _row(study: Study, outcome: Outcome) -> tuple[Cell, ...]:
    run = outcome.failed_stage
    log = log_path(outcome)
    link = relative_path(study, log) if log else None
    if run is None:
        return (
            outcome.case.name, outcome.status, None, None, outcome.case.problem, None, None,
            None, None, link,
        )  # fmt: skip
    return (
        outcome.case.name, outcome.status, run.stage, run.exit_code, run.status, None,
        None, run.attempt or None, run.host or None, link,
    )  # fmt: skip
