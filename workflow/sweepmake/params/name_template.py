"""The `name:` key of params.yaml: a template of the experiments' names, `ppn_{ppn}-lr_{lr}`."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sweepmake.errors import InputError, suggestion
from sweepmake.params.naming import LONGEST_NAME, Value, repeats, safe_value, with_hash
from sweepmake.params.yaml_reader import Scalar, Source

__all__ = ["NameTemplate", "parse_name_template"]

_PLACEHOLDER = re.compile(r"\{([\w-]+)\}")


@dataclass(frozen=True, slots=True)
class NameTemplate:
    """A template of names: literal text and names of parameters take turns, text first."""

    parts: tuple[str, ...]

    def fill(self, source: Source, values: Mapping[str, Value], line: int) -> str:
        """Return an experiment's name, with a hash of its values where one had to be changed.

        Args:
            source: the file, for messages.
            values: the experiment's parameters and aliases.
            line: the document that asks for it.

        Raises:
            InputError: a value is missing, or nothing usable as a folder's name comes out.
        """
        texts = list(self.parts)
        used: dict[str, Value] = {}
        unchanged = True
        for position in range(1, len(texts), 2):
            key = texts[position]
            if key not in values:
                raise source.error(
                    f"this document gives no value for '{key}', which 'name' uses",
                    line,
                    hint=f"give '{key}' a value here or under 'default'",
                )
            used[key] = values[key]
            texts[position], same = safe_value(values[key])
            unchanged = unchanged and same
        name = "".join(texts).strip()
        too_long = len(name.encode("utf-8", "replace")) > LONGEST_NAME
        if not unchanged or too_long or repeats(name):
            name = with_hash(name, used)
        if not name or name.startswith("."):
            raise self._unusable(source, name, line)
        return name

    def _unusable(self, source: Source, name: str, line: int) -> InputError:
        return source.error(
            f"'name' gives '{name}' for an experiment, expected a name that is not empty and "
            "does not begin with '.'",
            line,
            hint="begin 'name' with a word",
        )


def parse_name_template(source: Source, node: Scalar, known: Collection[str]) -> NameTemplate:
    """Return the template of names.

    Args:
        source: the file, for messages.
        node: the value of `name:`.
        known: the parameters and aliases of the sweep.

    Raises:
        InputError: it names none or an unknown one, or holds a character that folders cannot have.
    """
    parts = _PLACEHOLDER.split(node.text.strip())
    for key in parts[1::2]:
        if key not in known:
            raise source.error(
                f"'name': unknown placeholder {{{key}}}",
                source.line_of(f"{{{key}}}", node),
                hint=suggestion(key, tuple(sorted(known))),
            )
    for literal in parts[0::2]:
        wrong = re.search(r"[/{}<\x00-\x1f\x7f]", literal)
        if wrong:
            raise source.error(
                f"'name': found {wrong[0]!r}, which a folder's name cannot hold",
                node,
                hint="write {parameter} for a value",
            )
    if not node.text.strip():
        raise source.error("'name': expected a template such as lr_{lr}, found nothing", node)
    return NameTemplate(tuple(parts))
