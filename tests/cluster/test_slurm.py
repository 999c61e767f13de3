"""A sweep on a real Slurm: what the stages declare reaches it, and its GPUs are used as given."""

from __future__ import annotations

import csv
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from slurm import Slurm

pytestmark = pytest.mark.xdist_group("slurm")  # one Slurm, and one sweep for most of the tests

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 300  # the whole file takes about 60 seconds on an idle machine

# Each command says what it sees; the test stage of seed 2 fails until the sweep is repaired.
PARAMS = """\
template:
  train: echo "{seed} sees [$CUDA_VISIBLE_DEVICES]"
  avg: echo "{seed} sees [$CUDA_VISIBLE_DEVICES]"
  test: echo "{seed} sees [$CUDA_VISIBLE_DEVICES]"; test {seed} = 1 || test -e repaired || exit 3
stage:
  train: {gpu: 1, threads: 2, mem_mb: 300, runtime: 3}
  avg: {gpu: 0}
  test: {gpu: 2}
---
seed: [1, 2]
"""
ENDLESS = """\
template:
  train: echo "{seed}"; exec sleep 1000
---
seed: [1, 2]
"""
FAILING = """\
template:
  train: echo "{seed} sees [$CUDA_VISIBLE_DEVICES]"; exit 3
resource: [0, 1]
stage:
  train: {gpu: 2, retries: 2}
---
seed: [1]
"""
DEFAULT_MEM_MB, DEFAULT_RUNTIME = 200, 5
COMMAND = [
    sys.executable, "-m", "snakemake",
    "--snakefile", str(ROOT / "Snakefile"),
    "--profile", str(ROOT / "profiles/slurm"),
    # what holds for this Slurm only: small nodes, no accounting, short runs
    "--default-resources", f"mem_mb={DEFAULT_MEM_MB}", f"runtime={DEFAULT_RUNTIME}",
    "--slurm-status-command", "squeue",
    "--slurm-no-account",
    # the wait grows by 10 each time that no job has ended; one takes 6 or 7 on two idle cores
    "--slurm-init-seconds-before-status-checks", "8",
    "--latency-wait", "5",
]  # fmt: skip

Record = dict[str, object]


@dataclass(frozen=True)
class Outcome:
    """What two calls of the same command left, the second after a repair.

    Attributes:
        folder: where they ran.
        codes: their exit codes.
        records: (experiment, stage) → the run's record, after each call.
        statuses: experiment → its status in the table of results, after each call.
        jobs: Slurm's jobs of both calls, in the order of submission.
    """

    folder: Path
    codes: tuple[int, int]
    records: tuple[dict[tuple[str, str], Record], dict[tuple[str, str], Record]]
    statuses: tuple[dict[str, str], dict[str, str]]
    jobs: list[dict[str, str]]

    def of_stage(self, stage: str) -> list[Record]:
        """The last records of all runs of a stage."""
        return [record for (_, s), record in self.records[1].items() if s == stage]

    def jobs_of(self, stage: str) -> list[dict[str, str]]:
        """Slurm's jobs of a stage."""
        # the plugin's comment on a job: rule_train_wildcards_Seed_1
        return [job for job in self.jobs if job["Comment"].startswith(f"rule_{stage}_wildcards")]


def read_records(folder: Path) -> dict[tuple[str, str], Record]:
    found: dict[tuple[str, str], Record] = {}
    for path in sorted(folder.glob("output/*/.sweepmake/*.json")):
        record = json.loads(path.read_text())
        found[record["experiment"], record["stage"]] = record
    return found


@pytest.fixture(scope="module")
def outcome(slurm: Slurm, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """Run the sweep until one run fails; repair it, and type the same command again."""
    folder = tmp_path_factory.mktemp("sweep")
    (folder / "params.yaml").write_text(PARAMS)
    earlier = slurm.jobs().keys()

    def call() -> tuple[int, dict[tuple[str, str], Record]]:
        done = subprocess.run(
            COMMAND, cwd=folder, env=slurm.environment, timeout=TIMEOUT_S, check=False
        )
        return done.returncode, read_records(folder)

    def table() -> dict[str, str]:
        with (folder / "results/experiments.csv").open(encoding="utf-8", newline="") as file:
            return {row["experiment"]: row["status"] for row in csv.DictReader(file)}

    first, shown = call(), table()
    (folder / "repaired").touch()
    second = call()
    jobs = [job for name, job in slurm.jobs().items() if name not in earlier]
    codes, records = (first[0], second[0]), (first[1], second[1])
    return Outcome(folder, codes, records, (shown, table()), jobs)


def test_a_failed_run_fails_alone_and_is_the_only_one_to_run_again(outcome: Outcome) -> None:
    """The first call ends with an error and five finished runs; the second runs the sixth."""
    assert outcome.codes[0] != 0
    assert outcome.codes[1] == 0
    first, second = outcome.records
    failed = [run for run, record in first.items() if record["state"] != "finished"]
    assert len(first) == 6
    assert [first[run]["exit_code"] for run in failed] == [3]
    assert {run: record["attempt"] for run, record in second.items()} == {
        run: 2 if run in failed else 1 for run in first
    }
    assert {record["state"] for record in second.values()} == {"finished"}
    assert len(outcome.jobs) == 7


def test_the_results_are_made_here_and_not_in_jobs(outcome: Outcome) -> None:
    """The table is there after the failed call, too; reading and plotting took no Slurm job."""
    assert outcome.statuses == (
        {"Seed_1": "finished", "Seed_2": "failed"},
        {"Seed_1": "finished", "Seed_2": "finished"},
    )
    counts = [len(outcome.jobs_of(stage)) for stage in ("train", "avg", "test")]
    assert (counts, len(outcome.jobs)) == ([2, 2, 3], 7)


def test_no_two_runs_share_a_gpu(outcome: Outcome, slurm: Slurm) -> None:
    """Runs at the same time have different (node, GPU id) pairs, which are Slurm's own ids."""
    trains = outcome.of_stage("train")
    pairs = {(record["host"], record["slot"]) for record in trains}
    assert len(pairs) == 2
    ids = {str(number) for number in range(slurm.gpus)}
    assert all(host in slurm.nodes and slot in ids for host, slot in pairs)
    first, second = sorted(outcome.jobs_of("train"), key=lambda job: job["StartTime"])
    assert second["StartTime"] < first["EndTime"], "they did not overlap: this proves nothing"


@pytest.mark.parametrize(("stage", "gpu"), [("train", 1), ("avg", 0), ("test", 2)])
def test_a_stage_asks_for_its_gpus_and_its_command_sees_them(
    outcome: Outcome, stage: str, gpu: int
) -> None:
    """A run is one task with as many GPU ids as its stage declares, none for gpu: 0."""
    for job in outcome.jobs_of(stage):
        assert job.get("TresPerJob") == (f"gres:gpu:{gpu}" if gpu else None)
        assert job["NumTasks"] == "1"
    for record in outcome.of_stage(stage):
        slot = str(record["slot"])
        assert len(set(filter(None, slot.split(",")))) == gpu
        seen = (outcome.folder / str(record["log"])).read_text().splitlines()
        assert len(seen) == 1
        assert seen[0].endswith(f"sees [{slot}]")


@pytest.mark.parametrize(
    ("stage", "cpus", "mem_mb", "runtime"),
    [("train", 2, 300, 3), ("avg", 1, DEFAULT_MEM_MB, DEFAULT_RUNTIME)],
)
def test_threads_memory_and_runtime_reach_slurm(
    outcome: Outcome, stage: str, cpus: int, mem_mb: int, runtime: int
) -> None:
    """What a stage declares is what its job is given; else the profile's defaults."""
    jobs = outcome.jobs_of(stage)
    assert len(jobs) == 2
    for job in jobs:
        assert job["TRES"].startswith(f"cpu={cpus},mem={mem_mb}M,")
        assert job["TimeLimit"] == f"00:{runtime:02d}:00"


def wait_for(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_an_interrupt_cancels_the_jobs(slurm: Slurm, tmp_path: Path) -> None:
    """After a Ctrl-C no job is left, no command lives on, and no run counts as finished."""
    (tmp_path / "params.yaml").write_text(ENDLESS)
    workflow = subprocess.Popen(COMMAND, cwd=tmp_path, env=slurm.environment)
    try:
        wait_for(lambda: len(list(tmp_path.glob("output/*/log.train.*"))) == 2 or workflow.poll())
        workflow.send_signal(signal.SIGINT)
        assert workflow.wait(TIMEOUT_S) != 0
    finally:
        workflow.kill()
        workflow.wait()
    wait_for(lambda: not slurm.run("squeue", "-h").strip())
    assert [job["JobState"] for job in slurm.jobs().values()][-2:] == ["CANCELLED"] * 2
    locks = list(tmp_path.glob("output/*/.sweepmake/train.lock"))
    assert len(locks) == 2
    for lock in locks:  # which every process of a run holds; BlockingIOError: one is alive
        with lock.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    # which of the three depends on whom Slurm's signals reach first; all of them run again
    states = {record["state"] for record in read_records(tmp_path).values()}
    assert states <= {"interrupted", "failed", "running"}


def test_a_job_neither_retries_nor_chooses_a_gpu(tmp_path: Path) -> None:
    """In a job (here without Slurm: Snakemake's mode `remote`) the scheduler has its say."""
    (tmp_path / "params.yaml").write_text(FAILING)
    job = [
        *COMMAND[:5], "--mode", "remote", "--no-hooks", "--cores", "1",
        "output/Seed_1/.sweepmake/train.done",
    ]  # fmt: skip
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "5,7", "SWEEPMAKE_SLOTS": "0;1"}
    done = subprocess.run(job, cwd=tmp_path, env=environment, timeout=TIMEOUT_S, check=False)
    assert done.returncode != 0
    logs = list(tmp_path.glob("output/Seed_1/log.train.*"))
    assert [log.read_text() for log in logs] == ["1 sees [5,7]\n"]
