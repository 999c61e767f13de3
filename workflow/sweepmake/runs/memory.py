"""The memory of a run: a cgroup that limits it where one can be made, else what /proc tells.

A limit of the address space would be simpler, and wrong: CUDA reserves more of it than there is.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable

from sweepmake.runs.processes import below, children_of, read_processes

__all__ = ["Cgroup", "make_cgroup", "members", "proportional_mb", "resident_mb"]

CGROUPS = "/sys/fs/cgroup"
_PAGE = os.sysconf("SC_PAGE_SIZE")
_MB = 1 << 20


class Cgroup:
    """A cgroup (v2) of one run.

    Attributes:
        path: its folder.
    """

    __slots__ = ("path",)

    def __init__(self, path: str) -> None:
        self.path = path

    @property
    def entry(self) -> str:
        """Shell text, to stand before a command, with which the shell enters the cgroup."""
        return f"{{ echo $$ > {shlex.quote(self.path)}/cgroup.procs; }} 2>/dev/null; "

    @property
    def is_used(self) -> bool:
        """Whether the run is in it: the kernel may have refused that."""
        return bool(_read(f"{self.path}/cgroup.procs").strip())

    @property
    def has_killed(self) -> bool:
        """Whether the kernel has ended processes in it because of its limit."""
        for line in _read(f"{self.path}/memory.events").splitlines():
            name, _, count = line.partition(" ")
            if name == "oom_kill":
                return int(count) > 0
        return False

    def remove(self) -> None:
        """Remove it; where a process of the run still lives in it, it stays."""
        try:
            os.rmdir(self.path)
        except OSError:
            return  # it goes with the one that it is in; nothing is limited by it but what is left


def make_cgroup(name: str, mem_mb: float, root: str = CGROUPS, own: str = "") -> Cgroup | None:
    """Return a cgroup with a memory limit beside that of this process; None where none can be made.

    Args:
        name: its name; no other cgroup there has it.
        mem_mb: the limit, in MiB.
        root: where cgroups v2 are mounted.
        own: the cgroup of this process as /proc/self/cgroup has it ("0::/a/b"); "" to read it.
    """
    line = next((x for x in (own or _read("/proc/self/cgroup")).splitlines() if x[:3] == "0::"), "")
    mine = line[3:].strip("/")
    if not mine:
        return None
    # one beside, not one below: a cgroup has processes or a limited cgroup in it, not both
    parent = os.path.dirname(f"{root}/{mine}")
    if "memory" not in _read(f"{parent}/cgroup.subtree_control").split():
        return None
    path = f"{parent}/{name}"
    try:
        os.mkdir(path)
    except OSError:
        return None  # it is not ours to make
    group = Cgroup(path)
    try:
        _write(f"{path}/memory.max", str(int(mem_mb * _MB)))
        _write(f"{path}/memory.oom.group", "1")
    except OSError:
        group.remove()
        return None
    try:
        _write(f"{path}/memory.swap.max", "0")
    except OSError:
        return group  # no swap is counted on this machine
    return group


def members(group: int) -> list[int]:
    """Return the processes of a run: of a process group, and all that descend from them.

    Ranks of mpirun have groups of their own, and what is orphaned still has its group.
    """
    processes = read_processes()
    leading = [pid for pid, process in processes.items() if process.group == group]
    return below(leading, children_of(processes))


def resident_mb(processes: Iterable[int]) -> float:
    """Return the resident memory of processes in MiB; pages that several share count for each."""
    pages = (_read(f"/proc/{one}/statm").split()[1:2] for one in processes)
    return sum(int(count[0]) for count in pages if count) * _PAGE / _MB


def proportional_mb(processes: Iterable[int]) -> float:
    """Return the same with shared pages counted once, where this kernel tells; slower."""
    total = 0.0
    for one in processes:
        for line in _read(f"/proc/{one}/smaps_rollup").splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) / 1024
                break
        else:
            total += resident_mb([one])
    return total


def _read(path: str) -> str:
    """Return a file's text; "" where the process or the file is gone or is not to be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
