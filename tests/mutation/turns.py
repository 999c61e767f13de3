"""How one node of a syntax tree may be turned into another that is slightly wrong."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from typing import NamedTuple, TypeVar

Node = TypeVar("Node", bound=ast.AST)

_COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_CALCULATED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Div,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}
_WRITTEN: dict[type[ast.AST], str] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Is: "is",
    ast.IsNot: "is not",
    ast.In: "in",
    ast.NotIn: "not in",
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.Pow: "**",
    ast.BitOr: "|",
    ast.BitAnd: "&",
    ast.LShift: "<<",
    ast.RShift: ">>",
    ast.And: "and",
    ast.Or: "or",
}
# turning one of these is the same as negating the condition that it is
_OPPOSITES = (ast.Eq, ast.NotEq, ast.Is, ast.IsNot, ast.In, ast.NotIn)
_SHORT = 20  # characters: a longer string is a message, a pattern or a text
# arguments that guard or say what is so anyway: without them a correct program does the same
_GUARDS = {("dataclass", "frozen"), ("dataclass", "slots"), ("zip", "strict")}
_GUARDS_ANYWHERE = {"encoding"}


class Turn(NamedTuple):
    """One change: `new` in the place of `old`.

    `group` is the sort of change (`compare`, `argument`, …), `kind` says what is done to this node.
    """

    group: str
    kind: str
    old: ast.AST
    new: ast.AST


def is_guard(call: ast.Call, argument: ast.keyword) -> bool:
    """Return whether an argument guards, or says what is so anyway."""
    return argument.arg in _GUARDS_ANYWHERE or (called(call), argument.arg) in _GUARDS


def turns(node: ast.AST, *, truth: bool = False) -> Iterator[Turn]:
    """Yield the ways to turn one node, its children left as they are.

    Args:
        node: a node at a place where it is executed (no docstring, no annotation).
        truth: whether the node stands in a function that is annotated to return a `bool`.
    """
    if isinstance(node, ast.Compare):
        yield from _compared(node)
    elif isinstance(node, ast.BoolOp):
        other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield Turn("bool", _into(node.op, other), node, _changed(node, op=other))
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield Turn("not", "drop not", node, node.operand)
    elif isinstance(node, ast.BinOp | ast.AugAssign):
        yield from _calculated(node)
    elif isinstance(node, ast.Constant):
        yield from _constant(node)
    elif isinstance(node, ast.Call):
        yield from _sorted(node)
        yield from _arguments(node)
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        yield Turn("call", "leave out the call", node, ast.Pass())
    elif isinstance(node, ast.Return):
        yield from _returned(node, truth)
    elif isinstance(node, ast.Break):
        yield Turn("loop", "turn break into continue", node, ast.Continue())
    elif isinstance(node, ast.Continue):
        yield Turn("loop", "turn continue into break", node, ast.Break())
    yield from _negated(node)


def _changed(node: Node, **fields: object) -> Node:
    """Return a copy of a node, its children the same, with other values of some fields."""
    fresh = copy.copy(node)
    for name, value in fields.items():
        setattr(fresh, name, value)
    return fresh


def _into(old: ast.AST, new: ast.AST) -> str:
    return f"turn {_WRITTEN[type(old)]} into {_WRITTEN[type(new)]}"


def _compared(node: ast.Compare) -> Iterator[Turn]:
    for at, old in enumerate(node.ops):
        new = _COMPARED[type(old)]()
        ops = [*node.ops[:at], new, *node.ops[at + 1 :]]
        yield Turn("compare", _into(old, new), node, _changed(node, ops=ops))


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr | ast.List | ast.ListComp | ast.Tuple) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)
    )


def _calculated(node: ast.BinOp | ast.AugAssign) -> Iterator[Turn]:
    # texts and lists joined, paths put together: any other operator is a TypeError, noticed by all
    sides = [node.left, node.right] if isinstance(node, ast.BinOp) else [node.value]
    if type(node.op) in _CALCULATED and not any(map(_is_text, sides)):
        new = _CALCULATED[type(node.op)]()
        yield Turn("arithmetic", _into(node.op, new), node, _changed(node, op=new))


def _constant(node: ast.Constant) -> Iterator[Turn]:
    value = node.value
    new: object
    if isinstance(value, bool):
        new = not value
    elif isinstance(value, int | float):
        new = value + 1
    elif isinstance(value, str) and 0 < len(value) <= _SHORT:
        new = ""
    else:
        return
    yield Turn("constant", f"turn {value!r} into {new!r}", node, _changed(node, value=new))


def called(node: ast.Call) -> str:
    """Return the last name of what is called (`sort` of `rows.sort()`); "" if it has none."""
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


def _sorted(node: ast.Call) -> Iterator[Turn]:
    if called(node) not in ("sorted", "sort"):
        return
    given = [keyword.value for keyword in node.keywords if keyword.arg == "reverse"]
    if given and isinstance(given[0], ast.Constant):
        return  # turned as any other True or False
    reverse: ast.expr = ast.UnaryOp(ast.Not(), given[0]) if given else ast.Constant(True)
    others = [keyword for keyword in node.keywords if keyword.arg != "reverse"]
    new = _changed(node, keywords=[*others, ast.keyword("reverse", reverse)])
    yield Turn("sort", "reverse the sort", node, new)


def _arguments(node: ast.Call) -> Iterator[Turn]:
    for keyword in node.keywords:
        if keyword.arg is not None and not is_guard(node, keyword):
            others = [other for other in node.keywords if other is not keyword]
            new = _changed(node, keywords=others)
            yield Turn("argument", f"drop argument {keyword.arg}", node, new)
    if len(node.args) > 1:  # an only one is seldom one that may be left out
        new = _changed(node, args=node.args[:-1])
        yield Turn("argument", "drop the last argument without a name", node, new)


def _returned(node: ast.Return, truth: bool) -> Iterator[Turn]:
    if node.value is None or isinstance(node.value, ast.Constant):
        return  # a constant is turned as any other
    if not truth:
        yield Turn("return", "return None", node, _changed(node, value=ast.Constant(None)))
    elif _can_be_negated(node.value):
        opposite = ast.UnaryOp(ast.Not(), node.value)
        yield Turn("return", "return the opposite", node, _changed(node, value=opposite))


def _can_be_negated(condition: ast.expr) -> bool:
    """Return whether `not` before a condition is another change than those of its own node."""
    if isinstance(condition, ast.Compare) and len(condition.ops) == 1:
        return not isinstance(condition.ops[0], _OPPOSITES)
    negation = isinstance(condition, ast.UnaryOp) and isinstance(condition.op, ast.Not)
    return not negation and not isinstance(condition, ast.Constant)


def _negated(node: ast.AST) -> Iterator[Turn]:
    conditions: list[ast.expr] = []
    if isinstance(node, ast.If | ast.While | ast.IfExp):
        conditions = [node.test]
    elif isinstance(node, ast.comprehension):
        conditions = node.ifs
    elif isinstance(node, ast.match_case) and node.guard:
        conditions = [node.guard]
    for condition in filter(_can_be_negated, conditions):
        negation = ast.UnaryOp(ast.Not(), condition)
        yield Turn("branch", "negate the condition", condition, negation)
