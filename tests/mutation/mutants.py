"""All small mutations of one module's source."""

from __future__ import annotations

import ast
import difflib
import re
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from .turns import Turn, called, is_guard, turns

# names whose values are no behaviour
_NAMES = re.compile(r"__all__|__slots__|TYPE_CHECKING|\w*version\w*", re.IGNORECASE)
# an operator in the place of one of their operands needs parentheses
_TIGHT = (
    ast.Attribute,
    ast.Await,
    ast.BinOp,
    ast.BoolOp,
    ast.Compare,
    ast.IfExp,
    ast.Starred,
    ast.Subscript,
    ast.UnaryOp,
    ast.comprehension,
)
_LOOSE = (ast.BinOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.Lambda, ast.UnaryOp)


@dataclass(frozen=True, slots=True)
class Mutation:
    """One small change of a module.

    Attributes:
        module: the file, relative to the package (`logs/streams.py`).
        function: its qualified name (`Judge.verdict`), the class's between functions, "" outside.
        line: the line on which the change begins, without its indentation.
        kind: what is done (`turn < into <=`); ` #2` and so on where a line allows the same twice.
        group: the sort of change.
        number: the line's number, from 1.
        runs: the first and the last of the lines that a test runs when it runs what is changed;
            None for what runs when the module is imported.
        start, end, text: what is replaced, in bytes of the source, and by what.
    """

    module: str
    function: str
    line: str
    kind: str
    group: str
    number: int
    runs: tuple[int, int] | None
    start: int
    end: int
    text: str

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What stays the same when lines are added above."""
        return self.module, self.function, self.line, self.kind

    def applied(self, source: str) -> str:
        """Return the module's source with the change."""
        data = source.encode()
        return (data[: self.start] + self.text.encode() + data[self.end :]).decode()

    def diff(self, source: str) -> str:
        """Return the change as a unified diff."""
        old, new = source.splitlines(keepends=True), self.applied(source).splitlines(keepends=True)
        names = self.module, f"{self.module} (mutated)"
        return "".join(difflib.unified_diff(old, new, *names, n=2))


def compiles(source: str) -> bool:
    """Return whether Python takes a source."""
    try:
        with warnings.catch_warnings(action="ignore"):
            compile(source, "<mutant>", "exec")
    except SyntaxError:
        return False
    return True


def find_mutations(module: str, source: str) -> list[Mutation]:
    """Return all mutations of a module, in the order of its lines; no two give the same source.

    Docstrings, annotations, `__all__`, `__slots__`, versions and what only type checkers see are
    left out. That each of them compiles is not checked: it takes long.

    Raises:
        SyntaxError: the source is no Python.
    """
    finder = _Finder(module, source)
    finder.visit(ast.parse(source))
    found: dict[tuple[int, int, str], Mutation] = {}
    for mutation in finder.found:
        changed = (mutation.start, mutation.end, mutation.text)
        found.setdefault(changed, mutation)
    return sorted(found.values(), key=lambda one: (one.number, one.start, one.kind))


def count_statements(source: str) -> int:
    """Return how many lines of a module begin a statement, docstrings not counted."""
    nodes = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.stmt))
    return len({node.lineno for node in nodes if not _is_docstring(node)})


def _is_docstring(node: ast.AST) -> bool:
    """Return whether a statement is a string alone: a docstring, or one below an attribute."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def is_for_type_checkers(node: ast.AST) -> bool:
    """Return whether a statement is `if TYPE_CHECKING:`, or that of `typing`."""
    if not isinstance(node, ast.If):
        return False
    name = getattr(node.test, "attr", None) or getattr(node.test, "id", None)
    return name == "TYPE_CHECKING"


class _Finder(ast.NodeVisitor):
    """Walks a tree; collects in `found`."""

    def __init__(self, module: str, source: str) -> None:
        self.found: list[Mutation] = []
        self._module = module
        self._lines = source.encode().splitlines(keepends=True)
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line))
        self._seen: Counter[tuple[str, str, str]] = Counter()
        self._names: list[str] = []
        self._truth = False
        self._runs: tuple[int, int] | None = None
        self._in_function = False
        self._joined: ast.JoinedStr | None = None
        self._parents: list[ast.AST] = []

    def visit(self, node: ast.AST) -> None:
        if _is_docstring(node):
            return
        before = self._runs
        if self._in_function:
            self._runs = _own_lines(node) or self._runs
        if not is_for_type_checkers(node):
            for turn in turns(node, truth=self._truth):
                self._add(turn, node)
        self._parents.append(node)
        super().visit(node)
        self._parents.pop()
        self._runs = before

    def _add(self, turn: Turn, node: ast.AST) -> None:
        if self._joined:  # its parts know no places before Python 3.12: it is written anew
            old: ast.AST = self._joined
            try:
                text = ast.unparse(_with(self._joined, turn.old, turn.new))
            except ValueError:  # quotes in quotes, before Python 3.12
                return
        else:
            old, text = turn.old, ast.unparse(turn.new)
            above = self._parents[-1] if turn.old is node and self._parents else node
            if isinstance(turn.new, _LOOSE) and isinstance(above, _TIGHT):
                text = f"({text})"
        assert isinstance(old, ast.expr | ast.stmt)
        assert old.end_lineno is not None
        assert old.end_col_offset is not None
        line = self._lines[old.lineno - 1].decode().strip()
        function = ".".join(self._names)
        self._seen[function, line, turn.kind] += 1
        nth = self._seen[function, line, turn.kind]
        self.found.append(
            Mutation(
                module=self._module,
                function=function,
                line=line,
                kind=turn.kind if nth == 1 else f"{turn.kind} #{nth}",
                group=turn.group,
                number=old.lineno,
                runs=self._runs,
                start=self._starts[old.lineno - 1] + old.col_offset,
                end=self._starts[old.end_lineno - 1] + old.end_col_offset,
                text=text,
            )
        )

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        before = self._runs, self._in_function, self._truth, self._names
        self._names = [*self._names, node.name]
        # whoever calls the function notices its defaults and its decorators
        self._runs = (node.body[0].lineno, node.end_lineno or node.lineno)
        self._in_function = False
        for part in [*node.decorator_list, node.args]:
            self.visit(part)
        self._in_function = True
        self._truth = isinstance(node.returns, ast.Name) and node.returns.id == "bool"
        for statement in node.body:
            self.visit(statement)
        self._runs, self._in_function, self._truth, self._names = before

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._names.append(node.name)
        self.generic_visit(node)
        self._names.pop()

    def visit_arg(self, node: ast.arg) -> None:
        """An annotation is all that it has."""

    def visit_Assign(self, node: ast.Assign) -> None:
        if not any(map(self._is_no_behaviour, node.targets)):
            self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value and not self._is_no_behaviour(node.target):
            self.visit(node.value)

    def _is_no_behaviour(self, target: ast.expr) -> bool:
        named = isinstance(target, ast.Name) and _NAMES.fullmatch(target.id)
        return bool(named) and not self._in_function

    def visit_If(self, node: ast.If) -> None:
        if is_for_type_checkers(node):
            for statement in node.orelse:
                self.visit(statement)
        else:
            self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        if called(node) in ("cast", "TypeVar", "NewType"):
            for argument in node.args[1:]:
                self.visit(argument)
        else:
            for part in [node.func, *node.args]:
                self.visit(part)
            for keyword in node.keywords:
                if not is_guard(node, keyword):
                    self.visit(keyword.value)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        if not (isinstance(node.value, ast.Name) and node.value.id == "Literal"):
            self.generic_visit(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        outer, self._joined = self._joined, self._joined or node
        for part in node.values:  # the texts between are messages
            if isinstance(part, ast.FormattedValue):
                self.visit(part.value)
        self._joined = outer


def _own_lines(node: ast.AST) -> tuple[int, int] | None:
    """Return the first and last line of a statement, of one with a block those of its head."""
    if isinstance(node, ast.match_case):
        return node.pattern.lineno, (node.guard or node.pattern).end_lineno or 0
    if not isinstance(node, ast.stmt | ast.excepthandler):
        return None
    body: list[ast.AST] = getattr(node, "body", None) or getattr(node, "cases", None) or []
    firsts = [part.lineno for part in body if isinstance(part, ast.stmt)]
    firsts += [part.pattern.lineno for part in body if isinstance(part, ast.match_case)]
    last = firsts[0] - 1 if firsts else node.end_lineno or 0
    return node.lineno, max(node.lineno, last)


def _with(root: ast.AST, old: ast.AST, new: ast.AST) -> ast.AST:
    """Return a copy of a tree with one of its nodes replaced."""
    return next(_copies([root], old, new))


def _copies(nodes: list[ast.AST], old: ast.AST, new: ast.AST) -> Iterator[ast.AST]:
    for node in nodes:
        if node is old:
            yield new
            continue
        values: dict[str, object] = {}
        for name, value in ast.iter_fields(node):
            if isinstance(value, ast.AST):
                values[name] = _with(value, old, new)
            elif isinstance(value, list) and value and isinstance(value[0], ast.AST):
                values[name] = list(_copies(value, old, new))
            else:
                values[name] = value
        yield type(node)(**values)
