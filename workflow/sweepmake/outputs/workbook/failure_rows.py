"""The failures: every experiment that must run again, where it broke, and the last words."""

from __future__ import annotations

from sweepmake.results.columns import Cell, Column, Sheet
from sweepmake.results.fields import log_path, relative_path
from sweepmake.results.outcomes import Outcome
from sweepmake.results.study import Study
from sweepmake.results.table import Table

__all__ = ["build_failures"]

_COLUMNS = (
    Column("experiment", "experiment", "experiment"),
    Column("status", "status", "experiment"),
    Column("stage", "stage", "experiment"),
    Column("exit_code", "exit code", "experiment"),
    Column("kind", "kind of failure", "experiment"),
    Column("rank", "rank", "experiment"),
    Column("last_line", "last log line", "experiment"),
    Column("hint", "what to do", "experiment"),
    Column("attempts", "attempts", "experiment"),
    Column("host", "host", "experiment"),
    Column("log", "log", "link"),
)


def build_failures(study: Study, table: Table) -> Sheet:
    """Return one row per experiment that failed, was interrupted or lost, or cannot be read.

    Args:
        study: what the results are made of.
        table: its table.
    """
    places = {experiment.name: at for at, experiment in enumerate(study.experiments)}
    bad = [
        one
        for one in table.outcomes
        if one.experiment.name in table.failures or one.experiment.problem
    ]
    bad.sort(key=lambda outcome: places.get(outcome.experiment.name, 0))
    return Sheet(_COLUMNS, tuple(_row(study, table, outcome) for outcome in bad))


def _row(study: Study, table: Table, outcome: Outcome) -> tuple[Cell, ...]:
    cells: dict[str, Cell] = {"experiment": outcome.experiment.name, "status": outcome.status}
    failure = table.failures.get(outcome.experiment.name)
    run = outcome.failed_stage
    log = log_path(outcome)
    if failure is not None:
        cells |= {
            "stage": failure.stage,
            "exit_code": failure.exit_code,
            "kind": failure.kind,
            "rank": failure.rank,
            "last_line": failure.last_line or None,
            "hint": failure.hint,
        }
    else:
        cells["kind"] = outcome.experiment.problem
    if run is not None:
        cells |= {"attempts": run.attempt or None, "host": run.host or None}
    cells["log"] = relative_path(study, log) if log else None
    return tuple(cells.get(column.key) for column in _COLUMNS)
