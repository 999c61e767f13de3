"""Which slots a sweep has. The machine's own GPUs are a list here: a test machine has none."""

from __future__ import annotations

import pytest

from sweepmake.runs.batch_job import batch_job
from sweepmake.runs.gpus import Slots, choose_slots, query_gpus


def choose(
    given: list[str] | None, environment: dict[str, str], found: list[str]
) -> tuple[object, ...]:
    slots = choose_slots(given, environment, output="out", virtual=3, query=lambda: found)
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
    given: list[str] | None, environment: dict[str, str], found: list[str], expected: object
) -> None:
    """A scheduler's assignment stands; then the list, CUDA_VISIBLE_DEVICES, the driver, nothing."""
    assert choose(given, environment, found) == expected


def test_real_gpus_are_shared_by_all_sweeps_and_virtual_ones_by_none() -> None:
    """GPUs are locked by machine, or by batch job; virtual slots by output folder."""

    def folder(given: list[str] | None, environment: dict[str, str], output: str) -> str:
        return choose_slots(
            given, environment, output=output, virtual=2, query=list
        ).folder  # fmt: skip

    assert folder(["0"], {}, "a") == folder(["1"], {}, "b")
    assert folder(None, {}, "a") != folder(None, {}, "b")
    inside = {"SLURM_JOB_ID": "7", "CUDA_VISIBLE_DEVICES": "0"}
    assert folder(None, inside, "a") not in (folder(["0"], {}, "a"), folder(None, {}, "a"))
    assert batch_job(inside) == "7"


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
    assert choose_slots(None, {}, output="o", virtual=0, query=list).ids == ("0",)


@pytest.mark.parametrize(
    "variable",
    ["SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID", "SGE_TASK_ID", "FLUX_JOB_ID", "OAR_JOB_ID",
     "COBALT_JOBID", "_CONDOR_JOB_AD"],
)  # fmt: skip
def test_every_batch_system_is_known(variable: str) -> None:
    """Its variable names the job; a path among these names no folder."""
    assert batch_job({variable: "a/7"}) == "a_7"
    assert batch_job({variable: ""}) is None


def test_the_driver_is_asked() -> None:
    """NVIDIA's library answers, or says that there is no driver: never an error."""
    assert all(device.isdigit() for device in query_gpus())
