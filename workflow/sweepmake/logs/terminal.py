r"""What a terminal would have shown: bytes with `\r`, backspaces and escape codes to lines.

    >>> [seen.text for seen in observations(b"1/2 loss: 0.9\r2/2 loss: 0.8\n")]
    ['1/2 loss: 0.9', '2/2 loss: 0.8']

Keras 2 goes back by backspaces and `\r`, Keras 3 and tqdm by `\r`, rich and Lightning by
`ESC[2K` and `ESC[1A` (ECMA-48). Every state of a line that a redraw replaces is one observation;
what a shorter redraw leaves standing stays in it, as on a screen.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["ScreenLine", "Terminal", "screen_lines"]

# a line longer than this is shown in parts
_LONGEST = 1 << 20
_WIDEST = 4096
_TOKEN = re.compile(
    "(?P<text>[^\x00-\x1f\x7f\x80-\x9f]+)"
    "|(?P<back>\x08+)"
    "|\x1b\\[(?P<codes>[0-?]{0,64})[ -/]{0,8}(?P<final>[@-~])"
    "|\x1b[\\]P^_X][^\x07\x1b]{0,2048}(?:\x07|\x1b\\\\)"
    "|\x1b[ -/]{0,8}[0-OQ-WYZ`-~\\\\]"
    "|(?P<control>[\x00-\x1f\x7f\x80-\x9f])"
)
_UNFINISHED = re.compile(
    "\x1b(?:\\[[0-?]{0,64}[ -/]{0,8}|[\\]P^_X][^\x07\x1b]{0,2048}\x1b?|[ -/]{0,8})?\\Z"
)


@dataclass(frozen=True, slots=True)
class ScreenLine:
    """One state of a line that somebody before the screen would have seen.

    Args:
        text: the line, without what is blank at its end.
        ended: a line feed ended it; otherwise a redraw replaced it, or the stream stopped.
    """

    text: str
    ended: bool


class Terminal:
    """One line of a screen, fed with the bytes of one stream.

    Attributes:
        invalid: bytes sequences that were not UTF-8, shown as U+FFFD.
        nul: NUL bytes, which show nothing.
    """

    def __init__(self) -> None:
        self.invalid = 0
        self.nul = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""
        self._line = ""
        self._column = 0
        self._saved = 0
        self._moved = False  # the cursor, since something was written
        self._fresh = False  # something was written that no observation shows yet
        self._seen: list[ScreenLine] = []

    def feed(self, block: bytes) -> list[ScreenLine]:
        """Return what the next bytes of the stream replace or end."""
        words = self._held + self._decoded(block, final=False)
        self._held = ""
        if "\x1b" in words[-2100:] and (
            cut := _UNFINISHED.search(words, max(0, len(words) - 2100))
        ):
            words, self._held = words[: cut.start()], cut[0]
        self._write(words)
        return self._taken()

    def close(self) -> list[ScreenLine]:
        """Return what stands in the unfinished line at the end."""
        self._write(self._decoded(b"", final=True))
        self._show()
        self._line, self._column = "", 0
        return self._taken()

    def _decoded(self, block: bytes, *, final: bool) -> str:
        words = self._decoder.decode(block, final)
        if "\ufffd" in words:
            self.invalid += max(0, words.count("\ufffd") - block.count(b"\xef\xbf\xbd"))
        return words

    def _taken(self) -> list[ScreenLine]:
        seen, self._seen = self._seen, []
        return seen

    def _write(self, words: str) -> None:
        """Carry out text and control codes one after the other."""
        for token in _TOKEN.finditer(words):
            kind = token.lastgroup
            if kind == "text":
                self._print(token[0])
            elif kind == "back":
                self._moved = True
                self._column = max(0, self._column - len(token[0]))
            elif kind == "control":
                self._control(token[0])
            elif kind == "final":
                self._sequence(token["codes"], token["final"])

    def _print(self, text: str) -> None:
        column, line = self._column, self._line
        if column < len(line) and self._moved:
            self._show()  # a redraw begins: what stood here was seen
        elif column > len(line):
            line += " " * (column - len(line))
        self._line = line[:column] + text + line[column + len(text) :]
        self._column = column + len(text)
        self._fresh, self._moved = True, False
        if len(self._line) > _LONGEST:
            self._show()
            self._line, self._column = "", 0

    def _control(self, code: str) -> None:
        if code == "\r":
            self._column, self._moved = 0, True
        elif code == "\n":
            self._seen.append(ScreenLine(self._line.rstrip(), True))
            self._line, self._column, self._fresh = "", 0, False
        elif code == "\t":
            self._print(" " * (8 - self._column % 8))
        elif code == "\x00":
            self.nul += 1

    def _show(self) -> None:
        """Note the line as it stands, if it changed since it was noted last."""
        if self._fresh and (text := self._line.rstrip()):
            self._seen.append(ScreenLine(text, False))
        self._fresh = False

    def _sequence(self, codes: str, final: str) -> None:
        """Carry out one control sequence; what only colours or configures does nothing."""
        first = codes.split(";")[0]
        count = min(int(first), _WIDEST) if first.isdecimal() and len(first) < 9 else None
        move = _MOVES.get(final)
        if move:
            self._moved = True
            self._column = max(0, min(_WIDEST, move(self._column, count or 1)))
        elif final in "KJ":
            self._erase(count or 0)
        elif final in "ABEFLMST":  # to another line: this one stays as it is
            self._show()
            self._line = ""
            if final in "EF":
                self._column = 0
        elif final == "H":
            self._show()
            self._line, self._column = "", 0
        elif final == "P":
            self._show()
            self._line = self._line[: self._column] + self._line[self._column + (count or 1) :]
        elif final == "X":
            self._blank(self._column, self._column + (count or 1))
        elif final == "s":
            self._saved = self._column
        elif final == "u":
            self._column, self._moved = self._saved, True

    def _erase(self, which: int) -> None:
        """Erase to the end of the line (0), to its start (1), or all of it (2)."""
        if which == 0:
            if self._column < len(self._line):
                self._show()
            self._line = self._line[: self._column]
        elif which == 1:
            self._blank(0, self._column + 1)
        else:
            self._show()
            self._line = ""

    def _blank(self, start: int, stop: int) -> None:
        self._show()
        stop = min(stop, len(self._line))
        if start < stop:
            self._line = self._line[:start] + " " * (stop - start) + self._line[stop:]


_MOVES: dict[str, Callable[[int, int], int]] = {
    "C": lambda column, count: column + count,
    "D": lambda column, count: column - count,
    "G": lambda column, count: count - 1,
    "`": lambda column, count: count - 1,
}


def screen_lines(stream: bytes) -> list[ScreenLine]:
    """Return every state of every line of one stream, in the order in which they were seen."""
    terminal = Terminal()
    return terminal.feed(stream) + terminal.close()
