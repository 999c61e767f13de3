"""Which logs of an experiment belong together: the attempts of each stage's newest run."""

from __future__ import annotations

import glob
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from sweepmake.runs.records import read_record

__all__ = ["find_logs", "has_finished", "newest_logs", "outdated"]


def find_logs(
    folder: str,
    records: str,
    stage: str,
    suffix: str = "",
    known: Mapping[str, Sequence[str]] | None = None,
) -> tuple[Path, ...]:
    """Return the logs of one run of a stage: its attempts, oldest first; () for none.

    Args:
        folder: the experiment's folder, where the logs lie.
        records: the folder of its records, "" where Sweepmake did not run it.
        stage: the stage's name.
        suffix: "." and the experiment's name where experiments share a folder.
        known: stage → logs, where they need not be looked for (they were made elsewhere).
    """
    if known and stage in known:
        return tuple(map(Path, known[stage]))
    if not records:
        return ()
    return newest_logs(Path(folder), Path(records), stage, suffix)


def newest_logs(folder: Path, records: Path, stage: str, suffix: str = "") -> tuple[Path, ...]:
    """Return the logs of the newest run of a stage: its attempts, oldest first; () for none.

    A run that failed or was interrupted and then tried again with the same command is one run of
    several attempts. A changed command, or a run repeated after it had finished, is a new one.

    Args:
        folder: the experiment's folder, where the logs lie.
        records: the folder of its records; where it holds none (mlrunner made the folder), the
            newest log counts.
        stage: the stage's name.
        suffix: "." and the experiment's name where experiments share a folder.
    """
    attempts = _attempts(records / "runs.jsonl", stage)
    last = read_record(str(records / f"{stage}.json"))
    if last is not None and last.get("state") == "running":  # it is not in the list yet
        attempts.append(last)
    found: list[Path] = []
    for attempt in reversed(attempts):
        if attempt.get("fingerprint") != attempts[-1].get("fingerprint"):
            break
        if found and attempt.get("state") == "finished":
            break
        # by its name: the folder may have been moved since, or be seen from elsewhere
        log = folder / Path(str(attempt.get("log") or "-")).name
        if log.is_file():
            found.append(log)
    if not found:
        logs = sorted(folder.glob(f"log.{glob.escape(stage)}.????????.??????{glob.escape(suffix)}"))
        return tuple(logs[-1:])
    return tuple(reversed(found))


def has_finished(records: str, stage: str) -> bool:
    """Return whether the newest run of a stage is on record as finished: then its log is whole.

    Args:
        records: the folder of an experiment's records, "" where Sweepmake did not run it.
        stage: the stage's name.
    """
    record = (read_record(f"{records}/{stage}.json") if records else None) or {}
    return record.get("state") == "finished" and record.get("exit_code") == 0


def outdated(records: str, stages: Sequence[str]) -> frozenset[str]:
    """Return the stages whose newest run is older than the newest of a stage before them.

    What they did, they did to what is no longer there, as a test of a model that has been trained
    again. The workflow runs them again when the stages before them have finished.

    Args:
        records: the folder of an experiment's records.
        stages: the stages, in their order.
    """
    found = set()
    newest = 0.0
    for stage in stages:
        started = (read_record(f"{records}/{stage}.json") or {}).get("started")
        if not isinstance(started, int | float):
            continue
        if started < newest:
            found.add(stage)
        newest = max(newest, started)
    return frozenset(found)


def _attempts(path: Path, stage: str) -> list[dict[str, object]]:
    """Return the records of a stage's attempts, oldest first."""
    if not path.is_file():
        return []
    records = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            continue  # a crash of the machine has cut this line; its log is found by its successors
        if isinstance(record, dict) and record.get("stage") == stage:
            records.append(record)
    return records
