"""Objectives: expressions of metrics, evaluated without anything that Python could do besides."""

from __future__ import annotations

import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweepmake.errors import InputError
from sweepmake.params.expressions import FUNCTIONS, evaluate, is_name, names

VALUES = {"a": 2.0, "b": -3.0, "zero": 0.0, "acc@1": 0.5, "acc@5": 0.75, "val_dsc": 1.0,
          "val_loss": 4.0, "lambda": 7.0, "max": 9.0, "no": None, "nan": math.nan, "µ": 1.5,
          "inf": math.inf, "n0": 5.0, "epoch time": 11.0, "eval/loss": 0.25}  # fmt: skip


@pytest.mark.parametrize(
    ("expression", "used", "value"),
    [
        ("val_dsc / val_loss", ("val_dsc", "val_loss"), 0.25),
        ("acc@1", ("acc@1",), 0.5),
        ("  acc@1 ", ("acc@1",), 0.5),
        ("max(`acc@1`, `acc@5`)", ("acc@1", "acc@5"), 0.75),
        ("`epoch time` * 2", ("epoch time",), 22.0),
        ("` epoch time `", ("epoch time",), 11.0),
        ("-a ** 2 + +b", ("a", "b"), -7.0),
        ("2 ** -1", (), 0.5),
        ("(a + b) * (a - b)", ("a", "b"), -5.0),
        ("abs(b)\n + min(a, b, 1e1) + sqrt(.25) + exp(zero) + log(1.)", ("b", "a", "zero"), 1.5),
        ("max(b) - min(a)", ("b", "a"), -5.0),
        ("a - a - a", ("a",), -2.0),
        ("lambda + max + max(n0, µ)", ("lambda", "max", "n0", "µ"), 21.0),
        ("lambda", ("lambda",), 7.0),
    ],
)
def test_value(expression: str, used: tuple[str, ...], value: float) -> None:
    """The usual arithmetic; a name is a metric's even where Python gives it a meaning."""
    assert names(expression) == used
    assert evaluate(expression, VALUES) == value


def test_a_metric_named_like_an_expression_wins() -> None:
    """Where "eval/loss" is a metric's name, the objective eval/loss is that metric."""
    assert names("eval/loss") == ("eval", "loss")
    assert names("eval/loss", VALUES) == ("eval/loss",)
    assert evaluate("eval/loss", VALUES) == 0.25
    assert evaluate("eval/loss", {"eval": 6.0, "loss": 3.0}) == 2.0
    assert evaluate("`eval/loss` * 2", VALUES) == 0.5


@pytest.mark.parametrize(
    ("expression", "single"),
    [("a", True), ("acc@1", True), ("`a b`", True), ("(a)", True), ("-a", False), ("a/b", False),
     ("1", False)],
)  # fmt: skip
def test_is_name(expression: str, single: bool) -> None:
    """A metric alone is told from an expression."""
    assert is_name(expression) is single


@pytest.mark.parametrize(
    "expression",
    [
        "a / zero", "zero / zero", "zero ** -1", "log(zero)", "log(b)", "sqrt(b)", "b ** 0.5",
        "exp(1e4)", "9 ** 9 ** 9 ** 9", "1e308 * 10", "a + no", "a + missing", "missing", "no",
        "nan", "inf",
        "1 / inf", "max(a, nan)", "a * `not there`", "(b ** 0.5) ** 2",
    ],
)  # fmt: skip
def test_no_value(expression: str) -> None:
    """A missing metric, or a result that is no finite real number, is no value and no crash."""
    assert evaluate(expression, VALUES) is None


def test_huge_powers_do_not_hang() -> None:
    """Arithmetic is that of floats: there are no integers of a million digits."""
    begun = time.monotonic()
    assert evaluate("99999999 ** 99999999 ** 9 * 0 + a", VALUES) is None
    assert evaluate("(((10 ** 300) ** 300) ** 300) ** 300", VALUES) is None
    assert time.monotonic() - begun < 1


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("", "empty"),
        ("  ", "empty"),
        ("a b", "cannot be read"),
        ("a +", "cannot be read"),
        ("(a", "cannot be read"),
        ("a, b", "cannot be read"),
        ("()", "cannot be read"),
        ("1(2)", "cannot be read"),
        ("(a)(b)", "cannot be read"),
        ("max(*a)", "cannot be read"),
        ("a // b", "cannot be read"),
        ("max()", "'max' with 0 arguments, expected at least one"),
        ("log(a, 2)", "'log' with 2 arguments, expected one"),
        ("squirt(a)", "unknown function 'squirt' (did you mean 'sqrt'?)"),
        ("__import__('os').system('id')", "unknown function '__import__'"),
        ("a.__class__ + 1", "'.' at its character 2"),
        ("a[0] * 2", "'[' at its character 2"),
        ("a if b else 1", "cannot be read"),
        ("(lambda: 1)", "':' at its character 8"),
        ("a = 2 ", "'=' at its character 3"),
        ("'text' ", "''' at its character 1"),
        ("2 ` ` ", "empty name in backquotes"),
        ("`a ", "'`' at its character 1"),
        ("1e999 * a", "too large"),
        ("1a + 2", "'1' at its character 1"),
        ("+" * 900 + "(a)", "nested too deeply"),
        ("a + " * 400 + "a", "longer than 1,000"),
        ("(" * 400 + "a" + ")" * 400, "cannot be read"),
    ],
)
def test_bad_expressions(expression: str, says: str) -> None:
    """What cannot be read, or is not allowed, is an error of the user's input."""
    with pytest.raises(InputError) as caught:
        names(expression)
    assert says in str(caught.value)
    with pytest.raises(InputError):
        evaluate(expression, VALUES)


def test_how_long_and_how_deep_an_expression_may_be() -> None:
    """1,000 characters and 200 operations within each other; one more is refused."""
    assert evaluate("a" + " " * 999, VALUES) == 2.0
    with pytest.raises(InputError, match="longer than 1,000"):
        names("a" + " " * 1000)
    assert evaluate("-" * 200 + "(a)", VALUES) == 2.0
    assert evaluate("a" + " + a" * 200, VALUES) == 402.0
    for deeper in ("-" * 201 + "(a)", "a" + " + a" * 201):
        with pytest.raises(InputError, match="nested too deeply"):
            names(deeper)


NUMBERS = st.floats(-1e6, 1e6) | st.just(0.0)
LEAVES = st.one_of(
    st.sampled_from(["a", "b", "zero", "`acc@1`", "no", "missing", "nan"]),
    NUMBERS.map(lambda number: repr(abs(number))),
)


def _grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "**"]), inner).map(
            lambda parts: "({} {} {})".format(*parts)
        ),
        inner.map(lambda text: f"-{text}"),
        st.tuples(st.sampled_from(["abs", "log", "exp", "sqrt"]), inner).map(
            lambda parts: "{}({})".format(*parts)
        ),
        st.tuples(st.sampled_from(["max", "min"]), st.lists(inner, min_size=1, max_size=3)).map(
            lambda parts: f"{parts[0]}({', '.join(parts[1])})"
        ),
    )


def _python(expression: str) -> float | None:
    """What Python makes of it, each step a finite float or nothing."""
    known = {name: value for name, value in VALUES.items() if name.isidentifier()}
    known.update(acc_1=VALUES["acc@1"])
    text = expression.replace("`acc@1`", "acc_1")
    try:
        value = eval(text, {"__builtins__": {}}, {**known, **FUNCTIONS})
        return float(value) if math.isfinite(value) else None
    except (ArithmeticError, ValueError, TypeError, NameError):
        return None


@given(st.recursive(LEAVES, _grown, max_leaves=12))
def test_any_expression_has_pythons_value(expression: str) -> None:
    """Python gives the same value where all is finite; never an error, an infinity or a nan."""
    value = evaluate(expression, VALUES)
    assert value is None or math.isfinite(value)
    if value is not None:
        assert value == _python(expression)


@given(st.text(max_size=30) | st.text("ab01.e()`*/+- ,max@", max_size=20))
def test_any_text_is_a_value_or_an_error_of_input(text: str) -> None:
    """No text brings anything but a number, no number, or a message."""
    try:
        used = names(text)
    except InputError:
        return
    value = evaluate(text, dict.fromkeys(used, 1.5))
    assert value is None or math.isfinite(value)


@given(st.text(st.characters(exclude_characters="`", exclude_categories=["Cs"]), min_size=1))
def test_any_name_works_in_backquotes(name: str) -> None:
    """Whatever a log calls its metric, but for blanks around it."""
    if name.strip():
        assert evaluate(f"`{name}` * 2", {name.strip(): 21.0}) == 42.0
