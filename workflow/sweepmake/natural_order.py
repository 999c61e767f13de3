"""The order in which people expect names with numbers: Lr_2 before Lr_10, Lr_0.01 before Lr_0.1."""

from __future__ import annotations

import re

__all__ = ["natural_key"]

_NUMBER = re.compile(r"([0-9]+(?:\.[0-9]+)?(?:e[-+]?[0-9]+)?)")


def natural_key(name: str) -> tuple[tuple[tuple[str, float], ...], str]:
    """Return what to sort a name by: its texts as texts, the numbers in it by their size."""
    # re.split with one group: texts stand at even places, the numbers between them at odd ones
    parts = _NUMBER.split(name)
    numbers = [float(number) for number in parts[1::2]] + [0.0]
    return tuple(zip(parts[::2], numbers, strict=True)), name
