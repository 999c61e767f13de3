"""What is said of one ended run: for code that decides whether it is tried again."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import sweepmake
from sweepmake.results.ended_run import Failure, describe_run
from sweepmake.results.failure_kinds import (
    HINTS,
    HOPELESS,
    KINDS,
    RETRY_WORDS,
    hint_for,
    is_retried,
)

REPOSITORY = Path(__file__).parents[3]


def test_a_record_and_its_log_tell_the_kind(tmp_path: Path) -> None:
    """The stage runner's record is all that is needed."""
    log = tmp_path / "log"
    log.write_text("epoch 1\nRuntimeError: NCCL error in: x.cpp:518, unhandled system error\n")
    found = describe_run({"state": "failed", "exit_code": 1, "log": str(log), "stage": "train"})
    assert found == Failure(
        "train", 1, "NCCL", "RuntimeError: NCCL error in: x.cpp:518, unhandled system error"
    )
    assert found.hint == HINTS["NCCL"]


@pytest.mark.parametrize(
    ("record", "kind"),
    [
        ({"state": "failed", "exit_code": 137}, "killed"),
        ({"state": "failed", "exit_code": 124}, "timeout"),
        ({"state": "failed", "exit_code": 3, "log": "/no/such/log"}, "failed"),
        ({"state": "interrupted", "exit_code": 143}, "interrupted"),
        ({"state": "lost"}, "lost"),
        ({}, "lost"),
        ({"state": "finished", "exit_code": 0}, None),
        ({"state": "running", "exit_code": None}, None),
    ],
)
def test_what_a_record_alone_tells(record: dict[str, object], kind: str | None) -> None:
    """Without a log the exit code and the state do; a run that has not failed has no kind."""
    found = describe_run(record)
    assert (found and found.kind) == kind


def test_it_needs_no_package(tmp_path: Path) -> None:
    """The stage runner starts without site-packages: there it can be asked too."""
    log = tmp_path / "log"
    log.write_text("slurmstepd: error: *** JOB 7 ON n CANCELLED AT x DUE TO NODE FAILURE ***\n")
    record = {"state": "failed", "exit_code": 1, "log": str(log)}
    code = (
        f"import sys; sys.path.insert(0, {str(Path(sweepmake.__file__).parents[1])!r})\n"
        f"from sweepmake.results.ended_run import describe_run\n"
        f"print(describe_run({record!r}).kind); print('yaml' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-E", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.split("\n")[:2] == ["node failure", "False"]


def test_what_is_tried_again() -> None:
    """Words of `retry_on:` mean kinds, kinds mean themselves; without it all but the hopeless."""
    assert is_retried("killed", None)
    assert not any(is_retried(kind, None) for kind in HOPELESS)
    assert is_retried("timeout", ["oom", "time limit"])
    assert is_retried("lost", ("node",))
    assert is_retried("NCCL", ["NCCL"])
    assert not is_retried("Python exception", list(RETRY_WORDS))
    assert not is_retried("killed", [])
    assert {kind for kinds in RETRY_WORDS.values() for kind in kinds} | set(HOPELESS) <= set(KINDS)


def test_every_kind_has_a_hint_of_one_line_that_the_documentation_repeats() -> None:
    """docs/failures.md lists all kinds, in their order."""
    table = (REPOSITORY / "docs/failures.md").read_text().split("|---|---|---|\n")[1]
    rows = [row.split(" | ") for row in table.split("\n\n")[0].split("\n")]
    assert [(row[0].strip("| "), row[-1].strip("| ")) for row in rows] == list(HINTS.items())
    assert not [hint for hint in HINTS.values() if "\n" in hint or len(hint) > 85]


@pytest.mark.parametrize(
    ("kind", "line", "words"),
    [
        ("out of memory", "DataLoader worker (pid 5) is killed by signal: Bus error.", "/dev/shm"),
        ("out of memory", "MemoryError", "mem_mb"),
        ("CUDA error", "RuntimeError: No CUDA GPUs are available", "stage: gpu"),
        ("CUDA error", "RuntimeError: CUDA error: uncorrectable ECC error", "broken"),
        ("shape mismatch", "size mismatch for head.weight: copying a param", "checkpoint"),
        ("killed", "JOB 7 CANCELLED AT x DUE TO PREEMPTION", "needed the place"),
    ],
)
def test_the_line_can_tell_a_better_hint(kind: str, line: str, words: str) -> None:
    assert words in hint_for(kind, line)
    assert json.dumps(hint_for(kind, line)).count("\\n") == 0


def test_kinds_are_words_that_stay() -> None:
    """Tables, scripts and `retry_on:` hold these names: none may be renamed or go."""
    assert set(KINDS) >= {
        "out of GPU memory", "out of memory", "diverged (nan)", "timeout", "killed",
        "segmentation fault", "aborted", "Python exception", "command not found",
        "file not found", "disk full", "MPI abort", "interrupted", "lost", "failed",
        "CUDA error", "NCCL", "missing module", "permission", "device mismatch", "assertion",
        "shape mismatch", "usage error", "node failure",
    }  # fmt: skip
    assert all(re.fullmatch(r"[A-Za-z() ]+", kind) for kind in KINDS)


TRACE = 'Traceback (most recent call last):\n  File "a.py", line 1, in f\n'


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (f"{TRACE}KeyError: 'k'\nException ignored in: <f>\n{TRACE}AssertionError: x\n",
         "Python exception"),
        (f"{TRACE}ModuleNotFoundError: No module named 'apex'\ngoing on without it\nbye\n",
         "failed"),
        (f"{TRACE}ModuleNotFoundError: No module named 'apex'\nbye\n", "missing module"),
        (f"{TRACE}IndexError: of one\n{TRACE}RuntimeError: x: Connection closed by peer\n",
         "Python exception"),
        (f"{TRACE}OSError: x\n\nDuring handling of the above exception, another exception "
         f"occurred:\n\n{TRACE}ValueError: no backend\n", "Python exception"),
        (f"{TRACE}torch.OutOfMemoryError: CUDA out of memory.\n\nDuring handling of the above "
         f"exception, another exception occurred:\n\n{TRACE}ValueError: x\n", "out of GPU memory"),
        ("RuntimeError: CUDA out of memory, trying again\nbye\n", "failed"),
        (f"{TRACE}SystemExit: 3\n", "failed"),
    ],
)  # fmt: skip
def test_what_counts_as_the_exception(tmp_path: Path, text: str, kind: str) -> None:
    """Not one that was ignored, survived, or raised because another rank had gone."""
    (tmp_path / "log").write_text(f"epoch 1\n{text}")
    found = describe_run({"state": "failed", "exit_code": 1, "log": str(tmp_path / "log")})
    assert found is not None
    assert found.kind == kind
