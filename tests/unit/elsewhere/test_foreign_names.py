"""Parameters in the names of experiments that Sweepmake did not run."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweepmake.elsewhere.names import (
    name_of_path,
    parameters_of_name,
    parameters_of_path,
    read_value,
)
from sweepmake.params.naming import LONGEST_NAME, Value, experiment_name, identity

WORDS = st.from_regex(r"[a-z][a-z0-9]{0,5}", fullmatch=True).filter(
    lambda word: word not in ("true", "false", "none")
)
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
NUMERIC = st.tuples(
    st.lists(WORDS, min_size=1, max_size=3).map("_".join),
    st.lists(NUMBERS, min_size=1, max_size=4),
)
TEXTS = st.tuples(WORDS, st.tuples(st.from_regex(r"[A-Za-z][A-Za-z.+]{0,7}", fullmatch=True)))
ENTRIES = st.lists(NUMERIC | TEXTS, min_size=2, max_size=8, unique_by=lambda entry: entry[0])


@given(ENTRIES)
def test_what_the_wizard_writes_is_read_back(entries: list[tuple[str, list[Value]]]) -> None:
    """Numbers come back as themselves, negative ones and exponents too; lists as their text."""
    name = "-".join("_".join([key, *map(str, values)]) for key, values in entries)
    expected = {
        key: values[0] if len(values) == 1 else f"[{', '.join(map(str, values))}]"
        for key, values in entries
    }
    decoded = parameters_of_name(name)
    assert list(decoded) == list(expected)
    for key, value in expected.items():
        assert identity(decoded[key]) == identity(value)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("batch_size_32", {"batch_size": 32}),
        ("lr_1e-05-mom_-0.9", {"lr": 1e-05, "mom": -0.9}),
        ("dpout_0.5_0.5-x_1", {"dpout": "[0.5, 0.5]", "x": 1}),
        ("dpout_0.50_-0.5_1e-3", {"dpout": "[0.50, -0.5, 1e-3]"}),
        ("beta_1_0.9-beta_2_0.99", {"beta_1": 0.9, "beta_2": 0.99}),
        ("opt_adam-w-use_bn_True-lr_.1", {"opt": "adam-w", "use_bn": "True", "lr": 0.1}),
        ("norm_batch_norm-seed_007", {"norm": "batch_norm", "seed": "007"}),
        ("data_cifar-10-conv1_64", {"data": "cifar-10", "conv1": 64}),
        ("Norm_new-Moment_0.1-BatchSize_32", {"norm": "new", "moment": 0.1, "batch_size": 32}),
        ("my_experiment", {}),
        ("baseline", {}),
        ("vgg16-lr_0.1", {}),  # which net it was would be lost
        ("2024-01-05_run-lr_1", {}),
        ("lr_-mom_0.9", {}),
        ("lr_1-lr_2", {}),
        ("Lr_0.1-Text_ab-12ab34cd", {}),  # a hash: not all is in the name
        ("", {}),
        ("_lr_1", {}),
    ],
)
def test_names_are_read_with_care(name: str, parameters: dict[str, Value]) -> None:
    """Keys may hold underscores and digits; what is no list of parameters gives none."""
    decoded = parameters_of_name(name)
    assert {k: identity(v) for k, v in decoded.items()} == {
        k: identity(v) for k, v in parameters.items()
    }


@given(st.text(max_size=60))
def test_any_text_can_be_asked(text: str) -> None:
    """No name is too odd to be looked at, and none gives a key or a value of nothing."""
    for key, value in parameters_of_name(text).items():
        assert key
        assert value != ""


@given(
    st.dictionaries(
        st.sampled_from(["lr", "seed", "weight_decay", "norm"]),
        st.integers(0, 99) | st.floats(0, 1) | st.sampled_from(["batch", "layer"]),
        min_size=2,
    )
)
def test_our_own_names_are_read_as_naming_reads_them(choices: dict[str, Value]) -> None:
    """Folders of Sweepmake or mlrunner without their `param` still give their parameters."""
    assert parameters_of_name(experiment_name(choices)) == choices


def test_folders_add_to_each_other() -> None:
    """The outer folder's parameters come first; a name without any is kept."""
    assert parameters_of_path(["lr_0.1", "seed_2"]) == {"lr": 0.1, "seed": 2}
    assert parameters_of_path(["ours", "lr_0.1", "b"]) == {"lr": 0.1, "folder": "ours/b"}
    assert parameters_of_path(["ours", "b"]) == {}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1), ("-1", -1), ("1.0", 1.0), ("1e-05", 1e-05), (".5", 0.5), ("5.", 5.0),
        ("0.12345678901", 0.12345678901), ("9" * 100, int("9" * 100)), ("9" * 101, "9" * 101),
        ("0", 0), ("0.5", 0.5), ("007", "007"), ("nan", "nan"), ("inf", "inf"),
        ("1e999", "1e999"), ("1_000", "1_000"), ("0x1F", "0x1F"), ("True", "True"),
        ("", ""), (" 1", " 1"), ("٣", "٣"), ("9" * 5000, "9" * 5000),
    ],
)  # fmt: skip
def test_values_are_numbers_where_they_look_so(text: str, value: Value) -> None:
    """And texts where reading them as numbers would lose something."""
    assert identity(read_value(text)) == identity(value)


@given(st.text(max_size=300).filter(lambda text: text.strip("/")))
def test_a_name_is_one_component_of_a_path(path: str) -> None:
    """No slash, no brace, nothing that cannot be printed, not too long, and not hidden."""
    name = name_of_path(path)
    assert name.isprintable()
    assert not set(name) & set("/{}")
    assert not name.startswith(".")
    assert 0 < len(name.encode()) <= LONGEST_NAME


def test_changed_names_stay_different() -> None:
    """What was replaced is told apart by a hash; slashes alone need none."""
    assert name_of_path("a/b") == "a-b"
    assert name_of_path("a{b}") != name_of_path("a{b{") != name_of_path("a_b_")
    assert name_of_path("x" * 300) != name_of_path("x" * 301)


def test_changed_names_stay_what_they_are() -> None:
    """Results lie in folders of these names."""
    assert name_of_path("a{b}/c") == "a_b_-c-3a60595b"
