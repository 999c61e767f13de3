"""What mlrunner left in an experiment's folder: how its stages ended, with which commands.

mlrunner 0.5.9 (run.py) writes `stat` and `param`. There a command stands with all that it adds:

    train: CUDA_VISIBLE_DEVICES=0 python3 main.py > output/Lr_1/log.train.20220517.074342 2>&1

and in debug mode ` 2>&1 | tee <log>; exit ${PIPESTATUS[0]}` at its end. It writes the command of
its newest start there, also where it then skips the stage as finished: so a log of that name tells
that it was really run.
"""

from __future__ import annotations

import os
import re
import shlex
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sweepmake.elsewhere.files import Param, read_param
from sweepmake.params.naming import Value, mlrunner_key

__all__ = ["Left", "Script", "log_time", "mlrunner_name", "read_left", "read_script", "read_shared",
           "read_states"]  # fmt: skip

_RUN_LOG = re.compile(r"log\.(?P<stage>.+)\.(?P<time>\d{8}\.\d{6})(?:\.(?P<name>.+))?")
_DEVICES = re.compile(r"CUDA_VISIBLE_DEVICES=(\S*) ")
_DEBUG = re.compile(r" 2>&1 \| tee (?P<log>.*); exit \$\{PIPESTATUS\[0\]\}\s*")
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Left:
    """What mlrunner left of one experiment.

    Attributes:
        folder: where it lies.
        states: stage → what `stat` says: "finished", "failed", "running".
        param: its `param`.
        logs: stage → the name of its newest log.
    """

    folder: str
    states: Mapping[str, str]
    param: Param
    logs: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Script:
    """A command as mlrunner started it.

    Attributes:
        command: the filled template.
        devices: its CUDA_VISIBLE_DEVICES.
        output: its `{_output}`: the folder of its log.
        log: the name of its log.
        time: its `{_time}`, "" where the log's name shows none.
    """

    command: str
    devices: str
    output: str
    log: str
    time: str


def read_left(folder: str, states: Mapping[str, str]) -> Left:
    """Return what mlrunner left in a folder whose `stat` has been read.

    Raises:
        OSError: the folder cannot be listed.
    """
    logs: dict[str, str] = {}
    for name in sorted(path.name for path in Path(folder).iterdir()):
        if (match := _RUN_LOG.fullmatch(name)) and not match["name"]:
            logs[match["stage"]] = name
    return Left(folder, states, read_param(f"{folder}/param"), logs)


def read_shared(folder: str) -> dict[str, Left]:
    """Return name → what mlrunner left in a folder that its experiments share (--no-subdir).

    They share one `stat` and one `param`, too, which tell nothing of any of them. A log is all that
    there is of each: so its stage counts as finished, of an unknown command.
    """
    if not Path(folder, "stat").is_file() or not Path(folder, "param").is_file():
        return {}
    logs: dict[str, dict[str, str]] = {}
    for name in sorted(path.name for path in Path(folder).iterdir()):
        if (match := _RUN_LOG.fullmatch(name)) and match["name"]:
            logs.setdefault(match["name"], {})[match["stage"]] = name
    unknown = Param(problem="mlrunner kept one stat and one param for all experiments here")
    return {
        name: Left(folder, dict.fromkeys(found, "finished"), unknown, found)
        for name, found in logs.items()
    }


def read_states(folder: str) -> dict[str, str]:
    """Return stage → state of a folder's `stat`; {} where there is none, or it is no mapping."""
    try:
        text = Path(folder, "stat").read_bytes().decode("utf-8", "replace")
        found = yaml.load(text, Loader=_Loader)
    except (OSError, yaml.YAMLError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {str(stage): str(state) for stage, state in found.items()}


def read_script(stage: str, script: str) -> Script | None:
    """Return the parts of a stage's command in `param`; None where it does not look like one."""
    start = _DEVICES.match(script)
    if start is None:
        return None
    if debug := _DEBUG.search(script):
        return _script(stage, script[start.end() : debug.start()], start[1], debug["log"])
    end = len(script)
    while (end := script.rfind(" > ", 0, end)) >= 0:
        tail = script[end + 3 :].rstrip()
        if tail.endswith(" 2>&1"):
            found = _script(stage, script[start.end() : end], start[1], tail.removesuffix(" 2>&1"))
            if found is not None:
                return found
    return None


def _script(stage: str, command: str, devices: str, quoted_log: str) -> Script | None:
    try:
        words = shlex.split(quoted_log)
    except ValueError:
        return None
    if len(words) != 1:
        return None
    output, _, log = words[0].rpartition("/")
    match = _RUN_LOG.fullmatch(log)
    if match is None or match["stage"] != stage:
        return None
    return Script(command, devices, output, log, match["time"])


def log_time(log: str) -> float | None:
    """Return when mlrunner was started that wrote a log, in s since the epoch; by its name."""
    match = _RUN_LOG.fullmatch(log)
    try:
        return None if match is None else time.mktime(time.strptime(match["time"], "%Y%m%d.%H%M%S"))
    except (ValueError, OverflowError):
        return None  # digits that are no time


def mlrunner_name(choices: Mapping[str, Value]) -> str:
    """Return the name that mlrunner gives to these choices (utils/misc.py, spec2name).

    It may give one name to several. Like it, this looks whether a text is the path of something.
    """
    return "-".join(f"{mlrunner_key(key)}_{_in_name(value)}" for key, value in choices.items())


def _in_name(value: Value) -> str:
    if isinstance(value, str):
        if value and os.path.exists(value):  # noqa: PTH110 - a text that is no path is False here
            return os.path.basename(value)[-100:]  # noqa: PTH119 - Path drops a slash at the end
        return re.sub(r"^[/.]*", "", value).replace("/", "_")[-100:]
    if isinstance(value, bool):
        return "T" if value else "F"
    try:
        return str(value) if value is None else f"{value:g}"
    except OverflowError:
        return str(value)[:100]  # mlrunner cannot name it
