"""Experiments in a folder of logs that Sweepmake did not make.

Folders are listed and small `param` files are read. Nothing is written there, no file is locked,
and no log is opened. What is recognised, in this order:

    layout                    an experiment is
    mlrunner, Sweepmake       a folder with `param` or `log.<stage>.<YYYYmmdd.HHMMSS>`
    the same with no_subdir   `log.<stage>.<time>.<name>` and `param.<name>`, many in one folder
    Training Log Wizard       `<name>/<name>.log`, parameters in the name
    one folder each           a folder with one log, or with logs called train, test, …
    one file each             each log of a folder with several others

With a regular expression, that alone says which files are logs, and of what.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from sweepmake.elsewhere.files import FoundExperiment, check_folder, make_experiment, walk
from sweepmake.elsewhere.layouts import find_runs
from sweepmake.elsewhere.patterns import find_matches
from sweepmake.errors import InputError
from sweepmake.natural_order import natural_key
from sweepmake.runs.experiment import Experiment

__all__ = ["find_experiments", "keep_out"]

_LOOKED_FOR = (
    "log.<stage>.<time> or param (mlrunner), <name>/<name>.log (Training Log Wizard), "
    "*.log, *.out and log* files"
)


def find_experiments(
    folder: str, names: str | None = None
) -> tuple[tuple[Experiment, ...], tuple[str, ...]]:
    """Return the experiments of a folder, sorted by name as people sort, and all their stages.

    Args:
        folder: the folder; the paths of the logs begin with it as it is given.
        names: a regular expression that is matched against the whole path of every file, relative
            to the folder and with `/` between. Its named groups are parameters; `stage` is the
            stage, `experiment` the experiment's name.

    Raises:
        InputError: there is no such folder, it cannot be listed or is empty, it holds no log, the
            expression cannot be used, or two experiments have one name.
    """
    check_folder(folder)
    tree = walk(folder)
    drafts = find_matches(tree, names) if names is not None else find_runs(tree)
    if not drafts:
        files = sum(len(listing.files) for listing in tree.values())
        if not files:
            raise InputError(f"logs: there is no file in the folder '{folder}'")
        raise InputError(
            f"logs: no experiment in the folder '{folder}': none of its {files} files is one of "
            f"{_LOOKED_FOR}",
            hint="logs: {folder: …, names: …} says with a regular expression what your logs are",
        )
    _refuse_twins(drafts)
    experiments = [
        make_experiment(draft) for draft in sorted(drafts, key=lambda d: natural_key(d.name))
    ]
    stages = _merged(experiment.stages for experiment in experiments)
    ordered = (
        replace(experiment, stages=tuple(sorted(experiment.stages, key=stages.index)))
        for experiment in experiments
    )
    return tuple(ordered), stages


def keep_out(folder: str, results: str, experiments: Sequence[Experiment]) -> None:
    """Raise InputError where results would be written into the folder of logs."""
    inside = os.path.realpath(folder)
    for path in (results, *(f"{results}/{experiment.name}" for experiment in experiments)):
        if Path(os.path.realpath(path)).is_relative_to(inside):
            raise InputError(
                f"config: the results would go to '{path}', which lies in the folder of logs "
                f"'{folder}': nothing is written there",
                hint="choose a folder outside of it: --config results=FOLDER",
            )


def _refuse_twins(drafts: Iterable[FoundExperiment]) -> None:
    known: dict[str, FoundExperiment] = {}
    for draft in drafts:
        twin = known.setdefault(draft.name, draft)
        if twin is not draft:
            raise InputError(
                f"logs: two experiments have one name, '{draft.name}': "
                f"{twin.place} and {draft.place}",
                hint="move one, or tell them apart with a group (?P<experiment>…) in `names`",
            )


def _merged(chains: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """Return all stages in an order that follows the experiments' own where these agree."""
    order: list[str] = []
    for chain in chains:
        at = 0
        for stage in chain:
            if stage not in order:
                order.insert(at, stage)
            at = order.index(stage) + 1
    return tuple(order)
