"""What must hold of a sweep, whatever was killed."""

from __future__ import annotations

import fcntl
import json
import re
from collections.abc import Iterator
from pathlib import Path

from openpyxl import load_workbook

from .sweep import EXPERIMENTS, STAGES, Event, Sweep, expected_score

__all__ = ["broken_at_the_end", "broken_in_words", "finished_runs", "repeated", "results_of"]

# what a user must never read
_FORBIDDEN = re.compile(
    r"Traceback|KeyboardInterrupt|LockException|--unlock|Exception ignored|Bad file descriptor"
)
# what Python says of an interrupt while it loads Snakemake itself: no line of ours has run by then,
# and README.md says so under its limits
_WHILE_LOADING = re.compile(
    r"Traceback \(most recent call last\):\n"
    r'  File "[^"\n]*/bin/snakemake", line \d+, in <module>\n    from snakemake\.cli import main\n'
    r"(?:(?!Traceback ).*\n)*?KeyboardInterrupt(?:\n|\Z)"
)


def finished_runs(sweep: Sweep) -> set[tuple[str, int]]:
    """Return the runs of which it is on record that they have finished, watched or not."""
    found = set()
    for a in range(1, EXPERIMENTS + 1):
        records = sweep.folder / f"output/A_{a}/.sweepmake"
        for stage in STAGES:
            path = records / f"{stage}.json"
            state = json.loads(path.read_text())["state"] if path.exists() else ""
            ended = records / f"{stage}.exit"
            code = ended.read_text().strip() if ended.exists() else ""
            if state == "finished" or (state == "running" and code == "0"):
                found.add((stage, a))
    return found


def repeated(events: list[Event], known: dict[tuple[str, int], int]) -> Iterator[str]:
    """Yield the runs that started again although they had finished, and what was held twice.

    Args:
        events: all that the programs have said.
        known: a run that is on record as finished → how many events there were when that was seen.
    """
    for at, event in enumerate(events):
        if event.what == "double":
            yield f"two copies at once: {event.of}"
        if event.what == "start" and at >= known.get(event.run, len(events)):
            yield f"ran again although it had finished: {event.run[0]} of A_{event.run[1]}"


def broken_in_words(said: str) -> Iterator[str]:
    """Yield the lines that no user should have to read."""
    lines = _WHILE_LOADING.sub("", said).splitlines()
    for at, line in enumerate(lines):
        if _FORBIDDEN.search(line):
            around = " / ".join(one.strip() for one in lines[max(0, at - 2) : at + 3])
            yield f"was said: {around[:400]}"


def broken_at_the_end(sweep: Sweep) -> Iterator[str]:
    """Yield what is wrong when all is over, and the last command has ended with 0."""
    for a in range(1, EXPERIMENTS + 1):
        folder = sweep.folder / f"output/A_{a}"
        stat = (folder / "stat").read_text()
        if stat != "".join(f"{stage}: finished\n" for stage in sorted(STAGES)):
            yield f"stat of A_{a} says {stat!r}"
        for stage in STAGES:
            if not (folder / f".sweepmake/{stage}.done").exists():
                yield f"no marker of {stage} of A_{a}"
        for line in (folder / ".sweepmake/runs.jsonl").read_text().splitlines():
            if json.loads(line)["state"] == "running":
                yield f"runs.jsonl of A_{a} has a run that is running for ever"
    left = [*sweep.folder.rglob("*.tmp"), *sweep.folder.glob(".snakemake/locks/*")]
    left += (sweep.folder / "results").rglob(".*.[0-9]*")
    for path in left:
        yield f"was left behind: {path.relative_to(sweep.folder)}"
    for path in (sweep.folder / "locks").rglob("*"):
        if path.is_file() and not _is_free(path):
            yield f"is still held: {path.name}"


def results_of(results: Path) -> Iterator[str]:
    """Yield what is wrong with a folder of results."""
    for a in range(1, EXPERIMENTS + 1):
        metrics = json.loads((results / f"A_{a}/metrics.json").read_text())
        score = metrics["stages"]["train"]["ranks"]["0"]["last"].get("score")
        if score != expected_score(a):
            yield f"the score of A_{a} is {score}, not {expected_score(a)}"
        if (results / f"A_{a}/ranks.pdf").read_bytes()[:5] != b"%PDF-":
            yield f"ranks.pdf of A_{a} is none"
    header, *rows = load_workbook(results / "experiments.xlsx")["experiments"].values
    names = [row[header.index("experiment")] for row in rows]
    if names != [f"A_{a}" for a in range(EXPERIMENTS, 0, -1)]:
        yield f"the workbook has the order {names}"


def _is_free(path: Path) -> bool:
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True
