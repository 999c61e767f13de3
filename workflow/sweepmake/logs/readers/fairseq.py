"""fairseq, --log-format simple and json.

    2026-11-21 18:05:05 | INFO | train_inner | epoch 001:     10 / 40 loss=1.859, ppl=2.44, num_updates=10, lr=0.0496922
    2026-11-21 18:05:05 | INFO | train | epoch 001 | loss 1.499 | ppl 1.42 | num_updates 40 | lr 0.0452254
    2026-11-21 18:05:05 | INFO | valid | epoch 001 | valid on 'valid' subset | loss 0.723 | ppl 1.42 | best_loss 0.501
    2026-11-21 18:05:24 | INFO | train_inner | {"epoch": 1, "update": 0.25, "loss": "1.859", "num_updates": "10"}
    2026-11-21 18:05:24 | INFO | valid | {"epoch": 1, "valid_loss": "0.723", "valid_num_updates": "40"}

The end lines of the simple form say `loss` for both; they get the prefix that fairseq's own JSON
gives them (`train_loss`, `valid_loss`); what training lines have under that name, too
(`train_wall`: the end's `wall`) stands in a row of its own. JSON lines carry no step inside the epoch: their step is
`num_updates`.
"""  # noqa: E501

from __future__ import annotations

import re
from collections.abc import Sequence

from sweepmake.logs.readers.base import NUMBER, Observation, Reader, is_number
from sweepmake.logs.readers.json_lines import flat_numbers

__all__ = ["Fairseq"]

_INNER = re.compile(r"(?:.*\| )?epoch (\d+):\s+(\d+) / (\d+) (\S.*)", re.ASCII)
_END = re.compile(r"(?:.*?\| )?(\w+) \| epoch (\d+) \| (.*)", re.ASCII)
_JSON = re.compile(r".*?\| \w+ \| (\{.*\})", re.ASCII)
_PAIR = re.compile(rf"([^\s=,]+)=({NUMBER})(?:,|$)")
_FIELD = re.compile(rf"(\S+) ({NUMBER})")


class Fairseq(Reader):
    """Reads fairseq's simple and JSON lines."""

    name = "fairseq"

    def __init__(self) -> None:
        self._inner: dict[str, str] = {}  # what the last training line said

    def read(self, text: str) -> Sequence[Observation] | Observation | None:
        """Return the values of a training, epoch or validation line."""
        if " | " not in text and "epoch " not in text:
            return None
        text = text.strip()
        match = _INNER.fullmatch(text)
        if match:
            epoch, step, steps, rest = match.groups()
            values = dict(_PAIR.findall(rest.replace(" ", "")))
            self._inner.update(values)
            return Observation(values, _whole(epoch), step, steps) if values else None
        match = _END.fullmatch(text)
        if match:
            subset, epoch, rest = match.groups()
            values = {}
            for field in rest.split(" | "):
                pair = _FIELD.fullmatch(field.strip())
                if pair:
                    values[f"{subset}_{pair.group(1)}"] = pair.group(2)
            return self._end(values, _whole(epoch)) if values else None
        match = _JSON.fullmatch(text)
        return self._json(match.group(1)) if match else None

    def _json(self, text: str) -> Sequence[Observation] | Observation | None:
        """Return a JSON line's values; end lines have no `update` and join their epoch."""
        values = flat_numbers(text)
        if not values or "epoch" not in values:
            return None
        epoch = values.pop("epoch")
        if "update" not in values:
            return self._end(values, epoch)
        self._inner.update(values)
        step = values.get("num_updates")
        return Observation(values, epoch, step if step and is_number(step) else None)

    def _end(self, values: dict[str, str], epoch: str) -> list[Observation]:
        """Return an epoch's end; names that training lines have, too, in a row of their own."""
        inner = self._inner
        shared = {k: values.pop(k) for k in list(values) if inner.get(k, values[k]) != values[k]}
        seen = [Observation(values, epoch, kind="summary")] if values else []
        return [*seen, Observation(shared, epoch, kind="aside")] if shared else seen


def _whole(text: str) -> str:
    return text.lstrip("0") or "0"
