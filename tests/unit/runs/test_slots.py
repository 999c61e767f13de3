"""Leases of GPU slots, with real processes that are really killed."""

from __future__ import annotations

import fcntl
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sweepmake.runs.slots import acquire, can_take, try_acquire

MANY_LEASES = 3000
WORKERS = 6

WORKER = """
import fcntl, os, random, sys
from sweepmake.runs.slots import acquire
folder, seed, slots = sys.argv[1], int(sys.argv[2]), sys.argv[3].split(";")
random.seed(seed)
# Opened before any lease, so closed before any when this process is killed (in fd order).
devices = ",".join(slots).split(",")
watch = {d: os.open(f"{folder}/watch.{d}", os.O_RDWR | os.O_CREAT) for d in devices}
report = os.open(f"{folder}/report", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
while True:
    lease = acquire(slots, random.choice((1, 1, 2)), folder + "/locks")
    for device in lease.devices.split(","):
        try:
            fcntl.flock(watch[device], fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.write(report, b"!")
    os.write(report, b".")
    for device in lease.devices.split(","):
        fcntl.flock(watch[device], fcntl.LOCK_UN)
    lease.release()
"""


def start_worker(folder: Path, slots: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, str(folder), str(random.random())[2:9], slots]
    )


@pytest.mark.parametrize("slots", ["0;1;2;3", "0,1;2,3;4"])
def test_no_gpu_is_held_twice_under_random_kills(tmp_path: Path, slots: str) -> None:
    """In thousands of leases by processes that are killed at random, no id has two holders."""
    report = tmp_path / "report"
    report.touch()
    workers = [start_worker(tmp_path, slots) for _ in range(WORKERS)]
    kills = 0
    deadline = time.monotonic() + 60
    try:
        while report.stat().st_size < MANY_LEASES and time.monotonic() < deadline:
            victim = random.randrange(WORKERS)
            workers[victim].send_signal(signal.SIGKILL)
            workers[victim].wait()
            workers[victim] = start_worker(tmp_path, slots)
            kills += 1
            time.sleep(0.02)
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
    seen = report.read_bytes()
    assert len(seen) >= MANY_LEASES
    assert kills >= 5
    assert b"!" not in seen


def test_each_run_gets_ids_of_its_own(tmp_path: Path) -> None:
    """Slots are handed out in their order, and none is left when all are taken."""
    folder = str(tmp_path)
    leases = [try_acquire(["0", "1", "2,3"], 1, folder) for _ in range(3)]
    assert [lease.devices for lease in leases if lease] == ["0", "1", "2,3"]
    assert try_acquire(["0", "1", "2,3"], 1, folder) is None
    assert leases[1] is not None
    leases[1].release()
    again = try_acquire(["0", "1", "2,3"], 1, folder)
    assert again is not None
    assert again.devices == "1"


def test_a_stage_of_two_slots_takes_both_or_none(tmp_path: Path) -> None:
    """Two slots come together; while one is missing, the other stays free for others."""
    one = try_acquire(["0", "1"], 1, str(tmp_path))
    assert one is not None
    assert try_acquire(["0", "1"], 2, str(tmp_path)) is None
    one.release()
    both = try_acquire(["0", "1"], 2, str(tmp_path))
    assert both is not None
    assert both.devices == "0,1"
    assert both.slots == ("0", "1")


def test_repeated_ids_share_a_gpu_and_spread_first(tmp_path: Path) -> None:
    """[0, 0, 1, 1] lets two runs share each GPU, but gives the first two a GPU each."""
    slots = ["0", "0", "1", "1"]
    leases = [try_acquire(slots, 1, str(tmp_path)) for _ in range(4)]
    assert [lease.devices for lease in leases if lease] == ["0", "1", "0", "1"]
    assert try_acquire(slots, 1, str(tmp_path)) is None


def test_a_pair_is_as_shared_as_the_busier_of_its_gpus(tmp_path: Path) -> None:
    """[0, "1,0", "2,3"] with a run on GPU 0: the pair without it comes first."""
    slots = ["0", "1,0", "2,3"]
    assert try_acquire(slots, 1, str(tmp_path)) is not None
    next_one = try_acquire(slots, 1, str(tmp_path))
    assert next_one is not None
    assert next_one.devices == "2,3"


def test_a_sweep_that_does_not_share_is_not_shared_with(tmp_path: Path) -> None:
    """Where one sweep lists a GPU once and another twice, they never hold it together."""
    alone = try_acquire(["0"], 1, str(tmp_path))
    assert alone is not None
    assert try_acquire(["0", "0"], 1, str(tmp_path)) is None
    alone.release()
    shared = try_acquire(["0", "0"], 1, str(tmp_path))
    assert shared is not None
    assert try_acquire(["0"], 1, str(tmp_path)) is None
    assert try_acquire(["0", "0"], 1, str(tmp_path)) is not None


def test_a_run_that_waits_says_so_once_and_looks_less_and_less_often(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message for each look would fill the terminal; two looks a second are enough."""
    held = try_acquire(["0"], 1, str(tmp_path))
    assert held is not None
    said: list[str] = []
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 6:
            held.release()

    monkeypatch.setattr(time, "sleep", sleep)
    assert acquire(["0"], 1, str(tmp_path), lambda: said.append("wait")).devices == "0"
    assert said == ["wait"]
    assert slept == [0.05, 0.1, 0.2, 0.5, 0.5, 0.5]


def test_uuids_are_ids(tmp_path: Path) -> None:
    """NVIDIA's names of GPUs and MIG parts, slashes included, are ids like numbers."""
    slots = ["GPU-8f6d", "MIG-GPU-8f6d/1/0"]
    both = try_acquire(slots, 2, str(tmp_path))
    assert both is not None
    assert both.devices == "GPU-8f6d,MIG-GPU-8f6d/1/0"
    assert try_acquire(slots, 1, str(tmp_path)) is None


def test_a_child_keeps_the_gpu_of_its_killed_parent(tmp_path: Path) -> None:
    """The lease ends with the last process that inherited it, not with the one that took it."""
    code = (
        "import os, sys, subprocess; from sweepmake.runs.slots import acquire\n"
        f"lease = acquire(['0'], 1, {str(tmp_path)!r})\n"
        "child = subprocess.Popen(['cat'], stdin=0, close_fds=False)\n"
        "print(child.pid, flush=True); child.wait()\n"
    )
    read, write = os.pipe()
    parent = subprocess.Popen([sys.executable, "-c", code], stdin=read, stdout=subprocess.PIPE)
    os.close(read)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    assert Path(f"/proc/{child}").exists()
    assert try_acquire(["0"], 1, str(tmp_path)) is None
    os.close(write)  # the child reads the end of its input, and ends
    lease = acquire(["0"], 1, str(tmp_path))
    assert lease.devices == "0"


def test_release_frees_what_others_inherited(tmp_path: Path) -> None:
    """A process that the command left behind (a daemon) does not keep the GPU of a finished run."""
    lease = try_acquire(["0"], 1, str(tmp_path))
    assert lease is not None
    left = subprocess.Popen(["cat"], stdin=subprocess.PIPE, close_fds=False)
    try:
        lease.release()
        assert try_acquire(["0"], 1, str(tmp_path)) is not None
    finally:
        left.communicate()


def test_the_wait_is_announced_once(tmp_path: Path) -> None:
    """While the GPU is busy, the caller is told so before the first wait, and only then."""
    holder = try_acquire(["0"], 1, str(tmp_path))
    assert holder is not None
    told = []

    def on_wait() -> None:
        told.append(1)
        holder.release()

    assert acquire(["0"], 1, str(tmp_path), on_wait).devices == "0"
    assert told == [1]


@pytest.mark.parametrize(
    ("slots", "count", "possible"),
    [(["0", "1"], 2, True), (["0", "0"], 2, False), (["0,1", "1,2", "2,3"], 2, True)],
)
def test_slots_that_overlap_do_not_add_up(slots: list[str], count: int, possible: bool) -> None:
    """Slots that share an id can never be taken together."""
    assert can_take(slots, count) is possible


def test_lock_files_hold_no_state_of_their_own(tmp_path: Path) -> None:
    """Lock files left over from a crash mean nothing: only a living holder counts."""
    (tmp_path / "gpu.0.0").write_text("1")
    (tmp_path / "guard").touch()
    lease = try_acquire(["0"], 1, str(tmp_path))
    assert lease is not None
    with (tmp_path / "gpu.0.0").open() as file, pytest.raises(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
