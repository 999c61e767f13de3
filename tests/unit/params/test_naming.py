"""Names: mlrunner's where nothing is lost, never shared, always one safe path component."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweepmake.params.naming import LONGEST_NAME, decode_name, experiment_name, identity

# short alphabets make near misses likely: keys and values that run into each other
keys = st.one_of(
    st.text("abl_-RT12", min_size=1, max_size=6),
    st.sampled_from(["lr", "norm", "learning_rate", "lr_max", "beta_1", "LR", "weight-decay", "é"]),
)
values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=12),
    st.text("aT_-./ {}<>1e0\n", max_size=12),
    st.sampled_from(["T", "None", "nan", "1", "1.0", "-Lr_1", "x-0123abcd", "../../x", "a" * 300]),
)
choices = st.dictionaries(keys, values, max_size=4)


def typed(choice: dict) -> frozenset:
    """Choices as a set in which 1, 1.0, True and "1" differ."""
    return frozenset((key, identity(value)) for key, value in choice.items())


@pytest.mark.parametrize(
    ("choice", "name"),
    [
        ({"norm": "new", "moment": 0.1}, "Norm_new-Moment_0.1"),
        ({"amp": True, "fp16": False, "x": None}, "Amp_T-Fp16_F-X_None"),
        ({"lr": 1e-07, "n": 12}, "Lr_1e-07-N_12"),
        ({"lr_max": 0.5}, "lrMax_0.5"),
        ({"learning_rate": 0.1}, "LearningRate_0.1"),
        ({"adam_beta_1": 0.9}, "AdamBeta.1_0.9"),
        ({"x": 0.12345671}, "X_0.12345671"),
        ({"x": 1000000, "y": 1e6}, "X_1000000-Y_1e+06"),
        ({"x": 1.0}, "X_1.0"),
        ({"x": -1, "y": ""}, "X_-1-Y_"),
        ({"data": "iwslt14.tokenized.de-en"}, "Data_iwslt14.tokenized.de-en"),
        ({}, "default"),
    ],
)
def test_a_name_that_shows_its_choices_has_no_hash(choice: dict, name: str) -> None:
    """Common choices give the names that a person would write."""
    assert experiment_name(choice) == name
    assert typed(decode_name(name)) == typed(choice)


@pytest.mark.parametrize(
    "choice",
    [
        {"x": "1"},
        {"x": "T"},
        {"x": "nan"},
        {"x": "a/b"},
        {"x": "../../x"},
        {"x": "/etc/passwd"},
        {"x": "a\nb"},
        {"x": "{y}"},
        {"x": "a "},
        {"x": "b-Y_1"},
        {"x": "b" * 101},
        {"LR": 1},
        {"weight-decay": 1},
        {"x": "y-0123abcd"},
        {"x": 10**5000},
    ],
)
def test_a_name_that_would_lose_something_ends_in_a_hash(choice: dict) -> None:
    """What was replaced, cut or could be misread is told apart by a hash."""
    name = experiment_name(choice)
    assert re.search(r"-[0-9a-f]{8}$", name)
    assert decode_name(name) is None


def test_values_that_mlrunner_gives_one_name_have_two() -> None:
    """The collisions of mlrunner's names, from its own rules."""
    pairs = [
        ({"x": 0.12345671}, {"x": 0.12345672}),
        ({"x": "a/b"}, {"x": "a_b"}),
        ({"x": 1}, {"x": True}),
        ({"x": 1}, {"x": "1"}),
        ({"x": 0.0}, {"x": -0.0}),
        ({"learning_rate": 1}, {"lemon_rate": 1}),
        ({"lr": 1}, {"Lr": 1}),
        ({"a": "b-C_d"}, {"a": "b", "c": "d"}),
        ({"x": "a" * 99 + "b" * 100}, {"x": "c" + "b" * 100}),
    ]
    for one, other in pairs:
        assert experiment_name(one) != experiment_name(other)


@settings(max_examples=300, deadline=None)
@given(st.lists(choices, min_size=2, max_size=6))
def test_no_two_experiments_share_a_name(many: list[dict]) -> None:
    """Names are injective over typed choices, whatever keys and values are."""
    by_name: dict[str, frozenset] = {}
    for choice in many:
        assert by_name.setdefault(experiment_name(choice), typed(choice)) == typed(choice)


@settings(max_examples=300, deadline=None)
@given(choices)
def test_a_name_is_one_safe_path_component(choice: dict) -> None:
    """It fits the file system, stays in its folder, and holds nothing that Snakemake reads."""
    name = experiment_name(choice)
    assert 0 < len(name.encode("utf-8")) <= LONGEST_NAME
    assert name == experiment_name(dict(choice))
    assert not set(name) & set("/{}<\0\n")
    assert name.isprintable()
    assert name == name.strip()
    assert not name.startswith(".")


@settings(max_examples=300, deadline=None)
@given(choices)
def test_a_name_without_hash_reads_back(choice: dict) -> None:
    """decode_name() is what "loses nothing" means: without a hash it gives the choices."""
    name = experiment_name(choice)
    if not re.search(r"-[0-9a-f]{8}$", name):
        assert typed(decode_name(name)) == typed(choice)


@settings(max_examples=300, deadline=None)
@given(choices)
def test_a_name_is_mlrunners_where_that_loses_nothing(choice: dict) -> None:
    """Where mlrunner's own name decodes to the choices, it is ours too."""
    theirs = pytest.importorskip("mlrunner.utils.misc").spec2name
    try:
        name = theirs(choice, str_maxlen=100, basedir=False)
    except OverflowError:  # mlrunner cannot name an integer beyond 1e308
        return
    read = decode_name(name) if choice else None
    if read is not None and typed(read) == typed(choice) and len(name.encode()) <= LONGEST_NAME:
        safe = name.isprintable() and not re.search(r"[{}</]|_ | (-|$)", name)
        assert not safe or experiment_name(choice) == name


def test_a_long_name_is_cut_between_characters() -> None:
    """Several long values: the name still fits, and ends in a hash."""
    name = experiment_name({f"k{i}": "ü" * 90 for i in "abc"})
    assert len(name.encode("utf-8")) <= LONGEST_NAME
    assert name != experiment_name({f"k{i}": "ü" * 90 for i in "abd"})


def test_a_text_that_looks_hashed_is_hashed_itself() -> None:
    """Nobody can choose a value that takes another experiment's name."""
    taken = experiment_name({"x": "a/b"})
    forged = experiment_name({"x": taken.removeprefix("X_")})
    assert forged.startswith(taken + "-")


@pytest.mark.parametrize(
    ("choice", "name"),
    [
        ({"x": "a/b"}, "X_a_b-708812ca"),
        ({"data": "../../x", "seed": 3}, "Data_x-Seed_3-9dfd1999"),
        ({"x": "1", "amp": True, "y": None}, "X_1-Amp_T-Y_None-4588c6c2"),
        ({"LR": 1, "weight-decay": 0.1}, "LR_1-WeightDecay_0.1-d2100732"),
        ({"weight-decay": 0.1, "LR": 1}, "WeightDecay_0.1-LR_1-d2100732"),
    ],
)
def test_hashed_names_stay_what_they_are(choice: dict, name: str) -> None:
    """The folders of finished runs are found by these names: another hash would train again."""
    assert experiment_name(choice) == name


def test_how_long_names_and_values_may_be() -> None:
    """A text of 100 characters and a name of 200 bytes stand in full."""
    text = "0123456789" * 10
    assert experiment_name({"x": text}) == f"X_{text}"
    assert experiment_name({"x": f"a{text}"}).startswith(f"X_{text}-")
    full = {"a": "b" * 97, "c": "d" * 97 + "e"}
    assert experiment_name(full) == "A_" + "b" * 97 + "-C_" + "d" * 97 + "e"
    longer = experiment_name({**full, "c": "d" * 99})
    assert len(longer) == 200
    assert longer.startswith("A_" + "b" * 97 + "-C_" + "d" * 89 + "-")
