"""One JSON object per line.

    {"event": "train", "epoch": 1, "step": 10, "global_step": 10, "loss": 1.288366675376892, "lr": 0.0497}
    {"event": "valid", "epoch": 1, "train_loss": 1.0388819962739944, "val_loss": 0.5008985996246338}

Numbers keep their text; numbers in quotes count; a nested object's names are joined by dots.
"""  # noqa: E501

from __future__ import annotations

import json
from collections.abc import Sequence

from sweepmake.logs.readers.base import Observation, Reader, is_number

__all__ = ["STEP_KEYS", "JsonLines", "flat_numbers", "split_place"]

EPOCH_KEYS = ("epoch", "Epoch", "EPOCH")
STEP_KEYS = ("step", "iter", "iteration", "Step", "global_step", "num_updates", "batch")
STEPS_KEYS = ("steps_per_epoch", "steps_in_epoch")
_DEPTH = 3


class JsonLines(Reader):
    """Reads lines that are one JSON object."""

    name = "json_lines"

    def read(self, text: str) -> Sequence[Observation] | Observation | None:
        """Return the object's numbers, None when it holds no place and no metric."""
        text = text.strip()
        if not text.startswith("{") or not text.endswith("}"):
            return None
        values = flat_numbers(text)
        return split_place(values) if values else None


def flat_numbers(text: str) -> dict[str, str] | None:
    """Return the numbers of a JSON object as printed, None when it is not one."""
    try:
        found = json.loads(text, parse_float=str, parse_int=str, parse_constant=str)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    values: dict[str, str] = {}
    _flatten(found, "", values, 0)
    return values


def _flatten(found: dict[str, object], prefix: str, values: dict[str, str], depth: int) -> None:
    for key, value in found.items():
        if isinstance(value, str):
            if is_number(value) or value in ("Infinity", "-Infinity", "NaN"):
                values[prefix + key] = value
        elif isinstance(value, dict) and depth < _DEPTH:
            _flatten(value, f"{prefix}{key}.", values, depth + 1)


def split_place(values: dict[str, str]) -> Observation | None:
    """Return the observation of a record: its place taken out of its values."""
    epoch = next((values.pop(key) for key in EPOCH_KEYS if key in values), None)
    step = next((values.pop(key) for key in STEP_KEYS if key in values), None)
    steps = next((values.pop(key) for key in STEPS_KEYS if key in values), None)
    if not values or (epoch is None and step is None):
        return None
    return Observation(values, epoch, step, steps)
