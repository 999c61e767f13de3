"""Expressions of metrics, such as Training Log Wizard's `val_dsc / val_loss`, evaluated safely.

An expression has numbers, names of metrics, `+ - * / **`, parentheses and the functions `abs`,
`max`, `min`, `log`, `exp` and `sqrt`. A name of other characters than letters, digits and `_`
stands in backquotes; alone it needs none:

    val_dsc / val_loss
    max(`acc@1`, `acc@5`)
    acc@1

Every name is replaced before Python's parser sees the text, so that none has a meaning in Python,
and all arithmetic is that of floats, so that no power takes long.
"""

from __future__ import annotations

import ast
import functools
import math
import operator
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from sweepmake.errors import InputError, suggestion

__all__ = ["FUNCTIONS", "evaluate", "is_name", "names"]

FUNCTIONS: Mapping[str, Callable[..., float]] = {
    "abs": abs,
    "max": lambda *values: max(values),
    "min": lambda *values: min(values),
    "log": math.log,
    "exp": math.exp,
    "sqrt": math.sqrt,
}
_SEVERAL = ("max", "min")  # these take any number of arguments, the others one

_OPERATORS: Mapping[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
_LONGEST, _DEEPEST = 1_000, 200
_TOKEN = re.compile(
    r"`(?P<quoted>[^`]*)`"
    r"|(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?![\w.])"
    r"|(?P<word>[^\W\d]\w*)(?P<call>\s*\()?"
    r"|(?P<sign>\*\*|[-+*/(),])"
    r"|(?P<blank>\s+)"
)
_BARE = re.compile(r"[\w@.:/%-]*[^\W\d_][\w@.:/%-]*")


@dataclass(frozen=True, slots=True)
class _Parsed:
    """An expression ready to be evaluated: its tree, and the metric behind each name in it."""

    tree: ast.expr
    metrics: Mapping[str, str]


def names(expression: str, known: Collection[str] = ()) -> tuple[str, ...]:
    """Return the metrics that an expression uses, each once, in the order of the text.

    Args:
        expression: the expression.
        known: names of metrics; an expression that as a whole is one of them is that metric, even
            where it could be read otherwise ("val/loss").

    Raises:
        InputError: it cannot be read.
    """
    if expression.strip() in known:
        return (expression.strip(),)
    return tuple(_parse(expression).metrics.values())


def is_name(expression: str) -> bool:
    """Return whether an expression is just the name of one metric.

    Raises:
        InputError: it cannot be read.
    """
    return isinstance(_parse(expression).tree, ast.Name)


def evaluate(expression: str, values: Mapping[str, float | None]) -> float | None:
    """Return the value of an expression.

    Args:
        expression: the expression.
        values: metric -> value; None, and what is not finite, is a metric without a value. An
            expression that as a whole is one of these names is that metric.

    Returns:
        The value; None where a metric has none, and where the result is not a finite number
        (division by zero, the logarithm of a negative number, an overflow).

    Raises:
        InputError: it cannot be read.
    """
    whole = expression.strip()
    if whole in values:
        return _finite(values[whole])
    parsed = _parse(expression)
    found: dict[str, float] = {}
    for name, metric in parsed.metrics.items():
        value = _finite(values.get(metric))
        if value is None:
            return None
        found[name] = value
    try:
        return _finite(_value(parsed.tree, found))
    except (ArithmeticError, ValueError):
        return None


def _finite(value: object) -> float | None:
    """Return a real, finite number as a float, None for anything else."""
    if not isinstance(value, int | float):
        return None  # None, or the complex root of a negative number
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _value(node: ast.expr, values: Mapping[str, float]) -> float:
    """Return the value of a checked tree; every step gives a finite float or raises."""
    result: object
    if isinstance(node, ast.Constant):
        result = float(str(node.value))
    elif isinstance(node, ast.Name):
        result = values[node.id]
    elif isinstance(node, ast.UnaryOp):
        operand = _value(node.operand, values)
        result = -operand if isinstance(node.op, ast.USub) else operand
    elif isinstance(node, ast.BinOp):
        left, right = _value(node.left, values), _value(node.right, values)
        result = _OPERATORS[type(node.op)](left, right)
    elif isinstance(node, ast.Call):
        function = FUNCTIONS[_function(node)]
        result = function(*[_value(argument, values) for argument in node.args])
    else:  # _check has let nothing else pass
        raise TypeError(f"cannot evaluate {ast.dump(node)}")
    finite = _finite(result)
    if finite is None:
        raise ValueError(f"{result!r} is not a finite number")
    return finite


@functools.lru_cache(maxsize=64)
def _parse(expression: str) -> _Parsed:
    """Return an expression parsed and checked.

    Raises:
        InputError: it cannot be read, or it uses what is not allowed.
    """
    if not expression.strip():
        raise InputError("the expression is empty", hint="name a metric, such as val_loss")
    if len(expression) > _LONGEST:
        raise InputError(f"the expression is longer than {_LONGEST:,} characters")
    try:
        return _parse_tokens(expression)
    except InputError:
        bare = expression.strip()
        if _BARE.fullmatch(bare):
            return _Parsed(ast.Name("n0"), {"n0": bare})
        raise


def _parse_tokens(expression: str) -> _Parsed:
    """Return an expression parsed: first to tokens, whose names are replaced, then to a tree."""
    places: dict[str, str] = {}  # metric -> what stands for it
    text: list[str] = []
    at = 0
    while at < len(expression):
        token = _TOKEN.match(expression, at)
        if token is None:
            raise InputError(
                f"the expression '{expression}' has '{expression[at]}' at its character {at + 1}",
                hint="allowed are numbers, metrics, + - * / ** and parentheses; metrics with other "
                "characters in their names stand in backquotes: `acc@1`",
            )
        at = token.end()
        if token["call"] is not None:
            if token["word"] not in FUNCTIONS:
                raise InputError(
                    f"the expression '{expression}' has an unknown function '{token['word']}'",
                    hint=suggestion(token["word"], tuple(FUNCTIONS)),
                )
            text.append(token[0])
        elif token["word"] is not None or token["quoted"] is not None:
            metric = token["word"] or (token["quoted"] or "").strip()
            if not metric:
                raise InputError(f"the expression '{expression}' has an empty name in backquotes")
            text.append(f" {places.setdefault(metric, f'n{len(places)}')} ")
        elif token["number"] is not None:
            text.append(repr(float(token["number"])).replace("inf", "1e999"))
        else:
            text.append(" " if token["blank"] else token[0])
    try:
        tree = ast.parse("".join(text).strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise InputError(
            f"the expression '{expression}' cannot be read",
            hint="write it like val_dsc / val_loss, or max(val_acc, 0.5)",
        ) from error
    _check(tree, expression, 0)
    return _Parsed(tree, {place: metric for metric, place in places.items()})


def _check(node: ast.AST, expression: str, depth: int) -> None:
    """Raise InputError for anything in a tree that `_value` does not evaluate."""
    if depth > _DEEPEST:
        raise InputError(f"the expression '{expression[:60]}…' is nested too deeply")
    parts: list[ast.AST] = []
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        parts = [node.operand]
    elif isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        parts = [node.left, node.right]
    elif isinstance(node, ast.Call) and _function(node):
        parts = list(node.args)
        name, several = _function(node), _function(node) in _SEVERAL
        if not parts or (len(parts) > 1 and not several):
            raise InputError(
                f"the expression '{expression}' has '{name}' with {len(parts)} arguments, "
                f"expected {'at least ' * several}one"
            )
    elif isinstance(node, ast.Constant) and isinstance(node.value, float):
        if not math.isfinite(node.value):
            raise InputError(f"the expression '{expression}' has a number that is too large")
    elif not isinstance(node, ast.Name):
        raise InputError(
            f"the expression '{expression}' cannot be read",
            hint="write it like val_dsc / val_loss, or max(val_acc, 0.5)",
        )
    for part in parts:
        _check(part, expression, depth + 1)


def _function(call: ast.Call) -> str:
    """Return the name of the function that is called, "" where it is none of ours."""
    name = call.func.id if isinstance(call.func, ast.Name) and not call.keywords else ""
    return name if name in FUNCTIONS else ""
