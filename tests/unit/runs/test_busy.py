"""GPUs that others use or that report errors. NVIDIA's library is a stand-in, but in one test."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from nvidia import LIBRARY, PART_1, PART_2, SLICES, A, B, Machine
from stage_runner import Runner

from sweepmake.runs import busy
from sweepmake.runs.busy import busy_gpus, look_again
from sweepmake.runs.cards import list_gpus, nvml

ME = f"process {os.getpid()} ({Path('/proc/self/comm').read_text().strip()} of " + (
    f"{pwd.getpwuid(os.getuid()).pw_name})"
)
NOBODY = 2**22 + 1  # more than Linux's largest number of a process


@pytest.mark.parametrize(
    ("gpu", "words"),
    [
        ({}, None),
        ({"computing": [os.getpid()], "used_gib": 30.25}, f"used by {ME} (30.2 of 80.0 GiB)"),
        ({"computing": [NOBODY]}, f"used by process {NOBODY} (0.5 of 80.0 GiB)"),
        ({"computing": [NOBODY] * 5},
         f"used by process {NOBODY} and process {NOBODY} and 3 more (0.5 of 80.0 GiB)"),
        ({"drawing": [NOBODY] * 9, "used_gib": 9.5}, None),
        ({"used_gib": 8.5}, "used by processes that cannot be seen from here (8.5 of 80.0 GiB)"),
        ({"ecc": 0, "rows": [1, 0, 0, 0]}, None),
        ({"ecc": 1}, "reporting 1 uncorrected memory error (ECC)"),
        ({"ecc": 12, "computing": [NOBODY]}, f"used by process {NOBODY} (0.5 of 80.0 GiB), "
         "reporting 12 uncorrected memory errors (ECC)"),
        ({"rows": [0, 1, 1, 0]}, "reporting that it has to be reset (row remapping pending)"),
        ({"rows": [0, 1, 1, 1]},
         "reporting that its memory cannot be repaired (row remapping failed)"),
        ({"fails": 15}, "failing: GPU is lost"),
        ({"fails": 4}, None),
    ],
    ids=range(13),  # not the words: the number of this process is another in each of pytest's
)  # fmt: skip
def test_a_gpu_is_busy_with_what_computes_on_it_or_broken(
    machine: Machine, gpu: dict[str, Any], words: str | None
) -> None:
    """Who uses it, how much of its memory; what only draws, and what cannot be asked, is not."""
    machine.has({"uuid": A, **gpu}, {"uuid": B})
    assert busy_gpus(machine.library, [A, B, "GPU-unknown"]) == ({A: words} if words else {})


def test_a_slice_is_busy_on_its_own(machine: Machine) -> None:
    """Who has one slice does not use the other."""
    machine.has({"uuid": A, "slices": [{**SLICES[0], "computing": [NOBODY]}, SLICES[1]]})
    assert list(busy_gpus(machine.library, [PART_1, PART_2])) == [PART_1]


def test_a_waiting_run_asks_once_a_second(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And sees then that the GPU has become free."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(sys, "path", list(sys.path))
    machine.has({"uuid": A, "computing": [NOBODY]})
    look = look_again(str(LIBRARY), [A])
    assert list(look()) == [A]
    machine.has({"uuid": A})
    now[0] += busy.AGAIN_S / 2
    assert list(look()) == [A]
    now[0] += busy.AGAIN_S / 2
    assert look() == {}


@pytest.mark.parametrize("missing", ["library", "driver"])
def test_a_run_that_cannot_ask_says_so(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    """It was there when the workflow started; a GPU of others is not taken in silence."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    if missing == "library":
        monkeypatch.setitem(sys.modules, "pynvml", None)
    monkeypatch.delenv("NVML_STAND_IN")
    with pytest.raises(OSError, match="busy_gpus: "):
        look_again("/nowhere", [A])


def test_a_run_leaves_a_busy_gpu_alone_until_it_is_free(machine: Machine, runner: Runner) -> None:
    """The stage runner, which sees no site-packages, finds the library where it was told."""
    machine.has({"uuid": A, "computing": [NOBODY]}, {"uuid": B})
    told = {"cards": f"0={A},0;1={B},1", "busy_gpus": str(LIBRARY)}
    assert runner.run("true", **told)[0] == 0
    assert runner.record()["slot"] == "1"
    runner.slots = "0"
    process = runner.start("true", stage="other", **told)
    assert process.stderr
    said = process.stderr.readline()
    assert said.startswith(f"WAIT    GPU 0 is used by process {NOBODY} (0.5 of 80.0 GiB); other: ")
    machine.has({"uuid": A})
    process.communicate(timeout=30)
    assert process.returncode == 0
    assert runner.record("other")["slot"] == "0"


def test_without_being_asked_a_run_takes_a_busy_gpu_and_loads_no_library(
    machine: Machine, runner: Runner
) -> None:
    """As in the last version."""
    machine.has({"uuid": A, "computing": [NOBODY]})
    runner.slots = "0"
    assert runner.run("true", cards=f"0={A},0")[0] == 0
    assert runner.record()["slot"] == "0"


HOLD = """
import ctypes, sys
cuda = ctypes.CDLL("libcuda.so.1")
device, context = ctypes.c_int(), ctypes.c_void_p()
assert not cuda.cuInit(0)
assert not cuda.cuDeviceGet(ctypes.byref(device), 0)
assert not cuda.cuCtxCreate_v2(ctypes.byref(context), 0, device)
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.mark.optional_data
def test_a_real_gpu_is_busy_while_a_program_computes_on_it() -> None:
    """NVIDIA's library itself: before, during and after a program with a CUDA context."""
    cards = list_gpus({}).cards
    if not cards:
        pytest.skip("no NVIDIA GPU here")
    uuid = cards[0].uuid
    with nvml() as library:
        assert busy_gpus(library, [uuid]) == {}
        program = subprocess.Popen(
            [sys.executable, "-c", HOLD],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "CUDA_VISIBLE_DEVICES": uuid},
        )
        assert program.stdout
        assert program.stdout.readline() == b"ready\n"
        assert busy_gpus(library, [uuid])[uuid].startswith("used by process")
        program.communicate()
        assert busy_gpus(library, [uuid]) == {}
