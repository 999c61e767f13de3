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

import fcntl
import os
import time

from sweepmake.runs import records, slots
from sweepmake.runs.child import Child, end_at_once, tee
from sweepmake.runs.claims import this_process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

__all__ = ["Run", "execute", "main"]

TAIL_LINES = 10
TAIL_BYTES = 8192
ENVIRONMENT = "SWEEPMAKE_"
_SPECIAL = set(" '\"\\$`;&|<>()*?[]{}~#!\n\t")


class Run:
    """One stage of one experiment, as the workflow asks for it.

    Attributes:
        stage: the stage's name.
        experiment: the experiment's name.
        number: its place in the sweep and the sweep's size, "3/16".
        gpu: how many slots it takes; 0 for a stage that sees no GPU.
        folder: where `param`, `stat` and the logs go: the experiment's folder.
        records: the folder of the run's records and marker.
        log: the file that keeps what the stage runner itself said.
        quiet: whether it says that to the file alone, and not on the terminal.
        suffix: "" or, where experiments share a folder, "." and the experiment's name.
        after: the markers of the stages before it, the nearest first.
        later: the markers of the stages after it.
        parameters: the YAML text of `param`, without `_time` and `_scripts`.
        pieces: the command, cut where the time goes in.
    """

    __slots__ = (
        "after",
        "experiment",
        "folder",
        "gpu",
        "later",
        "log",
        "number",
        "parameters",
        "pieces",
        "quiet",
        "records",
        "stage",
        "suffix",
    )

    def __init__(self, options: Mapping[str, str], pieces: list[str]) -> None:
        self.stage = options["stage"]
        self.experiment = options["experiment"]
        self.number = options["number"]
        self.gpu = int(options["gpu"])
        self.folder = options["folder"]
        self.records = options["records"]
        self.log = options["log"]
        self.quiet = False
        self.suffix = options.get("suffix", "")
        self.after = [m for m in options.get("after", "").split("\n") if m]
        self.later = [m for m in options.get("later", "").split("\n") if m]
        self.parameters = options["parameters"]
        self.pieces = pieces

    @property
    def fingerprint(self) -> str:
        """The filled command less what changes from one invocation to the next."""
        return "{_time}".join(self.pieces)

    def record_path(self, ending: str) -> str:
        """The path of one of the run's own files: lock, json, exit or done."""
        return f"{self.records}/{self.stage}.{ending}"


def main(arguments: list[str]) -> int:
    """Execute the run that the arguments describe; return the exit code for Snakemake."""
    options: dict[str, str] = {}
    for position, argument in enumerate(arguments):
        if argument == "--":
            return execute(Run(options, arguments[position + 1 :]), os.environ)
        name, _, value = argument.removeprefix("--").partition("=")
        options[name] = value
    _say("the stage runner is started by the workflow: see README.md", colour=31)
    return 2


def execute(run: Run, environment: MutableMapping[str, str]) -> int:
    """Execute one run, or find that it has finished already; return its exit code."""
    settings = {k: environment.pop(k) for k in list(environment) if k.startswith(ENVIRONMENT)}
    if "SWEEPMAKE_SLOTS" not in settings:
        # empty is something else: in a job of a batch system the scheduler has assigned the GPUs
        _say(
            f"error: {run.stage} of {run.experiment} was not started, because no workflow has said "
            "which GPU slots there are (SWEEPMAKE_SLOTS is not set)",
            colour=31,
        )
        return 2
    run.quiet = "SWEEPMAKE_QUIET" in settings
    _restore_threads(settings, environment)
    end_at_once()
    os.makedirs(run.records, exist_ok=True)
    lock = _lock_run(run)
    try:
        upstream = _upstream(run)
        before = records.read_record(run.record_path("json"))
        if before is not None:
            before = _settle(run, before)
            if _is_done(run, before, upstream, settings):
                _finish_again(run, before)
                return 0
        attempt = 1 if before is None else int(str(before.get("attempt", 0))) + 1
        lease = _lease(run, settings, environment)
        try:
            return _attempt(run, attempt, upstream, lease, settings, environment)
        finally:
            if lease is not None:
                lease.release()
    finally:
        # Explicit, because a process that the command left behind has inherited the file.
        fcntl.flock(lock, fcntl.LOCK_UN)
        os.close(lock)


def _restore_threads(settings: Mapping[str, str], environment: MutableMapping[str, str]) -> None:
    """Give the command the thread numbers that the user exported; Snakemake overwrites them."""
    for name, value in settings.items():
        if name.endswith("_THREADS"):
            environment[name.removeprefix(ENVIRONMENT)] = value


def _lock_run(run: Run) -> int:
    """Lock the run; where an earlier copy of it is still alive, wait for its end."""
    path = run.record_path("lock")
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        _tell(run, f"WAIT    an earlier run is still alive, {_place(run)}", colour=33)
        fcntl.flock(file, fcntl.LOCK_EX)
    os.set_inheritable(file, True)
    return file


def _settle(run: Run, record: dict[str, object]) -> dict[str, object]:
    """Return the last record with the end that nobody was there to write into it."""
    if record.get("state") != "running":
        return record
    record["state"], code = records.read_end(run.record_path("exit"))
    if code is not None:
        ended = os.stat(run.record_path("exit")).st_mtime
        record["exit_code"] = code
        record["ended"] = ended
        record["wall_time_s"] = round(ended - float(str(record["started"])), 3)
    _close_record(run, record)
    return record


def _is_done(
    run: Run, record: Mapping[str, object], upstream: str, settings: Mapping[str, str]
) -> bool:
    forced = settings.get("SWEEPMAKE_FORCE", "").split("\n")
    return (
        record.get("state") == "finished"
        and record.get("fingerprint") == run.fingerprint
        and record.get("after") == upstream
        and not {"*", run.stage, run.record_path("done")} & set(forced)
    )


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
    records.write_atomically(done, str(record["id"]) + "\n")
    os.utime(done, (ended, ended))
    _tell(run, f"SKIP    finished already, {_place(run)}", colour=32)


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
    ids, cards = listed.split(";"), settings.get("SWEEPMAKE_CARDS", "")
    busy = None
    try:
        if library := settings.get("SWEEPMAKE_BUSY_GPUS"):
            from sweepmake.runs.busy import look_again

            busy = look_again(library, slots.uuids(ids, cards))
        what = f"{run.stage} of {run.experiment} in {os.getcwd()}"
        lease = slots.acquire(
            ids,
            run.gpu,
            settings["SWEEPMAKE_LOCKS"],
            lambda why: _tell(run, f"WAIT    {why}; {_place(run)}", colour=33),
            cards=cards,
            holder=this_process(what, environment),
            busy=busy,
        )
    except OSError as error:
        raise SystemExit(f"error: no GPU can be locked for {_place(run)}: {error}") from error
    environment["CUDA_VISIBLE_DEVICES"] = lease.devices
    return lease


def _attempt(
    run: Run,
    attempt: int,
    upstream: str,
    lease: slots.Lease | None,
    settings: Mapping[str, str],
    environment: MutableMapping[str, str],
) -> int:
    """Run the command once, from the first line of its record to the last."""
    child = Child()
    child.watch()
    now = settings.get("SWEEPMAKE_TIME") or time.strftime("%Y%m%d.%H%M%S")
    log, file = _open_log(run, now)
    record = _open_record(run, attempt, upstream, now, log, settings, environment)
    devices = environment.get("CUDA_VISIBLE_DEVICES", "")
    shown = "cpu, " if run.gpu == 0 else f"gpu: {devices}, "
    _tell(run, f"START   {shown}{_place(run)}")
    debug = bool(settings.get("SWEEPMAKE_DEBUG"))
    copy, output = tee(file) if debug else (0, file)
    child.start(str(record["command"]), run.record_path("exit"), output, environment)
    code, usage = child.wait()
    if copy:
        os.waitpid(copy, 0)
    ended = time.time()
    record["state"] = "interrupted" if child.caught else "failed" if code else "finished"
    record["ended"] = round(ended, 3)
    record["wall_time_s"] = round(ended - float(str(record["started"])), 3)
    record["cpu_time_s"] = round(usage.ru_utime + usage.ru_stime, 3)
    record["max_memory_mb"] = round(usage.ru_maxrss / 1024, 1)
    record["exit_code"] = code
    _close_record(run, record)
    if record["state"] != "finished":
        _report_failure(run, record)
        return code or 128 + child.caught
    records.write_atomically(run.record_path("done"), str(record["id"]) + "\n")
    return 0


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
    command = now.join(run.pieces)
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
    }
    _remove(run.record_path("exit"))
    # later stages have to come again: were this one to fail, and their markers to stay, Snakemake
    # would find the experiment complete
    for marker in (run.record_path("done"), *run.later):
        _remove(marker)
    records.write_atomically(run.record_path("json"), records.to_json(record))
    script = f"CUDA_VISIBLE_DEVICES={devices} {command} > {_shell_quote(log)} 2>&1"
    parameters = f"{run.parameters}_time: '{now}'\n"
    records.update_param(f"{run.folder}/param{run.suffix}", parameters, run.stage, script)
    records.update_stat(f"{run.folder}/stat{run.suffix}", run.stage, "running")
    return record


def _open_log(run: Run, now: str) -> tuple[str, int]:
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


def _close_record(run: Run, record: dict[str, object]) -> None:
    """Write down how a run ended: its record, the list of all runs, and `stat`."""
    line = records.to_json(record)
    records.write_atomically(run.record_path("json"), line)
    records.append_line(f"{run.records}/runs.jsonl", line)
    state = "finished" if record["state"] == "finished" else "failed"
    records.update_stat(f"{run.folder}/stat{run.suffix}", run.stage, state)


def _report_failure(run: Run, record: Mapping[str, object]) -> None:
    code = int(str(record["exit_code"]))
    how = f"exit code {code}"
    if record["state"] == "interrupted":
        how = f"interrupted, {how}"
    elif code > 128:
        how += f" (signal {code - 128})"
    lines = [f"FAIL    {how}, {_place(run)}", f"        {record['log']}:"]
    tail = _tail(str(record["log"]))
    lines += [f"        | {line}" for line in tail] or ["        (nothing was written)"]
    _tell(run, "\n".join(lines), colour=31)


def _tail(path: str) -> list[str]:
    """Return the log's last lines as a terminal would show them."""
    file = os.open(path, os.O_RDONLY)
    try:
        size = os.fstat(file).st_size
        data = os.pread(file, TAIL_BYTES, max(0, size - TAIL_BYTES))
    finally:
        os.close(file)
    lines = data.decode("utf-8", "replace").rstrip("\n").split("\n")[-TAIL_LINES:]
    shown = [line.rstrip("\r").rpartition("\r")[2].replace("\b", "") for line in lines]
    return [line for line in shown if line.strip()]


def _place(run: Run) -> str:
    return f"{run.stage}: {run.number}, {run.folder}{run.suffix and '  ' + run.experiment}"


def _shell_quote(text: str) -> str:
    """Do what shlex.quote does, which imports re."""
    return "'" + text.replace("'", "'\"'\"'") + "'" if set(text) & _SPECIAL else text


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return


def _tell(run: Run, text: str, colour: int = 0) -> None:
    records.append_line(run.log, text + "\n")
    if not run.quiet:
        _say(text, colour)


def _say(text: str, colour: int = 0) -> None:
    """Write one message for the user, in one write, so that runs do not cut into each other."""
    if colour and os.isatty(2) and "NO_COLOR" not in os.environ:
        text = f"\x1b[{colour}m{text}\x1b[0m"
    os.write(2, (text + "\n").encode("utf-8", "backslashreplace"))
