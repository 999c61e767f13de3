"""The plan: which files each run makes and needs, what it is started with, and in which order."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
import yaml

from sweepmake.errors import InputError
from sweepmake.kept_folders import Kept
from sweepmake.params.config import read_config
from sweepmake.plan import Plan, default_params, literal, make_plan, rule_names

SWEEP = """\
template:
  train: t {lr} {_output} {_time} [amp]
  avg: a {lr} {_name}
  test: e {beam}
default: {amp: no, beam: 5}
stage:
  train: {gpu: 2, mem_mb: 8000, runtime: 90}
  avg: {gpu: 0, runtime: 5}
resource: [2, "0,1", 3]
---
lr: [0.1, 0.2]
---
_cmd: [test, train]
lr: 0.3
"""
FIRST, SECOND, THIRD = NAMES = ["Lr_0.1", "Lr_0.2", "Lr_0.3"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def plan(**config: object) -> Plan:
    Path("params.yaml").write_text(SWEEP)
    return make_plan(read_config(config))


def test_resources_are_what_params_yaml_declares() -> None:
    """Memory and time reach Snakemake under its names; what is not said is left to profiles."""
    found = plan()
    train, avg, test = found.sweep.stages
    assert found.resources(train) == {"mem_mb": 8000, "runtime": 90}
    assert found.resources(avg) == {"runtime": 5}
    assert found.resources(test) == {}


def test_what_has_begun_goes_on_first_then_the_order_of_the_file() -> None:
    """Later stages before earlier ones, and among equals the experiment that stands first."""
    found = plan()
    runs = [(name, stage) for name, one in found.experiments.items() for stage in one.stages]
    assert sorted(runs, key=lambda run: -found.priority(*run)) == [
        (FIRST, "test"), (SECOND, "test"),
        (FIRST, "avg"), (SECOND, "avg"), (THIRD, "test"),
        (FIRST, "train"), (SECOND, "train"), (THIRD, "train"),
    ]  # fmt: skip
    assert len({found.priority(*run) for run in runs}) == len(runs)
    assert min(found.priority(*run) for run in runs) > 0


def test_a_run_waits_for_the_stage_before_it_that_is_selected() -> None:
    """Where avg is left out, the test waits for the training."""
    found = plan()
    records = "output/{}/.sweepmake/{}.done".format
    assert found.needs(FIRST, "train") == []
    assert found.needs(FIRST, "avg") == [records(FIRST, "train")]
    assert found.needs(FIRST, "test") == [records(FIRST, "avg")]
    assert found.needs(THIRD, "test") == [records(THIRD, "train")]
    assert found.last_markers() == [records(name, "test") for name in NAMES]
    assert found.runs == 8


def test_a_run_is_told_its_place_and_all_other_stages() -> None:
    """The nearest stage before it comes first, those after it follow; also those not selected."""
    options = dict(
        option.removeprefix("--").split("=", 1)
        for option in shlex.split(plan().options(THIRD, "test"))
    )
    records = f"output/{THIRD}/.sweepmake"
    assert yaml.safe_load(options.pop("parameters")) == {
        "_name": THIRD, "_output": f"output/{THIRD}", "lr": 0.3, "amp": False, "beam": 5,
    }  # fmt: skip
    assert options == {
        "stage": "test",
        "experiment": THIRD,
        "number": "3/3",
        "gpu": "1",
        "folder": f"output/{THIRD}",
        "records": records,
        "suffix": "",
        "log": f"{records}/test.log",
        "after": f"{records}/avg.done\n{records}/train.done",
        "later": "",
    }
    assert f"later={records}/avg.done\n{records}/test.done" in plan().options(THIRD, "train")


def test_a_dry_run_shows_place_and_command() -> None:
    """With {_time} where the time of the run goes in."""
    found = plan()
    assert found.message(SECOND, "train") == (
        f"gpu: 2 slots, train: 2/3, output/{SECOND}\n    t 0.2 output/{SECOND} {{_time}} "
    )
    assert found.message(SECOND, "avg") == f"cpu, avg: 2/3, output/{SECOND}\n    a 0.2 {SECOND}"
    assert found.message(THIRD, "test").startswith("gpu: 1 slot, test: 3/3, ")
    assert found.command(SECOND, "train") == [f"t 0.2 output/{SECOND} ", " "]
    assert found.fingerprints(THIRD) == {"train": f"t 0.3 output/{THIRD} {{_time}} ", "test": "e 5"}


def test_experiments_may_share_one_folder() -> None:
    """The records of each lie in a folder of its own, and its files' names end in its name."""
    found = plan(no_subdir=True, output="o{x}")
    assert found.folder(FIRST) == "o{x}"
    assert found.records(FIRST) == f"o{{x}}/.sweepmake/{FIRST}"
    assert found.suffix(FIRST) == f".{FIRST}"
    assert found.pattern("train", "done") == "o{{x}}/.sweepmake/{experiment}/train.done"
    assert found.last_marker(FIRST) == [f"o{{{{x}}}}/.sweepmake/{FIRST}/test.done"]
    assert plan(output="o").pattern("train", "log") == "o/{experiment}/.sweepmake/train.log"


def test_a_debug_run_is_the_first_experiment() -> None:
    """Of the whole sweep, which stays known."""
    found = plan(debug=True)
    assert list(found.experiments) == [FIRST]
    assert len(found.sweep.experiments) == 3
    with pytest.raises(InputError, match=f"no experiment has the name '{SECOND}'"):
        found.command(SECOND, "train")


def test_an_experiment_that_keeps_a_folder_has_its_name() -> None:
    """In all that is made of it; who would have that name by itself gets another one."""
    found = plan().keeping(Kept({FIRST: SECOND}))
    first, second, third = found.experiments
    assert (first, third) == (SECOND, THIRD)
    assert second.startswith(f"{SECOND}-")
    assert found.experiments[SECOND].parameters["lr"] == 0.1
    assert found.command(SECOND, "avg") == [f"a 0.1 {SECOND}"]
    assert found.folder(SECOND) == f"output/{SECOND}"


def test_nothing_waits_for_what_is_held_back() -> None:
    """Who asks for its runs by their files is told why."""
    found = plan().keeping(Kept(held={FIRST: "another command"}))
    assert found.last_markers() == [f"output/{n}/.sweepmake/test.done" for n in (SECOND, THIRD)]
    with pytest.raises(InputError, match=f"'{FIRST}' is held back: another command"):
        found.needs(FIRST, "train")


def test_a_dry_run_waits_for_nothing_that_would_be_adopted() -> None:
    """A run that would be adopted is not planned, and what follows it needs no marker."""
    found = plan()
    found.assumed = frozenset({(FIRST, "train"), (SECOND, "test")})
    assert found.needs(FIRST, "avg") == []
    assert found.needs(SECOND, "avg") != []
    assert found.last_marker(SECOND) == []
    assert len(found.last_markers()) == 2


def test_slots_of_the_configuration_win() -> None:
    """`gpus` over `resource`."""
    assert plan().slots == ("2", "0,1", "3")
    assert plan(gpus="4 5,6").slots == ("4", "5,6")


def test_params_yaml_is_looked_for_here_and_then_in_config(folder: Path) -> None:
    """config/params.yaml counts where there is none beside it."""
    assert default_params() == "params.yaml"
    folder.joinpath("config").mkdir()
    folder.joinpath("config/params.yaml").touch()
    assert default_params() == "config/params.yaml"
    folder.joinpath("params.yaml").touch()
    assert default_params() == "params.yaml"


def test_each_stage_has_a_rule_of_its_own() -> None:
    """Its name where that can name a rule, else the nearest that is free."""
    stages = ["train", "pre-train", "pre_train", "read_logs", "a.b"]
    assert rule_names(stages, {"all", "read_logs"}) == {
        "train": "train",
        "pre-train": "pre_train",
        "pre_train": "stage_pre_train",
        "read_logs": "stage_read_logs",
        "a.b": "a_b",
    }


def test_braces_of_a_path_are_no_wildcards() -> None:
    """Snakemake takes {x} for one, {{x}} for a text."""
    assert literal("a/{b}/}") == "a/{{b}}/}}"
