"""Leases of GPU slots, held by the operating system.

A slot is the GPU id or ids that one run gets ("0", or "1,2"). A lease is a set of file locks
(flock) on files that every sweep of one user on one machine shares: `gpu.<key>.<n>`, where a card's
keys are its UUID and all names by which another sweep may know it, and n counts those that share
it. A slice of a card (MIG) locks the card's files, too, but shares them with other slices. The
program that runs under a lease inherits the locked files: whatever is killed, in whatever order,
the GPU is free when the last process that may use it has ended, and not before.

A file begins with how many may share the card, in `_DIGITS` digits: the last version reads as many
bytes, and no more, as a number. What follows says who holds it.

The stage runner imports this module, so it needs to start fast: os, stat, fcntl and time only.
"""

from __future__ import annotations

import fcntl
import os
import time

from sweepmake.runs.claims import Holder, holder_of, sign
from sweepmake.runs.lock_files import Site, try_lock
from sweepmake.runs.waiting import Told, held_by, in_words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sweepmake.runs.lock_files import Folder

__all__ = ["Card", "Lease", "acquire", "can_take", "cards_of", "in_use", "try_acquire", "uuids"]

POLL_S = (0.05, 0.1, 0.2, 0.5)
_DIGITS = 20


class Card:
    """A GPU, or a slice of one, as a sweep names it.

    Attributes:
        name: the sweep's name for it.
        own: the keys of its lock files, the one that it has in every sweep first.
        whole: those of the card that it is a slice of.
        capacity: how many runs of this sweep may share it.
    """

    __slots__ = ("capacity", "name", "own", "whole")

    def __init__(self, name: str, own: tuple[str, ...], whole: tuple[str, ...]) -> None:
        self.name = name
        self.own = own
        self.whole = whole
        self.capacity = 0

    def overlaps(self, other: Card) -> bool:
        """Return whether the two are one card, or one is a slice of the other."""
        return (
            self.own[0] == other.own[0]
            or self.own[0] in other.whole[:1]
            or other.own[0] in self.whole[:1]
        )


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
    places: str,
    on_wait: Callable[[str], None] | None = None,
    *,
    cards: str = "",
    holder: Holder | None = None,
    busy: Callable[[], Mapping[str, str]] | None = None,
) -> Lease:
    """Return a lease of `count` slots, waiting until other sweeps have freed them.

    Args:
        slots: the sweep's slots; an id that stands in several of them is shared by as many runs.
        count: how many slots the run needs; they never overlap.
        places: the folders of the lock files, one a line: see `lock_files`.
        on_wait: told after whom the run waits, before the first wait, and seldom again.
        cards: what is known of the slots' cards: see `cards_of`.
        holder: who takes the lease, for those who wait for it.
        busy: says which cards are to be left alone, each with the reason.

    Raises:
        OSError: the lock files cannot be made.
    """
    told = Told(on_wait)
    tries = 0
    while True:
        lease, reason = _try(slots, count, places, cards, holder, busy() if busy else {})
        if lease is not None:
            return lease
        told.tell(reason)
        time.sleep(POLL_S[min(tries, len(POLL_S) - 1)])
        tries += 1


def try_acquire(
    slots: Sequence[str], count: int, places: str, *, cards: str = "", holder: Holder | None = None
) -> Lease | None:
    """Return a lease of `count` slots, or None where they are not free together; see `acquire`."""
    return _try(slots, count, places, cards, holder, {})[0]


def _try(
    slots: Sequence[str],
    count: int,
    places: str,
    cards: str,
    holder: Holder | None,
    busy: Mapping[str, str],
) -> tuple[Lease | None, str]:
    """Return a lease, or None and what is in its way.

    All or nothing, under one short lock, so that two runs that need several slots each never
    wait for one another.
    """
    known = cards_of(slots, cards)
    site = _site(places, known)
    try:
        if held := site.guard():
            return None, held
        seen = {name: _look(card, site, busy) for name, card in known.items()}
        chosen = _choose(slots, count, known, seen)
        if chosen is None:
            return None, in_words({name: one.blocked for name, one in seen.items() if one.blocked})
        names = ",".join(chosen).split(",")
        signed = holder or Holder(pid=os.getpid())
        files = _take([(known[name], seen[name]) for name in names], signed)
        if files is None:
            return None, ""  # by somebody who has another guard: it is seen at the next look
        return Lease(tuple(sorted(chosen, key=list(slots).index)), files), ""
    finally:
        site.close()


def in_use(slots: Sequence[str], places: str, cards: str, busy: Mapping[str, str]) -> str:
    """Return which of the slots' GPUs are not free now, and why; "" where all are.

    The arguments are those of `acquire`, but for `busy`: card → how it is used.
    """
    known = cards_of(slots, cards)
    site = _site(places, known)
    try:
        if held := site.guard():
            return held
        seen = {name: _look(card, site, busy).blocked for name, card in known.items()}
        return in_words({name: why for name, why in seen.items() if why})
    finally:
        site.close()


def uuids(slots: Sequence[str], cards: str) -> list[str]:
    """Return the UUIDs of the slots' cards, as far as they are known."""
    keys = {card.own[0] for card in cards_of(slots, cards).values()}
    return sorted(key for key in keys if key.startswith(("GPU-", "MIG-")))


def _site(places: str, cards: Mapping[str, Card]) -> Site:
    inside = {key.rpartition("/")[0] for card in cards.values() for key in card.own}
    return Site(places, sorted(inside - {""}))


class _Seen:
    """What a look at one card's files has found.

    Attributes:
        holders: how many share it now.
        free: folder and name of the files that are to be locked, and whether together with others.
        blocked: why it cannot be had, "" where it can.
    """

    __slots__ = ("blocked", "free", "holders")

    def __init__(self) -> None:
        self.holders = 0
        self.free: list[tuple[Folder, str, bool]] = []
        self.blocked = ""


def _look(card: Card, site: Site, busy: Mapping[str, str]) -> _Seen:
    """Look at all files of a card.

    It can be held as often as this sweep lists it, and no more often than any holder allows.
    """
    seen = _Seen()
    for key in card.own:
        for folder, base in site.bases(key):
            _look_at_shares(folder, base, card.capacity, seen)
    for key in card.whole:
        for folder, base in site.bases(key):
            _look_at_whole(folder, base, seen)
    if not seen.blocked and not seen.holders:
        # where a run of ours has it, what works there is that run
        seen.blocked = busy.get(card.own[0], "")
    return seen


def _look_at_shares(folder: Folder, base: str, capacity: int, seen: _Seen) -> None:
    """Count who holds the files of one key; take note of the first that is free."""
    number, holders, limit = 0, 0, capacity
    free, blocked = "", ""
    while True:
        file = _open_old(folder, f"{base}{number}")
        if file < 0 and number >= limit:
            break
        if file < 0 or try_lock(file):
            free = free or f"{base}{number}"
        else:
            holders += 1
            written = os.pread(file, _DIGITS, 0)
            limit = min(limit, int(written) if written.isdigit() else 1)
            blocked = blocked or held_by(holder_of(file, _DIGITS))
        if file >= 0:
            os.close(file)
        number += 1
    seen.holders = max(seen.holders, holders)
    if holders < limit and free:
        seen.free.append((folder, free, False))
    else:
        seen.blocked = seen.blocked or blocked


def _look_at_whole(folder: Folder, base: str, seen: _Seen) -> None:
    """See whether the card that a slice is a part of is held as a whole."""
    seen.free.append((folder, f"{base}0", True))
    number = 0
    while (file := _open_old(folder, f"{base}{number}")) >= 0:
        if not try_lock(file, shared=True):
            seen.blocked = seen.blocked or held_by(holder_of(file, _DIGITS))
        os.close(file)
        number += 1


def _open_old(folder: Folder, name: str) -> int:
    """Open a file that is there; -1 where it is not."""
    try:
        return folder.open(name, make=False)
    except FileNotFoundError:
        return -1


def _take(wanted: Sequence[tuple[Card, _Seen]], holder: Holder) -> tuple[int, ...] | None:
    """Lock the files of all cards; None, and nothing locked, where one of them is not free."""
    files: list[int] = []
    try:
        for card, seen in wanted:
            for folder, name, shared in seen.free:
                file = folder.open(name, make=True)
                files.append(file)
                if not try_lock(file, shared=shared):
                    _give_back(files)
                    return None
                # without the number, as on a full disk, it is not shared
                sign(file, holder, f"{1 if shared else card.capacity:0{_DIGITS}d}")
    except BaseException:
        _give_back(files)
        raise
    for file in files:
        os.set_inheritable(file, True)
    return tuple(files)


def _give_back(files: Sequence[int]) -> None:
    for file in files:
        os.close(file)


def _choose(
    slots: Sequence[str], count: int, cards: Mapping[str, Card], seen: Mapping[str, _Seen]
) -> tuple[str, ...] | None:
    free = [s for s in slots if not any(seen[d].blocked for d in s.split(","))]
    # the least shared GPU first: two runs on [0, 0, 1, 1] get a GPU each
    free.sort(key=lambda s: max(seen[d].holders for d in s.split(",")))
    return next(_disjoint(list(dict.fromkeys(free)), count, cards), None)


def _disjoint(
    slots: Sequence[str], count: int, cards: Mapping[str, Card]
) -> Iterator[tuple[str, ...]]:
    """Yield the ways to take `count` slots that have no card in common, the first slots first."""
    if count == 0:
        yield ()
        return
    for position, slot in enumerate(slots):
        mine = [cards[name] for name in slot.split(",")]
        rest = [
            other
            for other in slots[position + 1 :]
            if not any(cards[name].overlaps(card) for name in other.split(",") for card in mine)
        ]
        for others in _disjoint(rest, count - 1, cards):
            yield (slot, *others)


def can_take(slots: Sequence[str], count: int, cards: str = "") -> bool:
    """Tell whether `count` slots of the list exist that do not overlap; `cards` as in `acquire`."""
    known = cards_of(slots, cards)
    return next(_disjoint(list(dict.fromkeys(slots)), count, known), None) is not None


def cards_of(slots: Sequence[str], told: str) -> dict[str, Card]:
    """Return name → card for all ids of the slots.

    Args:
        slots: the slots.
        told: the keys of the ids that were resolved, "ID=KEY,KEY;ID=KEY+KEY,KEY", behind + those
            of the card that it is a slice of. Any other id is its own key, as in the last version.
    """
    keys = {}
    for one in told.split(";"):
        name, _, rest = one.partition("=")
        own, _, whole = rest.partition("+")
        keys[name] = (tuple(own.split(",")), tuple(whole.split(",")) if whole else ())
    cards: dict[str, Card] = {}
    for slot in slots:
        for name in slot.split(","):
            if name not in cards:
                own_keys, whole_keys = keys.get(name) or ((name.replace("/", "_"),), ())
                cards[name] = Card(name, own_keys, whole_keys)
            cards[name].capacity += 1
    return cards
