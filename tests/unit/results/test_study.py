"""A study: where results lie, and what the program that reads logs is told."""

from __future__ import annotations

import json

from made_studies import outcome, study

from sweepmake.params.metrics import MetricOptions, MetricPattern
from sweepmake.results.study import Study
from sweepmake.runs.experiment import Experiment


def test_paths_of_results_are_those_of_their_experiments() -> None:
    """In the order of the file; braces in a name are no wildcards to Snakemake."""
    made = study([outcome("b{x}", {}), outcome("a", {})], results="out/re{s}")
    assert made.pattern("ranks.pdf") == "out/re{{s}}/{experiment}/ranks.pdf"
    assert made.files("ranks.pdf") == ["out/re{{s}}/b{{x}}/ranks.pdf", "out/re{{s}}/a/ranks.pdf"]
    assert made.marker("tables") == "out/re{{s}}/.sweepmake/tables"
    assert str(made.result(made.experiments[0], "metrics.json")) == "out/re{s}/b{x}/metrics.json"


def test_the_reader_of_logs_is_told_of_all_stages() -> None:
    """Also of those that the experiment does not go through now; nothing that is empty."""
    experiment = Experiment("a", {}, "output/a", "output/a/.sweepmake", ("train",))
    whole = Study("params.yaml", None, (experiment,), ("train", "test"), "results")
    assert whole.log_arguments(experiment) == [
        "--folder=output/a", "--records=output/a/.sweepmake", "--output=results/a",
        "--options={}", "train", "test",
    ]  # fmt: skip
    own = Experiment("a", {}, "logs", "", ("x",), suffix=".7", logs={"x": ("2", "1"), "a": ("3",)})
    metrics = MetricOptions(metrics=(MetricPattern("bleu", "x", "B = (.*)", "max"),))
    options = {"reader": "keras", "launcher": "none"}
    told = Study("logs", None, (own,), ("x",), "r", metrics, options).log_arguments(own)
    given = dict(one.removeprefix("--").split("=", 1) for one in told[:-1])
    assert list(given) == ["folder", "suffix", "output", "options", "metrics", "logs"]
    assert given["suffix"] == ".7"
    assert given["options"] == '{"launcher": "none", "reader": "keras"}', (
        "sorted: a param of a rule"
    )
    assert json.loads(given["metrics"]) == [["bleu", "x", "B = (.*)", "max"]]
    assert given["logs"] == '{"a": ["3"], "x": ["2", "1"]}'
