"""Names of experiments are such as Snakemake takes: asked of Snakemake itself."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from snakemake.io import IOFile, PeriodicityDetector, apply_wildcards, regex_from_filepattern

from sweepmake.elsewhere.names import name_of_path
from sweepmake.params.config import Config
from sweepmake.params.naming import LONGEST_NAME, decode_name, experiment_name, repeats
from sweepmake.params.sweep import read_sweep
from sweepmake.plan import Plan, make_plan
from sweepmake.results.study import study_of_plan

DETECTOR = PeriodicityDetector()
# what repeats itself nearly often enough, and often enough, in front of and behind something
parts = st.text("0-a, \u202eé{", min_size=1, max_size=11)
periodic = st.builds(
    lambda head, part, times, tail: head + part * times + tail,
    st.text("x0-", max_size=3),
    parts,
    st.integers(17, 24),
    st.sampled_from(["", "", "", "0", "-", "x"]),
)
choices = st.dictionaries(
    st.sampled_from(["x", "layers", "lr_max", "LR"]),
    st.one_of(periodic, st.integers(), st.floats(), st.text(max_size=30)),
    max_size=4,
)
REFUSED = ("0" * 20, "-" * 25, ",".join(["64"] * 21), "ab" * 40, "0123456789" * 20)


@settings(max_examples=200, deadline=None)
@given(st.one_of(periodic, st.text("01", max_size=200)))
@example("0" * 19)
@example("0" * 20)
@example("0" * 200)
@example("x" + "0123456789" * 20)
def test_what_snakemake_takes_for_a_loop_is_known(text: str) -> None:
    """Twenty equal parts at the end of a wildcard's value, by its own detector."""
    assert repeats(text) == (DETECTOR.is_periodic(text) is not None)


@settings(max_examples=200, deadline=None)
@given(choices)
@example({"x": "0" * 20})
@example({"x": "-" * 25})
@example({"x": ",".join(["64"] * 21)})
def test_snakemake_takes_every_name(choice: dict) -> None:
    """A name that would be refused has a hash, which does not repeat; others are as they were."""
    name = experiment_name(choice)
    assert DETECTOR.is_periodic(name) is None
    assert len(name.encode()) <= LONGEST_NAME


@pytest.mark.parametrize("value", REFUSED)
def test_a_name_that_repeats_has_a_hash(value: str) -> None:
    """And so it is none that tells its choices."""
    name = experiment_name({"x": value})
    assert re.search(r"-[0-9a-f]{8}$", name)
    assert decode_name(name) is None
    one_less = experiment_name({"x": "0" * 19})
    assert one_less == "X_" + "0" * 19, "names that Snakemake takes stay as they are"


@settings(max_examples=100, deadline=None)
@given(st.lists(periodic, min_size=1, max_size=3))
def test_names_of_logs_made_elsewhere_are_taken_too(folders: list[str]) -> None:
    """Their names are paths."""
    assert DETECTOR.is_periodic(name_of_path("/".join(folders))) is None


def test_a_template_of_names_gives_no_name_that_repeats(tmp_path: Path) -> None:
    """Neither by a value nor by its own text."""
    file = tmp_path / "params.yaml"
    for template in ("'{x}'", "'a{x}'", f"'{{x}}{'-' * 25}'"):
        file.write_text(
            f"template: {{t: 't {{x}}'}}\nname: {template}\n---\nx: ['{'0' * 20}', b]\n"
        )
        for experiment in read_sweep(file).experiments:
            assert DETECTOR.is_periodic(experiment.name) is None


@pytest.fixture(scope="module")
def plans(tmp_path_factory: pytest.TempPathFactory) -> list[Plan]:
    """One in which each experiment has its folder, and one in which all share one."""
    file = tmp_path_factory.mktemp("plans") / "params.yaml"
    file.write_text("template: {train: 't {x}', test: e}\n---\nx: [1]\n")
    return [make_plan(Config(params=str(file), no_subdir=shared)) for shared in (False, True)]


@settings(max_examples=100, deadline=None)
@given(choice=choices)
@example(choice={"x": "0" * 20})
@example(choice={"x": " a.. "})
def test_our_patterns_give_a_name_back(plans: list[Plan], choice: dict) -> None:
    """Snakemake fills a pattern with the name, and finds the name and nothing else in the path."""
    name = experiment_name(choice)
    for plan in plans:
        study = study_of_plan(plan)
        patterns = [plan.pattern(s, e) for s in ("train", "test") for e in ("done", "log")]
        patterns += [study.pattern(file) for file in ("metrics.json", "ranks.pdf")]
        path = apply_wildcards(patterns[0], {"experiment": name})
        assert path == plan.marker(name, "train")
        for pattern in patterns:
            constrained = pattern.replace("{experiment}", "{experiment,[^/]+}")
            found = re.match(regex_from_filepattern(constrained), path)
            assert (found is not None) == (pattern == patterns[0])
            assert found is None or found["experiment"] == name


@settings(max_examples=100, deadline=None)
@given(choice=choices)
def test_snakemake_has_no_warning_about_a_path(choice: dict) -> None:
    """A path is taken as it is, without a word about blanks, slashes or dots in it."""
    said: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(str(record.msg))

    listener = Listener()
    logger = logging.getLogger("snakemake.logging")
    logger.addHandler(listener)
    try:
        IOFile("output//x").check()
        IOFile(f"output/{experiment_name(choice)}/.sweepmake/train.done").check()
    finally:
        logger.removeHandler(listener)
    assert len(said) == 1, "the first is one that it warns of"
