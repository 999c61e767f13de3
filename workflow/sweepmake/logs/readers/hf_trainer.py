"""Hugging Face Trainer: one Python dictionary per line.

    {'loss': 4.1609, 'grad_norm': 0.5870850682258606, 'learning_rate': 0.0044444444444444444, 'epoch': 0.33}
    {'eval_loss': 4.167426586151123, 'eval_runtime': 0.0043, 'epoch': 1.0}
    {'loss': '3.901', 'grad_norm': '0.5504', 'learning_rate': '0.004583', 'epoch': '0.3333'}       (5.x)
    {'train_runtime': 0.2413, 'train_loss': 4.133924961090088, 'epoch': 3.0}

The epoch is the fraction that the Trainer prints; these lines carry no step. A logger's prefix may
stand in front.
"""  # noqa: E501

from __future__ import annotations

import re
from collections.abc import Sequence

from sweepmake.logs.readers.base import NUMBER, Observation, Reader
from sweepmake.logs.readers.grammar.prefix import skip_prefix
from sweepmake.logs.readers.json_lines import split_place
from sweepmake.metric_names import is_metric

__all__ = ["HfTrainer"]

_ITEM = re.compile(rf"""(['"])([^'"]+)\1: (?:(['"]?)({NUMBER})\3|[^,{{}}]*)(?:, |\}}$)""")


class HfTrainer(Reader):
    """Reads the dictionaries of the Hugging Face Trainer."""

    name = "hf_trainer"

    def read(self, text: str) -> Sequence[Observation] | Observation | None:
        """Return the dictionary's numbers."""
        text = text.strip()
        if not text.startswith("{"):
            text = text[skip_prefix(text)[0] :]
        if not text.startswith("{'") or not text.endswith("}"):
            return None
        values: dict[str, str] = {}
        at = 1
        while at < len(text):
            item = _ITEM.match(text, at)
            if item is None:
                return None
            if item.group(4):
                values[item.group(2)] = item.group(4)
            at = item.end()
        seen = split_place(dict(values))
        if seen is not None:
            return seen
        return Observation(values) if any(map(is_metric, values)) else None
