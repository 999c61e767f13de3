"""Folders listed, and what is found in them put together as experiments: nothing is changed."""

from __future__ import annotations

import os
import reprlib
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from sweepmake.elsewhere.names import DEFAULT_STAGE, read_value
from sweepmake.errors import InputError
from sweepmake.params.naming import Value
from sweepmake.runs.experiment import Experiment

__all__ = [
    "FoundExperiment",
    "Listing",
    "Param",
    "check_folder",
    "make_experiment",
    "read_param",
    "walk",
]

_MOST_FILES = 2_000_000
_DEEPEST = 30  # folders below the one that was named; what lies deeper is not looked at
_LONGEST_PARAM = 1 << 20  # bytes
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_short = reprlib.Repr()
_short.maxlevel, _short.maxlist, _short.maxdict, _short.maxstring = 2, 200, 200, 200


@dataclass(frozen=True, slots=True)
class Listing:
    """What lies in one folder, hidden things left out, sorted.

    Attributes:
        path: its path, beginning with the folder that was named.
        below: its path below that folder, "" for that one itself.
        files: names of what is no folder: files, links that lead nowhere, pipes.
        folders: names of the folders that were listed, too.
        has_records: whether it has the folder of Sweepmake's records.
        problem: why it could not be listed, or "".
    """

    path: str
    below: str
    files: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    has_records: bool = False
    problem: str = ""

    def join(self, name: str) -> str:
        """Return the place of something in this folder, below the folder that was named."""
        return f"{self.below}/{name}" if self.below else name


@dataclass(frozen=True, slots=True)
class FoundExperiment:
    """An experiment as it was found, before its logs were looked at.

    Attributes:
        name: its name.
        place: the folder or file that it was found as, for messages.
        folder: the folder of its logs.
        parameters: its parameters.
        logs: stage → paths of the logs of its newest run, oldest first; in the stages' order.
        problem: why it cannot be read, where that is known already.
    """

    name: str
    place: str
    folder: str
    parameters: Mapping[str, Value]
    logs: Mapping[str, tuple[str, ...]]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Param:
    """A `param` file: the parameters, the stages as the file lists them, and what is wrong.

    Attributes:
        parameters: name → value.
        stages: the stages of `_scripts`, in its order.
        problem: why it cannot be read, or "".
        scripts: stage → the command that it was run with, and around it what its runner added.
    """

    parameters: Mapping[str, Value] = field(default_factory=dict)
    stages: tuple[str, ...] = ()
    problem: str = ""
    scripts: Mapping[str, str] = field(default_factory=dict)


def check_folder(folder: str) -> None:
    """Raise InputError where there is no such folder."""
    if not Path(folder).is_dir():
        if os.path.lexists(folder):
            raise InputError(f"logs: '{folder}' is a file, expected a folder of experiments")
        hint = "a path is taken from the folder in which you work"
        if read_value(folder) != folder:
            hint = f"Snakemake changes numbers on its command line: write logs=./{folder} there"
        if folder.startswith("{"):
            hint = (
                "a mapping that is no YAML is taken for a text: write names: '…' in single quotes"
            )
        raise InputError(f"logs: there is no folder '{folder}'", hint=hint)


def walk(folder: str) -> dict[str, Listing]:
    """Return every folder from the named one downwards, by its place below that.

    A link to a folder is followed where it leads out of the named folder, once.

    Raises:
        InputError: the folder itself cannot be listed, or there are too many files.
    """
    root = os.path.realpath(folder)
    tree: dict[str, Listing] = {}
    seen = {root}
    waiting = [("", 0)]
    count = 0
    while waiting:
        below, depth = waiting.pop()
        path = f"{folder.rstrip('/')}/{below}" if below else folder
        listing, links = _list(path, below)
        if not below and listing.problem:
            raise InputError(f"logs: the folder '{folder}' {listing.problem}")
        count += len(listing.files) + len(listing.folders)
        if count > _MOST_FILES:
            raise InputError(
                f"logs: the folder '{folder}' holds more than {_MOST_FILES:,} files",
                hint="name the folder of the experiments alone",
            )
        followed = []
        for name in listing.folders if depth < _DEEPEST else ():
            if name in links:
                target = os.path.realpath(f"{path}/{name}")
                if target in seen or f"{target}/".startswith(f"{root.rstrip('/')}/"):
                    continue
                seen.add(target)
            followed.append(name)
        tree[below] = Listing(path, below, listing.files, tuple(followed), listing.has_records,
                              listing.problem)  # fmt: skip
        waiting += [(listing.join(name), depth + 1) for name in reversed(followed)]
    return tree


def _list(path: str, below: str) -> tuple[Listing, set[str]]:
    """Return what lies in a folder, and which of its folders are links."""
    try:
        with os.scandir(path) as entries:
            found = {entry.name: (_is_folder(entry), entry.is_symlink()) for entry in entries}
    except OSError as error:
        return Listing(path, below, problem=_unreadable(error)), set()
    shown = sorted(name for name in found if not name.startswith("."))
    folders = tuple(name for name in shown if found[name][0])
    files = []
    for name in shown:
        is_folder, is_link = found[name]
        if is_folder:
            continue
        if is_link and _points_beside(path, name, found):
            continue  # "latest" → the newest log
        files.append(name)
    links = {name for name in folders if found[name][1]}
    has_records = found.get(".sweepmake", (False, False))[0]
    return Listing(path, below, tuple(files), folders, has_records), links


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False  # a link that leads to itself


def _points_beside(path: str, name: str, found: Mapping[str, object]) -> bool:
    """Return whether a link is another name of a file in the same folder."""
    target = os.path.realpath(f"{path}/{name}")
    head, tail = os.path.split(target)
    return tail != name and tail in found and head == os.path.realpath(path)


def _unreadable(error: OSError) -> str:
    return f"cannot be read: {error.strerror or error}"


def read_param(path: str) -> Param:
    """Return what a `param` file says; a value that is a list becomes its text.

    Keys that begin with "_" are no parameters. mlrunner 0.5.9 and Sweepmake write it; both sort
    `_scripts` by name, so the order of the stages is trusted only where it is another.
    """
    try:
        at = Path(path)
        if not stat.S_ISREG(at.stat().st_mode):
            return Param(problem="param cannot be read: it is no file")
        with at.open("rb") as file:
            text = file.read(_LONGEST_PARAM + 1)
    except OSError as error:
        return Param(problem=f"param {_unreadable(error)}")
    if len(text) > _LONGEST_PARAM:
        return Param(problem="param cannot be read: it is longer than 1 MiB")
    try:
        found = yaml.load(text.decode("utf-8", "replace"), Loader=_Loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        return Param(problem=f"param cannot be read: it is no YAML ({first})")
    if not isinstance(found, dict):
        return Param(problem="" if found is None else "param cannot be read: it is no mapping")
    parameters = {
        str(key): _plain(value) for key, value in found.items() if not str(key).startswith("_")
    }
    listed = found.get("_scripts")
    scripts = (
        {str(key): str(text) for key, text in listed.items()} if isinstance(listed, dict) else {}
    )
    return Param(parameters, tuple(scripts), scripts=scripts)


def _plain(value: object) -> Value:
    if isinstance(value, str):
        # YAML 1.1, which mlrunner reads, takes 1e-05 for a text
        number = read_value(value) if "e" in value.lower() else value
        return number if isinstance(number, float) else value
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, list | dict):
        return _short.repr(value)
    return str(value)


def make_experiment(draft: FoundExperiment) -> Experiment:
    """Return the experiment of a draft, with what is wrong with its logs."""
    problem = draft.problem
    logs: dict[str, tuple[str, ...]] = {}
    empty: dict[str, tuple[str, ...]] = {}
    found = draft.logs or {DEFAULT_STAGE: ()}
    for stage, paths in found.items():
        states = {path: _state(path) for path in paths}
        problem = problem or next((s for s in states.values() if s not in ("", "empty log")), "")
        readable = tuple(path for path, state in states.items() if state in ("", "empty log"))
        if any(state == "" for state in states.values()):
            logs[stage] = readable
        elif readable:
            empty[stage] = readable
    why = draft.problem if logs else problem or ("empty log" if empty else "no log")
    return Experiment(
        name=draft.name,
        parameters=draft.parameters,
        folder=draft.folder,
        records="",
        stages=tuple(found),
        logs={stage: logs.get(stage, ()) or empty.get(stage, ()) for stage in found},
        problem=why,
    )


def _state(path: str) -> str:
    """Return "" for a log that can be read, else why not; it is not opened."""
    try:
        found = Path(path).stat()
    except OSError as error:
        return _unreadable(error)
    if stat.S_ISDIR(found.st_mode):
        return "cannot be read: it is a folder"
    if not stat.S_ISREG(found.st_mode):
        return "cannot be read: it is no file"
    if not os.access(path, os.R_OK):
        return "cannot be read: Permission denied"
    return "" if found.st_size else "empty log"
