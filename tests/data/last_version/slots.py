"""Leases of GPU slots, held by the operating system.

A slot is the GPU id or ids that one run gets ("0", or "1,2"). A lease is a set of file locks
(flock), one per GPU id, on files that every sweep of one user on one machine shares. The program
that runs under a lease inherits the locked files: whatever is killed, in whatever order, the GPU
is free when the last process that may use it has ended, and not before.

The stage runner imports this module, so it needs to start fast: os and fcntl only.
"""

from __future__ import annotations

import fcntl
import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["Lease", "acquire", "can_take", "try_acquire"]

POLL_S = (0.05, 0.1, 0.2, 0.5)


class Lease:
    """What a run holds: its slots and the locked files behind them.

    Attributes:
        slots: the slots, in the order of the sweep's list.
        devices: their ids joined with commas, as CUDA_VISIBLE_DEVICES takes them.
        files: the locked file descriptors, inheritable.
    """

    __slots__ = ("devices", "files", "slots")

    def __init__(self, slots: tuple[str, ...], files: tuple[int, ...]) -> None:
        self.slots = slots
        self.devices = ",".join(slots)
        self.files = files

    def release(self) -> None:
        """Free the GPUs at once, also where a process left behind has inherited the files."""
        for file in self.files:
            fcntl.flock(file, fcntl.LOCK_UN)
            os.close(file)
        self.files = ()


def acquire(
    slots: Sequence[str],
    count: int,
    folder: str,
    on_wait: Callable[[], None] | None = None,
) -> Lease:
    """Return a lease of `count` slots, waiting until other sweeps have freed them.

    Args:
        slots: the sweep's slots; an id that stands in several of them is shared by as many runs.
        count: how many slots the run needs; they never overlap.
        folder: where the lock files lie, the same for all sweeps that share the GPUs.
        on_wait: called once, before the first wait.

    Raises:
        OSError: the lock files cannot be made.
    """
    tries = 0
    while True:
        lease = try_acquire(slots, count, folder)
        if lease is not None:
            return lease
        if tries == 0 and on_wait is not None:
            on_wait()
        time.sleep(POLL_S[min(tries, len(POLL_S) - 1)])
        tries += 1


def try_acquire(slots: Sequence[str], count: int, folder: str) -> Lease | None:
    """Return a lease of `count` slots, or None where they are not free together.

    All or nothing, under one short lock, so that two runs that need several slots each never
    wait for one another.
    """
    os.makedirs(folder, mode=0o700, exist_ok=True)
    guard = os.open(os.path.join(folder, "guard"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(guard, fcntl.LOCK_EX)
        return _take(slots, count, folder)
    finally:
        os.close(guard)


def _take(slots: Sequence[str], count: int, folder: str) -> Lease | None:
    capacity: dict[str, int] = {}
    for slot in slots:
        for device in slot.split(","):
            capacity[device] = capacity.get(device, 0) + 1
    seen: dict[str, tuple[int, int | None]] = {}
    shares: dict[str, int] = {}
    try:
        for device, most in capacity.items():
            holders, share = _look(device, most, folder)
            seen[device] = (holders, share)
            if share is not None:
                shares[device] = share
        free = [s for s in slots if all(seen[d][1] is not None for d in s.split(","))]
        # the least shared GPU first: two runs on [0, 0, 1, 1] get a GPU each
        free.sort(key=lambda s: max(seen[d][0] for d in s.split(",")))
        chosen = next(_disjoint(list(dict.fromkeys(free)), count), None)
        if chosen is None:
            return None
        files = []
        for device in ",".join(chosen).split(","):
            file = shares.pop(device)
            os.ftruncate(file, 0)
            os.pwrite(file, str(capacity[device]).encode(), 0)
            os.set_inheritable(file, True)
            files.append(file)
        return Lease(tuple(sorted(chosen, key=list(slots).index)), tuple(files))
    finally:
        for file in shares.values():
            os.close(file)


def _look(device: str, capacity: int, folder: str) -> tuple[int, int | None]:
    """Count the holders of a GPU; return with it a locked free share, None where it is full.

    A GPU can be held as often as this sweep lists it, and no more often than any holder allows.
    """
    base = os.path.join(folder, "gpu." + device.replace("/", "_") + ".")
    holders, number, free = 0, 0, None
    limit = capacity
    while number < limit or os.path.exists(base + str(number)):
        file = os.open(base + str(number), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holders += 1
            written = os.pread(file, 20, 0)
            limit = min(limit, int(written) if written.isdigit() else 1)
            os.close(file)
        else:
            if free is None:
                free = file
            else:
                os.close(file)
        number += 1
    if free is not None and holders >= limit:
        os.close(free)
        free = None
    return holders, free


def _disjoint(slots: Sequence[str], count: int) -> Iterator[tuple[str, ...]]:
    """Yield the ways to take `count` slots that have no id in common, the first slots first."""
    if count == 0:
        yield ()
        return
    for position, slot in enumerate(slots):
        ids = set(slot.split(","))
        rest = [s for s in slots[position + 1 :] if not ids & set(s.split(","))]
        for others in _disjoint(rest, count - 1):
            yield (slot, *others)


def can_take(slots: Sequence[str], count: int) -> bool:
    """Tell whether `count` slots of the list exist that do not overlap."""
    return next(_disjoint(list(dict.fromkeys(slots)), count), None) is not None
