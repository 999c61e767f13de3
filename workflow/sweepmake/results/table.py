"""The table of all experiments: what the workbook, the CSV file, the report and plots show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from sweepmake.params.naming import Value
from sweepmake.results.columns import Cell, Column, FilledColumn, as_number, unique_headings
from sweepmake.results.doubts import doubts
from sweepmake.results.failures import Failure, describe_failure
from sweepmake.results.fields import collect_fields, mapping, varied_parameters
from sweepmake.results.objective import ObjectiveColumn, best_first, find_objective
from sweepmake.results.outcomes import Outcome, read_outcomes
from sweepmake.results.study import Study

__all__ = ["Cell", "Column", "Table", "build_table", "read_results_table"]


@dataclass(frozen=True, slots=True)
class Table:
    """The experiments, the best first.

    Attributes:
        columns: the columns, in their order.
        rows: one per experiment, as long as `columns`: by the objective, the best first, those
            that have finished before others; those without it last, in the order of the file.
        outcomes: the experiment of each row.
        constant: the parameters that are equal in all experiments.
        objective: key of the objective's column; None where there is nothing to order by.
        objective_text: what the objective is, in words ("val_acc, more is better").
        warnings: what the user should know, one sentence each.
        failures: how those that failed did, by the experiment's name.
    """

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    outcomes: tuple[Outcome, ...]
    constant: Mapping[str, Value] = field(default_factory=dict)
    objective: str | None = None
    objective_text: str = ""
    warnings: tuple[str, ...] = ()
    failures: Mapping[str, Failure] = field(default_factory=dict)

    def position(self, key: str) -> int:
        """Return the place of a column, from 0.

        Raises:
            KeyError: there is no such column.
        """
        for at, column in enumerate(self.columns):
            if column.key == key:
                return at
        raise KeyError(key)

    def values(self, key: str) -> list[Cell]:
        """Return the cells of a column, in the order of the rows."""
        at = self.position(key)
        return [row[at] for row in self.rows]


def read_results_table(study: Study) -> Table:
    """Return the table of a study as its records and summaries are now.

    Raises:
        InputError: the objective cannot be read as an expression.
    """
    return build_table(study, read_outcomes(study))


def build_table(study: Study, outcomes: Sequence[Outcome]) -> Table:
    """Return the table of a study: one row for every experiment, whatever became of it.

    Columns: the experiment, its status and a note; the objective; the parameters that differ;
    Training Log Wizard's columns; the user's own metrics; every other metric; what each stage took;
    links. A column that is empty everywhere is left out, unless the user asked for it by name.

    Args:
        study: what the results are made of.
        outcomes: what became of each of its experiments.

    Raises:
        InputError: the objective cannot be read as an expression.
    """
    described = ((one.experiment.name, describe_failure(one)) for one in outcomes)
    failures = {name: failure for name, failure in described if failure is not None}
    fields = collect_fields(study, outcomes, failures)
    objective = find_objective(study.metric_options, fields)
    shown = _arrange(fields, objective)
    order = list(range(len(outcomes)))
    if objective.field is not None:
        order = _ranked(objective, objective.field.values, outcomes)
    parameters = [outcome.experiment.parameters for outcome in outcomes]
    constant = varied_parameters(parameters)[1]
    return Table(
        columns=tuple(unique_headings(field.column for field in shown)),
        rows=tuple(tuple(field.values[at] for field in shown) for at in order),
        outcomes=tuple(outcomes[at] for at in order),
        constant={name: parameters[0][name] for name in constant},
        objective=objective.field.column.key if objective.field else None,
        objective_text=objective.text,
        warnings=(*objective.warnings, *_unmatched(study, outcomes), *doubts(outcomes)),
        failures=failures,
    )


def _ranked(
    objective: ObjectiveColumn, values: Sequence[Cell], outcomes: Sequence[Outcome]
) -> list[int]:
    """Return the places of the experiments: the best that has finished first.

    What has not finished may have a better number, but nobody knows its last one. It comes next,
    and what has no number at all last.
    """
    order = best_first(values, objective.mode)
    return sorted(
        order, key=lambda at: (as_number(values[at]) is None, outcomes[at].status != "finished")
    )


def _arrange(fields: Sequence[FilledColumn], objective: ObjectiveColumn) -> list[FilledColumn]:
    """Return the columns to show, the objective before the parameters."""
    shown = [
        replace(field, shown=True) if field.column.key in objective.uses else field
        for field in fields
    ]
    shown = [field for field in shown if field.shown]
    if objective.field is None:
        return shown
    rest = [field for field in shown if field.column.key != objective.field.column.key]
    if objective.field.column.group != "objective":  # a parameter stays where it is
        return [objective.field if f.column.key == objective.field.column.key else f for f in shown]
    at = sum(field.column.group == "experiment" for field in rest)
    return [*rest[:at], objective.field, *rest[at:]]


def _unmatched(study: Study, outcomes: Sequence[Outcome]) -> list[str]:
    """Return a warning for each of the user's metrics that is missing where its stage was read.

    One that failed or still runs has not come to the line that a pattern is for; it counts only
    where none has finished.
    """
    warnings = []
    outcomes = [one for one in outcomes if one.status == "finished"] or outcomes
    for metric in study.metric_options.metrics:
        read = [
            mapping(outcome.summary.get("measured")).get(metric.name)
            for outcome in outcomes
            if metric.stage in ("", *mapping(outcome.summary.get("stages"))) and outcome.summary
        ]
        missing = [mapping(one) for one in read if mapping(one).get("value") is None]
        without = len(missing)
        if without:
            notes = {str(one.get("note") or "no match") for one in missing} - {"no match"}
            many = "none" if without == len(read) else f"only {len(read) - without}"
            warnings.append(
                f"metric '{metric.name}': its pattern matched in {many} of the {len(read)} "
                + (f"logs of '{metric.stage}' that were read" if metric.stage else "experiments")
                + (f" ({min(notes)})" if notes else "")
            )
    return warnings
