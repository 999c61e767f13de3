"""Which card a name means. NVIDIA's library is a stand-in here, but for the last test."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from nvidia import PART_1, PART_2, SLICES, A, B, C, Machine

from sweepmake.runs import cards
from sweepmake.runs.cards import GPU, Found, find_gpu, keys, list_gpus


def test_numbers_are_in_the_order_of_the_bus(machine: Machine) -> None:
    """As CUDA counts equal cards, whatever the order of the library."""
    machine.has({"uuid": A, "bus": 9}, {"uuid": B, "bus": 3})
    assert [(gpu.index, gpu.uuid) for gpu in list_gpus({}).gpus] == [(0, B), (1, A)]


def test_numbers_of_unequal_cards_are_in_cudas_own_order(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fastest first, which only CUDA can tell; or by the bus where the user wants it so."""
    machine.has({"uuid": A, "model": "NVIDIA T4"}, {"uuid": B})
    answer = "".join(f"{uuid[4:].replace('-', '')}\n" for uuid in (B, A))
    asked: list[Any] = []

    def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        asked.append(options["env"])
        return subprocess.CompletedProcess(command, 0, answer, "")

    monkeypatch.setattr(subprocess, "run", run)
    found = list_gpus({"CUDA_VISIBLE_DEVICES": "1", "HOME": "/"})
    assert [gpu.uuid for gpu in found.cards] == [B, A]
    assert found.notes == ()
    assert asked == [{"HOME": "/"}]
    by_bus = list_gpus({"CUDA_DEVICE_ORDER": "PCI_BUS_ID"})
    assert [gpu.uuid for gpu in by_bus.cards] == [A, B]
    assert len(asked) == 1


@pytest.mark.parametrize("answer", ["", "00\n"])
def test_where_cuda_does_not_answer_a_line_says_what_numbers_mean(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    """A wrong card would be locked otherwise, without a word."""
    machine.has({"uuid": A, "model": "NVIDIA T4"}, {"uuid": B})
    done = subprocess.CompletedProcess([], 0, answer, "")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)
    found = list_gpus({})
    assert [gpu.uuid for gpu in found.cards] == [A, B]
    assert "CUDA_DEVICE_ORDER=PCI_BUS_ID" in found.notes[0]


CUDA = """
static const char uuids[2][16] = {"bbbbbbbbbbbbbbbb", "aaaaaaaaaaaaaaaa"};
int cuInit(unsigned flags) { return 0; }
int cuDeviceGetCount(int *count) { *count = 2; return 0; }
int cuDeviceGet(int *device, int number) { *device = number; return 0; }
int cuDeviceGetUuid(char *uuid, int device)
{ for (int i = 0; i < 16; i++) uuid[i] = uuids[device][i]; return 0; }
"""


@pytest.mark.optional_data
def test_cuda_is_asked_by_the_functions_that_it_has(tmp_path: Path) -> None:
    """A stand-in for the driver's own library, compiled here; the last test asks a real one."""
    if shutil.which("cc") is None:
        pytest.skip("no C compiler here")
    (tmp_path / "cuda.c").write_text(CUDA)
    command = ["cc", "-shared", "-fPIC", "-o", "libcuda.so.1", "cuda.c"]
    subprocess.run(command, cwd=tmp_path, check=True)
    assert cards._ask_cuda({"LD_LIBRARY_PATH": str(tmp_path)}) == [
        "GPU-62626262-6262-6262-6262-626262626262",
        "GPU-61616161-6161-6161-6161-616161616161",
    ]


def test_cards_that_this_process_may_not_use_have_no_number(machine: Machine) -> None:
    """In a batch job with a cgroup, the cards of others are listed, but cannot be opened."""
    machine.has({"uuid": A, "fails": 4}, {"uuid": B}, {"uuid": C, "fails": 15})
    found = list_gpus({})
    assert [(gpu.index, gpu.uuid) for gpu in found.gpus] == [(0, B)]
    assert found.notes == ("GPU 2 (as NVIDIA's library counts) fails: GPU is lost",)


def test_slices_stand_behind_their_card(machine: Machine) -> None:
    """With both of the names that CUDA takes."""
    machine.has({"uuid": A, "slices": SLICES}, {"uuid": B})
    found = list_gpus({})
    assert [(gpu.uuid, gpu.whole, gpu.place) for gpu in found.gpus] == [
        (A, "", ""),
        (PART_1, A, f"MIG-{A}/1/0"),
        (PART_2, A, f"MIG-{A}/2/0"),
        (B, "", ""),
    ]
    assert [gpu.index for gpu in found.cards] == [0, 1]


FOUND = Found((
    GPU(A, 0, "m"), GPU(PART_1, None, "m", A, f"MIG-{A}/1/0"),
    GPU(PART_2, None, "m", A, f"MIG-{A}/2/0"), GPU(B, 1, "m"),
))  # fmt: skip


@pytest.mark.parametrize(
    ("name", "uuid"),
    [("0", A), ("1", B), ("2", None), (A, A), (A.upper(), A), ("GPU-b", B), ("GPU-", None),
     ("GPU-c", None), (PART_2, PART_2), ("MIG-2", PART_2), ("MIG-", None),
     (f"MIG-{A}/2/0", PART_2), (f"MIG-{A}/3/0", None)],
)  # fmt: skip
def test_what_a_name_means(name: str, uuid: str | None) -> None:
    """A number, a UUID, as much of one as is unique, or a slice's place."""
    found = find_gpu(name, FOUND)
    assert (found.uuid if found else None) == uuid


@pytest.mark.parametrize(
    ("name", "expected"),
    [("0", None), ("GPU-aaaaaaaa", None), (A, (A, "")), (A.upper(), (A, "")),
     (PART_1, (PART_1, "")), (f"MIG-{A}/2/0", (f"MIG-{A}_2_0", A))],
)  # fmt: skip
def test_without_a_library_a_whole_uuid_is_one_all_the_same(
    name: str, expected: tuple[str, str] | None
) -> None:
    """A batch job where NVML is missing still shares no card that it names so."""
    found = find_gpu(name, Found())
    assert ((found.uuid, found.whole) if found else None) == expected


def told(*names: str, inside: str = "", old: tuple[str, ...] = ()) -> list[str]:
    meaning = {name: find_gpu(name, FOUND) for name in names}
    return keys(meaning, FOUND.cards, inside=inside, old=old).split(";")


def test_a_card_has_its_uuid_and_all_names_that_the_last_version_may_have_for_it() -> None:
    """Its number, what the user calls it, and the beginnings of its UUID that are in use."""
    assert told("1", "GPU-b", "7", old=("GPU-bb", "GPU-a", "MIG-1")) == [
        f"1={B},1,GPU-bb",
        f"GPU-b={B},1,GPU-bb,GPU-b",
    ]
    assert told(PART_1, old=("GPU-a",)) == [f"{PART_1}={PART_1},MIG-{A}_1_0+{A},0,GPU-a"]


def test_in_a_batch_job_a_number_is_locked_within_the_job_alone() -> None:
    """It may mean another card outside; the card itself is locked for the whole machine."""
    assert told("1", "7", inside="job-5/", old=("GPU-bb",)) == [f"1={B},job-5/1", "7=job-5/7"]
    assert told(PART_1, inside="job-5/") == [f"{PART_1}={PART_1},job-5/{PART_1}+{A}"]


def test_without_a_driver_there_are_no_gpus(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library is installed everywhere, a driver is not: never an error."""
    monkeypatch.delenv("NVML_STAND_IN")
    assert list_gpus({}) == Found()


def test_without_the_library_there_are_no_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not installed in every environment in which the library of Sweepmake is imported."""
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert list_gpus({}) == Found()


@pytest.mark.optional_data
def test_on_real_gpus_numbers_and_uuids_are_those_of_cuda() -> None:
    """What NVIDIA's library says and what CUDA itself says are the same cards in one order."""
    found = list_gpus({})
    if not found.cards:
        pytest.skip("no NVIDIA GPU here")
    assert [card.uuid for card in found.cards] == cards._ask_cuda({})
    for card in found.cards:
        assert find_gpu(card.uuid[:12], found) == card
