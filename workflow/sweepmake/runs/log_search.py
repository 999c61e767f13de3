"""Looks for lines in a log that is being written, each byte once.

A line ends at a line feed, and where a redraw of a progress bar begins (`\\r`, `\\b`). Only lines
that have ended are looked at, because `loss=nan` may be the start of `loss=nano`. Colour codes are
taken out.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

__all__ = ["LONGEST", "LogSearch"]

LONGEST = 65_536
"""So many bytes of a line are looked at."""

_BLOCK = 1 << 20
_MOST = 64 << 20  # read at once: a look should not hold up the others for long
_BREAKS = re.compile(rb"[\r\n\x08]+")
_COLOUR = re.compile(r"\x1b\[[0-9;:?]*[ -/]*[@-~]")


class LogSearch:
    """Searches a log for lines that one of several expressions matches.

    Args:
        path: the log; it may be written to while it is searched.
        patterns: the expressions, which compile.
    """

    def __init__(self, path: str, patterns: Sequence[str]) -> None:
        self._path = path
        self._searches = [re.compile(pattern).search for pattern in patterns]
        self._at = 0
        self._begun = b""  # the start of the line that has not ended yet

    def look(self, *, ended: bool = False) -> str:
        """Return the first line that matches among those that are new, "" for none.

        Args:
            ended: whether nobody writes any more, so that the last line has ended too.
        """
        file = os.open(self._path, os.O_RDONLY)
        try:
            most = None if ended else self._at + _MOST
            while (most is None or self._at < most) and (block := os.pread(file, _BLOCK, self._at)):
                self._at += len(block)
                if found := self._feed(block):
                    return found
        finally:
            os.close(file)
        return self._search([self._begun]) if ended else ""

    def _feed(self, block: bytes) -> str:
        *lines, rest = _BREAKS.split(block)
        if lines:
            lines[0] = self._begun + lines[0]
            self._begun = b""
        self._begun = (self._begun + rest[:LONGEST])[:LONGEST]
        return self._search(lines)

    def _search(self, lines: Sequence[bytes]) -> str:
        for line in lines:
            if not line:
                continue
            text = line[:LONGEST].decode("utf-8", "replace")
            if "\x1b" in text:
                text = _COLOUR.sub("", text)
            if any(search(text) for search in self._searches):
                return text.strip()
        return ""
