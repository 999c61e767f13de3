"""Whether two commands are one to a shell: their words, whatever quotes they are written with.

What is special to bash (5, "Quoting" and "Shell Syntax" in its manual) keeps a mark where it acts,
so that `'$HOME'`, `"$HOME"` and `$HOME`, or `';'` and `;`, stay different words. Where a command is
not understood here (`$(…)`, backquotes, `${…}`, `$'…'`, a comment), the rest of it counts letter
for letter: rather are two equal commands taken for different ones than the other way round.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from difflib import SequenceMatcher

from sweepmake.visible import one_line

__all__ = ["difference", "split_words"]

_BARE, _QUOTED = "\x00", "\x01"  # mark what acts outside quotes, and inside double ones
_OPERATORS = ";|&<>()\n"
_PATTERNS = "*?[]{}~"  # names of files, braces, home folders
_VARIABLE = re.compile(r"\$[A-Za-z0-9_?#@*!$-]")
_SHOWN = 60  # characters of what differs


class _Words:
    """Reads one command."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._word: str | None = None  # the word that has begun
        self.words: list[str] = []

    def read(self) -> tuple[str, ...]:
        text = self._text
        while self._at < len(text):
            char = text[self._at]
            if char in " \t":
                self._end()
                self._at += 1
            elif char in _OPERATORS:
                self._operator()
            elif char == "\\":
                escaped = text[self._at + 1 : self._at + 2]
                self._add("" if escaped == "\n" else escaped or "\\", 2)
            elif char == "'" and (close := text.find("'", self._at + 1)) >= 0:
                self._add(text[self._at + 1 : close], close + 1 - self._at)
            elif char == '"' and self._double():
                continue
            elif char in "'\"`$" or (char == "#" and self._word is None):
                if not self._variable(_BARE):
                    self._rest()
            else:
                self._add(_BARE + char if char in _PATTERNS else char, 1)
        self._end()
        return tuple(self.words)

    def _add(self, text: str, length: int) -> None:
        self._word = (self._word or "") + text
        self._at += length

    def _end(self) -> None:
        if self._word is not None:
            self.words.append(self._word)
        self._word = None

    def _operator(self) -> None:
        """Take `;`, `&&`, `2>`: a number directly before < or > belongs to it."""
        number = ""
        if self._text[self._at] in "<>" and self._word is not None and self._word.isdecimal():
            number, self._word = self._word, None
        self._end()
        begin = self._at
        while self._at < len(self._text) and self._text[self._at] in _OPERATORS:
            self._at += 1
        self.words.append(_BARE + number + self._text[begin : self._at])

    def _variable(self, mark: str) -> bool:
        """Take `$NAME` up to its name's first letter; False for anything longer, such as `$(…)`."""
        if self._text[self._at] != "$":
            return False
        if _VARIABLE.match(self._text, self._at):
            self._add(mark + "$", 1)
            return True
        if self._text[self._at + 1 : self._at + 2] in ("(", "{", "[", "'", '"'):
            return False
        self._add("$", 1)
        return True

    def _double(self) -> bool:
        """Take what stands in double quotes; False, with nothing taken, if not understood."""
        at, word = self._at, self._word
        self._add("", 1)
        while self._at < len(self._text):
            char = self._text[self._at]
            if char == '"':
                self._add("", 1)
                return True
            after = self._text[self._at + 1 : self._at + 2]
            if char == "\\" and after and after in '$`"\\\n':
                self._add("" if after == "\n" else after, 2)
            elif char == "`" or (char == "$" and not self._variable(_QUOTED)):
                break
            elif char != "$":
                self._add(char, 1)
        self._at, self._word = at, word
        return False

    def _rest(self) -> None:
        self._end()
        self.words.append(_BARE + self._text[self._at :].rstrip())
        self._at = len(self._text)


def split_words(command: str) -> tuple[str, ...]:
    """Return a command's words as bash would have them, marked where something special acts.

    Two commands of equal words do the same; `a 'b'` and `a  b` have equal words.
    """
    return _Words(command).read()


def difference(then: Sequence[str], now: Sequence[str]) -> tuple[str, str]:
    """Return what differs between two commands' words, each shortened: ("--lr 0.1", "--lr 0.2").

    A word that differs stands together with the --flag before it, which tells what it is.
    """
    matcher = SequenceMatcher(None, then, now, autojunk=False)
    changes = [change for change in matcher.get_opcodes() if change[0] != "equal"]
    return (
        _shown([_with_flag(then, a, b) for _, a, b, _, _ in changes]),
        _shown([_with_flag(now, a, b) for _, _, _, a, b in changes]),
    )


def _with_flag(words: Sequence[str], begin: int, end: int) -> Sequence[str]:
    if begin < end and begin and words[begin - 1][:1] == "-" and words[begin][:1] != "-":
        begin -= 1
    return words[begin:end]


def _shown(parts: Sequence[Sequence[str]]) -> str:
    text = one_line(" … ".join(" ".join(map(_as_written, part)) for part in parts if part))
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _as_written(word: str) -> str:
    """Return a word as somebody would write it in a command."""
    if _BARE in word or _QUOTED in word:
        return word.replace(_BARE, "").replace(_QUOTED, "")
    return shlex.quote(word)
