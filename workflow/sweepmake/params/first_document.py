"""The first document of a params.yaml: templates, defaults, aliases, slots, `stage:`, metrics.

mlrunner 0.5.9 reads `template`, `default`, `alias` and `resource` there (utils/config.py) and
ignores every other key, so ours may stand in a file that both read. Other keys are allowed, as
homes of anchors, unless they look like one of these misspelt.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sweepmake.errors import suggestion
from sweepmake.params.kinds import Kind, key, keys_of, read_keys
from sweepmake.params.metrics import MetricOptions, MetricPattern, Objective
from sweepmake.params.metrics_reader import METRICS, OBJECTIVE, OVER, check_over, check_stage
from sweepmake.params.naming import Value, identity
from sweepmake.params.origin import Origin, describe, plain_text
from sweepmake.params.slot_list import slots
from sweepmake.params.stage_options import ALL, STAGE_OPTIONS
from sweepmake.params.yaml_reader import Fields, Node, Plain, Scalar, Source, SwitchWord

__all__ = [
    "PARAMETER_SCHEMA",
    "VALUE_SCHEMA",
    "Alias",
    "FirstDocument",
    "metric_options",
    "parameter_key",
    "read_first_document",
    "settle",
]

_TARGETS = (ALL, "stages", "results")
_STAGE_NAME = r"[A-Za-z][A-Za-z0-9_.-]{0,31}"
_KEY = re.compile(r"[\w-]+")
PARAMETER_SCHEMA = {"type": "string", "pattern": r"^(?!_)[\w-]+$"}
VALUE_SCHEMA = {"type": ["string", "number", "boolean", "null"]}
_OF_PARAMETERS = {
    "type": "object",
    "propertyNames": {"$ref": "#/$defs/parameter"},
    "additionalProperties": {"$ref": "#/$defs/value"},
}


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
        for name, case in self.cases:
            if identity(settle(name.value, as_flag=False)) == wanted:
                return case
        for name, case in self.cases:
            if settle(name.value, as_flag=True) == settle(choice.value, as_flag=True):
                return case
        return None


def settle(value: Plain, *, as_flag: bool) -> Value:
    """Return a value with `on` or `yes` taken as a boolean (for a [flag]) or as the text it is."""
    if isinstance(value, SwitchWord):
        return value.value if as_flag else value.text
    return value


def parameter_key(origin: Origin, key: Scalar) -> str:
    """Return a mapping's key as the name of a parameter."""
    if plain_text(key) is None:
        quoted = f'write it in quotes: "{key.text}"' if key.text else None
        raise origin.error(
            f"expected a parameter's name, found {describe(key)} as key", key, hint=quoted
        )
    if not _KEY.fullmatch(key.text):
        raise origin.error(
            f"found '{key.text}' as a parameter's name, expected letters, digits, '_' and '-' only",
            key,
        )
    if key.text.startswith("_"):
        raise origin.error(
            f"found '{key.text}'; names that begin with '_' are reserved",
            key,
            hint="rename the parameter",
        )
    return key.text


def _expect_filled(node: Node, origin: Origin) -> Fields:
    """Return a node that must be a mapping with something in it."""
    if not isinstance(node, Fields) or not node.fields:
        raise origin.expected("a mapping", node)
    return node


def _read_templates(node: Node, origin: Origin) -> dict[str, Scalar]:
    """Return each stage's name and command, in file order."""
    templates: dict[str, Scalar] = {}
    for stage in _expect_filled(node, origin).fields:
        name = stage.key.text
        if plain_text(stage.key) is None or not re.fullmatch(_STAGE_NAME, name):
            raise origin.error(
                f"found '{name}' as a stage's name, expected a letter and then at most 31 letters, "
                "digits, '_', '-' or '.'",
                stage.key,
                hint="the name becomes part of file names and rule names",
            )
        if name in _TARGETS:
            raise origin.error(
                f"'{name}' cannot name a stage: it is a target of the workflow",
                stage.key,
                hint="rename the stage",
            )
        if not isinstance(stage.value, Scalar) or not isinstance(stage.value.value, str):
            raise origin.named(f"template of '{name}'").expected(
                "a command",
                stage.value,
                hint="put the command in quotes, or on the lines after '>'",
            )
        templates[name] = stage.value
    return templates


def _templates_schema() -> dict[str, object]:
    return {
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"pattern": f"^{_STAGE_NAME}$", "not": {"enum": list(_TARGETS)}},
        "additionalProperties": {"type": "string", "pattern": r"\S"},
    }


def _read_defaults(node: Node, origin: Origin) -> dict[str, Scalar]:
    """Return each parameter's default."""
    if not isinstance(node, Fields):
        raise origin.expected("a mapping", node)
    defaults: dict[str, Scalar] = {}
    for field in node.fields:
        name = parameter_key(origin, field.key)
        defaults[name] = _one_value(field.value, origin.named(f"default of '{name}'"))
    return defaults


def _one_value(node: Node, origin: Origin) -> Scalar:
    if not isinstance(node, Scalar):
        raise origin.expected(
            "one value", node, hint="lists of values to try stand in the documents after the first"
        )
    return node


def _read_aliases(node: Node, origin: Origin) -> dict[str, Alias]:
    """Return the aliases; every case of one sets the same parameters."""
    if not isinstance(node, Fields):
        raise origin.expected("a mapping", node)
    aliases: dict[str, Alias] = {}
    for field in node.fields:
        name = parameter_key(origin, field.key)
        alias = origin.named(f"alias '{name}'")
        cases: list[tuple[Scalar, dict[str, Scalar]]] = []
        for case in _expect_filled(field.value, alias).fields:
            inside = origin.named(f"alias '{name}', case '{case.key.text}'")
            targets = {
                parameter_key(inside, target.key): _one_value(
                    target.value, inside.inside(target.key.text)
                )
                for target in _expect_filled(case.value, inside).fields
            }
            if cases and targets.keys() != cases[0][1].keys():
                raise origin.named("").error(
                    f"{inside.what} sets {_listed(targets)}, but case '{cases[0][0].text}' "
                    f"sets {_listed(cases[0][1])}",
                    case.key,
                    hint="every case of an alias sets the same parameters",
                )
            cases.append((case.key, targets))
        aliases[name] = Alias(name, tuple(cases))
    return aliases


def _aliases_schema() -> dict[str, object]:
    case = {**_OF_PARAMETERS, "minProperties": 1}
    cases = {"type": "object", "minProperties": 1, "additionalProperties": case}
    return {**_OF_PARAMETERS, "additionalProperties": cases}


def _listed(names: Collection[str]) -> str:
    return ", ".join(sorted(names))


def _read_name(node: Node, origin: Origin) -> Scalar:
    """Return the template of names, which name_template parses."""
    if not isinstance(node, Scalar) or plain_text(node) is None:
        raise origin.expected("a template such as lr_{lr}", node)
    return node


@dataclass(frozen=True, slots=True)
class FirstDocument:
    """The first document, its shape checked; templates are parsed once all parameters are known."""

    template: Mapping[str, Scalar] = key(
        Kind(_read_templates, _templates_schema),
        {},
        "The command of each stage, in the order in which the stages run",
        example="{train: python train.py}",
        required=True,
    )
    default: Mapping[str, Scalar] = key(
        Kind(_read_defaults, lambda: dict(_OF_PARAMETERS)),
        {},
        "Values of the parameters that an experiment does not choose",
        example="{lr: 0.1}",
    )
    alias: Mapping[str, Alias] = key(
        Kind(_read_aliases, _aliases_schema),
        {},
        "Names for several parameters set together; every case of an alias sets the same ones",
        example="{size: {small: {width: 1}, large: {width: 2}}}",
    )
    resource: tuple[str, ...] | None = key(
        slots(alone=False),
        None,
        'GPU slots: one entry per slot, "0,1" is a pair in one slot',
        example="[0, 1]",
    )
    stage: Mapping[str, Mapping[str, object]] = key(
        STAGE_OPTIONS,
        {},
        "What a run of each stage needs; what stands under `all` holds for every stage",
        example="{train: {gpu: 2}, avg: {gpu: 0}}",
    )
    name: Scalar | None = key(
        Kind(_read_name, lambda: {"type": "string", "pattern": r"\S"}),
        None,
        "A template of the experiments' names",
        example="lr_{lr}",
    )
    metric: Mapping[str, MetricPattern] = key(
        METRICS,
        {},
        "Numbers that regular expressions read out of the stages' logs",
        example=r"{bleu: {stage: test, pattern: 'BLEU4? = ([\d.]+)'}}",
    )
    objective: Objective | None = key(
        OBJECTIVE,
        None,
        "What orders the experiments: a metric or an expression of metrics",
        example="{metric: val_acc, mode: max}",
    )
    over: tuple[str, ...] | None = key(
        OVER,
        None,
        "The parameters over which results are averaged; [] for none",
        example="[seed, fold]",
    )


def read_first_document(source: Source) -> FirstDocument:
    """Return the first document of a params.yaml.

    Raises:
        InputError: a key is missing or misspelt, or something in it has not the shape expected.
    """
    if not source.documents:
        raise source.error("the file is empty", hint="begin with 'template:', see config/README.md")
    origin = Origin(source.file)
    whole = origin.named("the first document", hint="it holds 'template:' and 'default:'")
    top = _expect_filled(source.documents[0], whole)
    keys = keys_of(FirstDocument)
    for field in top.fields:
        word = field.key.text
        if word not in keys and difflib.get_close_matches(word, keys, 1, 0.75):
            hint = suggestion(word, tuple(keys))
            raise origin.error(f"unknown key '{word}' in the first document", field.key, hint=hint)
    ours = Fields(tuple(field for field in top.fields if field.key.text in keys), top.line)
    first = FirstDocument(**read_keys(FirstDocument, ours, origin, nulls=True))  # type: ignore[arg-type]
    for stage in first.stage:
        if stage != ALL and stage not in first.template:
            hint = suggestion(stage, (*first.template, ALL))
            raise origin.named("'stage'").error(
                f"unknown stage '{stage}'", _key_within(top, "stage", stage), hint=hint
            )
    return first


def _key_within(top: Fields, name: str, key: str) -> Node:
    """Return a key of the mapping that stands behind a key, to name its line."""
    field = top.get(name)
    inner = field.value.get(key) if field and isinstance(field.value, Fields) else None
    return inner.key if inner else top


def metric_options(
    source: Source, first: FirstDocument, parameters: Collection[str]
) -> MetricOptions:
    """Return what the first document says about metrics.

    Args:
        source: the file, for messages.
        first: its first document.
        parameters: all parameters of its experiments.

    Raises:
        InputError: a stage or a parameter is named that there is not.
    """
    for metric in first.metric.values():
        check_stage(metric, tuple(first.template), "")
    top = source.documents[0]
    field = top.get("over") if isinstance(top, Fields) else None
    at = field.value if field is not None else None
    check_over(
        first.over or (),
        parameters,
        lambda problem, hint: source.error(problem, at, hint=hint),
    )
    default = MetricOptions()
    return MetricOptions(
        metrics=tuple(first.metric.values()),
        objective=first.objective,
        over=default.over if first.over is None else first.over,
        headings=default.headings,
    )
