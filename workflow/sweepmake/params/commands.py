"""Command templates: `python train.py --lr {lr} [amp] --save-dir {_output}` to shell commands.

The language is mlrunner's (0.5.9, run.py and utils/misc.py):

    {lr}    the value, quoted for the place where it stands (see quoting.py). True and False are
            Python's words; null is an error
    [lr]    `--lr` and the value; for True only `--lr`, for False nothing
    {_name}, {_output}, {_time}     the experiment's name, its folder, the time when the run starts
    {_resume}   the stage's `resume:` text where an earlier attempt is resumed, else nothing, and
            nothing of the blanks before it: so the command of other attempts is the one without it

A line break and the blanks around it become one blank, so a template is one line of shell: a
comment that would swallow later lines, and a here-document, are errors. A backslash that ends a
line is dropped (mlrunner leaves it, as an escaped blank).

What only looks like a placeholder reaches the shell as written:

    ${NAME}, $[x]        after a dollar sign nothing is a placeholder
    \\{x}, \\[x]           outside quotes a backslash takes the meaning away, as in the shell
    {0}, {-}             not a name, unless a parameter is called that
    { print }, {a,b}     blanks or signs inside
    {{x}}                unless x is a parameter: then its value in braces, as in mlrunner
    [x], [0-9], a[i]     unless x is a parameter. A name in brackets that stands outside quotes as
                         a word of its own is taken for a mistyped one: an error
    # {x}                in a comment, unless x is a parameter

Any other `{name}` that is no parameter of the sweep is an error: a misspelt placeholder must not
reach a program. awk's '{print}' is written '{ print }'.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sweepmake.errors import InputError, suggestion
from sweepmake.params.naming import Value
from sweepmake.params.pipes import hidden_failures
from sweepmake.params.quoting import Context, Hole, Quote, read_shell

__all__ = ["RESERVED", "Pipe", "Template", "fill", "parse_template"]

RESERVED = ("_name", "_output", "_time", "_resume")

_PLACEHOLDER = re.compile(r"\{([\w-]+)\}|\[([\w-]+)\]")
_NAME = re.compile(r"[^\W\d][\w-]*")


@dataclass(frozen=True, slots=True)
class Placeholder:
    """Where a parameter's value goes: as the value alone, or as `--name value`."""

    name: str
    flag: bool
    quote: Quote

    def fill(self, values: Mapping[str, Value]) -> str:
        """Return the text that replaces the placeholder."""
        try:
            value = values[self.name]
        except KeyError:
            raise InputError(f"the parameter '{self.name}' has no value") from None
        if self.flag and isinstance(value, bool):
            return f"--{self.name}" if value else ""
        if not isinstance(value, str):
            if not isinstance(value, int | float):
                found = "null" if value is None else f"a {type(value).__name__}"
                raise InputError(
                    f"the parameter '{self.name}' is {found}, expected a text, number or boolean"
                )
            value = str(value)
        elif "\0" in value:
            raise InputError(f"the parameter '{self.name}' holds a NUL character")
        return f"--{self.name} {self.quote(value)}" if self.flag else self.quote(value)


@dataclass(frozen=True, slots=True)
class _Resume:
    """Where the text goes that resumes an earlier attempt; `blank` stands before it."""

    blank: str


@dataclass(frozen=True, slots=True)
class Pipe:
    """A pipe whose exit code is not that of the program that does the work.

    Attributes:
        line: where it stands in the file; None where that is not known.
        text: how it goes on, such as "| tee".
    """

    line: int | None
    text: str


@dataclass(frozen=True, slots=True)
class Template:
    """A stage's command template, parsed.

    Attributes:
        text: the template as one line.
        segments: what stands before, between and behind the {_time}s.
        parameters: the names that it uses, without the reserved ones.
        flags: those of them used as [name].
        resumes: whether it has a {_resume}.
        pipes: the pipes in it that hide an exit code.
    """

    text: str
    segments: tuple[tuple[str | Placeholder | _Resume, ...], ...]
    parameters: frozenset[str]
    flags: frozenset[str]
    resumes: bool = False
    pipes: tuple[Pipe, ...] = ()


def fill(
    template: Template,
    parameters: Mapping[str, Value],
    *,
    name: str,
    output: str,
    resume: Template | None = None,
) -> tuple[str, ...]:
    """Return an experiment's shell command, cut at each {_time}.

    Joined with a time such as "20261121.120000", the pieces are the command. The time is left out
    because it changes from run to run, and must not be part of the command's fingerprint.

    Args:
        template: the stage's template.
        parameters: the experiment's parameters, defaults and aliases filled in.
        name: the experiment's name, for {_name}.
        output: the folder in which it runs, for {_output}.
        resume: what {_resume} stands for; None for nothing.

    Raises:
        InputError: a parameter is missing, null, or not a text, number or boolean.
    """
    values = {**parameters, "_name": name, "_output": output}
    if resume is not None and template.resumes:
        filled = fill(resume, parameters, name=name, output=output)
        return tuple(_resumed(template, values, filled))
    return tuple(
        [
            "".join(
                [
                    part
                    if isinstance(part, str)
                    else part.fill(values)
                    if isinstance(part, Placeholder)
                    else ""
                    for part in segment
                ]
            )
            for segment in template.segments
        ]
    )


def _resumed(template: Template, values: Mapping[str, Value], resume: Sequence[str]) -> list[str]:
    """Return the command with the text that resumes an attempt, which may have a {_time} too."""
    pieces: list[str] = []
    for segment in template.segments:
        pieces.append("")
        for part in segment:
            if isinstance(part, _Resume):
                pieces[-1] += part.blank + resume[0]
                pieces.extend(resume[1:])
            else:
                pieces[-1] += part if isinstance(part, str) else part.fill(values)
    return pieces


def parse_template(
    text: str,
    known: Collection[str],
    *,
    aliases: Collection[str] = (),
    file: str | None = None,
    line: int | None = None,
    source: tuple[str, ...] = (),
) -> Template:
    """Return a template, parsed once for all experiments.

    Args:
        text: the template as YAML gives it.
        known: every parameter of the sweep.
        aliases: the names of aliases, which no template may use.
        file: where it stands, for messages.
        line: its first line there.
        source: the lines of the file that the template spans, to name the right one.

    Raises:
        InputError: it is empty, holds an unknown placeholder or an alias, uses one parameter both
            as {x} and as [x], leaves a quote open, or depends on its line breaks.
    """
    return _Parser(text, known, aliases, file, line, source).parse()


@dataclass(slots=True)
class _Parser:
    text: str
    known: Collection[str]
    aliases: Collection[str]
    file: str | None
    line: int | None
    source: tuple[str, ...]

    def parse(self) -> Template:
        one_line, joins = _join_lines(self.text)
        if not one_line:
            raise self._error("the template is empty, expected a command", "")
        if _here_document(self.text):
            raise self._error(
                "a here-document cannot stand in a template, whose lines are joined to one",
                "<<",
                hint="put the text into a file, or use <<<",
            )
        shell = read_shell(one_line, _PLACEHOLDER, self._is_placeholder, joins)
        if shell.swallowed:
            raise self._error(
                "a comment would swallow the lines that follow: lines are joined to one",
                "#",
                hint="remove the comment from the template",
            )
        if shell.unclosed:
            raise self._error(f"the template leaves a quote ({shell.unclosed}) open", "")
        pipes = [
            Pipe(self._line_of(shown), shown)
            for shown in hidden_failures(one_line, shell.operators, _PLACEHOLDER)
        ]
        return self._assemble(one_line, shell.pieces, tuple(pipes))

    def _assemble(
        self, one_line: str, pieces: tuple[str | Hole, ...], pipes: tuple[Pipe, ...]
    ) -> Template:
        segments: list[list[str | Placeholder | _Resume]] = [[]]
        plain: set[str] = set()
        flags: set[str] = set()
        for piece in pieces:
            if isinstance(piece, str):
                segments[-1].append(piece)
                continue
            name, flag = piece.text[1:-1], piece.text[0] == "["
            (flags if flag else plain).add(name)
            if name == "_resume":
                segments[-1].append(_Resume(_cut_blank(segments[-1])))
            elif name == "_time":
                if flag:
                    segments[-1].append("--_time ")
                segments.append([])
            else:
                segments[-1].append(Placeholder(name, flag, piece.quote))
        for name in sorted(plain & flags):
            raise self._error(
                f"the template uses '{name}' both as {{{name}}} and as [{name}]",
                f"[{name}]",
                hint="use one of the two",
            )
        return Template(
            one_line,
            tuple(tuple(segment) for segment in segments),
            frozenset(plain | flags) - set(RESERVED),
            frozenset(flags) - set(RESERVED),
            "_resume" in plain,
            pipes,
        )

    def _is_placeholder(self, match: re.Match[str], place: Context) -> bool:
        """Say whether a name in braces or brackets is a placeholder; raise where it should be."""
        name = match[1] or match[2]
        text, start, end = match.string, match.start(), match.end()
        before, after = text[start - 1 : start], text[end : end + 1]
        if before == "$":
            return False
        if name in self.aliases:
            raise self._error(
                f"'{name}' is an alias, which a template cannot use",
                match[0],
                hint="use the parameters that it stands for",
            )
        if name == "_resume" and (match[2] or place != "bare"):
            raise self._error(
                f"{match[0]} cannot stand here: it is a part of the command, not a value",
                match[0],
                hint="write {_resume}, outside quotes",
            )
        if name in self.known or name in RESERVED:
            return True
        if place == "comment" or not _NAME.fullmatch(name):
            return False
        if match[1] and not (before == "{" and after == "}"):
            raise self._unknown(match[0], name, f"to pass it to the shell write {{ {name} }}")
        alone = before in ("", " ", "\t") and after in ("", " ", "\t")
        if match[2] and place == "bare" and alone:
            raise self._unknown(match[0], name, f"to pass it to the shell write \\[{name}]")
        return False

    def _unknown(self, found: str, name: str, way_out: str) -> InputError:
        nearest = suggestion(name, sorted({*self.known, *RESERVED}))
        return self._error(
            f"unknown placeholder {found}: no parameter of that name in 'default', 'alias' "
            "or a document of choices",
            found,
            hint=f"{nearest}; {way_out}" if nearest else way_out,
        )

    def _error(self, problem: str, found: str, *, hint: str | None = None) -> InputError:
        return InputError(problem, file=self.file, line=self._line_of(found), hint=hint)

    def _line_of(self, found: str) -> int | None:
        """Return the line of the file on which a text stands, else the template's first."""
        for offset, source_line in enumerate(self.source):
            if self.line is not None and found and found in source_line:
                return self.line + offset
        return self.line


def _cut_blank(segment: list[str | Placeholder | _Resume]) -> str:
    """Take the blanks at the end of a segment away; return one, or "" where there are none."""
    last = segment[-1] if segment else ""
    if not isinstance(last, str) or last.endswith("\\ "):
        return ""
    kept = last.rstrip(" ")
    segment[-1:] = [kept]
    return " " if kept != last else ""


def _join_lines(text: str) -> tuple[str, list[int]]:
    """Return a template as one line, and the offsets of the blanks that were line breaks."""
    text = re.sub(r"(?<!\\)((?:\\\\)*)\\\r?\n", r"\1\n", text).strip()
    if re.search(r"(?<!\\)(?:\\\\)*\\\Z", text):
        text += " "  # an escaped blank at the end, which strip() took away
    joined, joins, end = "", [], 0
    for match in re.finditer(r"\s*\n\s*", text):
        joined += text[end : match.start()]
        joins.append(len(joined))
        joined += " "
        end = match.end()
    return joined + text[end:], joins


def _here_document(text: str) -> bool:
    """Say whether a template holds a here-document with its closing word on a line of its own."""
    for match in re.finditer(r"<<-?\s*[\\'\"]?([A-Za-z_]\w*)", text):
        if re.search(rf"\n\s*{match[1]}\s*(?:\n|\Z)", text[match.end() :]):
            return True
    return False
