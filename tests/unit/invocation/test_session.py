"""What an invocation says first and last, and what it tells the stage runners."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from sweepmake.errors import SweepmakeError
from sweepmake.invocation.session import (
    check_slots,
    command_line,
    environment,
    export,
    forced_runs,
    no_results,
    outcome,
    results_command,
    save_params,
    welcome,
)
from sweepmake.params.config import read_config
from sweepmake.plan import Plan, make_plan
from sweepmake.runs.gpus import Slots

PARAMS = """\
template:
  train: echo {a}
  test: echo {a}
stage: {train: {gpu: 2}}
---
a: [1, 2]
extra: [3]
---
extra: [3]
a: [2]
"""


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(PARAMS)
    return make_plan(read_config({}))


def slots(*ids: str) -> Slots:
    return Slots(ids, "given", "locks")


def test_the_first_lines_count_and_name_what_is_odd(plan: Plan) -> None:
    """Experiments, duplicates, runs, runs to do, slots, parameters that no stage uses."""
    assert welcome(plan, slots("0,1", "2").describe(), 3) == (
        "params.yaml: 2 experiments (1 duplicate dropped), 4 runs, 3 to do\n"
        "GPU slots: [0,1] 2\n"
        "Parameters that no stage uses (they only affect the names): extra"
    )


def test_the_last_lines_tell_what_became_of_every_run(plan: Plan) -> None:
    """Finished now or before, failed with its log, not started."""
    names = list(plan.experiments)
    for name, stage, state, ended in [
        (names[0], "train", "finished", 50.0),
        (names[0], "test", "finished", 150.0),
        (names[1], "train", "failed", 160.0),
    ]:
        folder = Path(plan.records(name))
        folder.mkdir(parents=True, exist_ok=True)
        record = {"state": state, "ended": ended, "log": "the.log"}
        (folder / f"{stage}.json").write_text(json.dumps(record))
    lines = outcome(plan, since=100.0).splitlines()
    assert lines[0] == "Runs: 1 finished, 1 skipped (finished before), 1 failed, 1 not started"
    assert lines[1] == f"  FAILED      train: output/{names[1]}  (log: the.log)"


ENDS = {
    "failed": "  FAILED      train: {}  (log: the.log)",
    "interrupted": "  INTERRUPTED train: {}  (log: the.log)",
    "lost": "  LOST        train: {}  (log: the.log)",
}


@pytest.mark.parametrize("state", ENDS)
def test_of_many_failures_the_first_twenty_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    """In the order of the file, and how many more there are; then what to do."""
    monkeypatch.chdir(tmp_path)
    values = ", ".join(map(str, range(23)))
    Path("params.yaml").write_text(f"template: {{train: 'echo {{a}}'}}\n---\na: [{values}]\n")
    plan = make_plan(read_config({}))
    again = "The same command again runs these, and what comes after them, and no others."
    for many, more in ((20, []), (22, ["  … and 2 more"])):
        for name in list(plan.experiments)[:many]:
            record = {"state": state, "started": 1.0, "ended": 2.0, "log": "the.log"}
            Path(plan.records(name)).mkdir(parents=True, exist_ok=True)
            Path(plan.records(name), "train.json").write_text(json.dumps(record))
        named = [ENDS[state].format(f"output/A_{number}") for number in range(20)]
        assert outcome(plan, since=0.0).splitlines() == [
            f"Runs: {many} {state}, {23 - many} not started", *named, *more, again,
        ]  # fmt: skip


def test_the_kind_of_a_failure_stands_below_it_with_what_helps(plan: Plan) -> None:
    """As the end of its log tells."""
    name = next(iter(plan.experiments))
    folder = Path(plan.records(name))
    folder.mkdir(parents=True)
    Path("the.log").write_text("ModuleNotFoundError: No module named 'torch'\n")
    record = {"state": "failed", "started": 1.0, "ended": 2.0, "exit_code": 1, "log": "the.log"}
    (folder / "train.json").write_text(json.dumps(record))
    line, below = outcome(plan, since=0.0).splitlines()[1:3]
    assert line == f"  FAILED      train: output/{name}  (log: the.log)"
    assert below.startswith("              missing module: ")
    assert "install" in below


def test_runs_that_still_run_are_counted(plan: Plan) -> None:
    """Beside those that wait, and without advice: nothing has failed."""
    folder = Path(plan.records(next(iter(plan.experiments))))
    folder.mkdir(parents=True)
    (folder / "train.json").write_text(json.dumps({"state": "running", "started": 1.0}))
    assert outcome(plan, since=0.0) == "Runs: 1 still running, 3 not started"


def test_a_debug_run_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """How many experiments there are, and that only the first runs."""
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(PARAMS)
    plan = make_plan(read_config({"debug": True}))
    assert welcome(plan, "1", 2).splitlines()[0] == (
        "params.yaml: debug: only the first of 2 experiments (1 duplicate dropped), 2 runs, 2 to do"
    )


def test_what_stage_runners_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slots, locks, what is forced, how much to say, and the thread numbers that were exported."""
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    told = environment(slots("0,1", "2"), {"train", "*"}, debug=False)
    assert re.fullmatch(r"\d{8}\.\d{6}", told.pop("SWEEPMAKE_TIME"))
    assert re.fullmatch(rf"[0-9a-f]+-{os.getpid()}", told.pop("SWEEPMAKE_INVOCATION"))
    del told["SWEEPMAKE_COMMIT"]
    assert {key: value for key, value in told.items() if "THREADS" not in key} == {
        "SWEEPMAKE_SLOTS": "0,1;2",
        "SWEEPMAKE_LOCKS": "locks",
        "SWEEPMAKE_FORCE": "*\ntrain",
        "SWEEPMAKE_GRACE": "20",
    }
    assert told["SWEEPMAKE_OMP_NUM_THREADS"] == "3"
    assert "SWEEPMAKE_MKL_NUM_THREADS" not in told
    loud = environment(slots("0"), (), debug=True, quiet=True, grace_s=90)
    assert (loud["SWEEPMAKE_DEBUG"], loud["SWEEPMAKE_QUIET"]) == ("1", "1")
    assert loud["SWEEPMAKE_GRACE"] == "90"


def test_what_an_outer_workflow_told_is_forgotten() -> None:
    """But for the folder of locks, which the user sets."""
    target = {"SWEEPMAKE_DEBUG": "1", "SWEEPMAKE_LOCK_FOLDER": "l", "SWEEPMAKE_TIME": "a", "X": "y"}
    export({"SWEEPMAKE_TIME": "b"}, target)
    assert target == {"SWEEPMAKE_LOCK_FOLDER": "l", "SWEEPMAKE_TIME": "b", "X": "y"}


def test_the_command_is_remembered_as_it_can_be_typed_again() -> None:
    """With the program's plain name, and quoted."""
    typed = ["/usr/bin/snakemake", "--cores", "4", "--config", "title=a b"]
    assert command_line(typed) == "snakemake --cores 4 --config 'title=a b'"


@pytest.mark.parametrize(
    ("title", "name"), [((), "params.yaml"), (["a", "b/c"], "params.yaml.a,b_c")]
)
def test_params_yaml_is_kept_beside_the_experiments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, title: list[str], name: str
) -> None:
    """Under its name and the titles that were asked for, as mlrunner does."""
    monkeypatch.chdir(tmp_path)
    titled = PARAMS.replace("---\n", "---\n_title: [a, b/c]\n")
    Path("params.yaml").write_text(titled)
    save_params(make_plan(read_config({"title": list(title)})))
    assert [path.name for path in Path("output").iterdir()] == [name]
    assert Path("output", name).read_text() == titled


def test_a_stage_that_is_to_come_again_is_not_called_skipped(plan: Plan) -> None:
    """After a training that was repeated and failed, the old test is no finished run."""
    folder = Path(plan.records(next(iter(plan.experiments))))
    folder.mkdir(parents=True)
    for stage, state, started in (("train", "failed", 110.0), ("test", "finished", 50.0)):
        record = {"state": state, "started": started, "ended": started + 1, "log": "the.log"}
        (folder / f"{stage}.json").write_text(json.dumps(record))
    assert outcome(plan, since=100.0).splitlines()[0] == "Runs: 1 failed, 3 not started"


def test_too_many_slots_are_warned_of_and_too_few_are_an_error(plan: Plan) -> None:
    """A stage that can never start is an error before anything starts."""
    assert check_slots(plan, slots("0", "1"), None) is None
    assert "only 2 slots" in str(check_slots(plan, slots("0", "1"), 3))
    assert check_slots(plan, slots("0", "1"), 2) is None
    with pytest.raises(SweepmakeError, match="'train' takes 2 slots"):
        check_slots(plan, slots("0"), None)
    with pytest.raises(SweepmakeError, match="gpu=1 allows fewer"):
        check_slots(plan, slots("0", "1"), 1)


def test_forced_runs_are_named_by_stage() -> None:
    """Rule names become stages; files stay."""
    stages = {"pre_train": "pre-train"}
    assert forced_runs(everything=True, names=[], stages=stages) == {"*"}
    names = ["pre_train", "output/x/.sweepmake/test.done"]
    assert forced_runs(everything=False, names=names, stages=stages) == {"pre-train", names[1]}


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("snakemake --cores 4", ""),
        ("snakemake -s a/Snakefile stages --cores 4", "-s a/Snakefile"),
        ("snakemake --cores 4 --config params=b results=r -n", "--config params=b results=r"),
        ("snakemake --snakefile=S -d d --configfile c -k", "--snakefile=S -d d --configfile c"),
        ("snakemake -k --profile p stages", "--profile p"),
    ],
)  # fmt: skip
def test_the_command_for_results_is_of_the_same_sweep(typed: str, kept: str) -> None:
    """What says which sweep a command is about stays, its targets and its cores do not."""
    command = " ".join(filter(None, ["snakemake", kept, "--cores 1 results"]))
    assert results_command(typed.split()) == command
    assert no_results(typed.split()).endswith(f"Make them: {command}")
