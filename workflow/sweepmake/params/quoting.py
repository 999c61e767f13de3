"""Finds where in a shell command a value stands, and quotes it for that place.

mlrunner substitutes text: `--x "{v}"` with a quote or a dollar sign in `v` becomes another command.
Here the template is read as bash reads it (bash 5, "Quoting" and "Shell expansion" in its manual),
so that a value arrives byte for byte inside one argument wherever its placeholder stands:

    place             example                   how a value is written there
    bare              --x {v}, --x=a{v}         shlex.quote
    single quotes     --x '{v}'                 ' as '"'"'
    double quotes     --x "a{v}"                backslash before \\ " $ `
    the same, nested  "$(f "{v}")"              the quotes closed, single quotes, reopened
    $'…'              --x $'a\\t{v}'             backslash before \\ and '
    "${…}", $((…))    "${y:-{v}}"               as in double quotes, and } too
    comment           # {v}                     line breaks as blanks

`$(…)` opens a new bare place, inside double quotes too. Inside backquotes the result gets one more
round of backslashes. Not understood: an unbalanced `)` of `case` inside `$(…)`, and backquotes
inside backquotes.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, TypeAlias

__all__ = ["Context", "Hole", "Quote", "ShellText", "read_shell"]

Quote: TypeAlias = Callable[[str], str]
Context: TypeAlias = Literal[
    "bare", "single", "double", "ansi", "brace", "quoted brace", "arithmetic", "comment"
]


@dataclass(frozen=True, slots=True)
class Hole:
    """A placeholder in a command: its text as written, and how to quote what replaces it."""

    text: str
    quote: Quote


@dataclass(frozen=True, slots=True)
class ShellText:
    """A command as read.

    Attributes:
        pieces: literal text and holes, in order.
        unclosed: the quote that is still open at the end, "" where none is.
        swallowed: a comment takes in text that stood on a later line of the template.
        operators: where `|`, `&`, `;`, `<` and `>` stand outside quotes, `$(…)` and backquotes, and
            the parentheses of subshells: the offsets in the command.
    """

    pieces: tuple[str | Hole, ...]
    unclosed: str
    swallowed: bool
    operators: tuple[int, ...] = ()


def _bare(text: str) -> str:
    return shlex.quote(text)


def _forced(text: str) -> str:
    return "'" + text.replace("'", "'\"'\"'") + "'"


def _single(text: str) -> str:
    return text.replace("'", "'\"'\"'")


def _double(text: str) -> str:
    return re.sub(r'([\\"$`])', r"\\\1", text)


def _quoted_brace(text: str) -> str:
    return re.sub(r'([\\"$`}])', r"\\\1", text).replace("'", '"\'"')


def _reopened(text: str) -> str:
    # inside "`…`" bash 5.2 takes the inner quote for the outer end, and then expands {a,b}
    return '"' + _forced(text) + '"'


def _reopened_brace(text: str) -> str:
    return '"' + _quoted_brace(text) + '"'


def _arithmetic(text: str) -> str:
    return re.sub(r'([\\"$`])', r"\\\1", text)


def _ansi(text: str) -> str:
    return re.sub(r"([\\'])", r"\\\1", text)


def _comment(text: str) -> str:
    return re.sub(r"[\r\n]", " ", text)


_QUOTES: dict[Context, Quote] = {
    "bare": _bare,
    "single": _single,
    "double": _double,
    "ansi": _ansi,
    "brace": _forced,
    "quoted brace": _quoted_brace,
    "arithmetic": _arithmetic,
    "comment": _comment,
}


def _in_backquotes(quote: Quote, rounds: int, text: str) -> str:
    """Return the quoted text as it must stand between backquotes, nested this many times."""
    quoted = quote(text)
    for _ in range(rounds):
        quoted = re.sub(r"([\\$`])", r"\\\1", quoted)
    return quoted


@dataclass(slots=True)
class _Frame:
    """One level of nesting: what place it is, and what opened it."""

    place: Context
    opener: str
    in_word: bool = False  # a # here is not the start of a comment
    brace: bool = False  # the word holds an unquoted {, so a comma in a value could be expanded


def read_shell(
    text: str,
    wanted: re.Pattern[str],
    accept: Callable[[re.Match[str], Context], bool],
    joins: Collection[int] = (),
) -> ShellText:
    """Return a command's literal text and holes.

    Args:
        text: the command.
        wanted: what a placeholder looks like.
        accept: says for a match, and the place where it stands, whether it is a placeholder. It is
            not asked about one whose first character a backslash outside quotes takes away.
        joins: the offsets at which a line break of the template was replaced by a blank.
    """
    return _Reader(text, wanted, accept, frozenset(joins)).read()


@dataclass(slots=True)
class _Reader:
    text: str
    wanted: re.Pattern[str]
    accept: Callable[[re.Match[str], Context], bool]
    joins: frozenset[int]
    at: int = 0
    frames: list[_Frame] = field(default_factory=lambda: [_Frame("bare", "")])
    pieces: list[str | Hole] = field(default_factory=list)
    literal: list[str] = field(default_factory=list)
    variable_end: int = -1  # where a $name ended that a value must not lengthen
    swallowed: bool = False
    operators: list[int] = field(default_factory=list)

    def read(self) -> ShellText:
        steps: dict[Context, Callable[[str], None]] = {
            "bare": self._step_bare,
            "single": self._step_single,
            "double": self._step_double,
            "ansi": self._step_ansi,
            "brace": self._step_brace,
            "quoted brace": self._step_quoted_brace,
            "arithmetic": self._step_arithmetic,
            "comment": self._step_comment,
        }
        while self.at < len(self.text):
            frame = self.frames[-1]
            if self._hole(frame):
                continue
            char = self.text[self.at]
            if char == "`" and self._close_backquote():
                continue
            steps[frame.place](char)
        self._flush()
        top = self.frames[1].opener if len(self.frames) == 2 else ""
        unclosed = top if top in ("'", '"', "`") else ""
        return ShellText(tuple(self.pieces), unclosed, self.swallowed, tuple(self.operators))

    def _take(self, count: int) -> None:
        self.literal.append(self.text[self.at : self.at + count])
        self.at += count

    def _flush(self) -> None:
        if self.literal:
            self.pieces.append("".join(self.literal))
            self.literal.clear()

    def _push(self, place: Context, opener: str) -> None:
        self._take(len(opener))
        self.frames[-1].in_word = True
        self.frames.append(_Frame(place, opener))

    def _pop(self, count: int = 1) -> None:
        self.frames.pop()
        self._take(count)

    def _hole(self, frame: _Frame) -> bool:
        """Take a placeholder at this point, if one stands here."""
        match = self.wanted.match(self.text, self.at)
        if match is None or not self.accept(match, frame.place):
            return False
        quote = self._quote(frame)
        if self.variable_end == self.at:
            self.literal.append('""')
        self._flush()
        self.pieces.append(Hole(match[0], quote))
        self.at = match.end()
        frame.in_word = True
        return True

    def _quote(self, frame: _Frame) -> Quote:
        """Return the quoting for a value at this point."""
        quote = _QUOTES[frame.place]
        if frame.place == "bare" and frame.brace:
            quote = _forced
        elif frame.place == "double":
            if self.frames[-2].place == "quoted brace":
                quote = _reopened_brace
            elif any(outer.place == "double" for outer in self.frames[:-1]):
                quote = _reopened
        rounds = sum(outer.opener == "`" for outer in self.frames)
        return partial(_in_backquotes, quote, rounds) if rounds else quote

    def _close_backquote(self) -> bool:
        """Close the innermost backquotes: no quote inside them hides their end from bash."""
        for depth in range(len(self.frames) - 1, 0, -1):
            if self.frames[depth].opener == "`":
                del self.frames[depth:]
                self._take(1)
                return True
        return False

    def _dollar(self, quoted: bool) -> None:
        """Take a dollar sign and what it opens."""
        rest = self.text[self.at + 1 : self.at + 3]
        if rest == "((":
            self._push("arithmetic", "$((")
        elif rest[:1] == "(":
            self._push("bare", "$(")
        elif rest[:1] == "{":
            self._push("quoted brace" if quoted else "brace", "${")
        elif rest[:1] == "'" and not quoted:
            self._push("ansi", "$'")
        else:
            name = re.compile(r"\$(?:[A-Za-z_][A-Za-z0-9_]*|.)?", re.DOTALL).match
            found = name(self.text, self.at)
            length = len(found[0]) if found else 1
            if length == 2 and not re.match(r"[A-Za-z_0-9#?$!@*-]", rest):
                length = 1
            self._take(length)
            if length > 1 and re.match(r"[A-Za-z_]", rest):
                self.variable_end = self.at

    def _step_bare(self, char: str) -> None:
        frame = self.frames[-1]
        if char in ";&|<>()" and all(outer.opener in ("", "(") for outer in self.frames):
            self.operators.append(self.at)
        if char == "\\":
            self._take(2)
        elif char in " \t\n;&|<>":
            self._take(1)
            frame.in_word = frame.brace = False
            return
        elif char == "'":
            self._push("single", "'")
        elif char == '"':
            self._push("double", '"')
        elif char == "`":
            self._push("bare", "`")
        elif char == "$":
            self._dollar(quoted=False)
        elif char == "(":
            self._push("bare", "(")
        elif char == ")" and frame.opener in ("(", "$("):
            self._pop()
        elif char == "#" and not frame.in_word:
            self._push("comment", "#")
        else:
            frame.brace = frame.brace or char == "{"
            self._take(1)
        frame.in_word = True

    def _step_single(self, char: str) -> None:
        if char == "'":
            self._pop()
        else:
            self._take(1)

    def _step_ansi(self, char: str) -> None:
        if char == "'":
            self._pop()
        elif char == "\\":
            self._backslash()
        else:
            self._take(1)

    def _step_double(self, char: str) -> None:
        if char == '"':
            self._pop()
        else:
            self._inside_double(char)

    def _inside_double(self, char: str) -> None:
        if char == "\\":
            self._backslash()
        elif char == "$":
            self._dollar(quoted=True)
        elif char == "`":
            self._push("bare", "`")
        else:
            self._take(1)

    def _backslash(self) -> None:
        """Take a backslash with its character, or alone and doubled where a placeholder follows."""
        match = self.wanted.match(self.text, self.at + 1)
        if match and self.accept(match, self.frames[-1].place):
            self.literal.append("\\")
            self._take(1)
        else:
            self._take(2)

    def _step_brace(self, char: str) -> None:
        if char == "}":
            self._pop()
        elif char == "'":
            self._push("single", "'")
        elif char == '"':
            self._push("double", '"')
        else:
            self._inside_double(char)

    def _step_quoted_brace(self, char: str) -> None:
        if char == "}":
            self._pop()
        elif char == '"':
            self._push("double", '"')
        else:
            self._inside_double(char)

    def _step_arithmetic(self, char: str) -> None:
        frame = self.frames[-1]
        if char == "(":
            self._push("arithmetic", "(")
        elif char == ")" and frame.opener == "(":
            self._pop()
        elif self.text.startswith("))", self.at):
            self._pop(2)
        else:
            self._inside_double(char)

    def _step_comment(self, char: str) -> None:
        if char == "\n":
            self._pop()
            self.frames[-1].in_word = False
            return
        if self.at in self.joins and self.text[self.at :].strip():
            self.swallowed = True
        self._take(1)
