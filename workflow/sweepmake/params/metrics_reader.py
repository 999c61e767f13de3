"""Reads `metric`, `objective` and `over`, as params.yaml and the configuration write them.

Both say them in one language. What the configuration says wins: a metric of the same name is
replaced, the others stay; `objective` and `over` are replaced as a whole. `headings` stands in the
configuration only.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal, Protocol, cast

from sweepmake.errors import InputError, suggestion
from sweepmake.metric_names import direction
from sweepmake.params import expressions
from sweepmake.params.first_document import describe, plain_text
from sweepmake.params.metrics import TAKES, Measures, MetricPattern, Objective
from sweepmake.params.yaml_reader import Field, Fields, Items, Node, Scalar, Source

__all__ = ["Origin", "check_over", "check_stage", "config_node", "read_headings", "read_measures",
           "read_metrics", "read_objective", "read_over"]  # fmt: skip

_METRIC_KEYS = ("stage", "pattern", "take")
_OBJECTIVE_KEYS = ("metric", "expression", "mode")
_MODES = ("max", "min")
_NAME = re.compile(r"[^\x00-\x1f\x7f`]{1,100}")


class _Error(Protocol):
    def __call__(self, problem: str, /, *, hint: str | None) -> InputError: ...


@dataclass(frozen=True, slots=True)
class Origin:
    """Where something is written: the file, if it is one, and what its messages begin with."""

    file: str | None
    prefix: str = ""

    def error(self, problem: str, at: Node, *, hint: str | None = None) -> InputError:
        """Return the error to raise about a node."""
        return InputError(self.prefix + problem, file=self.file, line=at.line, hint=hint)


def read_measures(source: Source, stages: Collection[str], parameters: Collection[str]) -> Measures:
    """Return what the first document of a params.yaml says of metrics and the objective.

    Args:
        source: the file; its first document is a mapping.
        stages: all its stages.
        parameters: all parameters of its experiments.

    Raises:
        InputError: something in it cannot be used.
    """
    top, place = source.documents[0], Origin(source.file)
    found = Measures()
    if not isinstance(top, Fields):
        return found
    if (field := top.get("metric")) is not None:
        metrics = read_metrics(place, field.value)
        for metric in metrics:
            check_stage(metric, stages, place.prefix)
        found = replace(found, metrics=metrics)
    if (field := top.get("objective")) is not None:
        found = replace(found, objective=read_objective(place, field.value))
    if (field := top.get("over")) is not None:
        over = read_over(place, field.value)
        at = field.value
        check_over(over or (), parameters, lambda text, hint: place.error(text, at, hint=hint))
        found = found if over is None else replace(found, over=over)
    return found


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
    kept = value if isinstance(value, str | int | float | bool) or value is None else str(value)
    return Scalar(kept, "" if value is None else str(value), line, line)


def _nothing(node: Node) -> bool:
    """Return whether a key stands there with nothing behind it."""
    return isinstance(node, Scalar) and node.value is None


def read_metrics(place: Origin, node: Node) -> tuple[MetricPattern, ...]:
    """Return the metrics of `metric:`; their stages are not checked.

    Raises:
        InputError: they cannot be used.
    """
    if _nothing(node) or (isinstance(node, Fields) and not node.fields):
        return ()
    example = "metric: {bleu: {stage: test, pattern: 'BLEU4? = ([\\d.]+)'}}"
    if not isinstance(node, Fields):
        raise place.error(
            f"'metric': expected a mapping, found {describe(node)}", node, hint=example
        )
    return tuple(_metric(place, field) for field in node.fields)


def _metric(place: Origin, field: Field) -> MetricPattern:
    """Return one metric: a mapping, or just its pattern."""
    name, node = field.key.text.strip(), field.value
    if not name or not _NAME.fullmatch(name):
        raise place.error(
            f"'metric': found {describe(field.key)} as a metric's name, "
            "expected a text of at most 100 characters, on one line and without backquotes",
            field.key,
        )
    what = f"metric '{name}'"
    settings: dict[str, Scalar] = {}
    if isinstance(node, Scalar):
        settings["pattern"] = node
    else:
        settings.update(_texts(place, node, what, _METRIC_KEYS))
    if "pattern" not in settings:
        raise place.error(
            f"{what}: has no 'pattern'",
            node,
            hint="a regular expression with the number in a group",
        )
    take = settings["take"].text if "take" in settings else "last"
    if take not in TAKES:
        raise place.error(
            f"{what}, 'take': expected one of {', '.join(TAKES)}, found '{take}'",
            settings["take"],
        )
    return MetricPattern(
        name=name,
        stage=settings["stage"].text if "stage" in settings else "",
        pattern=_pattern(place, settings["pattern"], what),
        take=take,
        file=place.file,
        line=settings.get("stage", field.key).line if place.file else None,
    )


def _texts(
    place: Origin, node: Node, what: str, keys: tuple[str, ...]
) -> Iterator[tuple[str, Scalar]]:
    """Yield the keys of a mapping of texts."""
    if not isinstance(node, Fields) or not node.fields:
        found = "an empty mapping" if isinstance(node, Fields) else describe(node)
        raise place.error(f"{what}: expected a mapping, found {found}", node)
    for field in node.fields:
        key, value = field.key.text, field.value
        if key not in keys:
            raise place.error(f"{what}: unknown key '{key}'", field.key, hint=suggestion(key, keys))
        if not isinstance(value, Scalar) or plain_text(value) is None or not value.text.strip():
            raise place.error(
                f"{what}, '{key}': expected a text, found {describe(value)}",
                value,
                hint="write it in single quotes" if isinstance(value, Scalar) else None,
            )
        yield key, value


def _pattern(place: Origin, node: Scalar, what: str) -> str:
    """Return a regular expression that can be compiled and does not match the empty text."""
    text = plain_text(node)
    if not text:
        raise place.error(
            f"{what}, 'pattern': expected a regular expression, found {describe(node)}",
            node,
            hint="write it in single quotes",
        )
    try:
        compiled = re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise place.error(
            f"{what}, 'pattern': '{text}' is not a regular expression: {error}",
            node,
            hint="put a backslash before a bracket, dot or star that is meant as it is",
        ) from error
    if compiled.match(""):
        raise place.error(
            f"{what}, 'pattern': '{text}' matches everywhere, also where there is nothing",
            node,
            hint="name what stands before the number, such as 'BLEU4? = ([\\d.]+)'",
        )
    return text


def read_objective(place: Origin, node: Node) -> Objective | None:
    """Return the objective, None where the key stands there with nothing behind it.

    Raises:
        InputError: it cannot be used, or it does not say whether more or less is better.
    """
    if _nothing(node):
        return None
    parts: dict[str, Scalar] = {}
    if isinstance(node, Scalar):
        parts["metric"] = node
    else:
        parts.update(_texts(place, node, "'objective'", _OBJECTIVE_KEYS))
    if ("metric" in parts) == ("expression" in parts):
        problem = "has both 'metric' and 'expression'" if "metric" in parts else "has no 'metric'"
        raise place.error(
            f"'objective': {problem}", node, hint="objective: {metric: val_acc, mode: max}"
        )
    expression = parts.get("metric") or parts["expression"]
    text = plain_text(expression)
    if text is None:
        raise place.error(
            f"'objective': expected a metric's name, found {describe(expression)}", expression
        )
    text = " ".join(text.split("\n")).strip()
    try:
        used, single = expressions.names(text), expressions.is_name(text)
    except InputError as error:
        raise place.error(f"'objective': {error.problem}", expression, hint=error.hint) from error
    if not used:
        raise place.error(f"'objective': '{text}' names no metric", expression)
    return Objective(
        expression=text,
        mode=_mode(place, parts.get("mode"), used[0] if single else None, expression),
        file=place.file,
        line=expression.line if place.file else None,
    )


def _mode(
    place: Origin, node: Scalar | None, metric: str | None, objective: Scalar
) -> Literal["max", "min"]:
    """Return the mode that is written, else the one that a metric's name tells."""
    if node is not None:
        if node.text not in _MODES:
            raise place.error(
                f"'objective', 'mode': expected max or min, found '{node.text}'",
                node,
            )
        return cast(Literal["max", "min"], node.text)
    told = direction(metric) if metric is not None else None
    if told is None:
        why = "an expression" if metric is None else f"the name '{metric}'"
        raise place.error(
            f"'objective': {why} does not tell whether more or less is better",
            objective,
            hint=f"say so: objective: {{metric: {objective.text.strip()}, mode: max}}",
        )
    return cast(Literal["max", "min"], told)


def read_over(place: Origin, node: Node) -> tuple[str, ...] | None:
    """Return the parameters of `over:`, None where nothing is behind the key; `[]` gives ().

    Raises:
        InputError: it is neither a name nor a list of names.
    """
    if _nothing(node):
        return None
    items = node.items if isinstance(node, Items) else (node,)
    names: dict[str, None] = {}
    for item in items:
        text = plain_text(item)
        listed = [part.strip() for part in text.split(",")] if text is not None else [""]
        if "" in listed:
            raise place.error(
                f"'over': expected a parameter's name or a list of them, found {describe(item)}",
                item,
                hint="over: [seed, fold]",
            )
        names.update(dict.fromkeys(listed))
    return tuple(names)


def read_headings(place: Origin, node: Node) -> dict[str, str]:
    """Return the headings of columns: parameter → heading.

    Raises:
        InputError: it is no mapping of texts.
    """
    if _nothing(node) or (isinstance(node, Fields) and not node.fields):
        return {}
    if not isinstance(node, Fields):
        raise place.error(
            f"'headings': expected a mapping, found {describe(node)}",
            node,
            hint="headings: {lr: learning rate}",
        )
    found: dict[str, str] = {}
    for field in node.fields:
        value = field.value
        text = value.text.strip() if isinstance(value, Scalar) else ""
        if not text or not field.key.text:
            raise place.error(
                f"'headings', '{field.key.text}': expected a text, found {describe(value)}", value
            )
        found[field.key.text] = " ".join(text.split())
    return found


def check_stage(metric: MetricPattern, stages: Collection[str], prefix: str) -> None:
    """Raise for a metric of a stage that there is not."""
    if metric.stage and metric.stage not in stages:
        raise InputError(
            f"{prefix}metric '{metric.name}': unknown stage '{metric.stage}'",
            file=metric.file,
            line=metric.line,
            hint=_near(metric.stage, stages),
        )


def check_over(over: Collection[str], parameters: Collection[str], error: _Error) -> None:
    """Raise for a parameter in `over` that no experiment has.

    Args:
        over: what means are taken over.
        parameters: those that some experiment has.
        error: makes the error of a sentence and a hint.
    """
    for name in over:
        if name not in parameters:
            raise error(
                f"'over': no experiment has a parameter '{name}'", hint=_near(name, parameters)
            )


def _near(word: str, known: Collection[str]) -> str | None:
    return suggestion(word, tuple(known))
