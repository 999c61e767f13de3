"""The first document of a params.yaml: templates, defaults, aliases, slots, `stage:` and `name:`.

mlrunner 0.5.9 reads `template`, `default`, `alias` and `resource` there (utils/config.py) and
ignores every other key, so ours may stand in a file that both read. `metric`, `objective` and
`over` are read by measures_reader. Other keys are allowed, as homes of anchors, unless they look
like one of these misspelt.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from sweepmake.errors import suggestion
from sweepmake.params.commands import Template, parse_template
from sweepmake.params.naming import Value, identity
from sweepmake.params.slot_list import parse_slots
from sweepmake.params.yaml_reader import (
    Field,
    Fields,
    Items,
    Node,
    Plain,
    Scalar,
    Source,
    SwitchWord,
)

__all__ = [
    "SETTINGS",
    "TOP_LEVEL",
    "Alias",
    "FirstDocument",
    "Stage",
    "build_stages",
    "describe",
    "expect_fields",
    "parameter_key",
    "plain_text",
    "read_first_document",
    "settle",
]

TOP_LEVEL = (
    *("template", "default", "alias", "resource", "stage", "name"),
    *("metric", "objective", "over"),
)
SETTINGS = {"gpu": 0, "threads": 1, "mem_mb": 1, "runtime": 1, "retries": 0}  # least allowed value
_RULE_NAMES = ("all", "stages", "results")
_STAGE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,31}")
_KEY = re.compile(r"[\w-]+")


@dataclass(frozen=True, slots=True)
class Stage:
    """One command template and what a run of it needs.

    Attributes:
        name: its key in `template`.
        template: the parsed command.
        gpu: slots that a run holds; 0 for a stage that needs no GPU.
        threads: CPU threads.
        mem_mb: memory, None where nothing is said.
        runtime: time limit in minutes, None where nothing is said.
        retries: how often a failed run is tried again.
    """

    name: str
    template: Template
    gpu: int = 1
    threads: int = 1
    mem_mb: int | None = None
    runtime: int | None = None
    retries: int = 0


@dataclass(frozen=True, slots=True)
class Alias:
    """A name for several parameters set together: its cases, each with the same parameters."""

    name: str
    cases: tuple[tuple[Scalar, dict[str, Scalar]], ...]

    @property
    def targets(self) -> tuple[str, ...]:
        """The parameters that every case sets."""
        return tuple(self.cases[0][1])

    def find(self, choice: Scalar) -> dict[str, Scalar] | None:
        """Return the case that a choice names, None where there is none.

        The same value of the same type comes first; after it one that Python, and so mlrunner,
        holds equal (1, 1.0 and true; `on` and true).
        """
        wanted = identity(settle(choice.value, as_flag=False))
        for key, case in self.cases:
            if identity(settle(key.value, as_flag=False)) == wanted:
                return case
        for key, case in self.cases:
            if settle(key.value, as_flag=True) == settle(choice.value, as_flag=True):
                return case
        return None


@dataclass(frozen=True, slots=True)
class FirstDocument:
    """The first document, its shape checked; templates are parsed once all parameters are known."""

    templates: dict[str, Scalar]
    defaults: dict[str, Scalar]
    aliases: dict[str, Alias]
    settings: dict[str, dict[str, int]]
    name: Scalar | None
    slots: tuple[str, ...] | None


def settle(value: Plain, *, as_flag: bool) -> Value:
    """Return a value with `on` or `yes` taken as a boolean (for a [flag]) or as the text it is."""
    if isinstance(value, SwitchWord):
        return value.value if as_flag else value.text
    return value


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


def expect_fields(source: Source, node: Node, what: str, *, hint: str | None = None) -> Fields:
    """Return a node that must be a mapping with something in it."""
    if not isinstance(node, Fields) or not node.fields:
        found = "an empty mapping" if isinstance(node, Fields) else describe(node)
        raise source.error(f"{what}: expected a mapping, found {found}", node, hint=hint)
    return node


def parameter_key(source: Source, key: Scalar, what: str) -> str:
    """Return a mapping's key as the name of a parameter."""
    if plain_text(key) is None:
        raise source.error(
            f"{what}: expected a parameter's name, found {describe(key)} as key",
            key,
            hint=f'write it in quotes: "{key.text}"' if key.text else None,
        )
    if not _KEY.fullmatch(key.text):
        raise source.error(
            f"{what}: found '{key.text}' as a parameter's name, "
            "expected letters, digits, '_' and '-' only",
            key,
        )
    if key.text.startswith("_"):
        raise source.error(
            f"{what}: found '{key.text}'; names that begin with '_' are reserved",
            key,
            hint="rename the parameter",
        )
    return key.text


def read_first_document(source: Source) -> FirstDocument:
    """Return the first document of a params.yaml.

    Raises:
        InputError: a key is missing or misspelt, or something in it has not the shape expected.
    """
    if not source.documents:
        raise source.error("the file is empty", hint="begin with 'template:', see config/README.md")
    top = expect_fields(
        source,
        source.documents[0],
        "the first document",
        hint="it holds 'template:' and 'default:'",
    )
    _check_top_level(source, top)
    templates = dict(_templates(source, top))
    aliases = dict(_aliases(source, top))
    name = top.get("name")
    if name is not None and plain_text(name.value) is None:
        raise source.error(
            f"'name': expected a template such as lr_{{lr}}, found {describe(name.value)}",
            name.value,
        )
    return FirstDocument(
        templates=templates,
        defaults=dict(_defaults(source, top)),
        aliases=aliases,
        settings=dict(_settings(source, top, templates)),
        name=name.value if name is not None and isinstance(name.value, Scalar) else None,
        slots=_slots(source, top),
    )


def _check_top_level(source: Source, top: Fields) -> None:
    """Raise for a missing template and for a misspelt key; other keys are the user's own."""
    for field in top.fields:
        word = field.key.text
        if word not in TOP_LEVEL and difflib.get_close_matches(word, TOP_LEVEL, 1, 0.75):
            hint = suggestion(word, TOP_LEVEL)
            raise source.error(f"unknown key '{word}' in the first document", field.key, hint=hint)
    if top.get("template") is None:
        raise source.error(
            "the first document has no 'template'",
            top,
            hint="it holds the command of each stage, see config/README.md",
        )


def _templates(source: Source, top: Fields) -> Iterator[tuple[str, Scalar]]:
    """Yield each stage's name and command, in file order."""
    field = top.get("template")
    assert field is not None  # _check_top_level has seen it
    hint = "write one command per stage: 'train: python train.py'"
    for stage in expect_fields(source, field.value, "'template'", hint=hint).fields:
        name = stage.key.text
        if plain_text(stage.key) is None or not _STAGE_NAME.fullmatch(name):
            raise source.error(
                f"found '{name}' as a stage's name, expected a letter and then at most 31 letters, "
                "digits, '_', '-' or '.'",
                stage.key,
                hint="the name becomes part of file names and rule names",
            )
        if name in _RULE_NAMES:
            raise source.error(
                f"'{name}' cannot name a stage: it is a target of the workflow",
                stage.key,
                hint="rename the stage",
            )
        if not isinstance(stage.value, Scalar) or not isinstance(stage.value.value, str):
            raise source.error(
                f"template of '{name}': expected a command, found {describe(stage.value)}",
                stage.value,
                hint="put the command in quotes, or on the lines after '>'",
            )
        yield name, stage.value


def _defaults(source: Source, top: Fields) -> Iterator[tuple[str, Scalar]]:
    """Yield each parameter's default."""
    for field in _optional(source, top, "default"):
        key = parameter_key(source, field.key, "'default'")
        yield key, _one_value(source, field.value, f"default of '{key}'")


def _one_value(source: Source, node: Node, what: str) -> Scalar:
    if not isinstance(node, Scalar):
        raise source.error(
            f"{what}: expected one value, found {describe(node)}",
            node,
            hint="lists of values to try stand in the documents after the first",
        )
    return node


def _optional(source: Source, top: Fields, name: str) -> tuple[Field, ...]:
    """Return the fields of a mapping that may be absent, or be there with nothing in it."""
    field = top.get(name)
    if field is None or (isinstance(field.value, Fields) and not field.value.fields):
        return ()
    return expect_fields(source, field.value, f"'{name}'").fields


def _aliases(source: Source, top: Fields) -> Iterator[tuple[str, Alias]]:
    """Yield the aliases; every case of one sets the same parameters."""
    for field in _optional(source, top, "alias"):
        name = parameter_key(source, field.key, "'alias'")
        cases: list[tuple[Scalar, dict[str, Scalar]]] = []
        for case in expect_fields(source, field.value, f"alias '{name}'").fields:
            what = f"alias '{name}', case '{case.key.text}'"
            targets = {
                parameter_key(source, target.key, what): _one_value(
                    source, target.value, f"{what}, '{target.key.text}'"
                )
                for target in expect_fields(source, case.value, what).fields
            }
            if cases and targets.keys() != cases[0][1].keys():
                raise source.error(
                    f"{what} sets {_listed(targets)}, but case '{cases[0][0].text}' "
                    f"sets {_listed(cases[0][1])}",
                    case.key,
                    hint="every case of an alias sets the same parameters",
                )
            cases.append((case.key, targets))
        yield name, Alias(name, tuple(cases))


def _listed(names: Collection[str]) -> str:
    return ", ".join(sorted(names))


def _settings(
    source: Source, top: Fields, templates: dict[str, Scalar]
) -> Iterator[tuple[str, dict[str, int]]]:
    """Yield what `stage:` says about each stage."""
    for field in _optional(source, top, "stage"):
        stage = field.key.text
        if stage not in templates:
            hint = suggestion(stage, tuple(templates))
            raise source.error(f"'stage': unknown stage '{stage}'", field.key, hint=hint)
        settings = {}
        for setting in expect_fields(source, field.value, f"'stage', '{stage}'").fields:
            name, node = setting.key.text, setting.value
            if name not in SETTINGS:
                hint = suggestion(name, tuple(SETTINGS))
                raise source.error(
                    f"'stage', '{stage}': unknown key '{name}'", setting.key, hint=hint
                )
            value = node.value if isinstance(node, Scalar) else None
            if not isinstance(value, int) or isinstance(value, bool) or value < SETTINGS[name]:
                raise source.error(
                    f"'stage', '{stage}', '{name}': expected a whole number of at least "
                    f"{SETTINGS[name]}, found {describe(node)}",
                    node,
                    hint="runtime is in minutes, mem_mb in megabytes",
                )
            settings[name] = value
        yield stage, settings


def _slots(source: Source, top: Fields) -> tuple[str, ...] | None:
    """Return the slots of `resource`, None where it is absent."""
    field = top.get("resource")
    if field is None:
        return None
    if not isinstance(field.value, Items):
        raise source.error(
            f"'resource': expected a list of GPUs, found {describe(field.value)}",
            field.value,
            hint="resource: [0, 1]",
        )
    slots: list[str] = []
    for item in field.value.items:
        entry = (
            [part.text if isinstance(part, Scalar) else "…" for part in item.items]
            if isinstance(item, Items)
            else item.value
            if isinstance(item, Scalar) and isinstance(item.value, int | str)
            else describe(item)
        )
        slots += parse_slots([entry], where="'resource'", file=source.file, line=item.line)
    if not slots:
        parse_slots([], where="'resource'", file=source.file, line=field.value.line)
    return tuple(slots)


def build_stages(source: Source, first: FirstDocument, known: Collection[str]) -> tuple[Stage, ...]:
    """Return the stages, their templates parsed.

    Args:
        source: the file, for messages.
        first: its first document.
        known: every parameter of the sweep, aliases left out.
    """
    return tuple(
        Stage(
            name,
            parse_template(
                node.text,
                known,
                aliases=first.aliases,
                file=source.file,
                line=node.line,
                source=source.lines[node.line - 1 : node.last_line],
            ),
            **first.settings.get(name, {}),
        )
        for name, node in first.templates.items()
    )
