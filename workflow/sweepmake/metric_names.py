"""What the name of a metric tells: whether it is one, of which data, and whether more is better."""

from __future__ import annotations

import re
from functools import lru_cache

__all__ = [
    "base_name",
    "direction",
    "is_evaluation",
    "is_metric",
    "is_validation",
    "validation_name",
]

_METRIC = re.compile(
    r"loss|acc|err|auc|f1|bleu|rouge|wer\b|cer\b|ppl|perplex|mAP|iou|dice|dsc|precision|recall|score"
    r"|mse|mae|psnr|ssim|fid\b|reward|return|r2\b|top-?\d|logp|likelihood|elbo|kl\b",
    re.IGNORECASE,
)
_LOWER = re.compile(
    r"loss|err|ppl|perplex|wer\b|cer\b|mse|mae\b|nll|fid\b|divergence|distance", re.IGNORECASE
)
_HIGHER = re.compile(
    r"acc|auc|f1|bleu|rouge|dice|dsc|iou|\bmap|precision|recall|score|psnr|ssim|reward|return|r2\b|top-?\d",
    re.IGNORECASE,
)
_VALIDATION = re.compile(r"(?:val|valid|validation|eval|dev)[_/ .-](.+)", re.IGNORECASE)
_EVALUATION = re.compile(r"(?:val|valid|validation|eval|dev|test)(?:[_/.\- ]|$)", re.IGNORECASE)
_SHORT = {"accuracy": "acc", "acc@1": "acc", "acc_1": "acc"}


def is_metric(name: str) -> bool:
    """Return whether a name sounds like a training or evaluation metric."""
    return _METRIC.search(name) is not None


@lru_cache(maxsize=10_000)
def direction(name: str) -> str | None:
    """Return "min" for losses and errors, "max" for accuracies and scores, None for the rest (lr,
    …)."""
    if _LOWER.search(name):
        return "min"
    return "max" if _HIGHER.search(name) else None


def is_validation(name: str) -> bool:
    """Return whether a metric is the validation's: `val_loss`, `dev/acc`, `eval.f1`."""
    return _VALIDATION.fullmatch(name) is not None


def is_evaluation(name: str) -> bool:
    """Return whether a metric is the validation's or a test's; `eval` alone and `test_acc` too."""
    return _EVALUATION.match(name) is not None


def base_name(name: str) -> str:
    """Return what is measured, on whatever data: `valid/Acc` -> `Acc`."""
    match = _VALIDATION.fullmatch(name)
    return match[1] if match else name


def validation_name(name: str) -> str | None:
    """Return a validation metric's name as Training Log Wizard has it, None for other metrics.

    `val_accuracy` and `eval/acc@1` are `val_acc`, `dev loss` is `val_loss`.
    """
    match = _VALIDATION.fullmatch(name)
    if not match:
        return None
    short = match[1].replace(" ", "_")
    return f"val_{_SHORT.get(short.lower(), short)}"
