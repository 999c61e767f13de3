"""The documents after the first: each is one set of choices, swept as a document."""

from __future__ import annotations

import itertools
import math
import random
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sweepmake.errors import InputError, suggestion
from sweepmake.params.first_document import Alias, parameter_key
from sweepmake.params.origin import Origin, describe
from sweepmake.params.yaml_reader import Fields, Items, Node, Scalar, Source

__all__ = ["MOST_COMBINATIONS", "Document", "choices_schema", "combinations", "read_documents",
           "select_titles"]  # fmt: skip

MOST_COMBINATIONS = 1_000_000
_OPTIONS = {
    "_title": "What --config title=… selects",
    "_cmd": "The stages to run, all of them where absent",
}


@dataclass(frozen=True, slots=True)
class Document:
    """One document of choices.

    Attributes:
        index: its place among the documents of choices, counted from 1.
        line: its first line.
        titles: its `_title`, or several.
        stages: the stages that its `_cmd` selects; empty for all.
        choices: the values of each parameter or alias, in file order.
    """

    index: int
    line: int
    titles: tuple[str, ...]
    stages: tuple[str, ...]
    choices: dict[str, tuple[Scalar, ...]]

    @property
    def size(self) -> int:
        """How many combinations its choices have."""
        return math.prod(len(values) for values in self.choices.values())

    def check_size(self, sample: int | None, *, file: str) -> None:
        """Raise InputError where the document, or the sample of it, has over a million of them."""
        total = self.size
        if min(total, sample or total) > MOST_COMBINATIONS or total > sys.maxsize:
            raise InputError(
                f"the document asks for {total:,} experiments, more than {MOST_COMBINATIONS:,}",
                file=file,
                line=self.line,
                hint="try fewer values, or draw some with --config sample=100",
            )


def read_documents(
    source: Source, stages: Sequence[str], aliases: Mapping[str, Alias]
) -> tuple[Document, ...]:
    """Return the documents of choices.

    Raises:
        InputError: there is none, or one is empty, no mapping, or holds something else than a
            value or a list of values for each name.
    """
    if len(source.documents) < 2:
        raise source.error(
            "no document of choices after the first",
            hint="add a line '---' and below it the values to try, such as 'lr: [0.1, 0.01]'",
        )
    return tuple(
        _read_document(source, index, node, stages, aliases)
        for index, node in enumerate(source.documents[1:], 1)
    )


def _read_document(
    source: Source, index: int, node: Node, stages: Sequence[str], aliases: Mapping[str, Alias]
) -> Document:
    what = f"document {index + 1}"
    if not isinstance(node, Fields) or not node.fields:
        found = describe(node) if not isinstance(node, Fields) else "an empty mapping"
        raise source.error(
            f"{what}: expected a mapping of names to values, found {found}",
            node,
            hint="write 'lr: [0.1, 0.01]', or remove the '---' above",
        )
    titles: tuple[str, ...] = ()
    selected: tuple[str, ...] = ()
    choices: dict[str, tuple[Scalar, ...]] = {}
    for field in node.fields:
        key = field.key.text
        if key == "_title":
            titles = tuple(scalar.text for scalar in _words(source, field.value, "'_title'"))
        elif key == "_cmd":
            selected = _selected(source, field.value, stages)
        elif key.startswith("_"):
            raise source.error(
                f"{what}: unknown key '{key}'", field.key, hint=suggestion(key, tuple(_OPTIONS))
            )
        else:
            name = parameter_key(Origin(source.file, what=what), field.key)
            choices[name] = _values(source, name, field.value)
            if name in aliases:
                _check_cases(source, aliases[name], choices[name])
    return Document(index, node.line, titles, selected, choices)


def choices_schema() -> dict[str, object]:
    """Return the JSON schema of a document of choices."""
    value = {"$ref": "#/$defs/value"}
    word = {"type": ["string", "number", "boolean"]}
    words = {"oneOf": [word, {"type": "array", "items": word}]}
    parameters = {"anyOf": [{"$ref": "#/$defs/parameter"}, {"enum": list(_OPTIONS)}]}
    return {
        "description": "Values to try, swept as a grid; a single value needs no brackets",
        "type": "object",
        "minProperties": 1,
        "properties": {name: {"description": text, **words} for name, text in _OPTIONS.items()},
        "propertyNames": parameters,
        "additionalProperties": {
            "oneOf": [value, {"type": "array", "minItems": 1, "items": value}]
        },
    }


def _words(source: Source, node: Node, what: str) -> tuple[Scalar, ...]:
    """Return one word or a list of words."""
    words = node.items if isinstance(node, Items) else (node,)
    for word in words:
        if not isinstance(word, Scalar) or word.value is None:
            raise source.error(
                f"{what}: expected a word or a list of words, found {describe(word)}", word
            )
    return tuple(word for word in words if isinstance(word, Scalar))


def _selected(source: Source, node: Node, stages: Sequence[str]) -> tuple[str, ...]:
    """Return the stages that a `_cmd` names."""
    words = _words(source, node, "'_cmd'")
    for word in words:
        if word.text not in stages:
            hint = suggestion(word.text, tuple(stages))
            raise source.error(f"'_cmd': unknown stage '{word.text}'", word, hint=hint)
    return tuple(word.text for word in words)


def _values(source: Source, name: str, node: Node) -> tuple[Scalar, ...]:
    """Return the values to try of one parameter; a single value needs no list."""
    if isinstance(node, Fields):
        raise source.error(
            f"'{name}': expected a value or a list of values, found a mapping",
            node,
            hint="parameters that change together are an 'alias'",
        )
    if isinstance(node, Scalar):
        return (node,)
    if not node.items:
        raise source.error(
            f"'{name}': found an empty list, expected at least one value",
            node,
            hint="remove the line to take the default",
        )
    values = []
    for item in node.items:
        if not isinstance(item, Scalar):
            raise source.error(
                f"'{name}': expected a list of values, found {describe(item)} inside the list",
                item,
                hint='a value that is itself a list is written as text: "[1, 2]"',
            )
        values.append(item)
    return tuple(values)


def _check_cases(source: Source, alias: Alias, choices: tuple[Scalar, ...]) -> None:
    for choice in choices:
        if alias.find(choice) is None:
            hint = suggestion(choice.text, tuple(key.text for key, _ in alias.cases))
            raise source.error(
                f"alias '{alias.name}' has no case {describe(choice)}", choice, hint=hint
            )


def select_titles(
    source: Source, documents: Sequence[Document], titles: Collection[str]
) -> tuple[Document, ...]:
    """Return the documents that have one of these titles, all of them where none is given."""
    if not titles:
        return tuple(documents)
    there = tuple(dict.fromkeys(title for document in documents for title in document.titles))
    for title in titles:
        if not there:
            raise source.error(
                f"no document has the title '{title}'",
                hint=f"no document has any '_title': add '_title: {title}' to those that you mean",
            )
        if title not in there:
            raise source.error(
                f"no document has the title '{title}'", hint=suggestion(title, there)
            )
    return tuple(one for one in documents if not set(titles).isdisjoint(one.titles))


def combinations(
    document: Document, sample: int | None, sample_seed: int, *, file: str
) -> Iterator[tuple[int, ...]]:
    """Yield combinations of a document's choices, in file order: the index of each one's value.

    The last parameter changes fastest, as in mlrunner (itertools.product). A sample is drawn from
    the seed and the document's index alone: the same one however the documents are selected.

    Args:
        document: its choices are combined.
        sample: how many combinations to draw, None for all.
        sample_seed: what the draw depends on.
        file: where the document stands, for messages.

    Raises:
        InputError: the document, or the sample, has more than a million combinations.
    """
    document.check_size(sample, file=file)
    sizes = [len(values) for values in document.choices.values()]
    total = document.size
    if sample is None or sample >= total:
        yield from itertools.product(*[range(size) for size in sizes])
        return
    draw = random.Random(f"{sample_seed}-{document.index}").sample(range(total), sample)
    for number in sorted(draw):
        indexes = []
        for size in reversed(sizes):
            number, index = divmod(number, size)
            indexes.append(index)
        yield tuple(reversed(indexes))
