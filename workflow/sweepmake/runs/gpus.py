"""Which GPU slots a sweep has: given, found, visible, assigned by a scheduler, or virtual."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sweepmake.errors import SweepmakeError
from sweepmake.runs.batch_job import batch_job
from sweepmake.runs.cards import find_gpu, keys, list_gpus
from sweepmake.runs.lock_files import lock_places

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sweepmake.runs.cards import GPU, Found

__all__ = ["Slots", "choose_slots"]

VISIBLE = "CUDA_VISIBLE_DEVICES"


@dataclass(frozen=True, slots=True)
class Slots:
    """The slots of a sweep on this machine.

    Attributes:
        ids: one entry per slot, each a GPU id or several joined with commas.
        origin: "given" (params.yaml or config), "visible" (CUDA_VISIBLE_DEVICES), "found" (by
            NVIDIA's library), "assigned" (by a batch system) or "virtual" (there is no GPU).
        folder: where the lock files of these slots lie, one folder a line; sweeps that share GPUs
            share one of them at least.
        cards: which cards the ids mean, as `slots.cards_of` reads it; "" where that is not known.
        notes: what the user should know of the GPUs, one line each.
    """

    ids: tuple[str, ...]
    origin: str
    folder: str
    cards: str = ""
    notes: tuple[str, ...] = ()

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
    query: Callable[[Mapping[str, str]], Found] = list_gpus,
) -> Slots:
    """Return the slots that this sweep may use on this machine.

    Args:
        given: the slots that the user listed, or None.
        environment: the environment variables of the workflow.
        output: the sweep's output folder; virtual slots belong to it alone.
        virtual: how many slots there are where there is no GPU.
        query: finds the machine's GPUs.

    Raises:
        SweepmakeError: a slot names one card twice, or nowhere can its locks be kept safe.
    """
    job = batch_job(environment)
    visible = _visible(environment)
    found = query(environment)
    inside = ""
    if job is not None and visible:
        ids, origin, inside = _within(given, visible), "assigned", f"job-{job}/"
    elif given:
        ids, origin = tuple(given), "given"
    elif visible is None:
        ids, origin = tuple(str(card.index) for card in found.cards), "found"
    else:
        ids, origin = visible, "visible"
    if not ids:
        ids = tuple(str(number) for number in range(max(1, virtual)))
        return Slots(ids, "virtual", f"{output}/.sweepmake/slots", notes=found.notes)
    meaning = _meaning(ids, found, assigned=visible if inside else None)
    places = _places(environment)
    return Slots(
        ids,
        origin,
        "\n".join(places),
        keys(meaning, found.cards, inside=inside, old=_old_names(places)),
        (*found.notes, *_notes(meaning, found)),
    )


def _meaning(
    ids: Sequence[str], found: Found, *, assigned: Sequence[str] | None
) -> dict[str, GPU | None]:
    """Return what each name in the slots means.

    Args:
        ids: the slots.
        found: the machine's GPUs.
        assigned: what a batch system has assigned. These may be numbers that mean nothing in the
            job, because they are those outside of it. Where as many GPUs are all that can be seen
            in the job, these are meant, in their order.

    Raises:
        SweepmakeError: a slot names one card twice.
    """
    names = dict.fromkeys(name for slot in ids for name in slot.split(","))
    meaning = {name: find_gpu(name, found) for name in names}
    numbers = sorted(map(int, filter(str.isdecimal, assigned or ())))
    if not all(meaning.values()) and len(numbers) == len(assigned or ()) == len(found.cards):
        outside = {str(number): card for number, card in zip(numbers, found.cards, strict=True)}
        meaning = {name: outside.get(name) for name in names}
    for slot in ids:
        used: dict[str, str] = {}
        for name in slot.split(","):
            gpu = meaning[name]
            if gpu and (first := used.get(gpu.uuid) or used.get(gpu.whole)):
                raise SweepmakeError(
                    f"the slot '{slot}' names one GPU twice: {first} and {name} are {gpu.uuid}"
                )
            if gpu:
                used[gpu.uuid] = used[gpu.whole or gpu.uuid] = name
    return meaning


def _notes(meaning: Mapping[str, GPU | None], found: Found) -> Iterator[str]:
    """Yield what is odd about the names of the slots."""
    names: dict[str, list[str]] = {}
    for name, gpu in meaning.items():
        if gpu:
            names.setdefault(gpu.uuid, []).append(name)
    for same in names.values():
        if len(same) > 1:
            yield f"{' and '.join(same)} are one GPU: one run at a time"
    unknown = [name for name, gpu in meaning.items() if gpu is None]
    if unknown and found.cards:
        last = len(found.cards) - 1
        yield (
            f"no such GPU here: {', '.join(unknown)} (NVIDIA's library knows 0"
            f"{f' to {last}' if last else ''}, which `nvidia-smi -L` lists)"
        )


def _places(environment: Mapping[str, str]) -> list[str]:
    """Return the folders of the locks.

    Raises:
        SweepmakeError: none can be used.
    """
    places, problems = lock_places(environment)
    if not places:
        raise SweepmakeError(
            "the GPUs cannot be locked, because no folder for that is safe "
            f"({'; '.join(problems)}): set SWEEPMAKE_LOCK_FOLDER to a folder of yours on this "
            "machine's own disk, the same for all your sweeps"
        )
    return places


def _old_names(places: Sequence[str]) -> list[str]:
    """Return the names of GPUs under which locks were made, the beginnings of UUIDs among them."""
    made = (path.name for place in places for path in Path(place).glob("gpu.*-*"))
    return sorted({name.removeprefix("gpu.").rpartition(".")[0] for name in made})


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
