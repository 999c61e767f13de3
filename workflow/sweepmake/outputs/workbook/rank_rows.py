"""The ranks: what each process of each run ended with, how fast it was, and what was lost of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from sweepmake.metric_names import direction
from sweepmake.results.columns import Cell, Column, Sheet, as_number
from sweepmake.results.fields import as_cell, mapping
from sweepmake.results.outcomes import Outcome
from sweepmake.results.study import Study
from sweepmake.results.table import Table

__all__ = ["MOST_ROWS", "build_ranks"]

MOST_ROWS = 1_048_576 - 2
"""Rows of a sheet (Excel's limit) without its header and a line that says what is left out."""

# of metrics.json's ranks: (key, heading, unit)
_PLACES = (
    ("last_epoch", "last epoch", ""),
    ("last_step", "last step", ""),
    ("early_stop_epoch", "early stop epoch", ""),
)
_TIMES = (
    ("total_training_time_s", "training time (s)", "s"),
    ("time_per_step_s", "time per step (s)", "s"),
)
_TROUBLES = (
    ("restarts", "restarts"),
    ("segments_unparsed", "lines not read"),
    ("segments_overlong", "lines too long"),
)
_ACCOUNT = (("lost", "places lost"), ("ambiguous", "places ambiguous"))

_Rank = tuple[Outcome, str, str, Mapping[str, Any], float | None]


def build_ranks(study: Study, table: Table, *, most: int = MOST_ROWS) -> Sheet:
    """Return one row per experiment, stage and rank, the experiments in the table's order.

    A stage of one process that logged no metric and lost nothing has no row. The lag is the time
    per step over that of the run's fastest rank: 1 for that one.

    Args:
        study: what the results are made of.
        table: its table.
        most: how many rows to return; how many there are beyond is told.
    """
    metrics: dict[str, None] = {}
    used: set[str] = set()
    count = 0
    for _, _, _, rank, _ in _ranks(study, table):
        count += 1
        metrics.update(dict.fromkeys(mapping(rank.get("last"))))
        if count <= most:
            used.update(key for key, value in _facts(rank) if value is not None)
    columns = _columns(list(metrics), used)
    keys = [column.key for column in columns]
    shown = map(_cells, islice(_ranks(study, table), most))
    rows = [tuple(cells.get(key) for key in keys) for cells in shown]
    return Sheet(tuple(columns), tuple(rows), left_out=count - len(rows))


def _ranks(study: Study, table: Table) -> Iterator[_Rank]:
    """Yield (experiment, stage, rank, its part of metrics.json, the run's fastest time)."""
    for outcome in table.outcomes:
        stages = mapping(outcome.summary.get("stages"))
        for stage in study.stages:
            ranks = mapping(mapping(stages.get(stage)).get("ranks"))
            times = [as_cell(mapping(rank).get("time_per_step_s")) for rank in ranks.values()]
            known = [time for time in map(as_number, times) if time]
            fastest = min(known) if known else None
            for name, rank in ranks.items():
                if len(ranks) > 1 or _tells(mapping(rank)):
                    yield outcome, stage, name, mapping(rank), fastest


def _tells(rank: Mapping[str, Any]) -> bool:
    """Return whether a lone process has anything to show."""
    return bool(rank.get("last") or rank.get("died") or any(v for _, v in _troubles(rank)))


def _troubles(rank: Mapping[str, Any]) -> list[tuple[str, Cell]]:
    account = mapping(rank.get("account"))
    return [(key, as_cell(rank.get(key))) for key, _ in _TROUBLES] + [
        (key, as_cell(account.get(key))) for key, _ in _ACCOUNT
    ]


def _facts(rank: Mapping[str, Any]) -> list[tuple[str, Cell]]:
    return [(key, as_cell(rank.get(key))) for key, *_ in (*_PLACES, *_TIMES)]


def _columns(metrics: list[str], used: set[str]) -> list[Column]:
    """Return the columns; the places and times that no rank has are left out."""
    columns = [
        Column("experiment", "experiment", "experiment"),
        Column("stage", "stage", "experiment"),
        Column("rank", "rank", "experiment"),
        Column("died", "died", "experiment"),
    ]
    columns += [Column(k, heading, "training") for k, heading, _ in _PLACES if k in used]
    columns += [Column(f"metric.{name}", name, "metric", direction(name)) for name in metrics]
    columns += [Column(k, words, "cost", unit=unit) for k, words, unit in _TIMES if k in used]
    if "time_per_step_s" in used:
        columns.append(Column("lag", "time per step / fastest", "cost"))
    return columns + [Column(key, words, "cost") for key, words in (*_ACCOUNT, *_TROUBLES)]


def _cells(one: _Rank) -> dict[str, Cell]:
    outcome, stage, name, rank, fastest = one
    cells: dict[str, Cell] = {
        "experiment": outcome.experiment.name,
        "stage": stage,
        "rank": int(name) if name.lstrip("-").isdigit() else name,
        "died": "died" if rank.get("died") else None,
    }
    cells.update(_facts(rank))
    cells.update(_troubles(rank))
    for metric, value in mapping(rank.get("last")).items():
        cells[f"metric.{metric}"] = as_cell(value)
    time = as_number(cells["time_per_step_s"])
    if fastest and time is not None:
        cells["lag"] = time / fastest
    return cells
