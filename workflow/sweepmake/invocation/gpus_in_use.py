"""What is said of the GPUs when a sweep starts: which are not free, what is odd about them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sweepmake.runs.busy import busy_gpus
from sweepmake.runs.cards import nvml
from sweepmake.runs.slots import in_use, uuids

if TYPE_CHECKING:
    from sweepmake.runs.gpus import Slots

__all__ = ["Look", "look"]


class Look:
    """What a look at the GPUs of a sweep has found.

    Attributes:
        lines: what the user is told.
        told: what the stage runners are told: where NVIDIA's library is, if they are to look again.
    """

    def __init__(self, lines: list[str], told: dict[str, str]) -> None:
        self.lines = lines
        self.told = told


def look(slots: Slots, *, avoid: bool) -> Look:
    """Look at the GPUs of a sweep's slots.

    Args:
        slots: the slots of this machine.
        avoid: whether GPUs that others use are left alone until they are free.
    """
    lines = [f"warning: {note}" for note in slots.notes]
    if slots.origin == "virtual":
        return Look(lines, {})
    known = uuids(slots.ids, slots.cards)
    told: dict[str, str] = {}
    busy: dict[str, str] = {}
    with nvml() as library:
        if library is not None and known:
            busy = busy_gpus(library, known)
            if avoid:
                told["SWEEPMAKE_BUSY_GPUS"] = str(Path(library.__file__).resolve().parent)
        elif avoid:
            lines.append(
                "warning: busy_gpus: avoid does nothing here: NVIDIA's library does not know these "
                "GPUs"
            )
    if found := in_use(slots.ids, slots.folder, slots.cards, busy):
        what = ""
        if busy:
            what = "; busy GPUs are " + (
                "left alone until they are free" if avoid else "used all the same (busy_gpus: say)"
            )
        lines.append(f"Not free now: {found}{what}")
    return Look(lines, told)
