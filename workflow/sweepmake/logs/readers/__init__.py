"""The readers: from one segment of text to an observation. docs/readers.md says how to add one."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .base import Observation, Reader
from .fairseq import Fairseq
from .hf_trainer import HfTrainer
from .imagenet import ImageNet
from .json_lines import JsonLines
from .keras import KerasEpochs
from .keras2 import Keras2
from .keras3 import Keras3
from .keras_lines import KerasLines
from .megatron import Megatron
from .pairs import Pairs
from .regex import RegexReader
from .tqdm import Tqdm

__all__ = ["READERS", "Observation", "Reader", "make_readers"]

# In the order in which they are offered a segment: the strict ones first, `pairs` last.
READERS = (
    "keras2",
    "keras3",
    "keras_lines",
    "fairseq",
    "hf_trainer",
    "json_lines",
    "megatron",
    "imagenet",
    "tqdm",
    "pairs",
    "regex",
)


def make_readers(
    only: str | None = None, patterns: Sequence[re.Pattern[str]] = ()
) -> tuple[list[Reader], KerasEpochs]:
    """Return fresh readers for one stream, and the Keras state that three of them share.

    Args:
        only: the one reader to use ("keras" for the three Keras ones); None for all.
        patterns: the regex reader's; with patterns and without `only`, it is the first asked.
    """
    epochs = KerasEpochs()
    every: list[Reader] = [
        Keras2(epochs),
        Keras3(epochs),
        KerasLines(epochs),
        Fairseq(),
        HfTrainer(),
        JsonLines(),
        Megatron(),
        ImageNet(),
        Tqdm(),
        Pairs(),
    ]
    by_pattern: list[Reader] = [RegexReader(patterns)] if patterns else []
    if only is None:
        return by_pattern + every, epochs
    if only == "regex":
        return by_pattern, epochs
    # a Keras reader needs nothing of its sisters, but a log that is called keras2 may hold
    # verbose=2 lines
    return [one for one in every if one.name == only], epochs
