"""Reads params.yaml: the stages, and the experiments that it asks for.

The language is mlrunner's (0.5.9: run.py and utils/config.py). The first document holds `template`
(the command of each stage), `default`, `alias` and `resource`; each further document is one set of
choices, swept as a grid, whose last parameter changes fastest. Where this reading differs:

- `stage:` (what a run of each stage needs), `name:` (a template of the experiments' names), and
  `metric:`, `objective:` and `over:` (what counts) are new keys of the first document;
  `resource` may be absent.
- Values keep their type: 1, 1.0, true and "1" are four different values, since they give different
  commands (mlrunner, comparing as Python does, runs one of them).
- Of two experiments with equal parameters the first gives the name, and it runs the stages that
  either selects (mlrunner drops the second one's unless their names are equal too).
- A parameter that no template of the file uses is an orphan (mlrunner also counts those that only
  the stages left out by `_cmd` use).
- A sample is drawn from a seed, and comes in file order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sweepmake.errors import InputError, suggestion
from sweepmake.params.documents import (
    MOST_COMBINATIONS,
    Document,
    combinations,
    read_documents,
    select_titles,
)
from sweepmake.params.first_document import (
    FirstDocument,
    metric_options,
    read_first_document,
    settle,
)
from sweepmake.params.metrics import MetricOptions
from sweepmake.params.name_template import NameTemplate, parse_name_template
from sweepmake.params.naming import Entry, Value, identity, join_entries, name_entry
from sweepmake.params.stages import Stage, build_stages
from sweepmake.params.yaml_reader import Plain, Scalar, Source, read_yaml

__all__ = ["PlannedExperiment", "Stage", "Sweep", "Value", "read_sweep"]


@dataclass(frozen=True, slots=True)
class PlannedExperiment:
    """One combination of parameters.

    Attributes:
        name: its folder's name, the {_name} of templates.
        parameters: all its parameters, defaults and aliases filled in.
        choices: its own choices as the document writes them, in file order.
        stages: the stages to run, in the order of the templates.
        titles: the titles of the documents that ask for it.
    """

    name: str
    parameters: dict[str, Value]
    choices: dict[str, Value]
    stages: tuple[str, ...]
    titles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sweep:
    """Everything that one params.yaml asks for.

    Attributes:
        file: the params.yaml, as the caller named it.
        stages: all its stages, in file order.
        experiments: in file order, no two with equal parameters or equal names.
        duplicates: how many combinations were dropped because an earlier one is equal.
        orphans: the parameters that no stage uses, sorted.
        slots: the GPU slots of `resource`, each as "0" or "0,1"; None where it is absent.
        metric_options: the metrics and the objective.
    """

    file: str
    stages: tuple[Stage, ...]
    experiments: tuple[PlannedExperiment, ...]
    duplicates: int
    orphans: tuple[str, ...]
    slots: tuple[str, ...] | None
    metric_options: MetricOptions = field(default_factory=MetricOptions)


def read_sweep(
    file: str | Path,
    *,
    titles: Sequence[str] = (),
    stages: Sequence[str] = (),
    sample: int | None = None,
    sample_seed: int = 0,
) -> Sweep:
    """Return the sweep of a params.yaml.

    Args:
        file: its path.
        titles: take only documents with one of these titles; all where empty.
        stages: run only these stages, whatever `_cmd` says; where empty `_cmd` decides.
        sample: draw so many experiments from each document.
        sample_seed: what the draw depends on; the same seed gives the same experiments.

    Raises:
        InputError: something in the file, or an argument, cannot be used.
    """
    if sample is not None and (type(sample) is not int or sample < 1):
        raise InputError(f"sample: expected a whole number of at least 1, found {sample!r}")
    titles = (titles,) if isinstance(titles, str) else tuple(map(str, titles))
    stages = (stages,) if isinstance(stages, str) else tuple(map(str, stages))
    source = read_yaml(file)
    first = read_first_document(source)
    for stage in stages:
        if stage not in first.template:
            hint = suggestion(stage, tuple(first.template))
            raise InputError(f"unknown stage '{stage}'", file=source.file, hint=hint)
    documents = read_documents(source, tuple(first.template), first.alias)
    known = {*first.default}
    known.update(target for alias in first.alias.values() for target in alias.targets)
    known.update(name for document in documents for name in document.choices)
    known -= first.alias.keys()
    built = build_stages(source, first, known)
    plan = _Plan(source, first, built, stages, tuple(sorted(known | first.default.keys())))
    drafts, duplicates = plan.collect(select_titles(source, documents, titles), sample, sample_seed)
    used = frozenset().union(*[stage.parameters for stage in built])
    present = {name for draft in drafts for name in draft.parameters}
    return Sweep(
        file=source.file,
        stages=built,
        experiments=plan.finish(drafts, known),
        duplicates=duplicates,
        orphans=tuple(sorted(present - used)),
        slots=first.resource,
        metric_options=metric_options(source, first, sorted(known)),
    )


@dataclass(frozen=True, slots=True)
class _Choice:
    """One value of one parameter of a document, with all that each experiment needs of it."""

    written: Value
    entry: Entry
    parameters: dict[str, Value]
    identities: dict[str, tuple[str, str]]


@dataclass(slots=True)
class _Draft:
    """An experiment whose stages may still grow."""

    document: Document
    name: str
    parameters: dict[str, Value]
    choices: dict[str, Value]
    stages: set[str]
    titles: dict[str, None]


class _Plan:
    """What all documents of one file share while experiments are made of them."""

    def __init__(
        self,
        source: Source,
        first: FirstDocument,
        stages: tuple[Stage, ...],
        selected: tuple[str, ...],
        names: tuple[str, ...],
    ) -> None:
        self._source = source
        self._first = first
        self._stages = stages
        self._selected = selected
        self._names = names
        self._flags = frozenset().union(*[stage.template.flags for stage in stages])
        self._defaults = self._settled(first.default)
        self._default_identities = _identities(self._defaults)

    def collect(
        self, documents: Sequence[Document], sample: int | None, sample_seed: int
    ) -> tuple[list[_Draft], int]:
        """Return the experiments of these documents, equal ones made one, and how many were."""
        drafts: dict[tuple[tuple[str, str] | None, ...], _Draft] = {}
        duplicates = count = 0
        for document in documents:
            stages = set(self._selected or document.stages or self._first.template)
            count += min(document.size, sample or document.size)
            if count > MOST_COMBINATIONS and document.size <= MOST_COMBINATIONS:
                raise self._source.error(
                    f"the documents ask for more than {MOST_COMBINATIONS:,} experiments",
                    document.line,
                )
            for draft, key in self._drafts(document, stages, sample, sample_seed):
                before = drafts.setdefault(key, draft)
                if before is draft:
                    continue
                duplicates += before.stages >= stages
                before.stages |= stages
                before.titles.update(draft.titles)
        return list(drafts.values()), duplicates

    def _drafts(
        self, document: Document, stages: set[str], sample: int | None, sample_seed: int
    ) -> Iterator[tuple[_Draft, tuple[tuple[str, str] | None, ...]]]:
        """Yield a document's experiments, each with what tells whether it equals another."""
        keys = tuple(document.choices)
        columns = [
            [self._choice(key, scalar) for scalar in values]
            for key, values in document.choices.items()
        ]
        aliases = self._first.alias
        # as in mlrunner, what an alias sets wins over a choice of the same name
        order = sorted(range(len(keys)), key=lambda position: keys[position] in aliases)
        needed = self._needed(stages)
        titles = dict.fromkeys(document.titles)
        for indexes in combinations(document, sample, sample_seed, file=self._source.file):
            picked = [column[index] for column, index in zip(columns, indexes, strict=True)]
            parameters = self._defaults.copy()
            identities = self._default_identities.copy()
            for position in order:
                parameters.update(picked[position].parameters)
                identities.update(picked[position].identities)
            for name in needed:
                if parameters.get(name) is None:
                    raise self._lacking(name, name in parameters, document, stages)
            choices = dict(zip(keys, [choice.written for choice in picked], strict=True))
            name = join_entries([choice.entry for choice in picked], choices)
            draft = _Draft(document, name, parameters, choices, set(stages), titles.copy())
            yield draft, tuple(map(identities.get, self._names))

    def _needed(self, stages: set[str]) -> tuple[str, ...]:
        """Return the parameters that the templates of these stages use."""
        used = [stage.parameters for stage in self._stages if stage.name in stages]
        return tuple(sorted(frozenset().union(*used)))

    def _choice(self, key: str, scalar: Scalar) -> _Choice:
        alias = self._first.alias.get(key)
        if alias is None:
            written = self._value(key, scalar.value)
            parameters = {key: written}
        else:
            written = settle(scalar.value, as_flag=False)
            parameters = self._settled(alias.find(scalar) or {})
        return _Choice(written, name_entry(key, written), parameters, _identities(parameters))

    def _value(self, key: str, value: Plain) -> Value:
        """Return a value with `on` and its like settled: booleans for a [flag], else texts."""
        return settle(value, as_flag=key in self._flags)

    def _settled(self, scalars: Mapping[str, Scalar]) -> dict[str, Value]:
        return {key: self._value(key, scalar.value) for key, scalar in scalars.items()}

    def _lacking(self, name: str, null: bool, document: Document, stages: set[str]) -> InputError:
        """Return the error for a parameter that a stage uses and an experiment does not have."""
        stage = next(
            stage.name
            for stage in self._stages
            if stage.name in stages and name in stage.parameters
        )
        if not null:
            return self._source.error(
                f"this document gives no value for '{name}', which the stage '{stage}' uses",
                document.line,
                hint=f"give '{name}' a value here or under 'default'",
            )
        values = document.choices.get(name, (self._first.default.get(name),))
        at = next((v for v in values if v is not None and v.value is None), None)
        return self._source.error(
            f"'{name}' is null (an empty value), but the stage '{stage}' uses it",
            document.line if at is None else at,
            hint='write "" for an empty text, or true and false for a [flag]',
        )

    def finish(self, drafts: Sequence[_Draft], known: set[str]) -> tuple[PlannedExperiment, ...]:
        """Return the experiments with their final names."""
        node = self._first.name
        template: NameTemplate | None = None
        if node is not None:
            template = parse_name_template(self._source, node, known | self._first.alias.keys())
        by_name: dict[str, _Draft] = {}
        for draft in drafts:
            if template is not None:
                values = {**draft.choices, **draft.parameters}
                draft.name = template.fill(self._source, values, draft.document.line)
            before = by_name.setdefault(draft.name, draft)
            if before is not draft:
                raise self._same_name(before, draft)
        order = [stage.name for stage in self._stages]
        return tuple(
            PlannedExperiment(
                draft.name,
                draft.parameters,
                draft.choices,
                tuple([stage for stage in order if stage in draft.stages]),
                tuple(draft.titles),
            )
            for draft in drafts
        )

    def _same_name(self, one: _Draft, other: _Draft) -> InputError:
        """Return the error for two experiments with one name, which shows where they differ."""
        differing = [
            key
            for key in sorted({*one.parameters, *other.parameters})
            if identity(one.parameters.get(key)) != identity(other.parameters.get(key))
        ]
        first, second = (
            ", ".join(f"{key}={draft.parameters.get(key)!r}" for key in differing)
            for draft in (one, other)
        )
        return self._source.error(
            f"two experiments have the name '{one.name}': one with {first}, one with {second}",
            self._first.name or other.document.line,
            hint="put " + " or ".join(f"{{{key}}}" for key in differing) + " into 'name'",
        )


def _identities(parameters: Mapping[str, Value]) -> dict[str, tuple[str, str]]:
    return {key: identity(value) for key, value in parameters.items()}
