"""Which card a name means: numbers in CUDA's order, UUIDs and their beginnings, slices (MIG).

NVIDIA's library (NVML) is asked once, in the workflow's main process: it may take a second. The
stage runners are told the keys under which each card is locked.
"""

from __future__ import annotations

import re
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["GPU", "Found", "find_gpu", "keys", "list_gpus", "nvml"]

_CUDA_TIMEOUT_S = 30
_ORDER = "CUDA_DEVICE_ORDER"
_HEX = "[0-9a-f]"
_UUID = re.compile(rf"(GPU|MIG)-({_HEX}{{8}}(?:-{_HEX}{{4}}){{3}}-{_HEX}{{12}})", re.I)

# Which card is the fastest only CUDA itself can tell. Asked in a process of its own, where what it
# starts up and which cards are hidden is nobody else's concern.
_ASK_CUDA = """
import ctypes
cuda = ctypes.CDLL("libcuda.so.1")
count, device, uuid = ctypes.c_int(), ctypes.c_int(), (ctypes.c_ubyte * 16)()
failed = cuda.cuInit(0) or cuda.cuDeviceGetCount(ctypes.byref(count))
for number in range(0 if failed else count.value):
    if cuda.cuDeviceGet(ctypes.byref(device), number) or cuda.cuDeviceGetUuid(uuid, device):
        break
    print(bytes(uuid).hex())
"""


@dataclass(frozen=True, slots=True)
class GPU:
    """A card, or a slice of one (MIG).

    Attributes:
        uuid: NVIDIA's name for it, "GPU-…" or "MIG-…".
        index: its number in CUDA's order; None for a slice.
        model: what it is, "NVIDIA H100 PCIe".
        whole: the UUID of the card that it is a slice of, "" for a card.
        place: a slice's older name, "MIG-GPU-…/1/0"; "" for a card.
    """

    uuid: str
    index: int | None
    model: str
    whole: str = ""
    place: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """What NVIDIA's library knows of this machine.

    Attributes:
        gpus: the cards in CUDA's order, each before its slices; none without such a library.
        notes: what the user should know of it, one line each.
    """

    gpus: tuple[GPU, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def cards(self) -> tuple[GPU, ...]:
        """The cards, without slices."""
        return tuple(gpu for gpu in self.gpus if not gpu.whole)


@contextmanager
def nvml() -> Iterator[Any]:
    """Open NVIDIA's library; yields None where there is none, or no driver and so no GPU."""
    try:
        import pynvml
    except ImportError:
        yield None
        return
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        yield None
        return
    try:
        yield pynvml
    finally:
        pynvml.nvmlShutdown()


def list_gpus(environment: Mapping[str, str]) -> Found:
    """Return the cards of this machine that this process may use, and their slices.

    Args:
        environment: CUDA_DEVICE_ORDER says what a number means.
    """
    with nvml() as library:
        if library is None:
            return Found()
        opened, notes = [], []
        for number in range(library.nvmlDeviceGetCount()):
            try:
                handle = library.nvmlDeviceGetHandleByIndex(number)
                opened.append((_bus(library, handle), library.nvmlDeviceGetUUID(handle), handle))
            except library.NVMLError as error:
                if error.value != library.NVML_ERROR_NO_PERMISSION:  # a batch job's cgroup
                    notes.append(f"GPU {number} (as NVIDIA's library counts) fails: {error}")
        opened.sort(key=lambda one: one[0])
        models = {uuid: str(library.nvmlDeviceGetName(handle)) for _, uuid, handle in opened}
        order = [uuid for _, uuid, _ in opened]
        if environment.get(_ORDER) != "PCI_BUS_ID" and len(set(models.values())) > 1:
            order = _fastest_first(order, environment, notes)
        handles = {uuid: handle for _, uuid, handle in opened}
        gpus: list[GPU] = []
        for index, uuid in enumerate(order):
            gpus.append(GPU(uuid, index, models[uuid]))
            gpus += _slices(library, handles[uuid], uuid, models[uuid])
    return Found(tuple(gpus), tuple(notes))


def _bus(library: Any, handle: Any) -> tuple[int, int, int]:
    """Return where a card is, as CUDA orders cards by PCI_BUS_ID."""
    found = library.nvmlDeviceGetPciInfo(handle)
    return int(found.domain), int(found.bus), int(found.device)


def _slices(library: Any, handle: Any, uuid: str, model: str) -> Iterator[GPU]:
    try:
        most = library.nvmlDeviceGetMaxMigDeviceCount(handle)
    except library.NVMLError:
        return  # it cannot be sliced
    for number in range(most):
        try:
            part = library.nvmlDeviceGetMigDeviceHandleByIndex(handle, number)
            where = (
                f"{library.nvmlDeviceGetGpuInstanceId(part)}"
                f"/{library.nvmlDeviceGetComputeInstanceId(part)}"
            )
            yield GPU(library.nvmlDeviceGetUUID(part), None, model, uuid, f"MIG-{uuid}/{where}")
        except library.NVMLError:
            continue  # there are fewer slices than there could be


def _fastest_first(order: list[str], environment: Mapping[str, str], notes: list[str]) -> list[str]:
    """Return the UUIDs of unequal cards in CUDA's own order, else in the one given."""
    found = _ask_cuda(environment)
    if sorted(found) == sorted(order):
        return found
    notes.append(
        "the GPUs are of several models, and CUDA does not say in which order it counts them: "
        f"numbers are taken in the order of the PCI bus. Set {_ORDER}=PCI_BUS_ID, or name UUIDs"
    )
    return order


def _ask_cuda(environment: Mapping[str, str]) -> list[str]:
    """Return the UUIDs of all cards in CUDA's order; [] where it cannot be asked."""
    hidden = {key: value for key, value in environment.items() if key != "CUDA_VISIBLE_DEVICES"}
    command = [sys.executable, "-S", "-E", "-c", _ASK_CUDA]
    try:
        asked = subprocess.run(
            command,
            env=hidden,
            capture_output=True,
            text=True,
            check=False,
            timeout=_CUDA_TIMEOUT_S,
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    lines = asked.stdout.split()
    return [f"GPU-{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}" for h in lines]


def find_gpu(name: str, found: Found) -> GPU | None:
    """Return the card or slice that a name means to CUDA; None for one that is not known.

    Args:
        name: a number, a UUID or as much of one as is unique, or a slice's older name.
        found: what there is.
    """
    if name.isdecimal():
        matching = [gpu for gpu in found.gpus if gpu.index == int(name)]
    elif "/" in name:
        matching = [gpu for gpu in found.gpus if gpu.place.lower() == name.lower()]
    else:
        matching = [gpu for gpu in found.gpus if gpu.uuid.lower().startswith(name.lower())]
    if matching:
        return matching[0] if len(matching) == 1 else None
    whole = _UUID.search(name)  # without a library a UUID is one all the same
    if found.gpus or whole is None:
        return None
    uuid = f"{whole[1].upper()}-{whole[2].lower()}"
    if whole[0] == name:
        return GPU(uuid, None, "")
    if name.startswith(f"MIG-{whole[0]}/"):
        return GPU(name.replace("/", "_"), None, "", uuid)
    return None


def keys(
    meaning: Mapping[str, GPU | None],
    cards: Sequence[GPU],
    *,
    inside: str = "",
    old: Sequence[str] = (),
) -> str:
    """Return the keys of the names' lock files, as `slots.cards_of` reads them.

    A card's own key is its UUID. The last version knew no other key than the name that the user
    gave: its number, its UUID or the beginning of that. All of these are locked as well.

    Args:
        meaning: each of the sweep's names → what it means; None where that is not known.
        cards: the machine's cards.
        inside: the folder in which the last version had its files, "job-7/" in a batch job, where
            numbers may mean other cards than outside.
        old: the names of cards that other sweeps have used, as far as that is seen.
    """
    told = []
    for name, gpu in meaning.items():
        plain = name.replace("/", "_")
        if gpu is None:
            if inside:
                told.append(f"{name}={inside}{plain}")
            continue
        own = [gpu.uuid, *_aliases(gpu, old, inside), inside + plain]
        if gpu.place and not inside:
            own.append(gpu.place.replace("/", "_"))
        line = f"{name}={','.join(dict.fromkeys(own))}"
        if gpu.whole:
            card = next((c for c in cards if c.uuid == gpu.whole), GPU(gpu.whole, None, ""))
            whole = [gpu.whole, *_aliases(card, old, inside)]
            line += f"+{','.join(dict.fromkeys(whole))}"
        told.append(line)
    return ";".join(told)


def _aliases(gpu: GPU, old: Sequence[str], inside: str) -> Iterator[str]:
    """Yield other keys of a card, outside batch jobs."""
    if inside:
        return
    if gpu.index is not None:
        yield str(gpu.index)
    for name in old:
        if gpu.uuid.startswith(name):
            yield name
