"""The objective: what orders the experiments, named by the user or chosen from what there is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sweepmake.errors import suggestion
from sweepmake.params import expressions
from sweepmake.params.metrics import MetricOptions, Objective
from sweepmake.results.columns import Cell, Column, FilledColumn, as_number

__all__ = ["ObjectiveColumn", "best_first", "find_objective"]

_WORDS = {"max": "more is better", "min": "less is better"}


@dataclass(frozen=True, slots=True)
class ObjectiveColumn:
    """The objective, and its value in each experiment.

    Attributes:
        field: its column; None where there is nothing to order by.
        mode: "max" or "min".
        text: what it is, in words.
        uses: keys of the columns that it is made from.
        warnings: what is wrong with it.
    """

    field: FilledColumn | None = None
    mode: str = "max"
    text: str = ""
    uses: frozenset[str] = frozenset()
    warnings: tuple[str, ...] = ()


def find_objective(options: MetricOptions, fields: Sequence[FilledColumn]) -> ObjectiveColumn:
    """Return the user's objective, or the most telling metric where they name none.

    Raises:
        InputError: the objective cannot be read as an expression.
    """
    if options.objective is None:
        return _choose(options, fields)
    return _follow(options.objective, fields)


def best_first(values: Sequence[Cell], mode: str) -> list[int]:
    """Return the places of the values, the best first; those that are no number last, in order.

    Nor are infinite floats, which would be the best: a loss of -inf belongs to a run that diverged.
    """
    sign = -1 if mode == "max" else 1

    def key(at: int) -> tuple[bool, float]:
        cell = values[at]
        value = as_number(cell)
        if value is None or (isinstance(cell, float) and math.isinf(cell)):
            return (True, 0.0)
        return (False, sign * value)

    return sorted(range(len(values)), key=key)


def _follow(objective: Objective, fields: Sequence[FilledColumn]) -> ObjectiveColumn:
    """Return the objective that the user names, with a warning where nobody has it."""
    by_name = _by_name(fields)
    text = f"{objective.expression}, {_WORDS[objective.mode]}"
    used = expressions.names(objective.expression, by_name)
    absent = [name for name in used if name not in by_name or not by_name[name].filled]
    if absent:
        return ObjectiveColumn(
            text=text, mode=objective.mode, warnings=_no_such(objective, absent, fields)
        )
    if not used:
        return ObjectiveColumn(
            text=text, mode=objective.mode, warnings=(f"objective '{text}' has no metric",)
        )
    uses = frozenset(by_name[name].column.key for name in used)
    whole = objective.expression.strip()
    if whole in by_name:
        field = by_name[whole]
        column = replace(field.column, rule=objective.mode)
        if column.group in ("training", "metric"):
            column = replace(column, group="objective")
        return ObjectiveColumn(
            replace(field, column=column, shown=True), objective.mode, text, uses
        )
    values = _evaluate(whole, [(name, by_name[name]) for name in used])
    field = FilledColumn(Column(whole, whole, "objective", objective.mode), values)
    if field.filled:
        return ObjectiveColumn(field, objective.mode, text, uses)
    warning = (
        f"objective '{whole}': no experiment has a value of it, though each of its metrics is known"
    )
    return ObjectiveColumn(text=text, mode=objective.mode, uses=uses, warnings=(warning,))


def _by_name(fields: Sequence[FilledColumn]) -> Mapping[str, FilledColumn]:
    """Return the columns by what an objective may call them: their keys, else their headings."""
    named = {field.column.heading: field for field in reversed(fields)}
    named.update((field.column.key, field) for field in fields)
    return {
        name: field
        for name, field in named.items()
        if field.column.group not in ("experiment", "link")
    }


def _evaluate(expression: str, used: Sequence[tuple[str, FilledColumn]]) -> tuple[Cell, ...]:
    """Return an expression's value in each experiment."""
    columns = {name: [as_number(value) for value in field.values] for name, field in used}
    rows = zip(*columns.values(), strict=True)
    return tuple(
        expressions.evaluate(expression, dict(zip(columns, row, strict=True))) for row in rows
    )


def _no_such(
    objective: Objective, absent: Sequence[str], fields: Sequence[FilledColumn]
) -> tuple[str, ...]:
    """Return the warnings for an objective's unknown metrics; none before there is any metric."""
    metrics = [
        field.column.key
        for field in fields
        if field.column.group in ("training", "metric") and field.filled
    ]
    if not metrics:
        return ()
    return tuple(
        f"objective '{objective.expression}': no experiment has '{name}' "
        f"({suggestion(name, metrics)})"
        for name in absent
    )


def _choose(options: MetricOptions, fields: Sequence[FilledColumn]) -> ObjectiveColumn:
    """Return the most telling metric as the objective.

    The user's own come first, then validation metrics of which more is better, validation losses,
    other metrics of which more is better, other losses. A best value is none of them.
    """
    ruled = [
        field
        for field in fields
        if field.column.rule is not None
        and field.column.group in ("training", "metric")
        and any(as_number(value) is not None for value in field.values)
        and not field.column.derived
    ]
    own = {one.name for one in options.metrics}

    def rank(field: FilledColumn) -> int:
        if field.column.key in own:
            return 0
        more = field.column.rule == "max"
        return (1 if more else 2) if field.column.group == "training" else (3 if more else 4)

    if not ruled:
        return ObjectiveColumn()
    field = min(ruled, key=rank)
    mode = field.column.rule or "max"
    text = f"{field.column.heading}, {_WORDS[mode]} (chosen, as params.yaml names no objective)"
    column = replace(field.column, group="objective")
    return ObjectiveColumn(
        replace(field, column=column, shown=True), mode, text, frozenset([column.key])
    )
