r"""PyTorch's ImageNet example and the many programs grown from it.

    Epoch: [0][10/40]\tTime  0.010 ( 0.010)\tData  0.005 ( 0.005)\tLoss 1.2884e+00 (1.3654e+00)\tAcc@1  43.75 ( 31.88)
    Test: [ 0/40]\tTime  0.010 ( 0.010)\tLoss 1.2884e+00 (1.3654e+00)
     * Acc@1 87.500 Acc@5 100.000

A meter prints its value and, in brackets, its mean: columns `Loss` and `Loss_avg`. The ` * ` line
closes a validation; its names also stand in training lines, so they get `val_`. `Test:` lines are
progress only.
"""  # noqa: E501

from __future__ import annotations

import re
from collections.abc import Sequence

from sweepmake.logs.readers.base import NUMBER, Observation, Reader

__all__ = ["ImageNet"]

_LINE = re.compile(r"(Epoch|Test): ?(?:\[(\d+)\])?\[ *(\d+)/(\d+)\]\s+(.*)", re.ASCII)
_METER = re.compile(rf"\s*(\S+)\s+({NUMBER})\s*(?:\(\s*({NUMBER})\s*\))?(?=\s|$)")


class ImageNet(Reader):
    """Reads training, test and summary lines."""

    name = "imagenet"

    def read(self, text: str) -> Sequence[Observation] | Observation | None:
        """Return the meters of the line."""
        if text.startswith(" * "):
            values = _meters(text[3:])
            renamed = {f"val_{name}": value for name, value in values.items()}
            return Observation(renamed, kind="summary") if values else None
        match = _LINE.fullmatch(text)
        if not match:
            return None
        kind, epoch, step, steps, rest = match.groups()
        values = _meters(rest)
        if not values:
            return None
        if kind == "Test":
            return Observation({}, kind="place")
        return Observation(values, epoch, step, steps, time_per_step_s=values.get("Time"))


def _meters(text: str) -> dict[str, str]:
    values: dict[str, str] = {}
    at = 0
    while match := _METER.match(text, at):
        name, value, mean = match.groups()
        values[name] = value
        if mean:
            values[f"{name}_avg"] = mean
        at = match.end()
    return values if not text[at:].strip() else {}
