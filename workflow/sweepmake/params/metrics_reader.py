"""Reads `metric`, `objective`, `over` and `headings`.

params.yaml and the configuration say them in one language. What the configuration says wins: a
metric of the same name is replaced, the others stay; `objective` and `over` are replaced as a
whole. `headings` stands in the configuration only.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol, cast

from sweepmake.errors import InputError, suggestion
from sweepmake.metric_names import direction
from sweepmake.params import expressions
from sweepmake.params.kinds import Kind, choice, given, key, mapping, text, texts
from sweepmake.params.metrics import MODES, TAKES, MetricPattern, Mode, Objective, Take
from sweepmake.params.origin import Origin, describe, plain_text
from sweepmake.params.yaml_reader import Fields, Node, Scalar

__all__ = ["HEADING_TEXTS", "METRICS", "OBJECTIVE", "OVER", "PATTERN", "MetricKeys", "check_over",
           "check_stage"]  # fmt: skip

_NAME = r"[^\x00-\x1f\x7f`]{1,100}"


class _Error(Protocol):
    def __call__(self, problem: str, /, *, hint: str | None) -> InputError: ...


def _read_pattern(node: Node, origin: Origin) -> str:
    """Return a regular expression that can be compiled and does not match the empty text."""
    written = plain_text(node)
    if not written:
        raise origin.expected("a regular expression", node, hint="write it in single quotes")
    try:
        compiled = re.compile(written)
    except (re.error, OverflowError, RecursionError) as error:
        raise origin.error(
            f"'{written}' is not a regular expression: {error}",
            node,
            hint="put a backslash before a bracket, dot or star that is meant as it is",
        ) from error
    if compiled.match(""):
        raise origin.error(
            f"'{written}' matches everywhere, also where there is nothing",
            node,
            hint="name what stands before the number, such as 'BLEU4? = ([\\d.]+)'",
        )
    return written


PATTERN = Kind(_read_pattern, lambda: {"type": "string", "minLength": 1})
"""A regular expression."""


@dataclass(frozen=True, slots=True)
class MetricKeys:
    """The keys of one metric."""

    pattern: str = key(
        PATTERN,
        "",
        "the regular expression (Python's). The number is its group `(?P<value>…)`, else its first "
        "group, else all that matches",
        required=True,
    )
    stage: str = key(
        text("a stage's name"),
        "",
        "the stage whose log is searched. Without it all are; the last stage that has a match "
        "counts",
        absent="all",
    )
    take: Take = key(
        choice(TAKES),
        "last",
        "which of several matches counts: `last`, `first`, `max`, `min`, or their `mean`",
    )


_METRIC = given(MetricKeys, alone="pattern")


def _read_metrics(node: Node, origin: Origin) -> dict[str, MetricPattern]:
    """Return the metrics by name; their stages are not checked."""
    if not isinstance(node, Fields):
        raise origin.expected("a mapping", node)
    found: dict[str, MetricPattern] = {}
    for field in node.fields:
        name = field.key.text.strip()
        if not re.fullmatch(_NAME, name):
            raise origin.error(
                f"found {describe(field.key)} as a metric's name, expected a text of at most 100 "
                "characters, on one line and without backquotes",
                field.key,
            )
        keys = MetricKeys(
            **_METRIC.read(field.value, origin.named(f"metric '{name}'"))  # type: ignore[arg-type]
        )
        stage = field.value.get("stage") if isinstance(field.value, Fields) else None
        found[name] = MetricPattern(
            name=name,
            stage=keys.stage,
            pattern=keys.pattern,
            take=keys.take,
            file=origin.file,
            line=(field if stage is None else stage).key.line if origin.file else None,
        )
    return found


METRICS = Kind(
    _read_metrics,
    lambda: {
        "type": "object",
        "propertyNames": {"pattern": f"^{_NAME}$"},
        "additionalProperties": _METRIC.schema(),
    },
)
"""Reads `metric:`: name → the number that is read out of a log."""


@dataclass(frozen=True, slots=True)
class _ObjectiveKeys:
    """The keys of `objective:`."""

    metric: str | None = key(text("a metric's name"), None, "a metric, or an expression of metrics")
    expression: str | None = key(text("an expression of metrics"), None, "the same as `metric`")
    mode: Mode | None = key(choice(MODES), None, "whether more or less is better")


def _make_objective(written: dict[str, object], node: Node, origin: Origin) -> Objective:
    """Return the objective; a metric's name may tell the mode."""
    if ("metric" in written) == ("expression" in written):
        problem = "has both 'metric' and 'expression'" if "metric" in written else "has no 'metric'"
        raise origin.error(problem, node)
    at = node
    if isinstance(node, Fields):
        field = node.get("metric") or node.get("expression")
        at = field.value if field is not None else node
    expression = " ".join(str(written.get("metric") or written["expression"]).split("\n")).strip()
    try:
        used, single = expressions.names(expression), expressions.is_name(expression)
    except InputError as error:
        raise origin.error(error.problem, at, hint=error.hint) from error
    if not used:
        raise origin.error(f"'{expression}' names no metric", at)
    mode = written.get("mode") or (direction(used[0]) if single else None)
    if mode is None:
        why = f"the name '{used[0]}'" if single else "an expression"
        raise origin.error(
            f"{why} does not tell whether more or less is better",
            at,
            hint=f"say so: objective: {{metric: {expression}, mode: max}}",
        )
    return Objective(expression, cast(Mode, mode), origin.file, at.line if origin.file else None)


OBJECTIVE = given(
    _ObjectiveKeys,
    alone="metric",
    rules={"oneOf": [{"required": ["metric"]}, {"required": ["expression"]}]},
).then(_make_objective)
"""Reads `objective:`: what orders the experiments, a metric's name alone or a mapping."""

OVER = texts("a parameter's name or a list of them")
"""Reads `over:`; `[]` gives ()."""


def _read_heading(node: Node, origin: Origin) -> str:
    """Return a heading, as one line; a number may be one."""
    heading = " ".join(node.text.split()) if isinstance(node, Scalar) else ""
    if not heading:
        raise origin.expected("a text", node)
    return heading


HEADING_TEXTS = mapping(
    Kind(_read_heading, lambda: {"type": ["string", "number", "boolean"], "pattern": r"\S"})
)
"""Reads `headings:`: parameter → heading of its column."""


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
