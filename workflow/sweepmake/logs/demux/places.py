"""Where a line says that the training is: the little that tells the ranks' lines apart.

The readers know a hundred formats; here it is enough to see that two lines speak of one place.
"""

from __future__ import annotations

import re

__all__ = ["is_training", "place_of"]

_LENGTH = 200
_NAMES = (b"epoch", b"step", b"iter", b"batch", b"update", b"round")
# epoch 3, Epoch: [0], "step": 40, iteration       10/
_WORDS = re.compile(
    rb"\b(epoch|step|iter(?:ation)?|batch|update|round)s?\b['\"]?[\s:=#\[(|]{0,8}"
    rb"(\d{1,12}(?:\.\d{1,6})?)"
)
# 13/40 [=====>....]
_BAR = re.compile(rb"(?<![\d./])(\d{1,9})/\d{1,9} \[")
_VALUE = re.compile(rb"[a-z_@)\]%'\"][\s:=|]{1,4}-?(?:\d{1,12}\.\d|\d{1,9}e-|nan\b)")
_HEADER = re.compile(rb"\W{0,4}epoch\W{0,4}\d{1,9}\b(?:/\d{1,9})?\W{0,8}\Z")


def place_of(line: bytes) -> tuple[tuple[bytes, float], ...]:
    """Return the words and the numbers of a line's place, `((b"epoch", 1.0), (b"step", 20.0))`.

    Args:
        line: without its line feed and without a tag; what follows its first 200 bytes is not
            looked at.
    """
    line = line[:_LENGTH].lower()
    found: list[tuple[bytes, float]] = []
    if any(name in line for name in _NAMES):
        found = [(word, float(number)) for word, number in _WORDS.findall(line)]
    if all(word == b"epoch" for word, _ in found) and b" [" in line and (bar := _BAR.search(line)):
        found.append((b"step", float(bar[1])))
    return tuple(found)


def is_training(line: bytes) -> bool:
    """Whether a line looks like one of a training: a place, and a value behind it or a header."""
    line = line[:_LENGTH].lower()
    place = None
    if any(name in line for name in _NAMES):
        place = _WORDS.search(line)
    if place is None and b" [" in line:
        place = _BAR.search(line)
    if place is None:
        return False
    return _VALUE.search(line, place.end()) is not None or _HEADER.match(line) is not None
