"""One invocation of the workflow: its first and last words, and what the stage runners are told.

Nothing here runs in the jobs that Snakemake starts, on this machine or on a cluster's nodes.
"""

from __future__ import annotations

import importlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from sweepmake.errors import SweepmakeError
from sweepmake.invocation.adoption import held_lines
from sweepmake.runs import records
from sweepmake.runs.newest_logs import outdated
from sweepmake.runs.slots import can_take
from sweepmake.visible import visible

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, MutableMapping, Sequence

    from sweepmake.plan import Plan
    from sweepmake.runs.gpus import Slots

__all__ = [
    "check_slots",
    "command_line",
    "environment",
    "export",
    "forced_runs",
    "import_ahead",
    "make_results",
    "no_results",
    "outcome",
    "results_command",
    "save_params",
    "say",
    "welcome",
]  # fmt: skip

# Snakemake overwrites these with a rule's threads; what the user has exported shall stand
_THREADS = ("OMP_NUM_THREADS", "GOTO_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
            "VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS")  # fmt: skip
_MOST_SHOWN = 20
_END_S = 5  # in which the maker of the results removes what it was writing

# what says which sweep a command is about, with one word or with several behind it
_WITH_A_WORD = ("-s", "--snakefile", "-d", "--directory", "--profile", "--workflow-profile")
_WITH_WORDS = ("--config", "-C", "--configfile", "--configfiles")
"""What is said where results were to be made, and were not."""


def check_slots(plan: Plan, slots: Slots, asked: int | None) -> str | None:
    """Return a warning where more slots were asked for than there are.

    Raises:
        SweepmakeError: a stage needs more slots than it can ever get.
    """
    for stage in plan.sweep.stages:
        if stage.gpu > 1 and not can_take(slots.ids, stage.gpu, slots.cards):
            raise SweepmakeError(
                f"stage '{stage.name}' takes {stage.gpu} slots that do not overlap, and the slots "
                f"are {slots.describe()}: list more under 'resource', or lower its 'gpu'"
            )
        if asked is not None and stage.gpu > asked:
            raise SweepmakeError(
                f"stage '{stage.name}' takes {stage.gpu} slots, and --resources gpu={asked} "
                "allows fewer: it could never start"
            )
    if asked is not None and asked > len(slots.ids):
        return (
            f"--resources gpu={asked}, but there are only {len(slots.ids)} slots "
            f"({slots.describe()}): that many run at a time"
        )
    return None


def environment(
    slots: Slots,
    forced: Collection[str],
    *,
    debug: bool,
    quiet: bool = False,
    grace_s: int = 20,
) -> dict[str, str]:
    """Return what the stage runners of this invocation are told through the environment.

    Args:
        slots: the slots that they lease from.
        forced: what runs again although it has finished, as `forced_runs` returns it.
        debug: whether the commands' output is shown live.
        quiet: whether the stage runners write to their logs only.
        grace_s: seconds that a run has from the first signal to SIGKILL.
    """
    told = {
        "SWEEPMAKE_TIME": time.strftime("%Y%m%d.%H%M%S"),
        "SWEEPMAKE_INVOCATION": f"{time.time_ns():x}-{os.getpid()}",
        "SWEEPMAKE_SLOTS": ";".join(slots.ids),
        "SWEEPMAKE_LOCKS": slots.folder,
        "SWEEPMAKE_COMMIT": _commit(),
        "SWEEPMAKE_FORCE": "\n".join(sorted(forced)),
        "SWEEPMAKE_GRACE": str(grace_s),
    }
    if slots.cards:
        told["SWEEPMAKE_CARDS"] = slots.cards
    if debug:
        told["SWEEPMAKE_DEBUG"] = "1"
    if quiet:
        told["SWEEPMAKE_QUIET"] = "1"
    told.update({f"SWEEPMAKE_{n}": os.environ[n] for n in _THREADS if n in os.environ})
    return told


def forced_runs(*, everything: bool, names: Collection[str], stages: Mapping[str, str]) -> set[str]:
    """Return what the user forces, as the stage runner reads it: "*", stages and markers.

    Args:
        everything: whether --forceall was given.
        names: rules and files given to --forcerun, or targets under --force.
        stages: rule name → stage.
    """
    if everything:
        return {"*"}
    return {stages.get(name, name) for name in names}


def save_params(plan: Plan) -> None:
    """Copy the params.yaml into the output folder, as mlrunner does."""
    source = Path(plan.config.params)
    title = ",".join(plan.config.title).replace("/", "_")
    target = Path(plan.config.output) / (source.name + (f".{title}" if title else ""))
    target.parent.mkdir(parents=True, exist_ok=True)
    if not (target.exists() and target.samefile(source)):
        shutil.copyfile(source, target)


def welcome(plan: Plan, slots: str, to_do: int) -> str:
    """Return the first lines of an invocation: what there is to do, and what looks odd."""
    sweep = plan.sweep
    dropped = f" ({_count(sweep.duplicates, 'duplicate')} dropped)" if sweep.duplicates else ""
    first = "debug: only the first of " if plan.config.debug else ""
    lines = [
        f"{plan.config.params}: {first}{_count(len(sweep.experiments), 'experiment')}{dropped}, "
        f"{_count(plan.runs, 'run')}, {to_do} to do",
        f"GPU slots: {slots}",
    ]
    if sweep.orphans:
        lines.append(
            "Parameters that no stage uses (they only affect the names): "
            + ", ".join(sweep.orphans)
        )
    if warning := plan.hidden_failures():
        lines.append(f"warning: {warning}")
    return "\n".join(lines)


def outcome(plan: Plan, since: float) -> str:
    """Return the last lines of an invocation: what finished, was skipped, failed.

    Args:
        plan: the plan; the records of its runs are read.
        since: when this invocation began, in seconds since the epoch.
    """
    counts: Counter[str] = Counter()
    failed: list[tuple[str, Mapping[str, object]]] = []
    for name, experiment in plan.experiments.items():
        old = outdated(plan.records(name), experiment.stages)
        for stage in experiment.stages:
            record = records.read_record(f"{plan.records(name)}/{stage}.json") or {}
            state = "waiting" if stage in old else str(record.get("state", "waiting"))
            if state == "waiting" and name in plan.kept.held:
                state = "held"
            if state == "finished" and float(str(record["ended"])) < since:
                state = "finished before"
            counts[state] += 1
            if state in ("failed", "interrupted", "lost"):
                log = record.get("log", "")
                line = f"  {state.upper():<12}{stage}: {plan.folder(name)}  (log: {log})"
                failed.append((line, record))
    shown = [
        ("finished", "finished"),
        ("finished before", "skipped (finished before)"),
        ("failed", "failed"),
        ("interrupted", "interrupted"),
        ("lost", "lost"),
        ("running", "still running"),
        ("waiting", "not started"),
        ("held", "held back"),
    ]
    parts = [f"{counts[key]} {label}" for key, label in shown if counts[key]]
    lines = [f"Runs: {', '.join(parts) or 'none'}"]
    lines += held_lines(plan)
    for line, of_run in failed[:_MOST_SHOWN]:
        lines += [line, *_what_helps(of_run)]
    if len(failed) > _MOST_SHOWN:
        lines.append(f"  … and {len(failed) - _MOST_SHOWN} more")
    if failed:
        lines.append("The same command again runs these, and what comes after them, and no others.")
    return "\n".join(lines)


def _what_helps(record: Mapping[str, object]) -> list[str]:
    """Return a line with the kind of a failure and what helps, none where that is not known."""
    if record.get("state") != "failed":
        return []
    from sweepmake.results.ended_run import describe_run  # seldom needed

    failure = describe_run(record)
    if failure is None or failure.kind == "failed":
        return []
    return [f"{'':14}{failure.kind}: {failure.hint}"]


def import_ahead() -> None:
    """Import pandas while the first runs run.

    Snakemake does it when the first job ends (to look for tables among the parameters), and starts
    nothing until it is done: the slots would stand idle for the third of a second that it takes.
    """
    threading.Thread(target=importlib.import_module, args=("pandas",), daemon=True).start()


def say(text: str) -> None:
    """Write a message for the user, as the stage runner does."""
    sys.stderr.write(visible(text) + "\n")
    sys.stderr.flush()


def export(told: Mapping[str, str], target: MutableMapping[str, str]) -> None:
    """Put what the stage runners are told into the environment that they inherit."""
    for key in [key for key in target if key.startswith("SWEEPMAKE_") and key not in told]:
        if key != "SWEEPMAKE_LOCK_FOLDER":
            del target[key]
    target.update(told)


def command_line(arguments: Sequence[str]) -> str:
    """Return this invocation's command as it can be typed again."""
    return shlex.join(["snakemake", *arguments[1:]])


def results_command(arguments: Sequence[str]) -> str:
    """Return the command that makes the results of the sweep that another command is about.

    Args:
        arguments: the other command, as Python has it.
    """
    kept: list[str] = []
    left = 0
    for word in arguments[1:]:
        name, equals, _ = word.partition("=")
        if word.startswith("-"):
            left = 1 if name in _WITH_A_WORD and not equals else 0
            left = sys.maxsize if name in _WITH_WORDS else left
            if left or name in _WITH_A_WORD:
                kept.append(word)
        elif left:
            kept.append(word)
            left -= 1
    return shlex.join(["snakemake", *kept, "--cores", "1", "results"])


def no_results(arguments: Sequence[str]) -> str:
    """Return what is said where results were not made, with the command that makes them."""
    return f"Some results are older than the runs. Make them: {results_command(arguments)}"


def make_results(command: Sequence[str]) -> None:
    """Run the program that makes all results; Ctrl-C ends it, and leaves what was there before.

    Args:
        command: the program and its arguments.
    """
    # in a session of its own, so that it is not this process's Ctrl-C that it dies of, with a
    # traceback of each of its processes
    with subprocess.Popen(command, start_new_session=True) as process:
        try:
            process.wait()
        except KeyboardInterrupt:
            process.terminate()
            try:
                process.wait(_END_S)
            except (subprocess.TimeoutExpired, KeyboardInterrupt):
                os.killpg(process.pid, signal.SIGKILL)
            say(no_results(sys.argv))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _commit() -> str:
    """Return the git commit of the working directory, with "-dirty" where files differ."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""  # no git here; the record says so by an empty commit
    return found.stdout.strip() if found.returncode == 0 else ""
