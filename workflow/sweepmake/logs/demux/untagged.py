"""Whether several ranks wrote a log without tags: then nobody can say whose its numbers are.

`mpirun` without `--output tag`, `srun` without `--label`: the ranks' lines stand among each
other. One program does not announce an epoch twice, does not go from step 30 back to step 20
and on to 30 again and again, and does not tell one step twice with other numbers. A restart
goes back too, but to the start and seldom; so do the folds of a cross validation.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import NamedTuple

from sweepmake.logs.demux.places import place_of

__all__ = ["Mixture", "several_ranks"]

_MOST = 4_000
_LINES = 600  # of a training
_BREAK = re.compile(rb"[\r\n\x08]+")
_ESCAPE = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")
_HEADER = re.compile(rb"epoch \d{1,9}/\d{1,9}\s*\Z")
_TQDM = re.compile(rb"(?<![\d./])\d{1,9}/\d{1,9} \[[\d:?]+<")
_TOTAL = re.compile(rb"(?<![\d./])\d{1,9}/(\d{1,9})(?![\d./])")
_STEPS = re.compile(rb"(?<![\d./])(\d{1,9})/\d{1,9}(?![\d./])")
_WORDS = re.compile(rb"[a-z_][a-z_\d./@]+")
# layer 3, [3]: what tells lines of one step apart
_NUMBERED = re.compile(rb"[a-z_\[(]+[ :=#]{0,2}\d{1,2}(?![\d.:%smu/])")
_VALUES = re.compile(rb"\d+\.\d+(?:e[+-]?\d+)?|\bnan\b")
_VALIDATES = re.compile(rb"(?<![a-z])(?:val|valid|validation|eval|test|dev)(?![a-z])")
_OF_A_PLACE = (b"epoch", b"step", b"iter", b"batch", b"update", b"round")

_Place = tuple[float, ...]


class Mixture(NamedTuple):
    """Signs that the lines of several ranks are mixed.

    Args:
        places: how many lines contradict those before them.
        why: what the signs are.
    """

    places: int
    why: str


class _Kind:
    """The lines of one kind, which a single program prints place by place."""

    def __init__(self, *, validates: bool) -> None:
        self.lines = self.again = 0
        self._backs = [0, 0]  # with the epoch, and with the step, as what moves slower
        self.stepped, self.adjacent = False, True
        self.validates = validates
        self.first: _Place | None = None
        self.last: _Place = ()
        self.values: list[bytes] = []
        self.at = -1
        self.seen: Counter[_Place] = Counter()

    def take(self, at: int, place: _Place, values: list[bytes], *, stepped: bool) -> None:
        """Compare a line with the one of its kind before it."""
        self.lines += 1
        self.stepped = self.stepped or stepped
        self.seen[place] += 1
        if self.first is None:
            self.first = place
        elif place == self.last:
            self.again += values != self.values
            self.adjacent = self.adjacent and at - self.at == 1
        else:
            self._backs[0] += _is_back(place, self.last, self.first)
            self._backs[1] += _is_back(place[::-1], self.last[::-1], self.first[::-1])
        self.last, self.values, self.at = place, values, at

    @property
    def back(self) -> int:
        """How often the places run backwards, whichever of their numbers moves slower."""
        return min(self._backs)

    @property
    def told_evenly(self) -> bool:
        """Whether each place but the last is told as often as the others, and more than once."""
        times = set(list(self.seen.values())[:-1])
        return len(times) == 1 and times != {1} and len(self.seen) >= 3


def _is_back(place: _Place, last: _Place, first: _Place) -> bool:
    """Whether a place lies before the last one, and does not begin anew."""
    return place < last and (place[1:] or place) > (first[1:] or first)


def several_ranks(head: bytes) -> Mixture | None:
    """Return the signs that several ranks wrote these lines, None where one may have.

    Args:
        head: the first bytes of a log without tags, some hundred kilobytes; what it holds beyond
            4,000 lines or redraws, 600 of them of a training, is not looked at.
    """
    kinds: dict[tuple[object, ...], _Kind] = {}
    twice = lines = 0
    epoch = b""
    fresh = False  # nothing came since the last header
    for at, piece in enumerate(_BREAK.split(head)[:_MOST]):
        line = (_ESCAPE.sub(b"", piece) if b"\x1b" in piece else piece)[:300].lower().strip()
        if _HEADER.match(line):
            twice += fresh and line == epoch
            epoch, fresh = line, True
            continue
        found = _read(line, epoch)
        if found is not None:
            kind, place, values, stepped = found
            if kind not in kinds:
                kinds[kind] = _Kind(validates=_VALIDATES.search(line) is not None)
            kinds[kind].take(at, place, values, stepped=stepped)
            fresh = False
            lines += 1
            if lines == _LINES:
                break
    return _judge(twice, list(kinds.values()))


def _read(
    line: bytes, header: bytes
) -> tuple[tuple[object, ...], _Place, list[bytes], bool] | None:
    """Return a line's kind, its place, its values, and whether it tells a step.

    A redraw of tqdm's may change its values within a step, so it has none here.
    """
    line = line.replace(b" / ", b"/")  # fairseq's `epoch 001:     10 / 40 loss=…`
    values = _VALUES.findall(line)
    if not values or (not (steps := _STEPS.findall(line)) and not _names_place(line)):
        return None
    place = place_of(line)
    numbers = [number for word, number in place if word != b"epoch"]
    if not numbers:
        numbers = [float(steps[0])] if steps else []
    epochs = [number for word, number in place if word == b"epoch"] or [_epoch(header)]
    if not numbers and not place:
        return None
    told = [one for one in _NUMBERED.findall(line) if not one.startswith(_OF_A_PLACE)]
    kind = (tuple(_TOTAL.findall(line)), tuple(_WORDS.findall(line)), tuple(told))
    stepped = bool(numbers) or any(epoch % 1 for epoch in epochs)  # the Trainer's epoch 0.33
    return kind, (*epochs[:1], *numbers), [] if _TQDM.search(line) else values, stepped


def _names_place(line: bytes) -> bool:
    return any(word in line for word in _OF_A_PLACE)


def _epoch(header: bytes) -> float:
    return float(header.split()[1].partition(b"/")[0]) if header else 0.0


def _judge(twice: int, kinds: list[_Kind]) -> Mixture | None:
    """Weigh the signs; a single one may have another cause."""
    stepped = [kind for kind in kinds if kind.stepped]
    back = sum(kind.back for kind in kinds)
    again = sum(kind.again for kind in stepped)
    reasons = []
    if any(kind.back >= 3 and 20 * kind.back >= kind.lines for kind in kinds):
        reasons.append(f"places run backwards {back} times")
    even = [kind for kind in kinds if kind.told_evenly and kind.again >= 3]
    # a program may tell its loss several times an epoch, but validates once
    even = [kind for kind in even if kind.stepped or (kind.adjacent and kind.validates)]
    if even or (again >= 3 and back >= 1) or (twice and again >= 2):
        again = sum(kind.again for kind in {*stepped, *even})
        reasons.append(f"{again} times a place is told again with other values")
    if twice and reasons:
        reasons.append(f"{twice} headers of an epoch stand twice")
    return Mixture(back + again + twice, ", ".join(reasons)) if reasons else None
