"""The settings: experiments that differ in the seed alone, with mean and spread of results."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from sweepmake.params.naming import Value, identity
from sweepmake.results.columns import Cell, Column, Sheet, as_number, unique_headings
from sweepmake.results.fields import WIZARD_HEADINGS
from sweepmake.results.objective import best_first
from sweepmake.results.outcomes import Outcome
from sweepmake.results.study import Study
from sweepmake.results.table import Table

__all__ = ["build_averages"]

_MOST_NAMED = 10
_STATISTICS = ("mean", "std", "n", "min", "max")

_Identity = tuple[tuple[str, str] | None, ...]
_ABSENT = None


def build_averages(study: Study, table: Table) -> Sheet:
    """Return one row per setting: the finished experiments that are equal but for `over`.

    Columns: the parameters that differ between settings; how many experiments finished, of how
    many planned; which values of `over` are missing; then of the objective and every metric the
    mean, the sample standard deviation (ddof 1; empty for one value), n, min and max. An
    experiment that has not finished does not count: half-trained results would pass for results.
    A nan counts, and makes its setting's mean nan: a seed that diverged is a result.

    Args:
        study: what the results are made of.
        table: its table.
    """
    over = [name for name in study.metric_options.over if _used(name, table.outcomes)]
    names = list(dict.fromkeys(n for o in table.outcomes for n in o.experiment.parameters))
    kept = [name for name in names if name not in over]
    groups: dict[_Identity, list[int]] = {}
    for at, outcome in enumerate(table.outcomes):
        groups.setdefault(_identify(outcome, kept), []).append(at)
    members = list(groups.values())
    varied = _varied(kept, list(groups))
    wanted = {
        _identify(outcome, over): _describe(outcome, over) for outcome in _in_order(study, table)
    }
    summarised = _summarised(table)
    rows: list[tuple[Cell, ...]] = []
    for places in members:
        first = table.outcomes[places[0]].experiment.parameters
        done = [at for at in places if table.outcomes[at].status == "finished"]
        cells: list[Cell] = [first.get(name) for name in varied]
        cells += [len(done), len(places)]
        cells.append(_missing([table.outcomes[at] for at in places], over, wanted))
        for at in summarised:
            cells += _statistics([table.rows[place][at] for place in done])
        rows.append(tuple(cells))
    columns = _columns(study, table, varied, summarised)
    return _sorted(columns, rows, table)


def _used(name: str, outcomes: Sequence[Outcome]) -> bool:
    return any(name in outcome.experiment.parameters for outcome in outcomes)


def _in_order(study: Study, table: Table) -> list[Outcome]:
    """Return the outcomes in the order of the file."""
    places = {experiment.name: at for at, experiment in enumerate(study.experiments)}
    return sorted(
        table.outcomes, key=lambda outcome: places.get(outcome.experiment.name, len(places))
    )


def _identify(outcome: Outcome, names: Sequence[str]) -> _Identity:
    parameters = outcome.experiment.parameters
    return tuple(identity(parameters[n]) if n in parameters else _ABSENT for n in names)


def _varied(names: Sequence[str], groups: Sequence[_Identity]) -> list[str]:
    """Return the parameters in which settings differ; all of them where there is one setting."""
    if len(groups) == 1:
        return list(names)
    return [name for at, name in enumerate(names) if len({group[at] for group in groups}) > 1]


def _summarised(table: Table) -> list[int]:
    """Return the places of the columns to summarise: the objective, then the metrics."""
    places = [
        at
        for at, column in enumerate(table.columns)
        if column.key == table.objective
        or (
            column.group in ("training", "metric")
            and not (column.derived and column.rule is None)  # the epoch of a best value
            and column.heading not in WIZARD_HEADINGS
        )
    ]
    return sorted(places, key=lambda at: table.columns[at].key != table.objective)


def _describe(outcome: Outcome, over: Sequence[str]) -> str:
    """Return the values of `over` of an experiment as text: "seed 3"."""
    parameters = outcome.experiment.parameters
    return ", ".join(f"{name} {_text(parameters.get(name))}" for name in over)


def _text(value: Value) -> str:
    return "none" if value is None else str(value)


def _missing(
    outcomes: Sequence[Outcome], over: Sequence[str], wanted: Mapping[_Identity, str]
) -> Cell:
    """Return which values of `over` a setting has no finished experiment of, and why."""
    if not over:
        return None
    here = {_identify(outcome, over): outcome.status for outcome in outcomes}
    absent = [
        f"{text} ({here.get(value, 'not in the sweep')})"
        for value, text in wanted.items()
        if here.get(value) != "finished"
    ]
    more = len(absent) - _MOST_NAMED
    listed = "; ".join(absent[:_MOST_NAMED])
    return (f"{listed}; and {more} more" if more > 0 else listed) or None


def _statistics(values: Sequence[Cell]) -> list[Cell]:
    """Return mean, standard deviation (of a sample), n, min and max of the numbers."""
    found = [math.nan if value != value else as_number(value) for value in values]
    numbers = [number for number in found if number is not None]
    count = len(numbers)
    if not count:
        return [None, None, 0, None, None]
    if not all(map(math.isfinite, numbers)):
        mean = sum(numbers) / count
        known = [number for number in numbers if not math.isnan(number)]
        low, high = (min(known), max(known)) if known else (math.nan, math.nan)
        return [mean, math.nan if count > 1 else None, count, low, high]
    mean = math.fsum(number / count for number in numbers)
    spread: Cell = None
    if count > 1:
        largest = max(map(abs, numbers)) or 1.0  # squares of huge numbers overflow
        parts = math.fsum(((number - mean) / largest) ** 2 for number in numbers)
        spread = largest * math.sqrt(parts / (count - 1))
    return [mean, spread, count, min(numbers), max(numbers)]


def _columns(
    study: Study, table: Table, varied: Sequence[str], summarised: Sequence[int]
) -> list[Column]:
    headings = study.metric_options.headings
    columns = [Column(name, headings.get(name, name), "parameter") for name in varied]
    columns += [
        Column("finished", "finished", "experiment"),
        Column("planned", "planned", "experiment"),
        Column("missing", "missing", "experiment"),
    ]
    for at in summarised:
        one = table.columns[at]
        for kind in _STATISTICS:
            rule = one.rule if kind == "mean" else None
            key, heading = f"{one.key}.{kind}", f"{one.heading} {kind}"
            columns.append(Column(key, heading, one.group, rule, one.unit))
    return columns


def _sorted(columns: Sequence[Column], rows: Sequence[tuple[Cell, ...]], table: Table) -> Sheet:
    """Return the grid, the setting with the best mean of the objective first."""
    keys = [column.key for column in columns]
    shown = set(keys)
    if "missing" in shown and all(row[keys.index("missing")] is None for row in rows):
        shown.discard("missing")
    order: Sequence[int] = range(len(rows))
    if f"{table.objective}.mean" in keys:
        at = keys.index(f"{table.objective}.mean")
        order = best_first([row[at] for row in rows], columns[at].rule or "max")
    kept = [at for at, key in enumerate(keys) if key in shown]
    details = frozenset(
        column.key
        for column in columns
        if column.group not in ("parameter", "experiment")
        and column.key.endswith((".n", ".min", ".max"))
        and not column.key.startswith(f"{table.objective}.")
    )
    return Sheet(
        columns=tuple(unique_headings(columns[at] for at in kept)),
        rows=tuple(tuple(rows[place][at] for at in kept) for place in order),
        details=details,
    )
