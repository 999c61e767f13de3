"""What ranks.pdf says in words: of an experiment without curves, and of stages without them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sweepmake.outputs.drawing.page import POINTS
from sweepmake.outputs.drawing.style import INK, Book, plain, wrapped
from sweepmake.outputs.ranks_pdf.panels import number_text

__all__ = ["NOTE_WIDTH", "draw_words", "numbers_notes"]

NOTE_WIDTH = 10.0
"""Width of a line at the foot of a page, in inches."""


def numbers_notes(told: Mapping[str, Any], curved: set[str]) -> list[str]:
    """Return the numbers of the stages that have no curves, as lines for a foot."""
    lines: list[str] = []
    for name, stage in told.items():
        words = [] if name in curved else _number_words(stage)
        if words:
            words = [f"{plain(name)}:", *(f"{word}," for word in words[:-1]), words[-1]]
            found, left = wrapped(words, NOTE_WIDTH - 1, 7.5, 1)
            lines.append(found[0] + (f" ... and {left} more in metrics.json" if left else ""))
    return lines


def draw_words(book: Book, told: Mapping[str, Any], numbers: Sequence[str]) -> None:
    """Draw the one page of an experiment without curves: what there is, in words."""
    what = "one row of numbers, no curves" if numbers else "no metrics were logged"
    page = book.page(what)
    lines = list(numbers) if numbers else ["Nothing that reads as a metric stands in the logs."]
    for name, stage in told.items():
        ranks = stage.get("ranks", {})
        other = sum(rank.get("segments_other") or 0 for rank in ranks.values())
        lines.append(
            f"{plain(name)}: {len(ranks)} ranks, launcher {plain(stage.get('launcher'))}, "
            f"reader {plain(stage.get('reader'))}, {other} pieces of other text."
        )
    if not told:
        lines.append("No stage has a log yet.")
    for at, line in enumerate(lines):
        page.text(0.9 * POINTS, (6.2 - 0.28 * at) * POINTS, line, size=10, colour=INK)
    book.add(page)


def _number_words(told: Mapping[str, Any]) -> list[str]:
    """Return the last value of every metric of a stage, in words."""
    words = []
    for name, facts in told.get("metrics", {}).items():
        mean, spread, ranks = facts.get("mean"), facts.get("std"), facts.get("ranks") or 1
        if mean is None:
            continue
        text = f"{plain(name)} {number_text(mean) if isinstance(mean, int | float) else mean}"
        if ranks > 1 and isinstance(spread, int | float):
            text += f" ± {number_text(spread)}"
        words.append(text)
    return words
