"""What an attempt leaves on the disk: its log, and how it ended; and what is made good later."""

from __future__ import annotations

import os
import time

from sweepmake.runs import records
from sweepmake.runs.saving import Saving

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from sweepmake.runs.run import Run

__all__ = ["close_record", "make_good", "open_log", "save", "write_param"]

_SPECIAL = set(" '\"\\$`;&|<>()*?[]{}~#!\n\t")


def open_log(run: Run, now: str) -> tuple[str, int]:
    """Create this attempt's log: never an old one, and later in the alphabet than all before."""
    prefix = f"{run.folder}/log.{run.stage}."
    suffix = run.suffix
    while True:
        path = f"{prefix}{now}{suffix}"
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
            return path, os.open(path, flags, 0o666)
        except FileExistsError:
            fresh = time.strftime("%Y%m%d.%H%M%S")
            if fresh <= now:  # a second attempt within the second: name it one later
                day, _, clock = now.partition(".")
                seconds = int(clock[:2]) * 3600 + int(clock[2:4]) * 60 + int(clock[4:]) + 1
                fresh = f"{day}.{seconds // 3600:02d}{seconds // 60 % 60:02d}{seconds % 60:02d}"
            now = fresh


def close_record(run: Run, record: Mapping[str, object], *, later: bool = False) -> OSError | None:
    """Write down how a run ended: its record, the list of all runs, `stat`, marker; on the disk.

    The marker comes last and only if all else is written: it stands for a run that has finished.

    Args:
        run: the run.
        record: its record, complete.
        later: whether the run ended before this program started: it may be listed already, and
            whether its marker is to come is not known yet.

    Returns:
        The first no of the system. What could not be written then, the run's next start does.
    """
    saving = Saving()
    if not os.path.isdir(run.records):  # the command has removed its folder
        try:
            os.makedirs(run.records, exist_ok=True)
            write_param(run, record)
        except OSError as error:
            return error
    line = records.to_json(record)
    _save_stat(saving, run, record)
    saving.replace(run.record_path("json"), line)
    if not (later and _is_listed(run, record)):
        saving.append(f"{run.records}/runs.jsonl", line)
    saving.keep(str(record["log"]))
    saving.keep(f"{run.folder}/param{run.suffix}")
    if record["state"] == "finished" and not later:
        saving.conclude(run.record_path("done"), f"{record['id']}\n")
    saving.commit()
    return saving.problem


def write_param(run: Run, record: Mapping[str, object]) -> None:
    """Write `param` as mlrunner does, with the command as a shell would be given it."""
    script = f"CUDA_VISIBLE_DEVICES={record['slot']} {record['command']}"
    script += f" > {_shell_quote(str(record['log']))} 2>&1"
    parameters = f"{run.parameters}_time: '{str(record['id']).partition('-')[0]}'\n"
    records.update_param(f"{run.folder}/param{run.suffix}", parameters, run.stage, script)


def make_good(run: Run, record: Mapping[str, object]) -> None:
    """Write what a kill or a full disk has kept from being written when the run ended.

    Raises:
        OSError: the system says no again.
    """
    saving = Saving()
    if not _is_listed(run, record):
        saving.append(f"{run.records}/runs.jsonl", records.to_json(record))
    _save_stat(saving, run, record)
    saving.commit()
    if saving.problem:
        raise saving.problem


def save(path: str, text: str) -> None:
    """Write a file anew, and see to it that it is on the disk.

    Raises:
        OSError: it cannot be written; then it is as it was.
    """
    saving = Saving()
    saving.replace(path, text, over=False)
    saving.commit()
    if saving.problem:
        raise saving.problem


def _shell_quote(text: str) -> str:
    """Do what shlex.quote does, which imports re."""
    return "'" + text.replace("'", "'\"'\"'") + "'" if set(text) & _SPECIAL else text


def _is_listed(run: Run, record: Mapping[str, object]) -> bool:
    listed = f'"id": {records.quote(str(record["id"]))}'
    return any(listed in line for line in records.read_lines(f"{run.records}/runs.jsonl"))


def _save_stat(saving: Saving, run: Run, record: Mapping[str, object]) -> None:
    path = f"{run.folder}/stat{run.suffix}"
    state = "finished" if record["state"] == "finished" else "failed"
    try:
        text = records.stat_text(path, run.stage, state)
    except OSError as error:
        saving.problem = saving.problem or error
        return
    if text is not None:
        saving.replace(path, text, f"{path}.{run.stage}.tmp")
