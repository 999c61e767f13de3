"""Which of mlrunner's folders, and of the runs in them, a sweep keeps, and what it does not touch.

`<output>/.sweepmake/mlrunner.json` remembers it from one invocation to the next, and tells it to
the jobs of a cluster, which read the Snakefile again. There is none where mlrunner never was.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sweepmake.errors import InputError
from sweepmake.replacing import replacing

__all__ = ["NOTHING_KEPT", "Kept", "read_kept", "write_kept"]

_FILE = ".sweepmake/mlrunner.json"


@dataclass(frozen=True, slots=True)
class Kept:
    """What is known of mlrunner's folders in an output folder.

    Attributes:
        names: the name that an experiment would have → the folder that it keeps, where they differ.
        adopted: the names of experiments with runs that were adopted.
        held: experiment → why nothing is started in its folder.
        found: experiment → stage → the record of a finished run that is to be adopted.
        again: (experiment, stage) of runs that were adopted, have another command now, and are to
            run again.
    """

    names: Mapping[str, str] = field(default_factory=dict)
    adopted: frozenset[str] = frozenset()
    held: Mapping[str, str] = field(default_factory=dict)
    found: Mapping[str, Mapping[str, Mapping[str, object]]] = field(default_factory=dict)
    again: tuple[tuple[str, str], ...] = ()


NOTHING_KEPT = Kept()


def read_kept(output: str) -> Kept:
    """Return what earlier invocations have kept in an output folder.

    Raises:
        InputError: its file cannot be read; without it, runs that have finished would start again.
    """
    path = Path(output, _FILE)
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return NOTHING_KEPT
    except OSError as error:
        raise InputError(f"'{path}' cannot be read: {error.strerror}") from error
    try:
        known = json.loads(text)
        return Kept(
            names={str(name): str(folder) for name, folder in known["names"].items()},
            adopted=frozenset(map(str, known["adopted"])),
            held={str(name): str(why) for name, why in known["held"].items()},
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(
            f"'{path}' says which folders of mlrunner's this sweep keeps, and cannot be read",
            hint="without it, experiments in folders of other names than theirs would start anew",
        ) from error


def write_kept(output: str, kept: Kept) -> None:
    """Write what later invocations and the jobs of a cluster have to know, where it is new.

    Raises:
        OSError: it cannot be written.
    """
    path = Path(output, _FILE)
    known = {
        "names": dict(sorted(kept.names.items())),
        "adopted": sorted(kept.adopted),
        "held": dict(sorted(kept.held.items())),
    }
    text = json.dumps(known, indent=1) + "\n"
    if not path.exists() and not any(known.values()):
        return
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as partial:
            partial.write_text(text, encoding="utf-8")
