"""One JSON object per line.

    {"event": "train", "epoch": 1, "step": 10, "global_step": 10, "loss": 1.288366675376892, "lr": 0.0497}
    {"event": "valid", "epoch": 1, "train_loss": 1.0388819962739944, "val_loss": 0.5008985996246338}

Numbers keep their text; numbers in quotes count; a nested object's names are joined by dots. A
logger's prefix may stand in front. The keys mode, phase, split and subset may name a
phase, as the logger may: `{"mode": "val", "loss": 1.5}` is val_loss, of no step of the training. An
event's name (`"event": "valid"`) tells names apart that stand in both.
"""  # noqa: E501

from __future__ import annotations

import json
from collections.abc import Sequence

from sweepmake.logs.readers.base import Observation, Reader, is_number
from sweepmake.logs.readers.grammar.phases import TRAINING, phase_of, phased
from sweepmake.logs.readers.grammar.prefix import skip_prefix

__all__ = ["STEP_KEYS", "JsonLines", "flat_numbers", "split_place"]

EPOCH_KEYS = ("epoch", "Epoch", "EPOCH")
STEP_KEYS = ("step", "iter", "iteration", "Step", "global_step", "num_updates", "batch")
STEPS_KEYS = ("steps_per_epoch", "steps_in_epoch")
PHASE_KEYS = ("mode", "phase", "split", "subset")
EVENT_KEYS = ("event", "stage", "type", "kind")
_DEPTH = 3


class JsonLines(Reader):
    """Reads lines that are one JSON object."""

    name = "json_lines"

    def __init__(self) -> None:
        self._training: set[str] = set()  # names that stand in records of the training

    def read(self, text: str) -> Sequence[Observation] | Observation | None:
        """Return the object's numbers, None when it holds no place and no metric."""
        text = text.strip()
        phase = None
        if not text.startswith("{"):
            start, phase = skip_prefix(text)
            text = text[start:]
        if not text.startswith("{") or not text.endswith("}"):
            return None
        found = _object(text)
        if not found:
            return None
        values = _flat(found)
        phase = _said(found, PHASE_KEYS) or phase
        if phase is None:
            event = _said(found, EVENT_KEYS)
            if event in (None, TRAINING):
                self._training.update(values)
            elif not self._training.isdisjoint(values):
                return self._event(values, event)
        return split_place(values, phase)

    def _event(self, values: dict[str, str], event: str) -> Observation | None:
        """Return an evaluation's record, the names that training has, too, under its phase."""
        seen = split_place(values)
        if seen is None:
            return None
        named = {
            phased(name, event if name in self._training else None): text
            for name, text in seen.values.items()
        }
        return seen._replace(values=named)


def _said(found: dict[str, object], keys: Sequence[str]) -> str | None:
    """Return the phase that one of the keys names."""
    said = (phase_of(word) for key in keys if isinstance(word := found.get(key), str))
    return next((phase for phase in said if phase), None)


def flat_numbers(text: str) -> dict[str, str] | None:
    """Return the numbers of a JSON object as printed, None when it is not one."""
    found = _object(text)
    return None if found is None else _flat(found)


def _object(text: str) -> dict[str, object] | None:
    try:
        found = json.loads(text, parse_float=str, parse_int=str, parse_constant=str)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _flat(found: dict[str, object]) -> dict[str, str]:
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


def split_place(values: dict[str, str], phase: str | None = None) -> Observation | None:
    """Return the observation of a record: its place taken out of its values.

    Args:
        values: of all keys; the places are taken out.
        phase: that the record names. An evaluation's own steps are none of the training's.
    """
    epoch = next((values.pop(key) for key in EPOCH_KEYS if key in values), None)
    step = next((values.pop(key) for key in STEP_KEYS if key in values), None)
    steps = next((values.pop(key) for key in STEPS_KEYS if key in values), None)
    if not values or (epoch is None and step is None):
        return None
    if phase in (None, TRAINING):
        return Observation(values, epoch, step, steps)
    named = {phased(name, phase): text for name, text in values.items()}
    if epoch is None:
        return Observation(named, step=step)
    return Observation(named, epoch, kind="summary")
