"""The keys of `stage:` that say when a run has done its work, is retried, or hangs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sweepmake.params.kinds import Kind, choice, given, key, number, switch, text
from sweepmake.params.metrics_reader import PATTERN
from sweepmake.params.naming import Value
from sweepmake.params.origin import Origin
from sweepmake.params.yaml_reader import Items, Node

__all__ = ["PATTERNS", "RETRY_ON", "RETRY_WORDS", "SILENCE", "SUCCESS", "SilenceKeys",
           "SuccessKeys", "fill_path", "placeholders"]  # fmt: skip

T = TypeVar("T")

RETRY_WORDS = ("oom", "gpu oom", "node", "killed", "time limit", "hung")
"""Why a run may have failed that is worth another attempt; `retry_on` lists some of them."""

_PLACEHOLDER = re.compile(r"\{([\w-]+)\}")


def _one_or_list(kind: Kind[T], expected: str) -> Kind[tuple[T, ...]]:
    """One value, or a list of some; commas part nothing."""

    def read(node: Node, origin: Origin) -> tuple[T, ...]:
        items: Sequence[Node] = node.items if isinstance(node, Items) else (node,)
        if not items:
            raise origin.expected(expected, node)
        return tuple(kind.read(item, origin) for item in items)

    def schema() -> dict[str, object]:
        one = kind.schema()
        return {"anyOf": [one, {"type": "array", "minItems": 1, "items": one}]}

    return Kind(read, schema)


PATTERNS = _one_or_list(PATTERN, "a regular expression or a list of them")
"""One regular expression or several."""

RETRY_ON = _one_or_list(choice(RETRY_WORDS), "a reason or a list of them")
"""Reads `retry_on:`."""


@dataclass(frozen=True, slots=True)
class SuccessKeys:
    """What a run must have done, beside ending with exit code 0."""

    files: tuple[str, ...] = key(
        _one_or_list(text("a path"), "a path or a list of them"),
        (),
        "files that must exist and hold something, with `{_output}` and parameters filled in; "
        "`*` and `?` stand for any characters, and one file that fits is enough",
        absent="none",
    )
    pattern: str | None = key(
        PATTERN, None, "a regular expression (Python's) that some line of the log must match"
    )
    metric: tuple[str, ...] = key(
        _one_or_list(text("a metric's name"), "a metric's name or a list of them"),
        (),
        "metrics whose last value must be a finite number: of `metric:`, or as the log readers "
        "name them",
        absent="none",
    )


@dataclass(frozen=True, slots=True)
class SilenceKeys:
    """When a run counts as hung."""

    minutes: int = key(
        number(least=1), 0, "so many minutes without a byte in the log are reported", required=True
    )
    end: bool = key(switch(), False, "whether the run is ended then, as a failed one")


SUCCESS = given(SuccessKeys).then(lambda written, _node, _origin: SuccessKeys(**written))  # type: ignore[arg-type]
"""Reads `success:`."""

SILENCE = given(SilenceKeys, alone="minutes").then(
    lambda written, _node, _origin: SilenceKeys(**written)  # type: ignore[arg-type]
)
"""Reads `silence:`: the minutes alone, or a mapping."""


def placeholders(path: str) -> list[str]:
    """Return the names that stand in braces in a path."""
    return _PLACEHOLDER.findall(path)


def fill_path(
    path: str, values: Mapping[str, Value], escape: Callable[[str], str] = lambda text: text
) -> str:
    """Return a path with the values in their places, as they are written in commands.

    Args:
        path: as the user wrote it; every placeholder in it is a key of `values`.
        values: the parameters, `_output` and `_name`.
        escape: keeps a value's own `*` and `?` from standing for other characters.
    """
    return _PLACEHOLDER.sub(lambda match: escape(str(values[match[1]])), path)
