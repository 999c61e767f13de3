"""The stage runner starts once per run: what it imports is bounded."""

from __future__ import annotations

import os
import re
import subprocess
import sys

from stage_runner import Runner

OWN = {"sweepmake", "sweepmake.visible", "sweepmake.runs"} | {
    f"sweepmake.runs.{name}"
    for name in (
        "batch_job",
        "bookkeeping",
        "child",
        "claims",
        "groups",
        "messages",
        "records",
        "run",
        "saving",
        "slots",
        "stage",
    )
}
# os and what it needs, fcntl for the locks, resource for the answer of os.wait4
OS = {"_abc", "_collections_abc", "_stat", "abc", "genericpath", "os", "posixpath", "stat"}
ALLOWED = OWN | OS | {"__future__", "fcntl", "resource", "time"}


def imported(command: list[str], runner: Runner) -> set[str]:
    """Return the modules that a Python program imports, those of Python's own start included."""
    told = {"SWEEPMAKE_SLOTS": "0", "SWEEPMAKE_LOCKS": str(runner.folder / "locks")}
    ended = subprocess.run(
        [command[0], "-X", "importtime", *command[1:]],
        cwd=runner.folder,
        env=os.environ | told,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(re.findall(r"^import time: .*\| +(\S+)$", ended.stderr, re.M))


def test_a_run_imports_nothing_that_is_slow_to_import(runner: Runner) -> None:
    """Beside Python's own start, a run needs os and two small modules of the standard library."""
    start = imported([sys.executable, "-S", "-E", "-c", "pass"], runner)
    run = imported(runner.arguments("true"), runner)
    assert run >= OWN, "the run did not get as far as its modules"
    assert run - start <= ALLOWED


def test_the_slots_do_not_wait_for_an_import_of_snakemake() -> None:
    """What Snakemake imports when the first job ends is there by then, imported in a thread."""
    program = (
        "import sys, threading; from sweepmake.invocation import session; "
        "assert 'pandas' not in sys.modules; "
        "session.import_ahead(); threading.enumerate()[-1].join(); assert 'pandas' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
