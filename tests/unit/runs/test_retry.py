"""Another attempt of a run that has failed: whether, after what wait, and on which GPUs."""

from __future__ import annotations

import os
from typing import Any

import pytest
from stage_runner import Runner

from sweepmake.params.guard_keys import RETRY_WORDS
from sweepmake.results import failure_kinds
from sweepmake.results.judge import judge_failure
from sweepmake.runs import retry, slots
from sweepmake.runs.batch_job import batch_job

OOM = "echo 'torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB' >&2; exit 1"


@pytest.fixture(autouse=True)
def told(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process is in no batch job, and starts all runs in one invocation."""
    monkeypatch.setenv("SWEEPMAKE_INVOCATION", "one")
    for name in [name for name in os.environ if batch_job({name: "1"})]:
        monkeypatch.delenv(name)


def failed(**fields: object) -> dict[str, object]:
    """Return the record of an attempt that failed."""
    return {"stage": "train", "experiment": "E", "state": "failed", "exit_code": 1} | fields


def as_the_judge(question: dict[str, Any]) -> dict[str, object]:
    """Answer as the judge's program does, in this process."""
    return judge_failure(question["record"], question["retry_on"])


def test_the_words_of_retry_on_are_those_that_the_judge_knows() -> None:
    """What a user may write and what is looked up are one list."""
    assert set(RETRY_WORDS) == set(failure_kinds.RETRY_WORDS)


def test_a_failed_run_is_tried_again_after_a_wait(runner: Runner) -> None:
    """The record counts; in another invocation nothing waits."""
    assert runner.run("exit 3")[0] == 3
    code, said = runner.run("exit 3")
    assert code == 3
    assert said.startswith("RETRY   in 1 s, train: 1/1, output/E\nSTART")
    assert runner.record()["tries"] == 2
    assert "RETRY" not in runner.run("exit 3", invocation="two")[1]


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("nosuchprogram", "it failed by: command not found"),
        ("echo 'usage: t.py [-h]\nt.py: error: unrecognized arguments: -x' >&2; exit 2",
         "it failed by: usage error"),
        ("kill -TERM $PPID; kill -TERM $(ps -o ppid= -p $PPID); sleep 60", "it was interrupted"),
    ],
)  # fmt: skip
def test_what_would_fail_again_is_refused_at_once(runner: Runner, command: str, why: str) -> None:
    """Nothing starts, nothing is waited for, and the exit code is that of the attempt before."""
    code, _ = runner.run(command)
    assert code
    again, said = runner.run(command)
    assert said == f"FAIL    not tried again, because {why}, train: 1/1, output/E\n"
    assert again == code
    assert len(runner.logs()) == 1


def test_waits_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    """1, 4, 16, … seconds, and never more than five minutes."""
    monkeypatch.setattr(retry, "ask", lambda _question: {"kind": "failed", "retried": True})
    decided = [retry.decide(failed(tries=n), ()) for n in (1, 2, 3, 5, 90)]
    assert [one.wait_s for one in decided] == [1, 4, 16, 256, 300]
    assert [one.tries for one in decided] == [2, 3, 4, 6, 91]


@pytest.mark.parametrize(
    ("retry_on", "record", "refusal"),
    [
        (["gpu oom"], failed(kind="out of GPU memory"), ""),
        (["oom", "node"], failed(kind="out of memory"), ""),
        (["time limit"], failed(kind="timeout"), ""),
        (["hung"], failed(kind="hung"), ""),
        (["node"], failed(state="lost", exit_code=None), ""),
        (["node", "oom"], failed(kind="killed"),
         "it failed by: killed, and retry_on is: node, oom"),
        (["node"], failed(kind="not successful"),
         "it failed by: not successful, and retry_on is: node"),
        ([], failed(kind="not successful"), ""),
    ],
)  # fmt: skip
def test_retry_on_lists_what_is_tried_again(
    retry_on: list[str], record: dict[str, object], refusal: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the kind of the failure; without it all counts but what would fail again."""
    monkeypatch.setattr(retry, "ask", as_the_judge)
    assert retry.decide(record, retry_on).refusal == refusal


def test_a_kind_is_told_by_the_log(runner: Runner) -> None:
    """As the table of results tells it."""
    runner.options = ["--retry-on=node"]
    runner.run(OOM)
    assert "not tried again, because it failed by: out of GPU memory" in runner.run(OOM)[1]


def test_a_batch_job_that_its_scheduler_ended_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Snakemake asks for it only where it was not the user; on one machine it was."""
    monkeypatch.setattr(retry, "ask", as_the_judge)
    assert retry.decide(failed(state="interrupted"), ()).refusal == "it was interrupted"
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    assert retry.decide(failed(state="interrupted"), ()).refusal == ""
    assert retry.decide(failed(state="interrupted"), ["time limit"]).refusal == ""
    assert retry.decide(failed(state="interrupted"), ["oom"]).refusal != ""


def test_after_gpu_oom_a_run_has_its_gpu_alone(runner: Runner) -> None:
    """The slot that two runs share is waited for until the other one has left it."""
    runner.slots = "0;0"
    folder = str(runner.folder / "locks")
    assert runner.run(OOM)[0] == 1
    other = slots.acquire(["0", "0"], 1, folder)
    process = runner.start("echo alone")
    assert process.stderr is not None
    assert process.stderr.readline() == "RETRY   in 1 s, alone on its GPUs, train: 1/1, output/E\n"
    assert process.stderr.readline().startswith("WAIT    its GPUs are in use")
    other.release()
    assert process.stderr.readline().startswith("START   gpu: 0")
    assert process.wait(30) == 0
    assert runner.record()["alone"] is True


def test_nobody_joins_a_run_that_is_alone(runner: Runner) -> None:
    """Its lease says so to those who list the GPU twice."""
    folder = str(runner.folder / "locks")
    assert retry.alone(["0", "0", "1", "1"], 1) == ["0", "1"]
    assert retry.alone(["0,1", "1,2", "3"], 2) == ["0,1", "3"]
    lease = slots.acquire(retry.alone(["0", "0"], 1), 1, folder)
    assert slots.try_acquire(["0", "0"], 1, folder) is None
    lease.release()
