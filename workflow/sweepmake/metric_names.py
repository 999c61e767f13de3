"""What the name of a metric tells: whether more of it is better."""

from __future__ import annotations

import re

__all__ = ["direction"]

_LOWER = re.compile(
    r"loss|err|ppl|perplex|wer\b|cer\b|mse|mae\b|nll|fid\b|divergence|distance", re.IGNORECASE
)
_HIGHER = re.compile(
    r"acc|auc|f1|bleu|rouge|dice|dsc|iou|\bmap|precision|recall|score|psnr|ssim|reward|return|r2\b|top-?\d",
    re.IGNORECASE,
)


def direction(name: str) -> str | None:
    """Return "min" for losses and errors, "max" for accuracies and scores, None for the rest (lr,
    …)."""
    if _LOWER.search(name):
        return "min"
    return "max" if _HIGHER.search(name) else None
