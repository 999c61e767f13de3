"""Megatron-LM and what descends from it (Megatron-DeepSpeed, NeMo's Megatron).

     iteration       10/     200 | consumed samples:          320 | elapsed time per iteration (ms): 9.7 | learning rate: 4.969221E-02 | lm loss: 1.288367E+00 | grad norm: 0.437 |
     validation loss at iteration 40 | lm loss value: 5.008986E-01 | lm loss PPL: 1.650203E+00 |

There are no epochs: the step is the iteration. The validation line joins the row of its iteration.
"""  # noqa: E501

from __future__ import annotations

import re
from collections.abc import Sequence

from sweepmake.logs.readers.base import Observation, Reader, is_number, unit_seconds

__all__ = ["Megatron"]

_LINE = re.compile(
    r"(?:\[[^\]]*\])? *(?:iteration +(\d+)/ *(\d+)"
    r"|(?:validation|test) loss at (?:iteration (\d+)|[^|]*)"
    r"[^|]*) \|(.*)",
    re.ASCII,
)
_TIME = "elapsed time per iteration (ms)"


class Megatron(Reader):
    """Reads iteration and validation lines."""

    name = "megatron"

    def read(self, text: str) -> Sequence[Observation] | Observation | None:
        """Return the line's values."""
        if "iteration" not in text:
            return None
        match = _LINE.fullmatch(text)
        if not match:
            return None
        step, _, validated, rest = match.groups()
        values: dict[str, str] = {}
        for field in rest.split("|"):
            name, colon, value = field.rpartition(":")
            if colon and is_number(value.strip()):
                values[name.strip()] = value.strip()
        if not values:
            return None
        if step is None:
            return Observation(values, step=validated, kind="summary")
        per_step = unit_seconds(values[_TIME] + "ms") if _TIME in values else None
        return Observation(values, step=step, time_per_step_s=per_step)
