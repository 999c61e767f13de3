"""The processes of this machine, as Linux lists them: which started which."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

__all__ = ["Process", "below", "children_of", "read_processes"]


class Process(NamedTuple):
    """A process.

    Attributes:
        parent: the process that started it, or has taken it over.
        group: its process group.
        start: when it started, in clock ticks since the boot: it tells the process from another
            one that has got the same number since.
    """

    parent: int
    group: int
    start: str


def read_processes() -> dict[int, Process]:
    """Return number → process for all that are there; nothing where there is no /proc."""
    found: dict[int, Process] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            # `(name)` may hold blanks and parentheses; what follows is state, parent, group
            fields = path.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:
            continue  # it has just ended
        found[int(path.parent.name)] = Process(int(fields[1]), int(fields[2]), fields[19])
    return found


def children_of(processes: Mapping[int, Process]) -> dict[int, list[int]]:
    """Return process → those whose parent it is."""
    children: dict[int, list[int]] = {}
    for pid, process in processes.items():
        children.setdefault(process.parent, []).append(pid)
    return children


def below(processes: Iterable[int], children: Mapping[int, Sequence[int]]) -> list[int]:
    """Return processes and all that descend from them, each once."""
    found = list(processes)
    known = set(found)
    for one in found:
        for child in children.get(one, ()):
            if child not in known:
                known.add(child)
                found.append(child)
    return found
