"""What became of every byte of a log: the account of each rank, and what the launcher said."""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["LAUNCHER_RANK", "Account", "Counts", "Exit", "LauncherText", "exit_reports"]

LAUNCHER_RANK = -1


class Counts:
    """What counts something: equal where all its numbers are.

    Not a dataclass: to import those, and to make each, takes a good part of reading a small log.
    """

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({fields})"


class Account(Counts):
    """How much of one rank's output arrived, and in which state.

    Attributes:
        bytes: bytes of the rank's own text, without tags.
        lines: line feeds in it.
        joined: fragments of lines that were put together again.
        ambiguous: places where it cannot be decided whose or what the bytes are.
        lost: places where the launcher is known to have destroyed bytes.
        unparsed: lines of which a reader could make nothing (the readers fill it).
        tag_bytes: bytes of the tags themselves.
        heard_at: offset in the log of the rank's last text, -1 if it never spoke.
        heard_time: the launcher's timestamp of it, where the tags have one.
    """

    def __init__(self) -> None:
        self.bytes = self.lines = self.joined = self.ambiguous = self.lost = 0
        self.unparsed = self.tag_bytes = 0
        self.heard_at = -1
        self.heard_time: str | None = None


class Exit(NamedTuple):
    """How the launcher says that a rank ended.

    Args:
        rank: the rank, or None where the report names only a process or a node.
        code: its exit code, if it ended by one.
        signal: the signal that killed it, if one did.
        text: the line that says so.
    """

    rank: int | None
    code: int | None
    signal: int | None
    text: str


class LauncherText(Counts):
    """What the launcher and the system wrote themselves, kept apart from every rank.

    Attributes:
        size: bytes of it.
        lines: line feeds in it.
        text: its first 256 KiB.
    """

    def __init__(self) -> None:
        self.size = self.lines = 0
        self.text = bytearray()

    def add(self, text: bytes) -> None:
        """Count the text and keep it while there is room."""
        self.size += len(text)
        self.lines += text.count(b"\n")
        self.text += text[: max(0, (1 << 18) - len(self.text))]


# Open MPI 4 and 5, `mpirun` on a non-zero exit:
#   Process name: [[24943,1],1]
#   Exit code:    17
_OPEN_MPI = (
    r"Process name: \[[^\n]{0,300}?,\s?(?P<rank>\d{1,9})\]\s+Exit code: {1,8}(?P<code>\d{1,9})"
)
# mpirun noticed that process rank 2 with PID 0 on node vm exited on signal 9 (Killed).
_OPEN_MPI_SIGNAL = (
    r"process rank (?P<rank>\d{1,9}) with PID [^\n]{0,300} exited on signal (?P<signal>\d{1,4})"
)
# MPI_ABORT was invoked on rank 1 in communicator MPI_COMM_WORLD\nwith errorcode 3.
_MPI_ABORT = (
    r"MPI_ABORT was invoked on rank (?P<rank>\d{1,9}) in communicator [^\n]{0,200}"
    r"(?:\n[^\n]{0,200}){0,2}?\s?with errorcode (?P<code>-?\d{1,9})"
)
# MPICH:  application called MPI_Abort(MPI_COMM_WORLD, 3) - process 1
_MPICH_ABORT = (
    r"application called MPI_Abort\([^\n]{0,80}, (?P<code>-?\d{1,9})\) - process (?P<rank>\d{1,9})"
)
# hydra:  =   EXIT CODE: 9    and    =   RANK 1 PID 4711 RUNNING AT vm (Intel MPI)
_HYDRA = (
    r"=   (?:RANK (?P<rank>\d{1,9}) )?PID \d{1,9} RUNNING AT [^\n]{0,300}\n"
    r"=   (?:EXIT CODE: (?P<code>\d{1,9})|KILLED BY SIGNAL: (?P<signal>\d{1,4}))"
)
# srun: error: vm: task 2: Exited with exit code 17      srun: error: vm: tasks 0-2: Killed
_SRUN = (
    r"srun: error: [^\n:]{0,200}: tasks? (?P<ranks>[\d,\-\[\]]{1,200}): "
    r"(?:Exited with exit code (?P<code>\d{1,9})|(?P<signal_name>Killed|Terminated|Aborted"
    r"|Segmentation fault|Bus error|Floating point exception|Illegal instruction"
    r"|Out Of Memory|User defined signal \d)[^\n]{0,100})"
)
# torchrun: failed (exitcode: 1) local_rank: 2 (pid: 4711) of binary: /usr/bin/python
_TORCHRUN = (
    r"failed \(exitcode: (?P<code>-?\d{1,9})\) local_rank: (?P<rank>\d{1,9}) \(pid: \d{1,9}\)"
)
# Horovod: Process name: [1]\nExit code:    17
_HOROVOD = r"Process name: \[?(?P<rank>\d{1,9})\]?\s+Exit code: {1,8}(?P<code>\d{1,9})"

# what stands in every report of the kind: most logs have none, and expressions cost to compile
_REPORTS = (
    ("Process name: [", _OPEN_MPI),
    ("process rank ", _OPEN_MPI_SIGNAL),
    ("MPI_ABORT was invoked", _MPI_ABORT),
    ("application called MPI_Abort", _MPICH_ABORT),
    (" RUNNING AT ", _HYDRA),
    ("srun: error: ", _SRUN),
    ("failed (exitcode: ", _TORCHRUN),
    ("Process name: ", _HOROVOD),
)
_SIGNALS = {
    "Killed": 9,
    "Terminated": 15,
    "Aborted": 6,
    "Segmentation fault": 11,
    "Bus error": 7,
    "Floating point exception": 8,
    "Illegal instruction": 4,
    "Out Of Memory": 9,
}


def exit_reports(text: bytes) -> list[Exit]:
    """Return the ends of ranks that the launcher reports, in the order of the text.

    Args:
        text: what the launcher wrote itself.
    """
    words = text.decode("utf-8", "replace")
    found: list[tuple[int, Exit]] = []
    for always, pattern in _REPORTS:
        for match in re.finditer(pattern, words) if always in words else ():
            found.extend((match.start(), end) for end in _ends(match))
    found.sort(key=lambda pair: pair[0])
    return list(dict.fromkeys(end for _, end in found))


def _ends(match: re.Match[str]) -> list[Exit]:
    """Return one end for each rank that the report names."""
    groups = match.groupdict()
    line = " ".join(match[0].split())
    code = int(groups["code"]) if groups.get("code") else None
    signal = int(groups["signal"]) if groups.get("signal") else None
    if groups.get("signal_name"):
        signal = _SIGNALS.get(groups["signal_name"])
    if code is not None and code < 0:  # torchrun and subprocess give a signal as its negative
        code, signal = (None, -code) if "local_rank" in line else (code, signal)
    if groups.get("ranks"):
        return [Exit(rank, code, signal, line) for rank in _rank_list(groups["ranks"])]
    rank = int(groups["rank"]) if groups.get("rank") else None
    return [Exit(rank, code, signal, line)]


def _rank_list(text: str) -> list[int]:
    """Return the ranks of Slurm's "0-2,5", at most a million of them."""
    ranks: list[int] = []
    for part in text.strip("[]").split(","):
        first, _, last = part.strip("[]").partition("-")
        if first.isdigit() and (not last or last.isdigit()):
            stop = int(last or first) + 1
            ranks.extend(range(int(first), min(stop, int(first) + 1_000_000)))
    return ranks
