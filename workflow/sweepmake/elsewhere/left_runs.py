"""Which runs that mlrunner finished a sweep keeps, and which of its folders it does not touch.

It is found out when the sweep is planned, and nothing is written. A run is adopted if its command
in `param` has today's words. Where it has others, nothing starts in that folder without the user's
word (`mlrunner` in config.yaml).
"""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from sweepmake.elsewhere.files import Param, read_param
from sweepmake.elsewhere.left_stages import judge
from sweepmake.elsewhere.mlrunner import (
    Left,
    living_writers,
    mlrunner_name,
    read_left,
    read_shared,
    read_states,
)
from sweepmake.elsewhere.names import name_of_path
from sweepmake.errors import InputError, in_words
from sweepmake.kept_folders import Kept
from sweepmake.params.naming import Value
from sweepmake.params.sweep import PlannedExperiment, read_sweep
from sweepmake.plan import RECORDS, Plan

__all__ = ["look"]

_YES = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def look(plan: Plan) -> Plan:
    """Return the plan with what mlrunner left in its output folder: runs to adopt, folders to keep.

    Raises:
        InputError: a folder of mlrunner's cannot be listed.
    """
    try:
        if plan.config.no_subdir:
            return _settled(plan, _shared(plan), {})
        return _look(plan, _folders(plan.config.output))
    except OSError as error:
        raise InputError(f"what mlrunner left cannot be read: {in_words(error)}") from error


def _look(plan: Plan, there: frozenset[str]) -> Plan:
    waiting = [name for name in plan.experiments if not _is_done(plan, name, there)]
    left = {name: one for name in waiting if name in there and (one := _own(plan, name))}
    homeless = [
        name
        for name in waiting
        if name not in left and not (name in there and Path(plan.records(name)).exists())
    ]
    strangers = _strangers(plan, there) if homeless else {}
    unfit = _without_choices(plan, homeless) if homeless else {}
    if not left and not strangers:
        return _settled(plan, {}, _on_word(plan, {}, unfit))
    unclear = _ambiguous(plan, [*left, *homeless], {*left, *strangers})
    matched, unnamed = _match(plan, [name for name in homeless if name not in unclear], strangers)
    plan = _renamed(plan, matched)
    left |= {name: one for name in matched.values() if (one := _own(plan, name))}
    left = {name: one for name, one in left.items() if name not in unclear}
    return _settled(plan, left, _on_word(plan, unclear, {**unfit, **unnamed}))


def _on_word(plan: Plan, unclear: Mapping[str, str], unfit: Mapping[str, str]) -> dict[str, str]:
    """Return what is held back under the user's word: what cannot be kept also with `keep`."""
    word = plan.config.mlrunner
    return {**(unclear if word == "match" else {}), **(unfit if word != "again" else {})}


def _without_choices(plan: Plan, homeless: Sequence[str]) -> dict[str, str]:
    """Return why an experiment without choices is held: mlrunner runs it in the output folder."""
    names = [name for name in homeless if not plan.experiments[name].choices]
    if not names or "finished" not in read_states(plan.config.output).values():
        return {}
    why = "mlrunner ran it in the output folder itself: move its files into this folder"
    return dict.fromkeys(names, why)


def _folders(output: str) -> frozenset[str]:
    """Return the names of the folders in the output folder, without hidden ones."""
    try:
        with os.scandir(output) as entries:
            return frozenset(e.name for e in entries if e.name[0] != "." and e.is_dir())
    except (FileNotFoundError, NotADirectoryError):
        return frozenset()


def _is_done(plan: Plan, name: str, there: frozenset[str]) -> bool:
    """Return whether nothing of an experiment is to be started, and its records are our own.

    It looks at the files that Snakemake looks at next, and so costs next to nothing.
    """
    if name not in there or not _is_settled(plan, name):
        return False
    stages = plan.experiments[name].stages
    return all(os.path.exists(plan.marker(name, stage)) for stage in stages)  # noqa: PTH110


def _is_settled(plan: Plan, name: str) -> bool:
    """Return whether no command has changed since an experiment's runs were adopted, if any was."""
    known = plan.kept.adopted.get(name)
    return known is None or known == _digest(plan, name)


def _digest(plan: Plan, name: str) -> str:
    """Return a hash of the commands that an experiment's stages have now, selected or not."""
    commands = []
    for stage in plan.sweep.stages:
        try:
            commands.append("{_time}".join(plan.command(name, stage.name)))
        except InputError:
            commands.append("")  # of a stage that is not selected, and lacks a parameter
    return hashlib.sha256("\0".join(commands).encode("utf-8", "backslashreplace")).hexdigest()[:16]


def _own(plan: Plan, name: str) -> Left | None:
    """Return what mlrunner left in the folder that an experiment has by its name."""
    folder = plan.folder(name)
    states = read_states(folder)
    records = plan.records(name)
    if any(
        state in ("finished", "running") and not os.path.exists(f"{records}/{stage}.json")  # noqa: PTH110
        for stage, state in states.items()
    ):
        return read_left(folder, states)
    return None if _is_settled(plan, name) else Left(folder, states, Param(), {})


def _strangers(plan: Plan, there: frozenset[str]) -> dict[str, Param]:
    """Return folder → `param` of mlrunner's folders that no experiment has by its name."""
    found = {}
    for folder in sorted(there - plan.experiments.keys()):
        path = Path(plan.config.output, folder)
        if (folder in plan.kept.adopted or not (path / RECORDS).exists()) and (
            read_states(str(path))
        ):
            found[folder] = read_param(str(path / "param"))
    return found


def _ambiguous(plan: Plan, names: Iterable[str], folders: set[str]) -> dict[str, str]:
    """Return experiment → why it is held, of those that mlrunner gave one folder.

    It ran the first of them, and skipped the others; `param` tells the last. With the user's word
    to keep them, the one that `param` tells has the run.
    """
    if plan.config.mlrunner == "keep":
        return {}
    sharing: dict[str, list[str]] = defaultdict(list)
    for one in _whole_sweep(plan):
        sharing[mlrunner_name(one.choices)].append(one.name)
    known = set(names)
    return {
        name: f"mlrunner gave {len(all_of_it)} experiments the folder '{folder}', and ran one"
        for folder, all_of_it in sharing.items()
        if len(all_of_it) > 1 and folder in folders
        for name in all_of_it
        if name in known
    }


def _whole_sweep(plan: Plan) -> Sequence[PlannedExperiment]:
    """Return all experiments of the params.yaml, also those that are not selected now."""
    if not (plan.config.title or plan.config.sample):
        return plan.sweep.experiments
    try:
        return read_sweep(plan.config.params).experiments
    except InputError:
        return plan.sweep.experiments  # what is not selected is wrong, or too much


def _match(
    plan: Plan, homeless: Sequence[str], strangers: Mapping[str, Param]
) -> tuple[dict[str, str], dict[str, str]]:
    """Return (experiment → the folder with its parameters, experiment → why it cannot have it)."""
    folders: dict[object, list[str]] = defaultdict(list)
    for folder, param in strangers.items():
        if param.parameters:
            folders[_key(param.parameters)].append(folder)
    matched: dict[str, str] = {}
    unfit: dict[str, str] = {}
    for name in homeless:
        one = plan.experiments[name]
        free = folders.get(_key(one.parameters))
        if not free:
            continue
        usual = mlrunner_name(one.choices)
        folder = usual if usual in free else free[0]
        free.remove(folder)
        if name_of_path(folder) == folder:
            matched[name] = folder
        else:
            unfit[name] = f"mlrunner's folder '{folder}' has a name that Snakemake cannot take"
    return matched, unfit


def _key(parameters: Mapping[str, Value]) -> frozenset[tuple[str, Value]]:
    """Return what makes parameters equal, whichever YAML has read them: 1e-4, "1e-4", yes, true."""
    return frozenset((name, _value(value)) for name, value in parameters.items())


def _value(value: Value) -> Value:
    if isinstance(value, bool) or value is None:
        return str(value)
    if isinstance(value, str):
        if value.lower() in _YES:
            return str(_YES[value.lower()])
        try:
            return float(value)
        except ValueError:
            return value
    try:
        return float(value)
    except OverflowError:
        return hex(int(value))


def _renamed(plan: Plan, matched: Mapping[str, str]) -> Plan:
    """Return the plan in which experiments have the names of the folders that they keep."""
    if not matched:
        return plan
    names = {**plan.kept.names, **matched}
    return plan.keeping(replace(plan.kept, names=names))


def _shared(plan: Plan) -> dict[str, Left]:
    """Return experiment → what mlrunner left of it in the folder that all of them share."""
    found = read_shared(plan.config.output)
    shared = {}
    for name, one in plan.experiments.items() if found else ():
        usual = mlrunner_name(one.choices)
        left = found.get(name if name in found else usual)
        new = not _is_settled(plan, name) or not Path(plan.records(name)).exists()
        if left is not None and new:
            shared[name] = left
    return shared


def _settled(plan: Plan, left: Mapping[str, Left], held: Mapping[str, str]) -> Plan:
    """Return the plan with what is to be adopted, and what is held back.

    Args:
        plan: the plan, its experiments under their final names.
        left: experiment → what mlrunner left of it.
        held: experiment → why it is held back whatever its commands are.
    """
    known = plan.kept
    writers = cache(living_writers)
    judged = {
        name: judge(plan, name, one, writers) for name, one in left.items() if name not in held
    }
    reasons = {**held, **{name: one.reason for name, one in judged.items() if one.reason}}
    before = {name: why for name, why in known.held.items() if name not in plan.experiments}
    adopted = {name: digest for name, digest in known.adopted.items() if name not in judged}
    adopted |= {
        name: "" if one.reason or one.again else _digest(plan, name)
        for name, one in judged.items()
        if one.adopted
    }
    found = {name: one.found for name, one in judged.items() if one.found}
    kept = Kept(
        names=known.names,
        adopted=adopted,
        held={**before, **reasons},
        found=found,
        again=tuple((name, stage) for name, one in judged.items() for stage in one.again),
    )
    return plan if kept == known else plan.keeping(kept)
