"""Experiments in the layouts that are known without being told: mlrunner's, the Wizard's, plain."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from sweepmake.elsewhere.files import FoundExperiment, Listing, Param, read_param
from sweepmake.elsewhere.names import (
    DEFAULT_STAGE,
    STAGES,
    name_of_path,
    parameters_of_name,
    parameters_of_path,
    stage_key,
)
from sweepmake.params.naming import Value
from sweepmake.runs.newest_logs import newest_logs

__all__ = ["find_runs"]

# log.train.20220517.074342, and with no_subdir log.train.20220517.074342.Lr_0.1-Seed_0
_RUN_LOG = re.compile(r"log\.(?P<stage>.+?)\.(?P<time>[0-9]{8}\.[0-9]{6})(?:\.(?P<name>.+))?")
_LOG = re.compile(
    r".+\.(?:log|out|o[0-9]+)"  # train.log, slurm-17.out, job.o4711
    r"|(?:stdout|output|logfile|(?:.*[._-])?logs?)(?:\.log)?\.txt"  # log.txt, train_log.txt
    r"|stdout|logfile|logs?(?:[._-].*)?",  # log, log.train, log_1
    re.IGNORECASE,
)
_SUFFIX = re.compile(r"(?:\.(?:log|out|txt|o[0-9]+))+\Z", re.IGNORECASE)
_NO_LOG = re.compile(  # what may begin with "log" and is something else
    r"a\.out|.*\.(?:json|jsonl|csv|tsv|ya?ml|md|html?|pdf|png|jpe?g|svg|gz|zip|xz|bz2|zst|tar|npy|"
    r"npz|pt|pth|pkl|h5|db|py|sh|ipynb|xlsx?)",
    re.IGNORECASE,
)
_SCHEDULER = re.compile(r"(?:slurm-.*|nohup)\.out|.*\.o[0-9]+", re.IGNORECASE)
_ANY_LOG = re.compile(r"(?:logs?|logfile|stdout|output)?", re.IGNORECASE)
_OUR_RESULTS = {"metrics.json", "history.csv.gz"}


def find_runs(tree: Mapping[str, Listing]) -> list[FoundExperiment]:
    """Return the experiments of a folder.

    Below a folder that is an experiment nothing is looked for. Logs directly in the named folder
    count only where the folders in it hold no experiment: else they are those of whatever started
    these.

    Args:
        tree: the folders, by their places below the one that was named.
    """
    return _search(tree[""], tree)


def _search(listing: Listing, tree: Mapping[str, Listing]) -> list[FoundExperiment]:
    """Return the experiments in a folder and below it."""
    if _OUR_RESULTS.issubset(listing.files) and "param" not in listing.files:
        return []  # what was made of an experiment, not the experiment
    if listing.problem:
        return [_draft(listing, {}, problem=listing.problem)]
    runs = _runs([*listing.files, *listing.folders])
    found = [*_runner_folder(listing, runs.pop("", {})), *_shared_folder(listing, runs)]
    if any(any(draft.logs.values()) for draft in found):
        return found
    plain = [] if found else _plain_logs(listing)
    if plain and listing.below:
        return plain
    below = [draft for name in listing.folders for draft in _search(tree[listing.join(name)], tree)]
    return below + _without_logs(listing, below, tree) if below else found + plain


def _without_logs(
    listing: Listing, found: Sequence[FoundExperiment], tree: Mapping[str, Listing]
) -> list[FoundExperiment]:
    """Return the folders beside experiments that look like experiments and hold no log.

    Those are folders whose names list parameters as the others' do, and folders without any file.
    """
    places = {draft.place for draft in found}
    beside = [tree[listing.join(name)] for name in listing.folders]
    if not any(one.path in places for one in beside):
        return []
    above = {str(parent) for place in places - {one.path for one in beside}
             for parent in Path(place).parents}  # fmt: skip
    return [
        _draft(one, {})
        for one in beside
        if one.path not in places
        and str(Path(one.path)) not in above
        and (parameters_of_name(Path(one.below).name) or not _has_file(one, tree))
    ]


def _has_file(listing: Listing, tree: Mapping[str, Listing]) -> bool:
    below = (tree[listing.join(name)] for name in listing.folders)
    return bool(listing.files) or any(_has_file(one, tree) for one in below)


def _runner_folder(listing: Listing, runs: Mapping[str, list[str]]) -> list[FoundExperiment]:
    """Return the experiment of a folder in mlrunner's layout: none or one."""
    param = read_param(f"{listing.path}/param") if "param" in listing.files else None
    if not runs and param is None:
        return []
    logs = _newest(listing, runs, "", param)
    if not runs:
        plain = _stages_of([file for file in listing.files if _is_log(file)])
        logs.update({stage: (f"{listing.path}/{file}",) for stage, file in plain.items()})
    return [_draft(listing, logs, param=param)]


def _shared_folder(
    listing: Listing, runs: Mapping[str, Mapping[str, list[str]]]
) -> list[FoundExperiment]:
    """Return the experiments that share a folder (mlrunner --no-subdir), their names in its files'.

    log.train.20220517.074342.Lr_0.1-Seed_0, param.Lr_0.1-Seed_0
    """
    if not runs:
        return []
    params = [file.removeprefix("param.") for file in listing.files if file.startswith("param.")]
    drafts = []
    for name in dict.fromkeys([*runs, *params]):
        param = read_param(f"{listing.path}/param.{name}") if name in params else None
        logs = _newest(listing, runs.get(name, {}), f".{name}", param)
        drafts.append(_draft(listing, logs, param=param, inner=name))
    return drafts


def _runs(files: Sequence[str]) -> dict[str, dict[str, list[str]]]:
    """Return name → stage → times of the logs in mlrunner's layout, "" for no name."""
    runs: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for file in files:
        if match := _RUN_LOG.fullmatch(file):
            runs[match["name"] or ""][match["stage"]].append(match["time"])
    return runs


def _newest(
    listing: Listing, stages: Mapping[str, list[str]], suffix: str, param: Param | None
) -> dict[str, tuple[str, ...]]:
    """Return stage → the logs of its newest run, the stages in their order.

    They ran in the order of their first logs' times, unless `param` knows better.
    """
    names = list(stages)
    names += [stage for stage in (param.stages if param else ()) if stage not in stages]
    known = list(param.stages) if param and list(param.stages) != sorted(param.stages) else []

    def place(stage: str) -> tuple[int, str, tuple[int, str]]:
        at = known.index(stage) if stage in known else len(known)
        return at, min(stages.get(stage, ["~"])), stage_key(stage)

    logs: dict[str, tuple[str, ...]] = {}
    for stage in sorted(names, key=place):
        times = stages.get(stage, [])
        logs[stage] = tuple(f"{listing.path}/log.{stage}.{max(times)}{suffix}" for _ in times[:1])
        if listing.has_records and times:
            records = Path(listing.path, ".sweepmake", suffix.removeprefix("."))
            attempts = newest_logs(Path(listing.path), records, stage, suffix)
            logs[stage] = tuple(map(str, attempts)) or logs[stage]
    return logs


def _plain_logs(listing: Listing) -> list[FoundExperiment]:
    """Return the experiments of a folder's *.log, *.out and log* files."""
    base = Path(listing.below).name
    for own in (f"{base}.log", f"{base}.out", f"{base}.txt"):
        if base and own in (*listing.files, *listing.folders):
            return [_draft(listing, {DEFAULT_STAGE: (f"{listing.path}/{own}",)})]
    files = [file for file in listing.files if _is_log(file)]
    if not all(_SCHEDULER.fullmatch(file) for file in files):
        # what a scheduler wrote beside a program's own log is the same once more, or nothing
        files = [file for file in files if not _SCHEDULER.fullmatch(file)]
    stages = {file: _stage_of(file) for file in files}
    known = [stage for stage in stages.values() if stage]
    if files and len(set(known)) == len(files):
        ordered = sorted(files, key=lambda file: stage_key(stages[file] or ""))
        return [_draft(listing, {stages[f] or "": (f"{listing.path}/{f}",) for f in ordered})]
    if len(files) == 1 and base and not _lists_more(files[0], base):
        return [_draft(listing, {DEFAULT_STAGE: (f"{listing.path}/{files[0]}",)})]
    return [
        _draft(
            listing,
            {DEFAULT_STAGE: (f"{listing.path}/{file}",)},
            inner=_SUFFIX.sub("", file) or file,
        )
        for file in files
    ]


def _stages_of(files: Sequence[str]) -> dict[str, str]:
    """Return stage → log for logs that are known to be those of one experiment."""
    if len(files) == 1:
        return {_stage_of(files[0]) or DEFAULT_STAGE: files[0]}
    named = {_stage_of(file) or _SUFFIX.sub("", file) or file: file for file in files}
    return {stage: named[stage] for stage in sorted(named, key=stage_key)}


def _lists_more(file: str, folder: str) -> bool:
    """Return whether a file's name lists parameters and its folder's does not."""
    return bool(parameters_of_name(_SUFFIX.sub("", file))) and not parameters_of_name(folder)


def _is_log(file: str) -> bool:
    return bool(_LOG.fullmatch(file)) and not _NO_LOG.fullmatch(file)


def _stage_of(file: str) -> str:
    """Return the stage that a log's name says (train.log, log.test, eval_log.txt), or ""."""
    words = re.split(r"[._-]", _SUFFIX.sub("", file))
    rest = [word for word in words if not _ANY_LOG.fullmatch(word)]
    if not rest:
        return DEFAULT_STAGE
    return rest[0] if len(rest) == 1 and rest[0].lower() in STAGES else ""


def _draft(
    listing: Listing,
    logs: Mapping[str, tuple[str, ...]],
    *,
    param: Param | None = None,
    inner: str = "",
    problem: str = "",
) -> FoundExperiment:
    """Return an experiment that is a folder, or that a part of its files' names tells apart."""
    place = listing.join(inner) if inner else listing.below
    place = place or Path(listing.path).resolve().name
    parameters: Mapping[str, Value] = param.parameters if param else {}
    if param is None or param.problem:
        parameters = parameters_of_path(place.split("/"))
    return FoundExperiment(
        name=name_of_path(place),
        place=f"{listing.path}/{inner}" if inner else listing.path,
        folder=listing.path,
        parameters=parameters,
        logs=logs,
        problem=problem or (param.problem if param else ""),
    )
