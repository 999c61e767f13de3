"""Which GPU slots a sweep has: given, found, visible, assigned by a scheduler, or virtual."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sweepmake.runs.batch_job import batch_job

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["Slots", "choose_slots", "query_gpus"]

VISIBLE = "CUDA_VISIBLE_DEVICES"


@dataclass(frozen=True, slots=True)
class Slots:
    """The slots of a sweep on this machine.

    Attributes:
        ids: one entry per slot, each a GPU id or several joined with commas.
        origin: "given" (params.yaml or config), "visible" (CUDA_VISIBLE_DEVICES), "found" (by
            NVIDIA's library), "assigned" (by a batch system) or "virtual" (there is no GPU).
        folder: where the lock files of these slots lie; sweeps that share GPUs share it.
    """

    ids: tuple[str, ...]
    origin: str
    folder: str

    def describe(self) -> str:
        """Return a few words for the first lines that the user sees."""
        shown = " ".join(f"[{i}]" if "," in i else i for i in self.ids[:16])
        more = " …" if len(self.ids) > 16 else ""
        if self.origin == "virtual":
            return f"{len(self.ids)} virtual (no GPU here)"
        origin = {
            "given": "",
            "found": " (found)",
            "visible": f" (from {VISIBLE})",
            "assigned": " (assigned to this batch job)",
        }[self.origin]
        return f"{shown}{more}{origin}"


def choose_slots(
    given: Sequence[str] | None,
    environment: Mapping[str, str],
    *,
    output: str,
    virtual: int,
    query: Callable[[], list[str]] | None = None,
) -> Slots:
    """Return the slots that this sweep may use on this machine.

    Args:
        given: the slots that the user listed, or None.
        environment: the environment variables of the workflow.
        output: the sweep's output folder; virtual slots belong to it alone.
        virtual: how many slots there are where there is no GPU.
        query: finds the ids of the machine's GPUs; query_gpus where None.
    """
    shared = _lock_folder()
    job = batch_job(environment)
    visible = _visible(environment)
    if job is not None and visible:
        # ids inside an allocation may be relative to it: they are shared within the job only
        return Slots(_within(given, visible), "assigned", f"{shared}/job-{job}")
    if given:
        return Slots(tuple(given), "given", shared)
    found = (query or query_gpus)() if visible is None else list(visible)
    if found:
        return Slots(tuple(found), "found" if visible is None else "visible", shared)
    ids = tuple(str(number) for number in range(max(1, virtual)))
    return Slots(ids, "virtual", f"{output}/.sweepmake/slots")


def query_gpus() -> list[str]:
    """Return the ids of the GPUs that NVIDIA's driver knows, in CUDA's PCI order; [] for none."""
    try:
        import pynvml
    except ImportError:
        return []
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return []  # no driver, so no GPU
    try:
        return [str(number) for number in range(pynvml.nvmlDeviceGetCount())]
    finally:
        pynvml.nvmlShutdown()


def _visible(environment: Mapping[str, str]) -> tuple[str, ...] | None:
    """Return the ids in CUDA_VISIBLE_DEVICES, None where it is not set.

    As CUDA reads it, the list ends at the first invalid id: "-1" or "" hides every GPU.
    """
    value = environment.get(VISIBLE)
    if value is None:
        return None
    ids: list[str] = []
    for part in value.split(","):
        part = part.strip()
        if not part or part.startswith("-") or part == "NoDevFiles":
            break
        ids.append(part)
    return tuple(ids)


def _within(given: Sequence[str] | None, assigned: tuple[str, ...]) -> tuple[str, ...]:
    """Keep the user's slots where the scheduler has given all their ids, else use its own."""
    if given and all(device in assigned for slot in given for device in slot.split(",")):
        return tuple(given)
    return assigned


def _lock_folder() -> str:
    """Return the folder of this user's lock files on this machine.

    /dev/shm is cleaned at boot and never before, /tmp may be cleaned under a long run.
    """
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else "/tmp"
    return os.environ.get("SWEEPMAKE_LOCK_FOLDER") or f"{base}/sweepmake-{os.getuid()}"
