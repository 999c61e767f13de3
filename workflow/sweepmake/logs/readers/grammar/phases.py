"""Phases: training, validation and test, as words, brackets, loggers' names and keys.

    [Validation] Acc: 0.5500     train Loss: 0.6000 Acc: 0.7000     {"mode": "val", "loss": 1.5}

No column may hold two phases. Training keeps the names that the log prints; what an evaluation
reports gets its phase in front, unless its name says it already.
"""

from __future__ import annotations

import re
from functools import lru_cache

__all__ = ["PHASE_WORD", "TRAINING", "has_phase", "phase_of", "phased"]

TRAINING = "train"
_WORDS = {
    TRAINING: ("train", "training", "train_inner", "trn", "learn", "learning"),
    "val": ("val", "valid", "vali", "validation", "validating", "validate"),
    "eval": ("eval", "evaluation", "evaluating", "evaluate"),
    "dev": ("dev", "devel", "development"),
    "test": ("test", "testing", "tests"),
}
_PHASES = {word: phase for phase, words in _WORDS.items() for word in words}
PHASE_WORD = "(?:" + "|".join(sorted(_PHASES, key=len, reverse=True)) + ")"
_NAMED = re.compile(
    rf"\W*(?i:{PHASE_WORD})(?:(?![a-zA-Z])|(?<=[a-z])(?=[A-Z]))", re.ASCII
)  # testAcc, not tester
# what is the same thing in each phase
_SHARED = frozenset({"lr", "learning_rate", "learning rate", "epoch"})


def phase_of(word: str) -> str | None:
    """Return the phase that a word names: "Validation" -> "val"; None for another word."""
    return _PHASES.get(word.strip().lower())


@lru_cache(maxsize=4096)
def has_phase(name: str) -> bool:
    """Return whether a metric's name says its phase: `val_loss`, `Train-accuracy`, `test`."""
    return _NAMED.match(name) is not None


def phased(name: str, phase: str | None, *, training: bool = False) -> str:
    """Return a metric's name in a phase: "Acc", "val" -> "val_Acc".

    Args:
        name: as printed.
        phase: None where the log says none.
        training: whether a training's name gets its phase too.
    """
    if phase is None or (phase == TRAINING and not training):
        return name
    if has_phase(name) or name.lower() in _SHARED:
        return name
    return f"{phase}_{name}"
