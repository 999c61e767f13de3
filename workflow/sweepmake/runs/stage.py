"""The stage runner: executes one run, on GPUs of its own, and keeps its record.

It is started for every run, so it starts lean: no module here or below imports more of the
standard library than os, fcntl and time (json, enum or re would each double its cost).

What it guarantees:

- one run of a stage works in one folder at a time: the run's lock is inherited by the command, so
  a command that outlives its killed runner is waited for;
- a run that finished while nobody watched counts: a shell around the command, not this program,
  writes the exit code down;
- the record says what was run: a finished run is not repeated unless its command, the run before
  it, or the user asks for it.
"""

from __future__ import annotations

import os
import time

from sweepmake.runs import claims, records, slots
from sweepmake.runs.bookkeeping import close_record, make_good, open_log, save, write_param
from sweepmake.runs.child import GRACE_S, Child, end_at_once, tee
from sweepmake.runs.messages import describe, say, tail
from sweepmake.runs.run import Run
from sweepmake.visible import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, MutableMapping

    from sweepmake.runs.guard import Guard

__all__ = ["Run", "execute", "main"]

ENVIRONMENT = "SWEEPMAKE_"
_CANNOT_EXECUTE = 126  # what a shell says of it


def main(arguments: list[str]) -> int:
    """Execute the run that the arguments describe; return the exit code for Snakemake."""
    options: dict[str, str] = {}
    for position, argument in enumerate(arguments):
        if argument == "--":
            return execute(Run(options, arguments[position + 1 :]), os.environ)
        name, _, value = argument.removeprefix("--").partition("=")
        options[name] = value
    say("the stage runner is started by the workflow: see README.md", colour=31)
    return 2


def execute(run: Run, environment: MutableMapping[str, str]) -> int:
    """Execute one run, or find that it has finished already; return its exit code."""
    settings = {k: environment.pop(k) for k in list(environment) if k.startswith(ENVIRONMENT)}
    if "SWEEPMAKE_SLOTS" not in settings:
        # empty is something else: in a job of a batch system the scheduler has assigned the GPUs
        say(
            f"error: {run.stage} of {run.experiment} was not started, because no workflow has said "
            "which GPU slots there are (SWEEPMAKE_SLOTS is not set)",
            colour=31,
        )
        return 2
    run.quiet = "SWEEPMAKE_QUIET" in settings
    _restore_threads(settings, environment)
    end_at_once()
    try:
        return _execute(run, settings, environment)
    except OSError as error:
        # a full disk, a folder that is gone or read-only, a name that is too long, …
        _tell(run, f"FAIL    {describe(error)}, {run.place}", colour=31)
        return 1


def _execute(run: Run, settings: Mapping[str, str], environment: MutableMapping[str, str]) -> int:
    os.makedirs(run.records, exist_ok=True)
    lock = _lock_run(run, environment)
    try:
        upstream = _upstream(run)
        before = records.read_record(run.record_path("json"))
        if before is not None:
            before = _settle(run, before)
            if _is_done(run, before, upstream, settings):
                _finish_again(run, before)
                return 0
        attempt = 1 if before is None else int(str(before.get("attempt", 0))) + 1
        if refusal := _refusal(run, before, upstream, settings):
            return refusal
        lease = _lease(run, settings, environment)
        try:
            return _attempt(run, attempt, upstream, lock, settings, environment)
        finally:
            if lease is not None:
                lease.release()
    finally:
        # Explicit, because a process that the command left behind has inherited the file.
        lock.release()


def _restore_threads(settings: Mapping[str, str], environment: MutableMapping[str, str]) -> None:
    """Give the command the thread numbers that the user exported; Snakemake overwrites them."""
    for name, value in settings.items():
        if name.endswith("_THREADS"):
            environment[name.removeprefix(ENVIRONMENT)] = value


def _lock_run(run: Run, environment: Mapping[str, str]) -> claims.Claim:
    """Lock the run; where an earlier copy of it is still alive, wait for its end."""
    lock = claims.Claim(run.record_path("lock"))
    ours = claims.this_process(f"{run.stage} of {run.experiment}", environment)
    if other := lock.take(ours):
        _tell(run, f"WAIT    an earlier run is still alive ({other}), {run.place}", colour=33)
        lock.wait(ours)
    lock.hand_down()
    return lock


def _settle(run: Run, record: dict[str, object]) -> dict[str, object]:
    """Return the last record with the end that nobody was there to write into it."""
    if record.get("state") != "running":
        make_good(run, record)
        return record
    record["state"], code = records.read_end(run.record_path("exit"))
    if code is not None:
        ended = os.stat(run.record_path("exit")).st_mtime
        record["exit_code"] = code
        record["ended"] = ended
        record["wall_time_s"] = round(ended - float(str(record["started"])), 3)
    if "guard" in run.options:
        from sweepmake.runs import watch

        watch.judge(run, record)
    if problem := close_record(run, record, later=True):
        raise problem
    return record


def _is_done(
    run: Run, record: Mapping[str, object], upstream: str, settings: Mapping[str, str]
) -> bool:
    return (
        record.get("state") == "finished"
        and record.get("fingerprint") == run.fingerprint
        and record.get("after") == upstream
        and not _is_forced(run, settings)
    )


def _is_forced(run: Run, settings: Mapping[str, str]) -> bool:
    forced = settings.get("SWEEPMAKE_FORCE", "").split("\n")
    return bool({"*", run.stage, run.record_path("done")} & set(forced))


def _refusal(
    run: Run, before: dict[str, object] | None, upstream: str, settings: Mapping[str, str]
) -> int:
    """Return the exit code of a run that failed in this invocation and is not tried again, else 0.

    It also waits before another try, and lets the run go on where an earlier attempt stopped.
    """
    ours = settings.get("SWEEPMAKE_INVOCATION", "")
    again = bool(before and before.get("invocation") == ours and before["state"] != "finished")
    if not again and "guard" not in run.options:
        return 0
    from sweepmake.runs import watch

    watch.resume(run, before, upstream, afresh=_is_forced(run, settings) and not again)
    if again and before and watch.try_again(run, before, _teller(run)).refusal:
        return int(str(before.get("exit_code") or 1))
    return 0


def _upstream(run: Run) -> str:
    """Return the id of the run that this one builds on: the nearest earlier stage that ran."""
    for marker in run.after:
        if found := records.read_small(marker):
            return found
    return ""


def _finish_again(run: Run, record: Mapping[str, object]) -> None:
    """Put back the marker of a finished run, with the time at which it finished."""
    ended = float(str(record["ended"]))
    done = run.record_path("done")
    save(done, f"{record['id']}\n")
    os.utime(done, (ended, ended))
    _tell(run, f"SKIP    finished already, {run.place}", colour=32)


def _lease(
    run: Run, settings: Mapping[str, str], environment: MutableMapping[str, str]
) -> slots.Lease | None:
    """Take the run's GPUs and name them to the command; None where a scheduler has given them."""
    if run.gpu == 0:
        environment["CUDA_VISIBLE_DEVICES"] = ""
        return None
    listed = settings["SWEEPMAKE_SLOTS"]
    if not listed:
        return None
    ours = listed.split(";")
    if run.noted.get("alone"):
        from sweepmake.runs.retry import alone

        ours = alone(ours, run.gpu)
    lease = slots.acquire(
        ours,
        run.gpu,
        settings["SWEEPMAKE_LOCKS"],
        lambda: _tell(run, f"WAIT    its GPUs are in use, {run.place}", colour=33),
    )
    environment["CUDA_VISIBLE_DEVICES"] = lease.devices
    return lease


def _attempt(
    run: Run,
    attempt: int,
    upstream: str,
    lock: claims.Claim,
    settings: Mapping[str, str],
    environment: MutableMapping[str, str],
) -> int:
    """Run the command once, from the first line of its record to the last."""
    child = Child(
        grace_s=float(settings.get("SWEEPMAKE_GRACE") or GRACE_S),
        tell=_teller(run),
    )
    child.watch()
    now = settings.get("SWEEPMAKE_TIME") or time.strftime("%Y%m%d.%H%M%S")
    log, file = open_log(run, now)
    try:
        record = _open_record(run, attempt, upstream, now, log, settings, environment)
    except OSError:
        os.close(file)
        records.remove(log)  # or every try would leave one
        raise
    devices = environment.get("CUDA_VISIBLE_DEVICES", "")
    shown = "cpu, " if run.gpu == 0 else f"gpu: {devices}, "
    _tell(run, f"START   {shown}{run.place}")
    try:
        debug = bool(settings.get("SWEEPMAKE_DEBUG"))
        copy, output = tee(file) if debug else (0, file)
        guard = _guard(run, record)
        command = _as_executed(run, str(record["command"]), guard)
        child.start(command, run.record_path("exit"), output, environment)
    except OSError:
        record.update(state="failed", ended=round(time.time(), 3), exit_code=_CANNOT_EXECUTE)
        close_record(run, record)
        raise
    lock.tell(claims.this_process(f"{run.stage} of {run.experiment}", environment, child.pid))
    try:
        look = (lambda: guard.look(child.pid)) if guard and guard.watches else None
        code, usage = child.wait(look)
    except BaseException:
        child.kill()  # nothing may be unlocked while it lives
        raise
    if copy:
        os.waitpid(copy, 0)
    ended = time.time()
    record["state"] = "interrupted" if child.interrupted else "failed" if code else "finished"
    record["ended"] = round(ended, 3)
    record["wall_time_s"] = round(ended - float(str(record["started"])), 3)
    record["cpu_time_s"] = round(usage.ru_utime + usage.ru_stime, 3)
    record["max_memory_mb"] = round(usage.ru_maxrss / 1024, 1)
    record["exit_code"] = code
    if guard and not child.interrupted:
        from sweepmake.runs import watch

        watch.judge_end(run, guard, record)
    return _close(run, record, code or (128 + child.caught if child.caught else 1))


def _guard(run: Run, record: dict[str, object]) -> Guard | None:
    """Return what watches an attempt, None where its stage asks for nothing of the kind."""
    if "guard" not in run.options:
        return None
    from sweepmake.runs import watch

    return watch.begin_guard(run, record, _teller(run))


def _as_executed(run: Run, command: str, guard: Guard | None) -> str:
    """Return a command with what its shell is to do first, which decides about no rerun."""
    if "pipefail" in run.options:
        at = int(run.options["pipefail"])  # behind the start of a container
        command = f"{command[:at]}set -o pipefail; {command[at:]}"
    return guard.cgroup.entry + command if guard and guard.cgroup else command


def _close(run: Run, record: Mapping[str, object], code: int) -> int:
    """Write down how the run ended and tell the user; return the exit code for Snakemake.

    Args:
        run: the run.
        record: its record, complete.
        code: the exit code where it did not finish.
    """
    problem = close_record(run, record)
    is_finished = record["state"] == "finished"
    if not is_finished:
        _report_failure(run, record)
    if problem:
        what = "finished, but the system says" if is_finished else "of its end the system says"
        later = "the same command again puts it right"
        _tell(run, f"FAIL    {what}: {describe(problem)}; {later}, {run.place}", colour=31)
        return 1 if is_finished else code
    return 0 if is_finished else code


def _open_record(
    run: Run,
    attempt: int,
    upstream: str,
    now: str,
    log: str,
    settings: Mapping[str, str],
    environment: Mapping[str, str],
) -> dict[str, object]:
    """Write down that the run starts, before it does: its record, `param` and `stat`."""
    devices = environment.get("CUDA_VISIBLE_DEVICES", "")
    command = now.join(run.resumed or run.pieces)
    started = round(time.time(), 3)
    record: dict[str, object] = {
        "id": f"{now}-{os.getpid()}-{started}",
        "experiment": run.experiment,
        "stage": run.stage,
        "state": "running",
        "attempt": attempt,
        "after": upstream,
        "started": started,
        "ended": None,
        "wall_time_s": None,
        "cpu_time_s": None,
        "max_memory_mb": None,
        "exit_code": None,
        "host": environment.get("SLURMD_NODENAME") or os.uname().nodename,
        "pid": os.getpid(),
        "gpu": run.gpu,
        "slot": devices,
        "directory": os.getcwd(),
        "commit": settings.get("SWEEPMAKE_COMMIT", ""),
        "log": log,
        "command": command,
        "fingerprint": run.fingerprint,
        "invocation": settings.get("SWEEPMAKE_INVOCATION"),
        **run.noted,
    }
    # the shells write into it, later in place, so that a disk that is full by then has room for it
    records.write_small(run.record_path("exit"), "-\n")
    # later stages have to come again: were this one to fail, and their markers to stay, Snakemake
    # would find the experiment complete
    for marker in (run.record_path("done"), *run.later):
        records.remove(marker)
    write_param(run, record)
    stat = f"{run.folder}/stat{run.suffix}"
    records.update_stat(stat, run.stage, "running")
    try:
        # after a power cut, an earlier run that finished must not count again
        write = save if attempt > 1 else records.write_atomically
        write(run.record_path("json"), records.to_json(record))
    except OSError:
        # it does not run; there is room for that, because the text is shorter
        records.write_over(stat, records.stat_text(stat, run.stage, "failed") or "")
        raise
    return record


def _report_failure(run: Run, record: Mapping[str, object]) -> None:
    code = int(str(record["exit_code"]))
    how = f"exit code {code}"
    if record["state"] == "interrupted":
        how = f"interrupted, {how}"
    elif code > 128:
        how += f" (signal {code - 128})"
    if record.get("reason"):
        how += f", {record['reason']}"
    last = tail(str(record["log"]), interrupted=record["state"] == "interrupted")
    lines = [f"FAIL    {how}, {run.place}", f"        {record['log']}{':' if last else ''}"]
    lines += [f"        | {line}" for line in last]
    if record["state"] != "interrupted" and not last:
        lines += ["        (nothing was written)"]
    _tell(run, "\n".join(lines), colour=31)


def _teller(run: Run) -> Callable[[str], None]:
    """Return what tells the user a few words about a run."""
    return lambda words: _tell(run, f"{words}, {run.place}", colour=33)


def _tell(run: Run, text: str, colour: int = 0) -> None:
    text = visible(text)  # the log is shown on a terminal, too
    try:
        records.append_line(run.log, text + "\n")
    except OSError:
        say(text, colour)  # where else?
        return
    if not run.quiet:
        say(text, colour)
