"""A sweep's results as two tidy DataFrames, for notebooks and scripts."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from sweepmake.errors import InputError, suggestion
from sweepmake.logs.history_file import DAMAGES, PLACE_COLUMNS, open_history
from sweepmake.outputs.table_json import read_table_json
from sweepmake.results.table import Cell, Table

if TYPE_CHECKING:
    from os import PathLike

__all__ = ["Loaded", "load"]

_TABLE = "experiments.json"
_HISTORY = "history.csv.gz"
# the columns of a history that are no floats: an epoch can be 0.33, and any place can be empty
_TYPES = {"stage": "str", "attempt": "int32", "rank": "int32"}
_LARGEST_EXACT = 2**53  # up to here every integer is a float


class Loaded(NamedTuple):
    """What load() returns: `experiments, history = load("results")`.

    Attributes:
        experiments: a row per experiment, the best first.
        history: a row per experiment, stage, attempt, rank, epoch and step.
    """

    experiments: pd.DataFrame
    history: pd.DataFrame


def load(
    results: str | PathLike[str] = "results",
    *,
    parameters: bool | Sequence[str] = False,
    metrics: Sequence[str] | None = None,
) -> Loaded:
    """Return what a sweep has found, as two DataFrames.

    `experiments` has the columns of results/experiments.xlsx, named by the parameters, metrics and
    costs themselves ("lr", "val_loss", "train.wall_time_s"), and after them the parameters that are
    equal everywhere. Integers stay integers (Int64 where some are missing), numbers are float64,
    truth values bool or boolean, texts str; a column of several kinds is object. A missing value is
    nan, or NA. Its `attrs` hold what orders the rows, "objective" (a column, or None) and
    "objective_text", and the columns of the parameters that differ, "parameters".

    `history` is every results/<experiment>/history.csv.gz, in the order of `experiments`. The
    columns are `experiment`, the parameters if wanted, then those that docs/readers.md describes;
    `experiment` and `stage` are categories, `attempt` and `rank` integers, all else float64.

    Args:
        results: the sweep's folder of results.
        parameters: True adds the parameters that differ to `history`, a list those that it names.
            They are called as in `experiments`; but `parameter.<name>` where the history has a
            column `<name>` that is no metric. A metric of the same name is `metric.<name>`.
        metrics: the metrics to keep in `history`; None for all.

    Raises:
        InputError: there is no such folder, it holds no table yet, a file cannot be read, or a
            parameter or metric that was asked for does not exist.
    """
    folder = Path(results)
    if not folder.is_dir():
        problem = (
            "expected a folder, found a file" if folder.exists() else "there is no such folder"
        )
        raise InputError(problem, file=str(folder), hint=f"seen from {Path.cwd()}")
    if not (folder / _TABLE).is_file():
        raise InputError(
            f"there is no {_TABLE} in it yet", file=str(folder), hint="`snakemake results` makes it"
        )
    table = read_table_json(folder / _TABLE)
    experiments = _experiments(table)
    names = _wanted_parameters(table, parameters)
    history = _histories(folder, [str(name) for name in experiments["experiment"]], metrics)
    return Loaded(experiments, _with_parameters(history, experiments, names))


def _experiments(table: Table) -> pd.DataFrame:
    """Return the table as a DataFrame, constant parameters at its end."""
    numbers = {"objective", "training", "metric", "cost"}
    columns = {
        column.key: _typed([row[at] for row in table.rows], number=column.group in numbers)
        for at, column in enumerate(table.columns)
    }
    for name, value in table.constant.items():
        columns[_constant_key(table, name)] = _typed([value] * len(table.rows), number=False)
    frame = pd.DataFrame(columns)
    frame.attrs["objective"] = table.objective
    frame.attrs["objective_text"] = table.objective_text
    frame.attrs["parameters"] = [
        column.key for column in table.columns if column.group == "parameter"
    ]
    return frame


def _constant_key(table: Table, name: str) -> str:
    taken = {column.key for column in table.columns}
    while name in taken:
        name = f"parameter.{name}"
    return name


def _typed(cells: Sequence[Cell], *, number: bool) -> pd.Series:
    """Return cells as a column of the narrowest type that holds them unchanged.

    Args:
        cells: the column's cells.
        number: whether the column holds measured numbers: then it is float64 in any case.
    """
    kinds = {type(cell) for cell in cells if cell is not None}
    missing = any(cell is None for cell in cells)
    if kinds == {bool}:
        return pd.Series(cells, dtype="boolean" if missing else "bool")
    if kinds == {str}:
        return pd.Series(cells, dtype="str")
    if kinds <= {int, float} and (kinds or number):
        whole = [cell for cell in cells if isinstance(cell, int)]
        if kinds == {int} and not number and all(-(2**63) <= cell < 2**63 for cell in whole):
            return pd.Series(cells, dtype="Int64" if missing else "int64")
        if number or all(abs(cell) <= _LARGEST_EXACT for cell in whole):
            return pd.Series(cells, dtype="float64")
    return pd.Series(cells, dtype="object")


def _wanted_parameters(table: Table, wanted: bool | Sequence[str]) -> dict[str, str]:
    """Return the parameters to show beside the history: name → column of `experiments`."""
    varied = {
        column.key.removeprefix("parameter."): column.key
        for column in table.columns
        if column.group == "parameter"
    }
    if isinstance(wanted, bool):
        return varied if wanted else {}
    known = varied | {name: _constant_key(table, name) for name in table.constant}
    return {name: known[name] for name in _checked("parameters", wanted, known)}


def _checked(argument: str, wanted: Sequence[str], known: Collection[str]) -> Sequence[str]:
    """Return the names as they are, if all of them exist."""
    _check_list(argument, wanted)
    for name in wanted:
        if name not in known:
            hint = suggestion(name, tuple(known))
            raise InputError(f"{argument}: no experiment has {name!r}", hint=hint)
    return wanted


def _check_list(argument: str, names: Sequence[str]) -> None:
    """Refuse "loss", which Python takes for the list of its letters."""
    if isinstance(names, str):
        raise InputError(
            f"{argument}={names!r}: expected a list of names", hint=f"{argument}=[{names!r}]"
        )


def _histories(folder: Path, names: Sequence[str], metrics: Sequence[str] | None) -> pd.DataFrame:
    """Return the histories of the experiments that have one, below each other."""
    if metrics is not None:
        _check_list("metrics", metrics)
    seen = dict.fromkeys(PLACE_COLUMNS)
    frames: dict[str, pd.DataFrame] = {}
    for name in names:
        frame = _read_history(folder / name / _HISTORY, metrics, seen)
        if frame is not None:
            frames[name] = frame
    known = [column for column in seen if column not in PLACE_COLUMNS]
    order = [*PLACE_COLUMNS, *(known if metrics is None else _checked("metrics", metrics, known))]
    if not frames:
        empty = {name: pd.Series(dtype=_TYPES.get(name, "float64")) for name in order}
        return pd.DataFrame({"experiment": pd.Series(dtype="category"), **empty})
    every = pd.concat(frames.values(), ignore_index=True).reindex(columns=order)
    every["stage"] = every["stage"].astype("category")
    codes = np.repeat(np.arange(len(frames)), [len(frame) for frame in frames.values()])
    every.insert(0, "experiment", pd.Categorical.from_codes(codes, categories=list(frames)))
    return every


def _read_history(
    path: Path, metrics: Sequence[str] | None, seen: dict[str, None]
) -> pd.DataFrame | None:
    """Return one experiment's history, None where there is none (no log of it was read yet).

    Args:
        path: the file.
        metrics: the metrics to keep; None for all.
        seen: gets the names of all columns, in their order.
    """

    try:
        with open_history(path) as history:
            if not history.begins_well:
                raise ValueError(f"expected columns that begin with {','.join(PLACE_COLUMNS)}")
            seen.update(dict.fromkeys(history.columns))
            wanted = [
                name
                for name in history.columns
                if metrics is None or name in metrics or name in PLACE_COLUMNS
            ]
            types = {name: _TYPES.get(name, "float64") for name in wanted}
            return pd.read_csv(history.whole(), usecols=wanted, dtype=types)
    except FileNotFoundError:
        return None
    except DAMAGES as error:
        raise _broken(path, error) from error


def _broken(path: Path, error: Exception) -> InputError:
    """Return the error for a history that cannot be read."""
    reason = " ".join(str(error).split()) or type(error).__name__
    return InputError(
        f"the history of {path.parent.name} cannot be read: {reason}",
        file=str(path),
        hint="delete the file; `snakemake results` makes it again from the logs",
    )


def _with_parameters(
    history: pd.DataFrame, experiments: pd.DataFrame, parameters: Mapping[str, str]
) -> pd.DataFrame:
    """Return the history with parameters beside the experiment's name."""
    if not parameters:
        return history
    rows = pd.Index(experiments["experiment"]).get_indexer(history["experiment"].astype("str"))
    places = {"experiment", *PLACE_COLUMNS}
    added = {
        f"parameter.{name}" if name in places else key: experiments[key].take(rows).array
        for name, key in parameters.items()
    }
    logged = history.iloc[:, 1:].rename(columns={name: f"metric.{name}" for name in added})
    return pd.concat([history[["experiment"]], pd.DataFrame(added), logged], axis="columns")
