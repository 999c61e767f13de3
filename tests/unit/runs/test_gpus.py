"""Which slots a sweep has. The machine's own GPUs are a list here: a test machine has none."""

from __future__ import annotations

from pathlib import Path

import pytest
from nvidia import PART_1, A, B

from sweepmake.errors import SweepmakeError
from sweepmake.runs.batch_job import batch_job
from sweepmake.runs.cards import GPU, Found
from sweepmake.runs.gpus import Slots, choose_slots
from sweepmake.runs.slots import can_take, try_acquire

UUIDS = (A, B)


def choose(
    given: list[str] | None, environment: dict[str, str], found: list[str], locks: Path
) -> tuple[object, ...]:
    environment = {**environment, "SWEEPMAKE_LOCK_FOLDER": str(locks)}
    gpus = Found(tuple(GPU(UUIDS[int(index)], int(index), "m") for index in found))
    slots = choose_slots(given, environment, output="out", virtual=3, query=lambda _: gpus)
    return slots.ids, slots.origin


@pytest.mark.parametrize(
    ("given", "environment", "found", "expected"),
    [
        (["2", "0,1"], {}, ["0"], (("2", "0,1"), "given")),
        (["2"], {"CUDA_VISIBLE_DEVICES": "0"}, ["0"], (("2",), "given")),
        (None, {}, ["0", "1"], (("0", "1"), "found")),
        (None, {"CUDA_VISIBLE_DEVICES": "1, 3"}, ["0", "1"], (("1", "3"), "visible")),
        (None, {"CUDA_VISIBLE_DEVICES": "GPU-8f6d,MIG-1"}, [], (("GPU-8f6d", "MIG-1"), "visible")),
        (None, {"CUDA_VISIBLE_DEVICES": "1,-1,2"}, ["0", "1"], (("1",), "visible")),
        (None, {"CUDA_VISIBLE_DEVICES": ""}, ["0", "1"], (("0", "1", "2"), "virtual")),
        (None, {"CUDA_VISIBLE_DEVICES": "-1"}, ["0"], (("0", "1", "2"), "virtual")),
        (None, {}, [], (("0", "1", "2"), "virtual")),
        (["0"], {"SLURM_JOB_ID": "1", "CUDA_VISIBLE_DEVICES": "2,3"}, [], (("2", "3"), "assigned")),
        (["2"], {"PBS_JOBID": "1", "CUDA_VISIBLE_DEVICES": "2,3"}, [], (("2",), "assigned")),
        (["0,1", "2,3"], {"LSB_JOBID": "1", "CUDA_VISIBLE_DEVICES": "0,1,2,3"}, [],
         (("0,1", "2,3"), "assigned")),
        (["0"], {"SLURM_JOB_ID": "1"}, [], (("0",), "given")),
    ],
)  # fmt: skip
def test_where_slots_come_from(
    tmp_path: Path,
    given: list[str] | None,
    environment: dict[str, str],
    found: list[str],
    expected: object,
) -> None:
    """A scheduler's assignment stands; then the list, CUDA_VISIBLE_DEVICES, the driver, nothing."""
    assert choose(given, environment, found, tmp_path) == expected


def slots_of(
    given: list[str] | None, environment: dict[str, str], *gpus: GPU, output: str = "out"
) -> Slots:
    found = Found(gpus)
    return choose_slots(given, environment, output=output, virtual=2, query=lambda _: found)


def test_real_gpus_are_shared_by_all_sweeps_and_virtual_ones_by_none(tmp_path: Path) -> None:
    """GPUs are locked by machine; virtual slots by output folder."""
    locks = {"SWEEPMAKE_LOCK_FOLDER": str(tmp_path / "locks")}
    assert slots_of(["0"], locks, output="a").folder == str(tmp_path / "locks")
    assert slots_of(None, locks, output="a").folder == "a/.sweepmake/slots"
    inside = {"SLURM_JOB_ID": "7", "CUDA_VISIBLE_DEVICES": "0", **locks}
    assert slots_of(None, inside, output="b").folder == str(tmp_path / "locks")
    assert batch_job(inside) == "7"


def test_whoever_names_one_card_otherwise_waits_for_it(tmp_path: Path) -> None:
    """A number, a UUID, its beginning, a batch job's number of it: one card, leased once."""
    locks = {"SWEEPMAKE_LOCK_FOLDER": str(tmp_path)}
    all_cards = (GPU(A, 0, "m"), GPU(B, 1, "m"))
    seen_in_job = GPU(B, 0, "m")  # with a cgroup it is the only one, and so has another number
    sweeps = [
        slots_of(["1"], locks, *all_cards),
        slots_of([B], locks, *all_cards),
        slots_of([B], locks),  # no library here
        slots_of(["GPU-bbb"], locks, *all_cards),
        slots_of(None, {**locks, "SLURM_JOB_ID": "7", "CUDA_VISIBLE_DEVICES": "0"}, seen_in_job),
        slots_of(None, {**locks, "PBS_JOBID": "8", "CUDA_VISIBLE_DEVICES": "1"}, seen_in_job),
        slots_of(None, {**locks, "PBS_JOBID": "9", "CUDA_VISIBLE_DEVICES": "1"}, *all_cards),
        slots_of(None, {**locks, "PBS_JOBID": "9", "CUDA_VISIBLE_DEVICES": B}),
    ]
    others = slots_of(["0"], locks, *all_cards)
    for first in sweeps:
        lease = try_acquire(first.ids, 1, first.folder, cards=first.cards)
        assert lease is not None
        for second in sweeps:
            assert try_acquire(second.ids, 1, second.folder, cards=second.cards) is None
        free = try_acquire(others.ids, 1, others.folder, cards=others.cards)
        assert free is not None
        free.release()
        lease.release()


def test_jobs_whose_cards_have_the_same_number_do_not_wait_for_each_other(tmp_path: Path) -> None:
    """Each sees its own card as 0; where no library says which that is, as in the last version."""
    for gpus in ((GPU(A, 0, "m"), GPU(B, 0, "m")), (None, None)):
        leases = []
        for job, gpu in zip("78", gpus, strict=True):
            job_of = {"SLURM_JOB_ID": job, "CUDA_VISIBLE_DEVICES": "0"}
            slots = slots_of(
                None, {**job_of, "SWEEPMAKE_LOCK_FOLDER": str(tmp_path)}, *([gpu] if gpu else [])
            )
            leases.append(try_acquire(slots.ids, 1, slots.folder, cards=slots.cards))
            assert leases[-1] is not None
            assert try_acquire(slots.ids, 1, slots.folder, cards=slots.cards) is None
        for lease in leases:
            assert lease
            lease.release()


def test_beginnings_of_a_uuid_that_others_have_locked_are_locked_too(tmp_path: Path) -> None:
    """The last version knew a card by what its user called it."""
    (tmp_path / "gpu.GPU-aaaaaa.0").touch()
    slots = slots_of(["0"], {"SWEEPMAKE_LOCK_FOLDER": str(tmp_path)}, GPU(A, 0, "m"))
    assert slots.cards == f"0={A},0,GPU-aaaaaa"


def test_a_slot_that_names_one_card_twice_is_refused() -> None:
    """CUDA would see one GPU, or none; it could never be leased."""
    part = GPU(PART_1, None, "m", A, "")
    for slot in (f"0,{A}", f"1,{PART_1},0"):
        with pytest.raises(SweepmakeError, match=r"names one GPU twice: .* are"):
            slots_of([slot], {}, GPU(A, 0, "m"), part, GPU(B, 1, "m"))


def test_what_is_odd_about_the_names_of_gpus_is_said(tmp_path: Path) -> None:
    """Two names of one card, and a number that there is not."""
    locks = {"SWEEPMAKE_LOCK_FOLDER": str(tmp_path)}
    slots = slots_of(["0", A, "7", "7"], locks, GPU(A, 0, "m"), GPU(B, 1, "m"))
    assert slots.notes == (
        f"0 and {A} are one GPU: one run at a time",
        "no such GPU here: 7 (NVIDIA's library knows 0 to 1, which `nvidia-smi -L` lists)",
    )
    assert not can_take(slots.ids[:2], 2, slots.cards)
    assert slots_of(["7"], locks).notes == ()


def test_where_no_folder_for_locks_is_safe_one_error_says_why(tmp_path: Path) -> None:
    """And what to do about it."""
    (tmp_path / "file").touch()
    with pytest.raises(SweepmakeError, match=r"file: .*: set SWEEPMAKE_LOCK_FOLDER") as caught:
        slots_of(["0"], {"SWEEPMAKE_LOCK_FOLDER": str(tmp_path / "file")})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("slots", "words"),
    [
        (Slots(("0", "1,2"), "given", "l"), "0 [1,2]"),
        (Slots(("0", "1"), "found", "l"), "0 1 (found)"),
        (Slots(("3",), "visible", "l"), "3 (from CUDA_VISIBLE_DEVICES)"),
        (Slots(("3",), "assigned", "l"), "3 (assigned to this batch job)"),
        (Slots(("0", "1"), "virtual", "l"), "2 virtual (no GPU here)"),
        (Slots(tuple("abcdefghijklmnop"), "given", "l"), "a b c d e f g h i j k l m n o p"),
        (Slots(tuple("abcdefghijklmnopq"), "given", "l"), "a b c d e f g h i j k l m n o p …"),
    ],
)
def test_slots_in_words(slots: Slots, words: str) -> None:
    """Where they come from, and the first sixteen of them."""
    assert slots.describe() == words


def test_there_is_always_a_slot() -> None:
    """Where there is no GPU, and Snakemake was given no cores either."""
    assert choose_slots(None, {}, output="o", virtual=0, query=lambda _: Found()).ids == ("0",)


@pytest.mark.parametrize(
    "variable",
    ["SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID", "SGE_TASK_ID", "FLUX_JOB_ID", "OAR_JOB_ID",
     "COBALT_JOBID", "_CONDOR_JOB_AD"],
)  # fmt: skip
def test_every_batch_system_is_known(variable: str) -> None:
    """Its variable names the job; a path among these names no folder."""
    assert batch_job({variable: "a/7"}) == "a_7"
    assert batch_job({variable: ""}) is None
