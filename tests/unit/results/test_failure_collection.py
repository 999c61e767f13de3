"""How many of a labelled collection of logs get the right kind of failure."""

# ruff: noqa: E501

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sweepmake.results.failures import KINDS, Failure, describe_failure
from sweepmake.results.outcomes import Outcome, StageOutcome
from sweepmake.runs.experiment import Experiment

COLLECTION = Path(__file__).parents[2] / "data/failures/collection"
ONE = Experiment("e", {}, "output/e", "output/e/.sweepmake", ("train",))

TORCHRUN = """\
W1121 17:28:16.000000 123 torch/distributed/elastic/multiprocessing/api.py:897] Sending process 7 closing signal SIGTERM
E1121 17:28:16.000000 123 torch/distributed/elastic/multiprocessing/api.py:869] failed (exitcode: {0}) local_rank: {1} (pid: 14750) of binary: /env/bin/python
Traceback (most recent call last):
  File "/env/bin/torchrun", line 8, in <module>
    sys.exit(main())
  File "/env/lib/python3.12/site-packages/torch/distributed/launcher/api.py", line 269, in launch_agent
    raise ChildFailedError(
torch.distributed.elastic.multiprocessing.errors.ChildFailedError:
============================================================
train.py FAILED
------------------------------------------------------------
Failures:
  <NO_OTHER_FAILURES>
------------------------------------------------------------
Root Cause (first observed failure):
[0]:
  time      : 2025-05-21_15:43:03
  host      : cn1
  rank      : {1} (local_rank: {1})
  exitcode  : {0} (pid: 14750)
  error_file: <N/A>
  traceback : {2}
============================================================
"""
TRACE = """\
Traceback (most recent call last):
  File "/ws/train.py", line 61, in <module>
    main()
"""
MPIRUN = """\
--------------------------------------------------------------------------
Primary job  terminated normally, but 1 process returned
a non-zero exit code. Per user-direction, the job has been aborted.
--------------------------------------------------------------------------
--------------------------------------------------------------------------
mpirun detected that one or more processes exited with non-zero status, thus causing
the job to be terminated. The first process to do so was:

  Process name: [[29973,1],{1}]
  Exit code:    {0}
--------------------------------------------------------------------------
"""
MPI_SIGNAL = """\
--------------------------------------------------------------------------
mpirun noticed that process rank 1 with PID 0 on node cn1 exited on signal {0} ({1}).
--------------------------------------------------------------------------
"""
SIGNALS = {"-6": "SIGABRT", "-9": "SIGKILL", "-11": "SIGSEGV"}


@dataclass(frozen=True)
class Case:
    """One log of the collection: its label and where it comes from."""

    place: str
    kind: str
    code: int
    source: str
    line: str
    text: str


def expanded(line: str) -> str:
    """A line of the collection as a log has it: a line that starts with % stands for many."""
    if not line.startswith("%"):
        return line.replace("\\r", "\r").replace("\\e", "\x1b") + "\n"
    if line == "%trace":
        return TRACE
    name, first, *rest = line.split(" ", 2)
    if name == "%train":
        return "".join(f"epoch={at} loss={9 / (at + 9):.4f}\n" for at in range(int(first)))
    if name == "%torchrun":
        cause = "To enable traceback see: https://pytorch.org/docs/stable/elastic/errors.html"
        if first in SIGNALS:
            cause = f"Signal {first[1:]} ({SIGNALS[first]}) received by PID 14750"
        return TORCHRUN.format(first, rest[0], cause)
    return {"%mpirun": MPIRUN, "%mpisignal": MPI_SIGNAL}[name].format(first, rest[0])


def cases(name: str) -> Iterator[Case]:
    """The logs of a file: `@@ kind | exit code | source | part of the deciding line`, the log."""
    text = (COLLECTION / name).read_text("utf-8")
    for block in re.split(r"(?m)^@@ ", text)[1:]:
        head, _, log = block.partition("\n")
        kind, code, source, line = head.split(" | ", 3)
        body = "".join(map(expanded, log.rstrip("\n").split("\n")))
        place = f"{name}: {source}: {line}"
        yield Case(place, kind, int(code), source, "" if line == "-" else line, body)


def told(case: Case, log: Path, code: int | None) -> Failure:
    log.write_bytes(case.text.encode())
    stage = StageOutcome("train", "failed", exit_code=code, log=str(log))
    found = describe_failure(Outcome(ONE, "failed", (stage,)))
    assert found is not None
    return found


@pytest.mark.parametrize("name", ["known.txt", "held-back.txt"])
def test_the_share_of_right_kinds(tmp_path: Path, name: str) -> None:
    """At least 99 of 100 logs get the right kind; each miss is named."""
    collection = list(cases(name))
    assert {case.kind for case in collection} <= set(KINDS)
    misses = []
    for case in collection:
        found = told(case, tmp_path / "log", case.code)
        if found.kind != case.kind:
            misses.append(f"{case.place}: {case.kind} became {found.kind}: {found.last_line}")
    right = len(collection) - len(misses)
    assert right >= 0.99 * len(collection), "\n".join([f"{right}/{len(collection)}", *misses])


@pytest.mark.parametrize("name", ["known.txt", "held-back.txt"])
def test_the_deciding_lines(tmp_path: Path, name: str) -> None:
    """The line that is shown is the one that says why, in 99 of 100 logs."""
    collection = list(cases(name))
    misses = []
    for case in collection:
        found = told(case, tmp_path / "log", case.code)
        if case.line.lower() not in found.last_line.lower():
            misses.append(f"{case.place}: shown was {found.last_line}")
    right = len(collection) - len(misses)
    assert right >= 0.99 * len(collection), "\n".join([f"{right}/{len(collection)}", *misses])
