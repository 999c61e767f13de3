"""What a key of config.yaml or params.yaml may hold: each kind has its reading and its schema.

A model is a frozen dataclass whose fields `key` makes: kind, default, description. From it come the
reading with its messages, the JSON schemas (schema.py), and the tables of config/README.md:

    class StageOptions:
        threads: int = key(number(least=1), 1, "CPU threads, counted against `--cores`")
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, Generic, TypeVar, cast

import yaml

from sweepmake.errors import suggestion
from sweepmake.params.origin import Origin, is_nothing, plain_text
from sweepmake.params.yaml_reader import Fields, Items, Node, Scalar, SwitchWord

__all__ = ["Key", "Kind", "choice", "given", "key", "keys_of", "keys_schema", "mapping", "number",
           "read_keys", "switch", "text", "texts"]  # fmt: skip

T = TypeVar("T")
W = TypeVar("W", bound=str)
T_co = TypeVar("T_co", covariant=True)
U = TypeVar("U")
D = TypeVar("D")

_KEY = "key"
_LISTED = r"^\s*[^,\s][^,]*(,\s*[^,\s][^,]*)*$"  # one text of several, none of them empty


@dataclass(frozen=True, slots=True)
class Kind(Generic[T_co]):
    """What a value may be.

    Attributes:
        read: returns the value of a node; raises InputError where it is something else.
        schema: returns what it accepts, as a JSON schema; made only where schemas are written.
    """

    read: Callable[[Node, Origin], T_co]
    schema: Callable[[], dict[str, object]]

    def then(self, use: Callable[[T_co, Node, Origin], U]) -> Kind[U]:
        """Return a kind that makes something else of the value, or refuses it.

        Args:
            use: takes the value, its node and its origin.
        """
        return Kind(lambda node, origin: use(self.read(node, origin), node, origin), self.schema)


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a model.

    Attributes:
        kind: what its value may be.
        default: its value where it is not written.
        description: what it does, as config/README.md and the schema say it.
        example: how it may be written, behind its name; None where the description is enough.
        absent: what holds without it, in words, where the default does not tell.
        required: whether it must be written.
    """

    kind: Kind[object]
    default: object
    description: str
    example: str | None
    absent: str | None
    required: bool

    def hint(self, name: str) -> str:
        """Return what to tell somebody whose value cannot be used."""
        return self.description if self.example is None else f"{name}: {self.example}"


def key(
    kind: Kind[T],
    default: D,
    description: str,
    *,
    example: str | None = None,
    absent: str | None = None,
    required: bool = False,
) -> T | D:
    """Return the field of a model; see Key."""
    metadata = {_KEY: Key(kind, default, description, example, absent, required)}
    if isinstance(default, dict):
        return cast(T | D, field(default_factory=default.copy, metadata=metadata))
    return cast(T | D, field(default=default, metadata=metadata))


def keys_of(model: type[Any]) -> dict[str, Key]:
    """Return the keys of a model, in its order."""
    return {part.name: part.metadata[_KEY] for part in fields(model) if _KEY in part.metadata}


def read_keys(
    model: type[Any], node: Fields, origin: Origin, *, nulls: bool = False
) -> dict[str, object]:
    """Return the values of the keys that are written; the model's defaults are left out.

    Args:
        model: a class whose fields `key` made.
        node: the mapping.
        origin: where it is written.
        nulls: whether a key with nothing behind it is as if it were not written.

    Raises:
        InputError: a key is unknown or lacks, or its value is of another kind.
    """
    keys = keys_of(model)
    values: dict[str, object] = {}
    for part in node.fields:
        name = part.key.text
        if name not in keys:
            hint = suggestion(name, tuple(keys))
            raise origin.error(f"unknown key '{name}'", part.key, hint=hint)
        if nulls and not keys[name].required and is_nothing(part.value):
            continue
        inside = origin.inside(name, keys[name].hint(name))
        values[name] = keys[name].kind.read(part.value, inside)
    for name, lacking in keys.items():
        if lacking.required and name not in values:
            raise origin.error(f"there is no '{name}'", node, hint=lacking.hint(name))
    return values


def number(*, least: int, texts: bool = False) -> Kind[int]:
    """A whole number.

    Args:
        least: the smallest.
        texts: whether one may stand as a text: inside `--config "logs={…}"` Snakemake leaves it so.
    """

    def read(node: Node, origin: Origin) -> int:
        value = node.value if isinstance(node, Scalar) else None
        if texts and isinstance(value, str) and value.isdecimal():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise origin.expected(f"a whole number of at least {least}", node)
        return value

    if not texts:
        return Kind(read, lambda: {"type": "integer", "minimum": least})
    return Kind(
        read, lambda: {"type": ["integer", "string"], "minimum": least, "pattern": "^[0-9]+$"}
    )


def text(expected: str = "a text", *, numbers: bool = False) -> Kind[str]:
    """A text with something in it.

    Args:
        expected: what messages call it.
        numbers: whether a number counts, as the text that was written.
    """

    def read(node: Node, origin: Origin) -> str:
        found = plain_text(node)
        if numbers and isinstance(node, Scalar) and type(node.value) in (int, float):
            found = node.text
        if found is None or not found.strip():
            raise origin.expected(expected, node)
        return found

    types = ["string", "number"] if numbers else "string"
    return Kind(read, lambda: {"type": types, "pattern": r"\S"})


def texts(expected: str) -> Kind[tuple[str, ...]]:
    """A list of words, or one; in a text alone, commas part words. None stands twice.

    Args:
        expected: what messages call it.
    """
    scalars = ["string", "number", "boolean"]

    def read(node: Node, origin: Origin) -> tuple[str, ...]:
        items: Sequence[Node] = node.items if isinstance(node, Items) else (node,)
        words: dict[str, None] = {}
        for item in items:
            written = item.text if isinstance(item, Scalar) else ""
            parts = [written] if isinstance(node, Items) else written.split(",")
            if not all(part.strip() for part in parts):
                raise origin.expected(expected, item)
            words.update(dict.fromkeys(part.strip() for part in parts))
        return tuple(words)

    one = {"type": scalars, "pattern": _LISTED}
    several = {"type": "array", "items": {"type": scalars, "pattern": r"\S"}}
    return Kind(read, lambda: {"anyOf": [one, several]})


def switch() -> Kind[bool]:
    """True or false. On the command line Snakemake takes True for a boolean, true for a text."""

    def read(node: Node, origin: Origin) -> bool:
        value = node.value if isinstance(node, Scalar) else None
        if isinstance(value, SwitchWord):
            return value.value
        word = str(value).lower()
        if isinstance(value, bool | str) and word in ("true", "false"):
            return word == "true"
        raise origin.expected("true or false", node)

    return Kind(read, lambda: {"type": "boolean"})


def choice(words: Sequence[W]) -> Kind[W]:
    """One of some words."""
    listed = ", ".join(words[:-1]) + f" or {words[-1]}"

    def read(node: Node, origin: Origin) -> W:
        for word in words:
            if isinstance(node, Scalar) and node.text == word:
                return word
        raise origin.expected(listed, node)

    return Kind(read, lambda: {"enum": list(words)})


def mapping(value: Kind[T]) -> Kind[dict[str, T]]:
    """A mapping of the user's own names to values of one kind; it may be empty."""

    def read(node: Node, origin: Origin) -> dict[str, T]:
        if not isinstance(node, Fields):
            raise origin.expected("a mapping", node)
        found: dict[str, T] = {}
        for part in node.fields:
            if not part.key.text:
                raise origin.expected("a name", part.key)
            found[part.key.text] = value.read(part.value, origin.inside(part.key.text, origin.hint))
        return found

    def schema() -> dict[str, object]:
        names = {"minLength": 1}
        return {"type": "object", "propertyNames": names, "additionalProperties": value.schema()}

    return Kind(read, schema)


def given(
    model: type[Any],
    *,
    alone: str | None = None,
    nulls: bool = False,
    rules: Mapping[str, object] | None = None,
) -> Kind[dict[str, object]]:
    """The keys of a model that are written, without the defaults of the others.

    Args:
        model: a class whose fields `key` made.
        alone: the key that a value is which stands there instead of the mapping.
        nulls: whether a key with nothing behind it is as if it were not written; if so, the
            mapping may be empty.
        rules: what the schema of the mapping says besides.
    """

    def read(node: Node, origin: Origin) -> dict[str, object]:
        if alone is not None and isinstance(node, Scalar):
            return {alone: keys_of(model)[alone].kind.read(node, origin)}
        if not isinstance(node, Fields) or not (node.fields or nulls):
            raise origin.expected("a mapping", node)
        return read_keys(model, node, origin, nulls=nulls)

    def schema() -> dict[str, object]:
        least = {} if nulls else {"minProperties": 1}
        whole = {**keys_schema(model, nulls=nulls), **least, **(rules or {})}
        return whole if alone is None else {"anyOf": [keys_of(model)[alone].kind.schema(), whole]}

    return Kind(read, schema)


def keys_schema(model: type[Any], *, nulls: bool = False) -> dict[str, object]:
    """Return the JSON schema of a mapping with the keys of a model; `nulls` as in read_keys."""
    properties: dict[str, object] = {}
    for name, one in keys_of(model).items():
        schema = {"description": one.description, **one.kind.schema()}
        if nulls and not one.required:
            schema = _nullable(schema)
        default = _json(one.default)
        if not one.required and (nulls or default is not None):
            schema["default"] = default
        if one.example is not None:
            schema["examples"] = [yaml.safe_load(one.example)]
        properties[name] = schema
    required = [name for name, one in keys_of(model).items() if one.required]
    return {
        "type": "object",
        **({"required": required} if required else {}),
        "additionalProperties": False,
        "properties": properties,
    }


def _nullable(schema: Mapping[str, object]) -> dict[str, object]:
    """Return a schema that accepts null as well."""
    for name in ("type", "enum", "anyOf"):
        if name in schema:
            held = schema[name]
            accepted = held if isinstance(held, list) else [held]
            null = {"type": "null"} if name == "anyOf" else "null" if name == "type" else None
            return {**schema, name: [*accepted, null]}
    raise TypeError(f"a schema without type: {schema}")


def _json(default: object) -> object:
    """Return a default as JSON writes it; a model's defaults together are an empty mapping."""
    if is_dataclass(default):
        return {}
    return list(default) if isinstance(default, tuple) else default
