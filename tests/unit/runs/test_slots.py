"""Leases of GPU slots, with real processes that are really killed."""

from __future__ import annotations

import fcntl
import importlib.util
import os
import random
import select
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

from sweepmake.runs.claims import Holder
from sweepmake.runs.slots import acquire, can_take, try_acquire

MANY_LEASES = 800
BETWEEN_KILLS = 60  # leases, at most
WORKERS = 6
HUNG_S = 60
UUID = "GPU-8f3b2d11-7c1e-4a53-9d0f-0f5f1a2b3c4d"

WORKER = """
import fcntl, os, random, sys
from sweepmake.runs.slots import acquire
folder, seed, slots = sys.argv[1], int(sys.argv[2]), sys.argv[3].split(";")
report = int(sys.argv[4])
random.seed(seed)
# Opened before any lease, so closed before any when this process is killed (in fd order).
devices = ",".join(slots).split(",")
watch = {d: os.open(f"{folder}/watch.{d}", os.O_RDWR | os.O_CREAT) for d in devices}
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


def start_worker(folder: Path, slots: str, report: int) -> subprocess.Popen[bytes]:
    seed = str(random.random())[2:9]
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, str(folder), seed, slots, str(report)], pass_fds=[report]
    )


@pytest.mark.parametrize("slots", ["0;1;2;3", "0,1;2,3;4"])
def test_no_gpu_is_held_twice_under_random_kills(tmp_path: Path, slots: str) -> None:
    """In hundreds of leases by processes that are killed at random, no id has two holders.

    Each lease is a byte in a pipe: how long it all takes says nothing.
    """
    read, write = os.pipe()
    workers = [start_worker(tmp_path, slots, write) for _ in range(WORKERS)]
    seen = b""
    kills = 0
    next_kill = BETWEEN_KILLS
    try:
        while len(seen) < MANY_LEASES:
            assert select.select([read], [], [], HUNG_S)[0], "nobody gets a lease any more"
            seen += os.read(read, 16)
            if len(seen) >= next_kill:
                victim = random.randrange(WORKERS)
                workers[victim].kill()
                workers[victim].wait()
                workers[victim] = start_worker(tmp_path, slots, write)
                kills += 1
                next_kill = len(seen) + random.randint(1, BETWEEN_KILLS)
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
        os.close(read)
        os.close(write)
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
    assert acquire(["0"], 1, str(tmp_path), said.append).devices == "0"
    assert len(said) == 1
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

    def on_wait(why: str) -> None:
        told.append(why)
        holder.release()

    assert acquire(["0"], 1, str(tmp_path), on_wait).devices == "0"
    assert told == [f"GPU 0 is held by process {os.getpid()}"]


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


def here() -> str:
    """Return how a process that has not said who it is, this one, is named."""
    return f"what runs in {Path.cwd()}, process {os.getpid()}"


def last_version() -> ModuleType:
    """Return the slots module of the last version, which may be at work beside this one."""
    path = Path(__file__).parents[2] / "data/last_version/slots.py"
    spec = importlib.util.spec_from_file_location("slots_of_the_last_version", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_leases_of_the_last_version_count_and_ours_count_for_it(tmp_path: Path) -> None:
    """A sweep that was started yesterday shares the machine, whichever of the two came first."""
    old, folder = last_version(), str(tmp_path)
    yesterdays = old.try_acquire(["0"], 1, folder)
    said: list[str] = []
    cards = f"0={UUID},0;{UUID}={UUID},0"
    assert try_acquire(["0"], 1, folder) is None
    assert try_acquire([UUID], 1, folder, cards=cards) is None

    def on_wait(why: str) -> None:
        said.append(why)
        yesterdays.release()

    lease = acquire(["0"], 1, folder, on_wait, cards=cards)
    assert said == [f"GPU 0 is held by {here()}"]  # it did not say so itself
    for slots in (["0"], [UUID], ["0", "0"]):
        assert old.try_acquire(slots, 1, folder) is None
    lease.release()
    again = old.try_acquire(["0"], 1, folder)
    assert again is not None


@pytest.mark.parametrize("first", ["ours", "the last version's"])
def test_a_gpu_is_shared_with_the_last_version_as_often_as_both_allow(
    tmp_path: Path, first: str
) -> None:
    """[0, 0] of both: two runs in all, whoever has the first of them."""
    old, folder, slots = last_version(), str(tmp_path), ["0", "0"]
    one, other = (try_acquire, old.try_acquire)[:: 1 if first == "ours" else -1]
    assert one(slots, 1, folder) is not None
    assert other(slots, 1, folder) is not None
    assert one(slots, 1, folder) is None
    assert other(slots, 1, folder) is None


def test_a_guard_that_is_held_is_waited_for_by_both_versions(tmp_path: Path) -> None:
    """The two look at the files under the same lock."""
    with (tmp_path / "guard").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        code = (
            f"import sys; sys.path.insert(0, {str(Path(__file__).parents[2] / 'data')!r})\n"
            "from last_version.slots import try_acquire\n"
            f"print(try_acquire(['0'], 1, {str(tmp_path)!r}).devices)"
        )
        waits = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        said: list[str] = []

        def on_wait(why: str) -> None:
            said.append(why)
            fcntl.flock(guard, fcntl.LOCK_UN)

        lease = acquire(["0", "1"], 1, str(tmp_path), on_wait)
        assert waits.communicate(timeout=30)[0] in ("0\n", "1\n")
    lease.release()
    (why,) = said
    assert why == (f"{tmp_path}/guard is held by {here()}, which should have it for a moment only")


@pytest.mark.parametrize("name", ["0", UUID, UUID[:8]])
def test_one_card_is_one_card_whatever_it_is_called(tmp_path: Path, name: str) -> None:
    """Sweeps that name it otherwise, one of them by the beginning of its UUID, never share it."""
    cards = f"0={UUID},0;{UUID}={UUID},0;{UUID[:8]}={UUID},0,{UUID[:8]}"
    lease = try_acquire(["0"], 1, str(tmp_path), cards=cards)
    assert lease is not None
    assert lease.devices == "0"
    assert try_acquire([name], 1, str(tmp_path), cards=cards) is None
    lease.release()
    assert try_acquire([name], 1, str(tmp_path), cards=cards) is not None


def test_a_card_that_has_two_names_in_one_sweep_is_not_shared(tmp_path: Path) -> None:
    """Only equal slots say that runs may share a card."""
    cards = f"0={UUID},0;{UUID}={UUID},0"
    assert not can_take(["0", UUID], 2, cards)
    assert try_acquire(["0", UUID], 1, str(tmp_path), cards=cards) is not None
    assert try_acquire(["0", UUID], 1, str(tmp_path), cards=cards) is None


def test_slices_share_their_card_with_one_another_and_with_nobody_else(tmp_path: Path) -> None:
    """While one is leased, the card is not, and the other way about; also in the last version."""
    cards = f"0={UUID},0;MIG-a=MIG-a+{UUID},0;MIG-b=MIG-b+{UUID},0"
    folder, slots = str(tmp_path), ["0", "0", "MIG-a", "MIG-b"]
    assert not can_take(["0", "MIG-a"], 2, cards)
    assert can_take(["MIG-a", "MIG-b"], 2, cards)
    both = try_acquire(["MIG-a", "MIG-b"], 2, folder, cards=cards)
    assert both is not None
    assert try_acquire(["0", "0"], 1, folder, cards=cards) is None
    assert last_version().try_acquire(["0", "0"], 1, folder) is None
    assert try_acquire(["MIG-a"], 1, folder, cards=cards) is None
    both.release()
    whole = [try_acquire(["0", "0"], 1, folder, cards=cards) for _ in range(2)]
    assert whole[0] is not None
    assert whole[1] is not None
    whole[0].release()  # the other one has the second of the files
    assert try_acquire(slots[2:], 1, folder, cards=cards) is None
    whole[1].release()
    assert try_acquire(slots[2:], 1, folder, cards=cards) is not None


def test_a_wait_is_told_again_when_it_has_changed_but_seldom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After ten minutes at the earliest, then after twenty: another sweep's runs come and go."""
    said: list[tuple[float, str]] = []
    now = [0.0]
    held = [try_acquire(["0"], 1, str(tmp_path), holder=Holder(what="run 0", pid=1))]

    def sleep(seconds: float) -> None:
        now[0] += 100
        if now[0] % 400 == 0:  # a new run every 400 s
            assert held[0] is not None
            held[0].release()
            if now[0] < 4000:
                run = Holder(what=f"run {now[0]:.0f}", pid=1)
                held[0] = try_acquire(["0"], 1, str(tmp_path), holder=run)

    monkeypatch.setattr(time, "sleep", sleep)
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    acquire(["0"], 1, str(tmp_path), lambda why: said.append((now[0], why.partition(",")[0])))
    assert said == [
        (0.0, "GPU 0 is held by run 0"),
        (600.0, "GPU 0 is held by run 400"),
        (1800.0, "GPU 0 is held by run 1600"),
    ]


def test_a_wait_for_many_gpus_is_one_line(tmp_path: Path) -> None:
    """GPUs of one holder stand together; of many holders, three are named."""
    slots = [str(number) for number in range(8)]
    for number, names in enumerate((slots[:2], slots[2:3], slots[3:4], slots[4:5], slots[5:])):
        holder = Holder(what=f"run {number}", pid=1)
        assert try_acquire(names, len(names), str(tmp_path), holder=holder) is not None
    said: list[str] = []
    with pytest.raises(InterruptedError):
        acquire(slots, 1, str(tmp_path), lambda why: (said.append(why), stop()))
    assert said == [
        "GPUs 0, 1 are held by run 0, process 1; GPU 2 is held by run 1, process 1; "
        "GPU 3 is held by run 2, process 1; and 2 more"
    ]


def stop() -> None:
    raise InterruptedError


def test_a_busy_gpu_is_left_alone_unless_a_run_of_ours_is_what_makes_it_busy(
    tmp_path: Path,
) -> None:
    """The other GPU comes first; two runs that share a GPU do not wait for each other."""
    folder, cards = str(tmp_path), f"0={UUID},0"
    lease = acquire(["0", "1"], 1, folder, cards=cards, busy=lambda: {UUID: "used by others"})
    assert lease.devices == "1"
    shared = ["0", "0"]
    assert try_acquire(shared, 1, folder, cards=cards) is not None
    second = acquire(
        shared, 1, folder, lambda why: stop(), cards=cards, busy=lambda: {UUID: "used by others"}
    )
    assert second.devices == "0"


def test_whoever_waits_for_a_busy_gpu_is_told_why(tmp_path: Path) -> None:
    """And gets it as soon as it is free."""
    found = [{}, {UUID: "used by process 7"}, {UUID: "used by process 7"}]
    said: list[str] = []
    lease = acquire(
        ["0"], 1, str(tmp_path), said.append, cards=f"0={UUID},0", busy=lambda: found.pop()
    )
    assert lease.devices == "0"
    assert said == ["GPU 0 is used by process 7"]
    assert not found
