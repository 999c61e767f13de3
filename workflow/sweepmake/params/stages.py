"""The stages of a sweep: each one's template, parsed, with what `stage:` says of it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from sweepmake.errors import suggestion
from sweepmake.params.commands import RESERVED, Template, parse_template
from sweepmake.params.first_document import FirstDocument
from sweepmake.params.guard_keys import placeholders
from sweepmake.params.stage_options import ALL, StageOptions, options_of
from sweepmake.params.yaml_reader import Fields, Node, Source

__all__ = ["Stage", "build_stages"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage(StageOptions):
    """One command template and what a run of it needs.

    Attributes:
        name: its key in `template`.
        template: the parsed command.
        resuming: what {_resume} stands for in it where a run is resumed, None where none is.
        parameters: those that its command uses, and its paths.
    """

    name: str
    template: Template
    resuming: Template | None = None
    parameters: frozenset[str] = frozenset()


def build_stages(source: Source, first: FirstDocument, known: Collection[str]) -> tuple[Stage, ...]:
    """Return the stages, their templates parsed.

    Args:
        source: the file, for messages.
        first: its first document.
        known: every parameter of the sweep, aliases left out.
    """
    return tuple(_build_stage(source, first, known, name) for name in first.template)


def _build_stage(source: Source, first: FirstDocument, known: Collection[str], name: str) -> Stage:
    """Return one stage; see build_stages."""
    node = first.template[name]
    template = parse_template(
        node.text,
        known,
        aliases=first.alias,
        file=source.file,
        line=node.line,
        source=source.lines[node.line - 1 : node.last_line],
    )
    stage = Stage(name=name, template=template, **options_of(name, first.stage))  # type: ignore[arg-type]
    resuming = _parse_resume(source, first, known, stage)
    return replace(stage, resuming=resuming, parameters=_parameters(source, known, stage, resuming))


def _parse_resume(
    source: Source, first: FirstDocument, known: Collection[str], stage: Stage
) -> Template | None:
    """Return what {_resume} stands for in a stage's template; None where it has none.

    Raises:
        InputError: there is one without the other.
    """
    name, template, at = stage.name, stage.template, _stage_key(source, stage.name)
    if template.resumes != (stage.resume is not None) and (
        template.resumes or "resume" in first.stage.get(name, ())
    ):
        raise source.error(
            f"stage '{name}': its template has {{_resume}}, but nothing says what that stands for"
            if template.resumes
            else f"stage '{name}' has 'resume', but its template has no {{_resume}}",
            at,
            hint="see 'resume' in config/README.md",
        )
    if not template.resumes or stage.resume is None:
        return None
    line = at.line if at else None
    return parse_template(stage.resume, known, aliases=first.alias, file=source.file, line=line)


def _parameters(
    source: Source, known: Collection[str], stage: Stage, resuming: Template | None
) -> frozenset[str]:
    """Return the parameters that a stage uses.

    Raises:
        InputError: one of its paths has a placeholder that is none.
    """
    template = stage.template
    used = set(template.parameters | (resuming.parameters if resuming else frozenset()))
    for path in (*(stage.success.files if stage.success else ()), stage.resume_if or ""):
        for word in placeholders(path):
            if word not in known and word not in ("_output", "_name"):
                raise source.error(
                    f"stage '{stage.name}': unknown placeholder {{{word}}} in '{path}'",
                    _stage_key(source, stage.name),
                    hint=suggestion(word, (*sorted(known), "_output", "_name")),
                )
            used.add(word)
    return frozenset(used - {*RESERVED})


def _stage_key(source: Source, name: str) -> Node | None:
    """Return what stands for a stage in `stage:`, or for all of them, to name its line."""
    top = source.documents[0]
    field = top.get("stage") if isinstance(top, Fields) else None
    inside = field.value if field else None
    if not isinstance(inside, Fields):
        return None
    found = inside.get(name) or inside.get(ALL)
    return found.key if found else None
