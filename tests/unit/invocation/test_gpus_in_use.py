"""What is said of the GPUs when a sweep starts. NVIDIA's library is a stand-in: see `nvidia`."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from nvidia import LIBRARY, A, B, Machine

from sweepmake.invocation.gpus_in_use import look
from sweepmake.runs.claims import Holder
from sweepmake.runs.gpus import Slots, choose_slots
from sweepmake.runs.slots import try_acquire

NOBODY = 2**22 + 1
BUSY = f"used by process {NOBODY} (0.5 of 80.0 GiB)"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"SWEEPMAKE_LOCK_FOLDER": str(tmp_path / "locks")}


def slots_of(environment: dict[str, str], *given: str) -> Slots:
    return choose_slots(given, environment, output="out", virtual=2)


def test_nothing_is_said_of_gpus_that_are_free(
    machine: Machine, environment: dict[str, str]
) -> None:
    """And the stage runners are told to look again only where busy GPUs are to be avoided."""
    machine.has({"uuid": A}, {"uuid": B})
    slots = slots_of(environment)
    assert (slots.ids, slots.origin) == (("0", "1"), "found")
    free = look(slots, avoid=False)
    assert (free.lines, free.told) == ([], {})
    assert look(slots, avoid=True).told == {"SWEEPMAKE_BUSY_GPUS": str(LIBRARY)}


@pytest.mark.parametrize(
    ("avoid", "and_so"),
    [(False, "used all the same (busy_gpus: say)"), (True, "left alone until they are free")],
)
def test_one_line_says_which_gpus_are_not_free(
    machine: Machine, environment: dict[str, str], avoid: bool, and_so: str
) -> None:
    """Held by another sweep, used by others; not those that this sweep does not list."""
    machine.has({"uuid": A, "computing": [NOBODY]}, {"uuid": B, "ecc": 2})
    both = slots_of(environment, "0", B)
    words = "reporting 2 uncorrected memory errors (ECC)"
    assert look(both, avoid=avoid).lines == [
        f"Not free now: GPU 0 is {BUSY}; {B} is {words}; busy GPUs are {and_so}"
    ]
    held = try_acquire(
        both.ids, 2, both.folder, cards=both.cards, holder=Holder(what="train of E in /x", pid=1)
    )
    assert held is not None
    assert look(slots_of(environment, "1"), avoid=avoid).lines == [
        f"Not free now: GPU 1 is held by train of E in /x, process 1; busy GPUs are {and_so}"
    ]


def test_a_gpu_that_another_sweep_holds_is_named_without_the_library_too(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And whoever wants busy GPUs avoided is told that nobody knows which these are."""
    monkeypatch.setitem(sys.modules, "pynvml", None)
    slots = slots_of(environment, "0")
    held = try_acquire(slots.ids, 1, slots.folder, holder=Holder(what="train of E in /x", pid=1))
    assert held is not None
    found = look(slots, avoid=True)
    assert found.told == {}
    assert found.lines == [
        "warning: busy_gpus: avoid does nothing here: NVIDIA's library does not know these GPUs",
        "Not free now: GPU 0 is held by train of E in /x, process 1",
    ]


def test_what_is_odd_about_gpus_is_a_warning(machine: Machine, environment: dict[str, str]) -> None:
    """A card that is lost, a number that there is not."""
    machine.has({"uuid": A}, {"uuid": B, "fails": 15})
    assert look(slots_of(environment, "3"), avoid=False).lines == [
        "warning: GPU 1 (as NVIDIA's library counts) fails: GPU is lost",
        "warning: no such GPU here: 3 (NVIDIA's library knows 0, which `nvidia-smi -L` lists)",
    ]


def test_virtual_slots_are_never_busy(environment: dict[str, str]) -> None:
    """They belong to the sweep alone."""
    slots = choose_slots(None, {**environment, "CUDA_VISIBLE_DEVICES": ""}, output="o", virtual=2)
    found = look(slots, avoid=True)
    assert (found.lines, found.told) == ([], {})
