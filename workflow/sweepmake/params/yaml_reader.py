"""Reads a YAML file into scalars, lists and mappings that remember their lines.

PyYAML's parser does the parsing; what a plain scalar means is decided here, because YAML 1.1 (which
PyYAML follows) turns things that users of a params.yaml mean as numbers into texts and the reverse:

    written                       here              PyYAML
    1e-4, 1E5, -.5                number            text
    010, 007                      text, as written  8, 7 (octal)
    1:30, 1:30:00                 text, as written  90, 5400 (base 60)
    2026-11-21                    text, as written  a date
    yes, no, on, off (3 casings)  SwitchWord        True, False
    1e999 (overflows)             text, as written  text

`true`, `false`, `null`, `~`, `1_000`, `0x1F`, `0b11`, `.inf` and `.nan` are as in PyYAML. Anchors,
aliases and merge keys (`<<`) work. A key that stands twice in one mapping is an error.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from sweepmake.errors import InputError

__all__ = [
    "TOO_LONG",
    "Field",
    "Fields",
    "Items",
    "Node",
    "Plain",
    "Scalar",
    "Source",
    "SwitchWord",
    "is_too_long",
    "read_yaml",
]


_MOST_DIGITS = 4300
"""So many decimal digits of a whole number are written and read by Python, whatever their base."""
TOO_LONG = f"a whole number of more than {_MOST_DIGITS:,} digits"
_TOO_LONG = 10**_MOST_DIGITS


@dataclass(frozen=True, slots=True)
class SwitchWord:
    """A plain `yes`, `no`, `on` or `off`: a boolean or a text, which only its use can tell.

    Attributes:
        text: the word as written.
        value: what YAML 1.1 takes it for.
    """

    text: str
    value: bool


Plain: TypeAlias = str | int | float | bool | SwitchWord | None


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value, with the text it was written as and the lines it spans (counted from 1)."""

    value: Plain
    text: str
    line: int
    last_line: int


@dataclass(frozen=True, slots=True)
class Items:
    """A YAML list."""

    items: tuple[Node, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Field:
    """One key of a mapping with its value."""

    key: Scalar
    value: Node


@dataclass(frozen=True, slots=True)
class Fields:
    """A YAML mapping, in file order, merge keys already merged in."""

    fields: tuple[Field, ...]
    line: int

    def get(self, name: str) -> Field | None:
        """Return the field whose key is this text, or None."""
        for field in self.fields:
            if field.key.text == name and isinstance(field.key.value, str | SwitchWord):
                return field
        return None


Node: TypeAlias = Scalar | Items | Fields


@dataclass(frozen=True, slots=True)
class Source:
    """A file as it was read: its name for messages, its lines, its documents."""

    file: str
    lines: tuple[str, ...]
    documents: tuple[Node, ...]

    def error(
        self, problem: str, at: Node | int | None = None, *, hint: str | None = None
    ) -> InputError:
        """Return the error to raise about a node or a line of this file."""
        line = at if at is None or isinstance(at, int) else at.line
        if line is not None:  # an empty document at the end begins behind the last line
            line = max(1, min(line, len(self.lines)))
        return InputError(problem, file=self.file, line=line, hint=hint)

    def line_of(self, text: str, within: Scalar) -> int:
        """Return the line on which a part of a scalar stands, the scalar's first where unsure."""
        for number in range(within.line, min(within.last_line, len(self.lines)) + 1):
            if text in self.lines[number - 1]:
                return number
        return within.line


_NULL, _BOOL, _INT, _FLOAT, _STR, _SEQ, _MAP, _MERGE = (
    f"tag:yaml.org,2002:{name}"
    for name in ("null", "bool", "int", "float", "str", "seq", "map", "merge")
)
_SWITCH = "!sweepmake-switch"

_RESOLVERS = (
    (_NULL, r"~|null|Null|NULL|", "~nN"),
    (_BOOL, r"true|True|TRUE|false|False|FALSE", "tTfF"),
    (_SWITCH, r"yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF", "yYnNoO"),
    (_INT, r"[-+]?(?:0|[1-9][0-9_]*|0x[0-9a-fA-F_]+|0b[01_]+)", "-+0123456789"),
    (
        _FLOAT,
        r"[-+]?(?:(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?"
        r"|(?:0|[1-9][0-9_]*)[eE][-+]?[0-9]+|\.(?:inf|Inf|INF))|\.(?:nan|NaN|NAN)",
        "-+.0123456789",
    ),
    (_MERGE, r"<<", "<"),
)


def _implicit_resolvers() -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    """Return the table by first character in which PyYAML looks up what a plain scalar is."""
    table: dict[str, list[tuple[str, re.Pattern[str]]]] = {"": [(_NULL, re.compile(r"\Z"))]}
    for tag, pattern, firsts in _RESOLVERS:
        for first in firsts:
            table.setdefault(first, []).append((tag, re.compile(rf"(?:{pattern})\Z")))
    return table


_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Base):  # type: ignore[misc]
    """PyYAML's safe loader (the one in C where it was built), used up to the node graph only."""

    yaml_implicit_resolvers = _implicit_resolvers()


def read_yaml(file: str | Path) -> Source:
    """Return the documents of a YAML file.

    Args:
        file: its path; messages name it as it is given here.

    Returns:
        The documents in file order, an empty one as a Scalar of None.

    Raises:
        InputError: it cannot be read, is not UTF-8, is not YAML, names a tag other than YAML's
            own scalars, lists and mappings, or has a key twice in one mapping.
    """
    name = str(file)
    text = _read_text(name)
    lines = tuple(text.splitlines())
    try:
        graphs = list(yaml.compose_all(text, Loader=_Loader))
        builder = _Builder(name)
        documents = tuple(builder.node(graph) for graph in graphs)
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(name, lines, error) from error
    except yaml.YAMLError as error:
        line, problem = _unreadable_character(text, error)
        raise InputError(problem, file=name, line=line) from error
    except RecursionError as error:
        raise InputError("lists or mappings are nested too deeply", file=name) from error
    return Source(name, lines, documents)


def _read_text(name: str) -> str:
    """Return a file's text without its byte order mark."""
    try:
        raw = Path(name).read_bytes()
    except FileNotFoundError as error:
        raise InputError(
            "there is no such file", file=name, hint="name it with --config params=FILE"
        ) from error
    except IsADirectoryError as error:
        raise InputError("expected a YAML file, found a directory", file=name) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"cannot be read: {reason}", file=name) from error
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        found = raw[error.start : error.start + 1].hex()
        raise InputError(
            f"expected text in UTF-8, found the byte 0x{found}",
            file=name,
            line=line,
            hint="save the file as UTF-8",
        ) from error


def _syntax_error(name: str, lines: tuple[str, ...], error: yaml.MarkedYAMLError) -> InputError:
    """Return the error for text that is not YAML, with a hint at the usual causes."""
    mark = error.problem_mark or error.context_mark
    line = None if mark is None else mark.line + 1
    problem = error.problem or "it cannot be parsed"
    context = f" {error.context}" if error.context else ""
    found = lines[line - 1] if line is not None and line <= len(lines) else ""
    indent = found[: len(found) - len(found.lstrip())]
    hint = None
    if "\t" in indent or ("\t" in found and "token" in problem):
        hint = "YAML is indented with spaces, not tabs"
    elif "mapping values are not allowed" in problem:
        hint = "a text that holds ': ' needs quotes"
    elif "undefined alias" in problem:
        hint = "an anchor (&name) holds in its own document only; a text with * needs quotes"
    elif re.search(r":\s+[{\[%@`&*!|>]", found) or re.search(r"[{\[]", found):
        hint = "a text that begins with a sign such as { or [ needs quotes, or '>' and a new line"
    return InputError(
        f"not valid YAML:{context} {problem}".rstrip(), file=name, line=line, hint=hint
    )


def _unreadable_character(text: str, error: yaml.YAMLError) -> tuple[int | None, str]:
    """Return line and problem for a character that YAML does not allow."""
    match = re.search(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", text)
    if match is None:
        return None, f"not valid YAML: {' '.join(str(error).split())}"
    line = text.count("\n", 0, match.start()) + 1
    return line, f"not valid YAML: the character U+{ord(match[0]):04X} is not allowed"


class _Builder:
    """Turns PyYAML's node graph into this module's nodes; a shared node is built once."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._done: dict[int, Node] = {}
        self._open: set[int] = set()

    def _error(self, problem: str, node: Any, hint: str | None = None) -> InputError:
        return InputError(problem, file=self._file, line=node.start_mark.line + 1, hint=hint)

    def node(self, graph: Any) -> Node:
        """Return the node for one of PyYAML's."""
        if id(graph) in self._done:
            return self._done[id(graph)]
        if id(graph) in self._open:
            raise self._error("a list or mapping contains itself", graph)
        self._open.add(id(graph))
        built: Node
        if isinstance(graph, yaml.ScalarNode):
            built = self._scalar(graph)
        elif isinstance(graph, yaml.SequenceNode) and graph.tag == _SEQ:
            items = tuple(self.node(item) for item in graph.value)
            built = Items(items, graph.start_mark.line + 1)
        elif isinstance(graph, yaml.MappingNode) and graph.tag == _MAP:
            built = Fields(tuple(self._fields(graph)), graph.start_mark.line + 1)
        else:
            raise self._tag_error(graph)
        self._done[id(graph)] = built  # from now on it is found there first
        return built

    def _tag_error(self, graph: Any) -> InputError:
        tag = str(graph.tag).replace("tag:yaml.org,2002:", "!!")
        return self._error(
            f"found the tag {tag}, expected a plain value", graph, hint="remove the tag"
        )

    def _too_long(self, graph: Any) -> InputError:
        short = f"{graph.value[:20]}…"
        return self._error(f"found {short}, {TOO_LONG}", graph, hint="put it in quotes, as a text")

    def _fields(self, graph: Any) -> Iterator[Field]:
        """Yield a mapping's fields: merged ones first, as PyYAML orders them."""
        merged: dict[tuple[str, str], Field] = {}
        own: dict[tuple[str, str], Field] = {}
        for key_graph, value_graph in graph.value:
            if key_graph.tag == _MERGE:
                for field in self._merged(value_graph):
                    merged[_identity(field.key)] = field
                continue
            key = self.node(key_graph)
            if not isinstance(key, Scalar):
                raise self._error("expected a name as key, found a list or mapping", key_graph)
            field = Field(key, self.node(value_graph))
            before = own.setdefault(_identity(key), field)
            if before is not field:
                raise self._error(
                    f"the key '{key.text}' stands twice in one mapping, "
                    f"on line {before.key.line} and on line {key.line}",
                    key_graph,
                    hint="keep one of them",
                )
        yield from {**merged, **own}.values()

    def _merged(self, graph: Any) -> Iterator[Field]:
        """Yield the fields that a merge key brings in; those yielded last win."""
        value = self.node(graph)
        sources = value.items if isinstance(value, Items) else (value,)
        for source in reversed(sources):
            if not isinstance(source, Fields):
                raise self._error("expected a mapping (or a list of them) after '<<'", graph)
            yield from source.fields

    def _scalar(self, graph: Any) -> Scalar:
        text = graph.value
        first, last = graph.start_mark.line + 1, graph.end_mark.line + 1
        if "\0" in text or any("\ud800" <= char <= "\udfff" for char in text):
            raise self._error(
                "found a character that no command line can carry (NUL or half a surrogate pair)",
                graph,
                hint="remove it",
            )
        try:
            value = _plain(graph.tag, text)
        except ValueError as error:
            if graph.tag == _INT and len(text) > _MOST_DIGITS:
                raise self._too_long(graph) from error
            raise self._error(
                f"found '{text[:40]}', expected a number or boolean", graph
            ) from error
        if value is NotImplemented:
            raise self._tag_error(graph)
        if is_too_long(value):
            raise self._too_long(graph)
        return Scalar(value, text, first, last)


def is_too_long(value: object) -> bool:
    """Return whether a value is a whole number that Python refuses to write in decimal digits.

    It reads one of any length in hexadecimal or binary digits.
    """
    return isinstance(value, int) and not -_TOO_LONG < value < _TOO_LONG


def _identity(key: Scalar) -> tuple[str, str]:
    """Return what makes two keys one key: 1 and "1" are two, `on` and "on" are one."""
    value = key.value
    if isinstance(value, str | SwitchWord):
        return "str", key.text
    return type(value).__name__, repr(value)


def _plain(tag: str, text: str) -> Any:
    """Return the value of a scalar, NotImplemented for a tag that is none of YAML's own scalars."""
    if tag in (_STR, _MERGE):
        return text
    if tag == _NULL:
        return None
    if tag == _BOOL:
        return _boolean(text)
    if tag == _SWITCH:
        return SwitchWord(text, text.lower() in ("yes", "on"))
    if tag == _INT:
        digits = text.replace("_", "").lower()
        body = digits.lstrip("+-")
        return int(digits, 16 if body[:2] == "0x" else 2 if body[:2] == "0b" else 10)
    if tag == _FLOAT:
        digits = text.replace("_", "").lower()
        if digits.lstrip("+-") in (".inf", ".nan"):
            return float(digits.replace(".", ""))
        number = float(digits)
        return text if math.isinf(number) else number
    return NotImplemented


def _boolean(text: str) -> bool:
    """Return the boolean of an explicit or implicit `!!bool`."""
    if text.lower() in ("true", "yes", "on"):
        return True
    if text.lower() in ("false", "no", "off"):
        return False
    raise ValueError(text)
