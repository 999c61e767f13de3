"""`metric`, `objective` and `over` in params.yaml, and over them those of the configuration."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from sweepmake.errors import InputError
from sweepmake.params.config import merge_metric_options, read_config
from sweepmake.params.metrics import HEADINGS, MetricOptions, MetricPattern, Objective
from sweepmake.plan import Plan, make_plan
from sweepmake.results.study import study_of_plan

SWEEP = """\
template:
  train: echo {lr} {seed}
  test: echo {fold}
default: {fold: 1}
alias: {size: {small: {width: 1}, large: {width: 2}}}
METRICS
---
lr: [1, 2]
seed: [1, 2]
size: [small, large]
"""
ROOT = Path(__file__).parents[1].parent.parent
SCHEMA = json.loads((ROOT / "workflow/schemas/params.schema.json").read_text(encoding="utf-8"))
PATTERN = r"BLEU4? = ([\d.]+)"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def plan(written: str = "", **config: object) -> Plan:
    Path("params.yaml").write_text(SWEEP.replace("METRICS", written))
    return make_plan(read_config(config))


def fits(written: str) -> bool:
    """Whether the schema accepts it."""
    document = yaml.safe_load("template: {t: x}\n" + written)
    return bool(jsonschema.Draft202012Validator(SCHEMA).is_valid(document))


def test_nothing_written_gives_the_defaults() -> None:
    """No metrics, no objective, the mean over `seed`, Training Log Wizard's headings."""
    found = plan().metric_options
    assert found == MetricOptions() == MetricOptions((), None, ("seed",), HEADINGS)
    assert plan("metric:\nobjective:\nover:").metric_options == MetricOptions()


def test_the_wizards_headings() -> None:
    """Training Log Wizard's columns, by the short names of its parameters; the README names all."""
    assert HEADINGS == {
        "ppn": "processes per socket",
        "cps": "cores per process",
        "intra": "intra threads",
        "inter": "inter threads",
        "bt": "blocktime",
        "img": "training images",
        "lr": "learning rate",
        "mom": "momentum",
        "bs": "batch size",
        "dpout": "dropout",
    }
    readme = (ROOT / "config/README.md").read_text(encoding="utf-8")
    section = " ".join(readme.partition("### `headings`")[2].partition("###")[0].split())
    for name in HEADINGS:
        assert f"`{name}`" in section


def test_every_key_is_read() -> None:
    """The issue's example, and a pattern alone."""
    text = (
        f"metric:\n  bleu: {{stage: test, pattern: '{PATTERN}', take: max}}\n"
        "  'acc@1': 'acc (\\S+)'\n"
        "objective: {expression: val_dsc / val_loss, mode: max}\nover: [seed, fold]"
    )
    found = plan(text).metric_options
    assert found.metrics == (
        MetricPattern("bleu", "test", PATTERN, "max"),
        MetricPattern("acc@1", "", r"acc (\S+)", "last"),
    )
    assert [(metric.file, metric.line) for metric in found.metrics] == [
        ("params.yaml", 7),
        ("params.yaml", 8),
    ]
    assert found.objective == Objective("val_dsc / val_loss", "max")
    assert found.objective.line == 9
    assert found.over == ("seed", "fold")
    assert fits(text)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("val_acc", Objective("val_acc", "max")),
        ("val_loss", Objective("val_loss", "min")),
        ("acc@1", Objective("acc@1", "max")),
        ("eval.loss", Objective("eval.loss", "min")),
        ("{metric: time, mode: min}", Objective("time", "min")),
        ("{metric: val_dsc}", Objective("val_dsc", "max")),
        ("{metric: val_dsc / val_loss, mode: max}", Objective("val_dsc / val_loss", "max")),
        ("{expression: '  -val_loss', mode: max}", Objective("-val_loss", "max")),
        ("{metric: '`epoch time`', mode: min}", Objective("`epoch time`", "min")),
    ],
)
def test_objective(written: str, expected: Objective) -> None:
    """A metric or an expression; a metric's name may tell the mode."""
    assert plan(f"objective: {written}").metric_options.objective == expected
    assert fits(f"objective: {written}")


@pytest.mark.parametrize(
    ("written", "expected"),
    [("seed", ("seed",)), ("[]", ()), ("[seed, fold, seed]", ("seed", "fold")),
     ("seed, fold", ("seed", "fold")), ("width", ("width",))],
)  # fmt: skip
def test_over(written: str, expected: tuple[str, ...]) -> None:
    """One parameter, a list, or none; those that an alias sets and those with a default too."""
    assert plan(f"over: {written}").metric_options.over == expected
    assert fits(f"over: {written}")


BAD = [
    ("metric: [a]", ["params.yaml:6", "'metric': expected a mapping, found a list"], False),
    ("metric:\n  a: {pattern: 'x (', take: max}",
     ["params.yaml:7", "metric 'a'", "'x (' is not a regular expression", "position 2"], True),
    ("metric:\n  a:\n    pattern: x*", ["params.yaml:8", "'x*' matches everywhere"], True),
    ("metric: {a: {stage: test}}", ["params.yaml:6", "metric 'a'", "no 'pattern'"], False),
    ("metric: {a: }", ["params.yaml:6", "expected a regular expression, found nothing"], False),
    ("metric: {a: 3}", ["params.yaml:6", "found the number 3", "single quotes"], False),
    ("metric: {a: {pattern: x, tkae: max}}", ["unknown key 'tkae'", "mean 'take'"], False),
    ("metric: {a: {pattern: x, take: maximum}}", ["'take'", "found 'maximum'", "last, fir"], False),
    ("metric:\n  a: {pattern: x}\n  b:\n    pattern: x\n    stage: tets",
     ["params.yaml:10", "metric 'b'", "unknown stage 'tets'", "did you mean 'test'"], True),
    ("metric: {'`a`': x}", ["'`a`' as a metric's name"], False),
    ("metric: {a: {pattern: [x]}}", ["'pattern'", "found a list"], False),
    ("metrics: {a: x}", ["params.yaml:6", "unknown key 'metrics'", "mean 'metric'"], True),
    ("objective: throughput", ["params.yaml:6", "'throughput' does not tell whether", "mode: max"],
     True),
    ("objective: a / val_loss", ["an expression does not tell whether more"], True),
    ("objective: {metric: val_acc, mode: maximise}", ["max or min, found 'maximise'"], False),
    ("objective: {mode: max}", ["has no 'metric'"], False),
    ("objective: {metric: a, expression: b, mode: max}", ["both 'metric' and 'expression'"], False),
    ("objective: {metric: 'a +', mode: max}", ["'a +' cannot be read"], True),
    ("objective:\n  metric: system(a)\n  mode: max",
     ["params.yaml:7", "unknown function 'system'", "sqrt"], True),
    ("objective: {metric: '3', mode: max}", ["'3' names no metric"], True),
    ("objective: 3", ["expected a metric's name, found the number 3"], False),
    ("objective: [a]", ["'objective': expected a mapping, found a list"], False),
    ("objective: {metric: a, moed: max}", ["unknown key 'moed'", "mean 'mode'"], False),
    ("over: seeed", ["params.yaml:6", "no experiment has a parameter 'seeed'", "'seed'"], True),
    ("over: [seed, size]", ["no experiment has a parameter 'size'"], True),
    ("over: {seed: 1}", ["'over': expected a parameter's name"], False),
    ("over: [[seed]]", ["'over': expected a parameter's name or a list of them"], False),
    ("over: 'seed,'", ["'over': expected a parameter's name"], False),
]  # fmt: skip


@pytest.mark.parametrize(("written", "expected", "schema"), BAD, ids=[bad[0] for bad in BAD])
def test_bad_metric_options(written: str, expected: list[str], schema: bool) -> None:
    """File and line, what was found and what was expected; the schema sees what a schema can."""
    with pytest.raises(InputError) as caught:
        plan(written)
    for part in expected:
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)
    assert fits(written) is schema


def test_config_wins_over_params_yaml() -> None:
    """Metrics by name, the objective and `over` as a whole; what it does not say stays."""
    text = "metric: {a: 'a (.)', b: 'b (.)'}\nobjective: val_acc\nover: fold"
    config = {"metric": {"b": "B (.)", "c": {"pattern": "c (.)", "stage": "train"}}}
    found = plan(text, **config).metric_options
    assert [(m.name, m.pattern, m.stage) for m in found.metrics] == [
        ("a", "a (.)", ""),
        ("b", "B (.)", ""),
        ("c", "c (.)", "train"),
    ]
    assert (found.objective, found.over) == (Objective("val_acc", "max"), ("fold",))
    found = plan(text, objective="val_loss", over="seed,fold").metric_options
    assert (found.objective, found.over) == (Objective("val_loss", "min"), ("seed", "fold"))
    assert plan(text, over=[]).metric_options.over == ()


def test_headings_are_merged() -> None:
    """A heading of the configuration stands beside and over Training Log Wizard's."""
    headings = plan(headings={"wd": "weight decay", "lr": " step\nsize "}).metric_options.headings
    assert headings == {**HEADINGS, "wd": "weight decay", "lr": "step size"}


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"metric": {"a": {"pattern": "x", "stage": "tset"}}}, ["config.yaml:2", "mean 'test'"]),
        ({"metric": {"a": "("}}, ["config.yaml:2", "metric 'a'", "position 0"]),
        ({"objective": "throughput"}, ["config.yaml:3", "does not tell"]),
        ({"over": "sede"}, ["config: 'over': no experiment", "'seed'"]),
        ({"headings": ["lr"]}, ["config.yaml:4", "'headings': expected a mapping"]),
        ({"headings": {"lr": {}}}, ["config.yaml:4", "'headings', 'lr': expected a text"]),
    ],
)
def test_bad_config(config: dict[str, object], expected: list[str]) -> None:
    """The same messages, with the line of the key in config.yaml."""
    Path("config.yaml").write_text("# mine\nmetric: {}\nobjective: x\nheadings: {}\nover: x\n")
    Path("params.yaml").write_text(SWEEP.replace("METRICS", ""))
    with pytest.raises(InputError) as caught:
        make_plan(read_config(config, ["config.yaml"]))
    for part in expected:
        assert part in str(caught.value)


def test_logs_made_elsewhere_have_unknown_stages() -> None:
    """Where the stages and parameters are not known, any may be named."""
    config = read_config({"metric": {"a": {"pattern": "x", "stage": "eval"}}, "over": "run"})
    found = merge_metric_options(MetricOptions(), config)
    assert found.metrics[0].stage == "eval"
    assert found.over == ("run",)


def test_a_study_has_the_plans_metric_options() -> None:
    """What is made of the results goes by the configuration too."""
    study = study_of_plan(plan("objective: val_acc", objective="val_loss"))
    assert study.metric_options.objective == Objective("val_loss", "min")
