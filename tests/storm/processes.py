"""The living processes of a sweep, by the part that they play."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from .sweep import TOKEN

__all__ = ["PARTS", "Process", "find_processes"]

PARTS = ("workflow", "runner", "shell", "inner shell", "program", "results")
_PROGRAMS = ("read_logs", "plot_ranks", "build_workbook", "plot_comparison", "build_results")


@dataclass(frozen=True, slots=True)
class Process:
    """One process of a sweep.

    Attributes:
        pid: its number.
        group: its process group.
        part: one of PARTS, or "" for what is none of these (Snakemake's own shells).
    """

    pid: int
    group: int
    part: str


def find_processes(token: str) -> list[Process]:
    """Return the living processes that have a storm's token in their environment."""
    mark = f"{TOKEN}={token}\0".encode()
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        with contextlib.suppress(OSError, ValueError):  # it has ended while it was looked at
            if mark not in (folder / "environ").read_bytes() + b"\0":
                continue
            words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
            state, _, group = (folder / "stat").read_text().rpartition(")")[2].split()[:3]
            if state not in "ZX":
                found.append(Process(int(folder.name), int(group), _part(words)))
    return [process for process in found if process.pid != os.getpid()]


def _part(words: list[str]) -> str:
    program = Path(words[0]).name
    if program == "sh" and "trap : INT TERM HUP" in " ".join(words[2:3]):
        return "shell"
    if program == "bash" and "work.py" in " ".join(words) and "__main__.py" not in " ".join(words):
        return "inner shell"
    if program.startswith("python"):
        for word in words[1:]:
            if word == "work.py":
                return "program"
            if word.endswith("sweepmake/__main__.py"):
                return "runner"
            if word.endswith("/snakemake"):
                return "workflow"
            if word.endswith(".py") and Path(word).stem in _PROGRAMS:
                return "results"
    return ""
