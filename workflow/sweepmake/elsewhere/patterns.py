"""Experiments in any layout, told apart by one regular expression with named groups."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from sweepmake.elsewhere.files import FoundExperiment, Listing
from sweepmake.elsewhere.names import DEFAULT_STAGE, name_of_path, read_value, stage_key
from sweepmake.errors import InputError
from sweepmake.params.naming import Value
from sweepmake.patience import Patience, TooSlowError

__all__ = ["find_matches"]

_SPECIAL = ("stage", "experiment")
_SUFFIX = re.compile(r"\.[A-Za-z]\w{0,5}\Z")
_SEAMS = "-_. "
_SECONDS = 60  # of processor time


def find_matches(tree: Mapping[str, Listing], names: str) -> list[FoundExperiment]:
    """Return the experiments whose logs' whole paths match a regular expression.

    Logs of one experiment are those with one name; they differ in their stages.

    Args:
        tree: the folders, by their places below the one that was named.
        names: the expression; see sweepmake.elsewhere.find_experiments.

    Raises:
        InputError: the expression is not valid, takes too long, matches no file, or gives two logs
            of one stage, or two sets of parameters, to one experiment.
    """
    try:
        pattern = re.compile(names)
    except re.error as error:
        raise InputError(f"logs: names is no regular expression: {names!r}: {error}") from error
    paths = [listing.join(file) for listing in tree.values() for file in listing.files]
    try:
        with Patience(_SECONDS):
            matches = [found for found in map(pattern.fullmatch, paths) if found]
    except TooSlowError as late:
        raise InputError(
            f"logs: names took longer than {_SECONDS} s on the {len(paths)} files in the folder "
            f"'{tree[''].path}': {names!r}",
            hint="nested repeats, such as (a+)+, take forever",
        ) from late
    if not matches:
        folder = tree[""].path
        example = f", such as '{paths[0]}'" if paths else ""
        raise InputError(
            f"logs: names matches none of the {len(paths)} files in the folder '{folder}'{example}:"
            f" {names!r}",
            hint="it must match the whole path below that folder; .* stands for anything",
        )
    same_file = len(matches) > 1 and len({Path(m[0]).name for m in matches}) == 1
    found: dict[str, list[re.Match[str]]] = defaultdict(list)
    for match in matches:
        found[_name(match, tree, same_file=same_file)].append(match)
    return [_draft(name, group, tree) for name, group in found.items()]


def _group(match: re.Match[str], group: str) -> str | None:
    return match.groupdict().get(group) or None


def _name(match: re.Match[str], tree: Mapping[str, Listing], *, same_file: bool) -> str:
    """Return the experiment's name: as the pattern says, else the path without stage and suffix."""
    if given := _group(match, "experiment"):
        return name_of_path(given)
    path = match[0]
    if _group(match, "stage"):
        start, end = match.span("stage")
        path = f"{path[:start].rstrip(_SEAMS)}{path[end:]}"
        path = _SUFFIX.sub("", path)
    elif same_file and "/" in path:
        path = str(Path(path).parent)
    else:
        path = _SUFFIX.sub("", path)
    path = path.strip(_SEAMS + "/")
    return name_of_path(path or Path(tree[""].path).resolve().name)


def _draft(
    name: str, matches: Sequence[re.Match[str]], tree: Mapping[str, Listing]
) -> FoundExperiment:
    """Return the experiment to which these logs belong."""
    logs: dict[str, tuple[str, ...]] = {}
    parameters: dict[str, Value] = {}
    first: dict[str, str] = {}
    root = tree[""]
    for match in matches:
        stage = name_of_path(_group(match, "stage") or DEFAULT_STAGE)
        path = f"{root.path.rstrip('/')}/{match[0]}"
        if stage in logs:
            raise InputError(
                f"logs: two experiments have one name, '{name}', or one has two logs of the stage "
                f"'{stage}': {logs[stage][0]} and {path}",
                hint="a group (?P<experiment>…) or (?P<stage>…) in `names` tells them apart",
            )
        logs[stage] = (path,)
        for key, text in match.groupdict().items():
            if key in _SPECIAL or text is None:
                continue
            if first.setdefault(key, text) != text:
                raise InputError(
                    f"logs: two experiments have one name, '{name}': {key} is '{first[key]}' in "
                    f"{next(iter(logs.values()))[0]} and '{text}' in {path}",
                    hint="let the group (?P<experiment>…) in `names` take in what differs",
                )
            parameters[key] = read_value(text)
    place = next(iter(logs.values()))[0]
    ordered = {stage: logs[stage] for stage in sorted(logs, key=stage_key)}
    return FoundExperiment(name, place, str(Path(place).parent), parameters, ordered)
