"""Text that is too long for its place."""

from __future__ import annotations

__all__ = ["cut_middle"]


def cut_middle(text: str, most: int, dots: str = "…") -> str:
    """Return a text of at most so many characters, cut in its middle: ends tell names apart."""
    if len(text) <= most:
        return text
    tail = (most - len(dots)) // 2
    return f"{text[: most - len(dots) - tail]}{dots}{text[-tail:]}"
