"""What a run whose stage asks for it has around its command: resumption, a guard, a judgement.

The stage runner imports it for such runs only, and where a run is tried again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, MutableMapping
from pathlib import Path
from typing import TYPE_CHECKING

from sweepmake.runs import records
from sweepmake.runs.guard import Guard, lacks_success, read_told
from sweepmake.runs.newest_logs import newest_logs
from sweepmake.runs.resume import begun_by, can_resume
from sweepmake.runs.retry import Retry, decide

if TYPE_CHECKING:
    from sweepmake.runs.run import Run

__all__ = ["begin_guard", "judge", "judge_end", "resume", "try_again"]

_Record = MutableMapping[str, object]
_Tell = Callable[[str], None]


def resume(run: Run, before: Mapping[str, object] | None, upstream: str, *, afresh: bool) -> None:
    """Let a run go on where an earlier attempt stopped, if there is one and it left its file.

    Args:
        run: gets the command for that.
        before: the record of the last attempt.
        upstream: the id of the run that it builds on.
        afresh: whether the user wants it from the start.
    """
    told = read_told(run.options.get("guard", ""))
    if "resume" not in told:
        return
    begun = None if afresh else begun_by(before, run.fingerprint, upstream)
    run.noted["begun"] = begun
    if can_resume(told["resume_if"], begun):
        run.resumed = told["resume"]
        run.noted["resumed"] = True


def try_again(run: Run, before: Mapping[str, object], tell: _Tell) -> Retry:
    """Decide about another attempt in this invocation, and wait for it."""
    retry = decide(before, [word for word in run.options.get("retry-on", "").split(",") if word])
    if retry.refusal:
        tell(f"FAIL    not tried again, because {retry.refusal}")
        return retry
    alone = ", alone on its GPUs" if retry.alone and run.gpu else ""
    tell(f"RETRY   in {retry.wait_s} s{alone}")
    time.sleep(retry.wait_s)
    run.noted["tries"] = retry.tries
    if retry.alone:
        run.noted["alone"] = True
    return retry


def begin_guard(run: Run, record: _Record, tell: _Tell) -> Guard:
    """Return what watches an attempt whose record has been opened."""

    def on_silence(guard: Guard) -> None:
        if guard.silent_since:
            since = time.strftime("%H:%M", time.localtime(guard.silent_since))
            record["silent_since"] = round(guard.silent_since, 3)
            tell(f"SILENT  nothing written since {since}")
        else:
            record.pop("silent_since", None)
            tell("SPEAKS  writes again")
        records.write_atomically(run.record_path("json"), records.to_json(record))

    told = read_told(run.options["guard"])
    return Guard(told, str(record["log"]), f"sweepmake-{record['id']}", on_silence)


def judge_end(run: Run, guard: Guard, record: _Record) -> None:
    """Write into the record how an attempt ended that was not interrupted."""
    guard.ended()
    record.pop("silent_since", None)
    if guard.reason:
        record.update(state="failed", kind=guard.kind, reason=guard.reason)
    else:
        judge(run, record)


def judge(run: Run, record: _Record) -> None:
    """Write into the record of a run with exit code 0 what it has not done, if anything."""
    if record["state"] != "finished":
        return
    told = read_told(run.options["guard"])
    log = str(record["log"])
    logs = [log]
    if record.get("resumed"):
        earlier = newest_logs(Path(run.folder), Path(run.records), run.stage, run.suffix)
        logs = [*(str(path) for path in earlier if str(path) != log), log]
    reason = lacks_success(told, log, run.stage, logs)
    if reason:
        record.update(state="failed", kind="not successful", reason=reason)
