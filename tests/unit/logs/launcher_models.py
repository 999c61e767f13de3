"""Models of the launchers: what they print for what their ranks write.

Written from orte/mca/iof/base/iof_base_output.c, hydra's uiu.c, Slurm's
write_labelled_message.c, horovod's safe_shell_exec.py and torch's tail_log.py, and checked
against the probe logs in tests/data/logs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

DATA = Path(__file__).parents[2] / "data" / "logs"
TIME = "Sat Nov 21 17:28:{:02d} 2026"

# one write of a rank: rank, name of the stream, bytes
Write = tuple[int, str, bytes]
Tag = Callable[[int, str, int], bytes]


def chunked(writes: Iterable[Write], tag: Tag) -> bytes:
    """Open MPI 4, hydra: each chunk has its tag, and so has what follows a line feed in it."""
    log = b""
    for moment, (rank, name, text) in enumerate(writes):
        mark = tag(rank, name, moment)
        log += b"".join(mark + line for line in re.findall(rb"[^\n]*\n|[^\n]+", text))
    return log


def held_back(writes: Iterable[Write], tag: Tag, ends: bytes = b"\n") -> bytes:
    """Open MPI 5 and Horovod (`\\r` ends one too): whole segments, then the rest."""
    log = b""
    rest: dict[tuple[int, str], bytes] = {}
    moment = 0
    for moment, (rank, name, text) in enumerate(writes):
        text = rest.pop((rank, name), b"") + text
        for part in re.findall(rb"[^%b]*[%b]|[^%b]+" % (ends, ends, ends), text):
            if part[-1] in ends:
                log += tag(rank, name, moment) + part
            else:
                rest[rank, name] = part
    for (rank, name), part in rest.items():
        log += tag(rank, name, moment) + part
    return log


def labelled(writes: Iterable[Write], width: int, cut: int = 1024) -> bytes:
    """Slurm's srun: lines of at most 1,024 bytes, each ended by a line feed, if need be its own."""
    log = b""
    rest: dict[int, bytes] = {}

    def line(rank: int, text: bytes) -> bytes:
        return b"%*d: " % (width, rank) + text + (b"" if text.endswith(b"\n") else b"\n")

    for rank, _, text in writes:
        text = rest.pop(rank, b"") + text
        while b"\n" in text or len(text) >= cut:
            stop = text.find(b"\n", 0, cut) + 1 or cut
            log += line(rank, text[:stop])
            text = text[stop:]
        if text:
            rest[rank] = text
    return log + b"".join(line(rank, text) for rank, text in rest.items())


def tags() -> dict[str, Tag]:
    """The tag of every form that is known, by the launcher's name and form."""

    def ctime(moment: int) -> str:
        return TIME.format(moment % 60)

    return {
        "openmpi4": lambda r, n, m: f"[1,{r}]<{n}>:".encode(),
        "openmpi4 timestamps": lambda r, n, m: f"{ctime(m)}[1,{r}]<{n}>:".encode(),
        "openmpi5": lambda r, n, m: f"[1,{r}]<{n}>: ".encode(),
        "openmpi5 timestamps": lambda r, n, m: f"[{ctime(m)}][1,{r}]<{n}>: ".encode(),
        "openmpi5 detailed": lambda r, n, m: f"[1,{r}][vm-1.site:20819]<{n}>: ".encode(),
        "openmpi5 fullname": lambda r, n, m: f"[prterun-vm-20924@1,{r}]<{n}>: ".encode(),
        "openmpi5 rank": lambda r, n, m: f"[{r}]<{n}>: ".encode(),
        "horovod": lambda r, n, m: f"[{r}]<{n}>:".encode(),
        "horovod timestamps": lambda r, n, m: f"{ctime(m)}[{r}]<{n}>:".encode(),
        "mpich": lambda r, n, m: f"[{r}] ".encode(),
        "mpich pattern": lambda r, n, m: f"[{r}@vm:0] ".encode(),
        "torchrun": lambda r, n, m: f"[default{r}]:".encode(),
    }
