"""The ticks of axes, and what is written at them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from matplotlib.ticker import MaxNLocator

__all__ = ["decades", "round_ticks", "tick_labels", "value_labels"]


def round_ticks(
    low: float, high: float, most: int, *, whole: bool = False, quarters: bool = True
) -> list[float]:
    """Return some round numbers from low to high.

    Args:
        low, high: the ends of the axis.
        most: how many steps between ticks there may be.
        whole: whether they have to be whole numbers.
        quarters: whether steps may be 2.5 of a power of ten.
    """
    steps = [1, 2, 2.5, 5, 10] if quarters else [1, 2, 5, 10]
    locator = MaxNLocator(most, steps=steps)
    slack = 1e-9 * (high - low)
    found = [float(at) for at in locator.tick_values(low, high)]
    found = [at for at in found if low - slack <= at <= high + slack]
    # steps below one are parts of one; the locator may give 3.0000000000000004
    return [float(round(at)) for at in found if abs(at - round(at)) < 1e-9] if whole else found


def decades(low: float, high: float, most: int) -> list[float]:
    """Return round numbers for a logarithmic axis: of each decade 1, or 1, 2 and 5 where there is
    room for them; of many decades each n-th.

    Args:
        low, high: the ends of the axis, both above 0.
        most: how many ticks there may be.
    """
    begin, end = math.log10(low), math.log10(high)
    every = max(1, math.ceil((end - begin) / most))
    powers = range(math.floor(begin), math.ceil(end) + 1, every)

    def marks(parts: tuple[int, ...]) -> list[float]:
        found = [part * 10.0**power for power in powers for part in parts]
        return [mark for mark in found if begin - 1e-9 <= math.log10(mark) <= end + 1e-9]

    fine = marks((1, 2, 5))
    return fine if len(fine) <= most and end - begin < 3 else marks((1,))


def tick_labels(ticks: Sequence[float]) -> list[str]:
    """Return the texts of ticks: as many digits as tell them apart, the same for all."""
    if len(ticks) < 2:
        return [f"{tick:.6g}" for tick in ticks]
    largest = max(abs(tick) for tick in ticks)
    step = min(b - a for a, b in itertools.pairwise(ticks))
    if largest >= 1e6 or largest < 1e-3:
        digits = max(0, math.ceil(math.log10(largest / step) - 1e-9)) + 1
        return ["0" if tick == 0 else _short(f"{tick:.{min(digits, 12)}e}") for tick in ticks]
    if largest / step > 1e9:
        return [f"{tick:.12g}" for tick in ticks]
    for decimals in range(16):
        texts = [f"{tick:.{decimals}f}" for tick in ticks]
        if all(abs(float(t) - tick) < step * 0.01 for t, tick in zip(texts, ticks, strict=True)):
            break
    return texts


def value_labels(values: Sequence[float]) -> tuple[str, ...]:
    """Return the texts of values that users wrote, each as short as it can be told from others."""
    for digits in (3, 4, 5, 6, 9):
        labels = tuple(f"{value:.{digits}g}" for value in values)
        if len(set(labels)) == len(set(values)):
            return labels
    return tuple(repr(value) for value in values)


def _short(text: str) -> str:
    """Return 1.200e-05 as 1.2e-5."""
    digits, _, power = text.partition("e")
    if "." in digits:
        digits = digits.rstrip("0").rstrip(".")
    return f"{digits}e{int(power)}"
