"""Where something is written, for messages, and what it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sweepmake.errors import InputError
from sweepmake.params.yaml_reader import (
    TOO_LONG,
    Field,
    Fields,
    Items,
    Node,
    Scalar,
    SwitchWord,
    is_too_long,
)

__all__ = ["Origin", "config_node", "describe", "is_nothing", "plain_text"]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where something is written.

    Attributes:
        file: the file; None where it is none, as on a command line.
        prefix: what each message begins with, such as "config: ".
        what: what is being read, such as "'stage', 'train'"; "" for the whole.
        hint: what to do about a value that cannot be used, where an error has no better one.
    """

    file: str | None
    prefix: str = ""
    what: str = ""
    hint: str | None = None

    def named(self, what: str, hint: str | None = None) -> Origin:
        """Return the origin of a part that messages call `what`."""
        return replace(self, what=what, hint=hint)

    def inside(self, name: str, hint: str | None = None) -> Origin:
        """Return the origin of what is behind a key of the mapping that is being read."""
        return self.named(f"{self.what}, '{name}'" if self.what else f"'{name}'", hint)

    def error(self, problem: str, at: Node, *, hint: str | None = None) -> InputError:
        """Return the error to raise about a node."""
        place = f"{self.prefix}{self.what}: " if self.what else self.prefix
        return InputError(place + problem, file=self.file, line=at.line, hint=hint or self.hint)

    def expected(self, what: str, found: Node, *, hint: str | None = None) -> InputError:
        """Return the error to raise about a node that is something else."""
        empty = isinstance(found, Fields) and not found.fields
        there = "an empty mapping" if empty else describe(found)
        return self.error(f"expected {what}, found {there}", found, hint=hint)


def describe(node: Node) -> str:
    """Return what a node is, for "found …" in a message."""
    if isinstance(node, Fields):
        return "a mapping"
    if isinstance(node, Items):
        return "a list" if node.items else "an empty list"
    if node.value is None:
        return "nothing"
    kind = {bool: "the boolean", int: "the number", float: "the number"}.get(type(node.value))
    short = node.text if len(node.text) <= 60 else node.text[:57] + "…"
    return f"{kind} {short}" if kind else f"'{short}'"


def plain_text(node: Node) -> str | None:
    """Return the text of a scalar that is a text (a switch word counts), None for anything else."""
    if isinstance(node, Scalar) and isinstance(node.value, str | SwitchWord):
        return node.text
    return None


def is_nothing(node: Node) -> bool:
    """Return whether a key stands there with nothing behind it."""
    return isinstance(node, Scalar) and node.value is None


def config_node(value: object, line: int | None) -> Node:
    """Return a value of the configuration as the YAML node that it was, all of it on one line."""
    at = line or 0
    if isinstance(value, Mapping):
        fields = (Field(_scalar(key, at), config_node(held, line)) for key, held in value.items())
        return Fields(tuple(fields), at)
    if isinstance(value, list | tuple):
        return Items(tuple(config_node(item, line) for item in value), at)
    return _scalar(value, at)


def _scalar(value: object, line: int) -> Scalar:
    if is_too_long(value):
        raise InputError(f"config: found {TOO_LONG}", hint="put it in quotes, as a text")
    kept = value if isinstance(value, str | int | float | bool) or value is None else str(value)
    return Scalar(kept, "" if value is None else str(value), line, line)
