"""Which runs that mlrunner finished are adopted, and which experiments are held back."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
import yaml

from sweepmake.elsewhere.left_runs import look
from sweepmake.elsewhere.mlrunner import mlrunner_name, read_script
from sweepmake.invocation.adoption import adopt, assume, held_lines, messages
from sweepmake.params.config import read_config
from sweepmake.plan import Plan, make_plan
from sweepmake.results.study import make_study
from sweepmake.results.table import read_results_table

MLRUNNER = Path(__file__).parents[2] / "data" / "mlrunner-output"
SWEEP = """\
template:
  train: t --lr {lr} --to {_output} --at {_time}
  test: e --of {_output} {_name} [beam]
default: {beam: 5}
---
lr: [0.1, 0.2]
"""
OLD, NEW = "20220517.074342", "20220518.074342"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def plan(text: str = SWEEP, **config: object) -> Plan:
    Path("params.yaml").write_text(text)
    return look(make_plan(read_config(config)))


def left(
    name: str,
    states: dict[str, str],
    *,
    output: str = "output",
    moved: str = "",
    time: str = OLD,
    commands: dict[str, str] | None = None,
    **parameters: object,
) -> Path:
    """Write what mlrunner leaves of an experiment; `commands` are filled with its folder."""
    usual = {"train": "t --lr {lr} --to {o} --at {time}", "test": "e --of {o} {name} --beam 5"}
    place = f"{output}/{name}"
    values = {"lr": 0.1, "beam": 5, **parameters}
    filled = {"o": place, "name": name, "time": time, **values}
    target = Path(moved or place)
    target.mkdir(parents=True, exist_ok=True)
    scripts = {}
    for stage in states:
        command = (commands or usual).get(stage, usual[stage]).format(**filled)
        scripts[stage] = f"CUDA_VISIBLE_DEVICES=3 {command} > {place}/log.{stage}.{time} 2>&1"
        (target / f"log.{stage}.{time}").write_text("loss=1\n")
    meta = {"_name": name, "_output": place, "_time": time, "_scripts": scripts}
    (target / "param").write_text(yaml.dump({**meta, **values}, width=1000000))
    (target / "stat").write_text(yaml.dump(states))
    return target


def adopted(found: Plan) -> dict[str, list[str]]:
    return {name: list(stages) for name, stages in found.kept.found.items()}


BOTH = {"train": "finished", "test": "finished"}


def test_real_runs_of_mlrunner_are_adopted() -> None:
    """All six, with a record that says whose they are; nothing is written before."""
    shutil.copytree(MLRUNNER, "output")
    before = sorted(str(path) for path in Path().rglob("*"))
    found = plan(Path("output/params.yaml").read_text())
    assert sorted(str(path) for path in Path().rglob("*")) == [*before, "params.yaml"]
    assert len(found.kept.found) == 6
    assert found.kept.held == {}
    record = found.kept.found["Data_CIFAR10-Loss_CE-Lr_0.1-Seed_1"]["train"]
    assert record["adopted"] == "mlrunner's run, of the same command"
    assert record["log"] == "output/Data_CIFAR10-Loss_CE-Lr_0.1-Seed_1/log.train.20220517.074342"
    assert record["wall_time_s"] is None
    assert record["slot"] == "0"


def test_adopted_runs_count_as_finished_from_then_on() -> None:
    """Their markers are there, in the order of the stages, whichever log was copied last."""
    path = left("Lr_0.1", BOTH)
    os.utime(path / f"log.test.{OLD}", (1000, 1000))
    first = plan()
    adopt(first)
    again = plan()
    assert adopted(again) == {}
    assert again.kept.adopted == {"Lr_0.1"}
    train, test = (Path(again.marker("Lr_0.1", stage)) for stage in BOTH)
    assert train.stat().st_mtime <= test.stat().st_mtime
    record = json.loads((path / ".sweepmake/test.json").read_text())
    assert record["after"] == train.read_text().strip()
    assert (path / ".sweepmake/runs.jsonl").read_text().count("adopted") == 2
    assert record["fingerprint"] == again.fingerprints("Lr_0.1")["test"]


@pytest.mark.parametrize("state", ["failed", "running"])
def test_what_has_not_finished_runs_again(state: str) -> None:
    """In mlrunner's folder, after what has finished there."""
    left("Lr_0.1", {"train": "finished", "test": state})
    found = plan()
    assert adopted(found) == {"Lr_0.1": ["train"]}
    assert found.kept.held == {}
    assert found.needs("Lr_0.1", "test") == ["output/Lr_0.1/.sweepmake/train.done"]


def test_quotes_make_no_other_command() -> None:
    """Nor blanks, nor a folder that has been moved since."""
    commands = {"train": "t  --lr '{lr}' --to \"{o}\" --at {time} "}
    left(
        "Lr_0.1",
        {"train": "finished"},
        commands=commands,
        output="/far/away",
        moved="output/Lr_0.1",
    )
    assert adopted(plan()) == {"Lr_0.1": ["train"]}


def test_nothing_starts_where_the_command_is_another() -> None:
    """One line says how many, what differs, and both ways on."""
    left("Lr_0.1", BOTH, commands={"train": "t --lr {lr} --wd 1 --to {o} --at {time}"})
    left("Lr_0.2", {"train": "failed"}, commands={"train": "something else"}, lr=0.2)
    found = plan()
    assert adopted(found) == {}
    assert list(found.kept.held) == ["Lr_0.1"]
    assert found.last_markers() == ["output/Lr_0.2/.sweepmake/test.done"]
    line, one = held_lines(found)
    assert line.startswith("mlrunner: 1 experiment held back")
    assert "nothing starts there: 'train' ran with '--wd 1'. To take" in line
    assert "--config mlrunner=keep" in line
    assert "--config mlrunner=again" in line
    assert "output/Lr_0.1" in one
    study = make_study(read_config({}))
    assert study.files("metrics.json") == ["results/Lr_0.2/metrics.json"]
    table = read_results_table(study)
    assert table.values("status") == ["held back", "not started"]
    assert "--wd 1" in str(table.values("note")[0])


def test_the_users_word_decides() -> None:
    """`keep` takes them as they are, and says so; `again` runs them in the same folder."""
    left("Lr_0.1", BOTH, commands={"train": "t --old"})
    kept = plan(mlrunner="keep")
    assert adopted(kept) == {"Lr_0.1": ["train", "test"]}
    assert "on the user's word" in str(kept.kept.found["Lr_0.1"]["train"]["adopted"])
    again = plan(mlrunner="again")
    assert adopted(again) == {}
    assert again.kept.held == {}
    assert again.last_markers()[0] == "output/Lr_0.1/.sweepmake/test.done"
    adopt(plan(mlrunner="keep"))
    assert plan().kept.held == {}


def test_an_adopted_run_stays_under_the_users_word() -> None:
    """Its command changes: it is held back; with `again` its marker goes; quotes change nothing."""
    path = left("Lr_0.1", BOTH)
    adopt(plan())
    quoted = SWEEP.replace("{lr}", '"{lr}"')
    assert plan(quoted).kept.held == {}
    adopt(plan(quoted))
    record = json.loads((path / ".sweepmake/train.json").read_text())
    assert record["fingerprint"].startswith('t --lr "0.1"')
    changed = SWEEP.replace("t --lr", "t --new --lr")
    assert list(plan(changed).kept.held) == ["Lr_0.1"]
    again = plan(changed, mlrunner="again")
    assert again.kept.held == {}
    adopt(again)
    assert not (path / ".sweepmake/train.done").exists()
    assert "1 adopted run of another command to run again" in "".join(messages(again, dry=False))


def test_what_is_selected_and_done_is_not_held() -> None:
    """Only train is asked for, and that is finished; the test is of another command."""
    left("Lr_0.1", BOTH, commands={"test": "e --old"})
    assert plan(stages="train").kept.held == {}
    assert list(plan(stages="test").kept.held) == ["Lr_0.1"]
    assert list(plan().kept.held) == ["Lr_0.1"]
    assert adopted(plan()) == {"Lr_0.1": ["train"]}


def test_a_command_that_nobody_knows_is_another() -> None:
    """`param` is gone, or has no script of the stage."""
    path = left("Lr_0.1", {"train": "finished"})
    (path / "param").write_text("lr: 0.1\nbeam: 5\n")
    assert "'param' does not tell the command" in plan().kept.held["Lr_0.1"]
    (path / "param").unlink()
    assert "No such file" in plan().kept.held["Lr_0.1"]


def test_a_command_of_a_start_that_skipped_is_adopted_with_a_remark() -> None:
    """mlrunner writes the command of its newest start, and no log where it then skips the stage."""
    path = left("Lr_0.1", {"train": "finished"})
    (path / f"log.train.{OLD}").rename(path / "log.train.20220101.000000")
    found = plan()
    assert adopted(found) == {"Lr_0.1": ["train"]}
    assert "skipped" in str(found.kept.found["Lr_0.1"]["train"]["adopted"])
    assert "not certain" in messages(found, dry=False)[0]


def test_a_test_that_is_older_than_its_training_runs_again() -> None:
    """It has tested another model."""
    path = left("Lr_0.1", BOTH)
    (path / f"log.train.{NEW}").write_text("loss=1\n")
    assert adopted(plan()) == {"Lr_0.1": ["train"]}


PRECISE = SWEEP.replace("[0.1, 0.2]", "[0.1, 0.12345671]")


def test_a_folder_of_another_name_is_found_by_its_parameters() -> None:
    """The experiment keeps it, and its name, for later stages and in a cluster's jobs, too."""
    left("Lr_0.123457", {"train": "finished"}, lr=0.12345671)
    found = plan(PRECISE)
    assert list(found.experiments) == ["Lr_0.1", "Lr_0.123457"]
    assert adopted(found) == {"Lr_0.123457": ["train"]}
    assert found.command("Lr_0.123457", "test")[0].startswith("e --of output/Lr_0.123457 Lr_0.123")
    adopt(found)
    job = make_plan(read_config({}))
    assert list(job.experiments) == ["Lr_0.1", "Lr_0.123457"]
    assert "Lr_0.12345671 is in output/Lr_0.123457" in "".join(messages(found, dry=True))
    renamed = plan(PRECISE.replace("---", "name: 'run{lr}'\n---", 1))
    assert list(renamed.experiments) == ["run0.1", "Lr_0.123457"]
    assert adopted(renamed) == {}


def test_numbers_and_words_of_yaml_match_however_they_are_read() -> None:
    """mlrunner's YAML takes 1e-4 for a text, and yes for a boolean."""
    left(
        "Other", {"train": "finished"}, lr="1e-4", commands={"train": "t --lr 1e-4 --to {o} --at x"}
    )
    text = SWEEP.replace("[0.1, 0.2]", "[1e-4, 0.2]")
    assert "Other" in plan(text).experiments


def test_a_folder_that_mlrunner_gave_to_several_is_no_ones() -> None:
    """It ran one of them, skipped the others, and `param` tells the last."""
    left("Lr_0.123457", {"train": "finished"}, lr=0.12345672)
    text = SWEEP.replace("[0.1, 0.2]", "[0.12345671, 0.12345672, 0.3]")
    found = plan(text)
    assert adopted(found) == {}
    assert list(found.kept.held) == ["Lr_0.12345671", "Lr_0.12345672"]
    assert "mlrunner gave 2 experiments the folder" in found.kept.held["Lr_0.12345671"]
    assert adopted(plan(text, mlrunner="keep")) == {"Lr_0.123457": ["train"]}
    again = plan(text, mlrunner="again")
    assert (again.kept.held, adopted(again)) == ({}, {})
    assert list(again.experiments) == ["Lr_0.12345671", "Lr_0.12345672", "Lr_0.3"]


def test_a_name_that_snakemake_cannot_take_is_said() -> None:
    """The runs are there, and so do not start again elsewhere in silence."""
    left("Lr_{x}", {"train": "finished"}, commands={"train": "t"})
    assert "has a name that Snakemake cannot take" in plan().kept.held["Lr_0.1"]


def test_experiments_that_share_a_folder_are_held_back() -> None:
    """--no-subdir keeps one `stat` for all, which tells of none; `keep` takes the logs."""
    left("", {"train": "finished"}, output="output", moved="output")
    Path(f"output/log.train.{OLD}").rename(f"output/log.train.{OLD}.Lr_0.1")
    found = plan(no_subdir=True)
    assert "one stat and one param" in found.kept.held["Lr_0.1"]
    assert list(found.kept.held) == ["Lr_0.1"]
    kept = plan(no_subdir=True, mlrunner="keep")
    adopt(kept)
    assert Path("output/.sweepmake/Lr_0.1/train.done").exists()
    assert plan(no_subdir=True).kept.held == {}


def test_a_dry_run_takes_for_finished_what_would_be_adopted() -> None:
    """Unless the user forces it, and what follows it."""
    left("Lr_0.1", BOTH)
    found = plan()
    assume(found, [])
    assert found.last_markers() == ["output/Lr_0.2/.sweepmake/test.done"]
    assume(found, ["test"])
    assert found.assumed == {("Lr_0.1", "train")}
    assume(found, ["*"])
    assert found.assumed == frozenset()


def test_results_show_what_would_be_adopted() -> None:
    """`snakemake results` starts nothing and adopts nothing; it shows finished runs as finished."""
    left("Lr_0.1", BOTH)
    Path("params.yaml").write_text(SWEEP)
    table = read_results_table(make_study(read_config({})))
    assert table.values("status") == ["finished", "not started"]
    assert not Path("output/Lr_0.1/.sweepmake").exists()


def test_our_own_runs_are_nobody_elses() -> None:
    """A record of ours counts, whatever `stat` says."""
    path = left("Lr_0.1", BOTH)
    (path / ".sweepmake").mkdir()
    record = {"state": "failed", "fingerprint": "x", "started": 2e9}
    (path / ".sweepmake/train.json").write_text(json.dumps(record))
    assert adopted(plan()) == {}
    assert plan().kept.held == {}


@pytest.mark.parametrize(
    ("script", "command"),
    [
        ("CUDA_VISIBLE_DEVICES=0,1 a > b > 'o x/log.train.20220517.074342' 2>&1", "a > b"),
        (
            "CUDA_VISIBLE_DEVICES= a 2>&1 | tee o/log.train.20220517.074342; exit ${PIPESTATUS[0]}",
            "a",
        ),
        ("a > o/log.train.20220517.074342 2>&1", None),
        ("CUDA_VISIBLE_DEVICES=0 a > o/log.test.20220517.074342 2>&1", None),
        ("CUDA_VISIBLE_DEVICES=0 a", None),
    ],
)
def test_mlrunner_s_additions_are_taken_off_a_command(script: str, command: str | None) -> None:
    """The GPU before it, the log behind it, in debug mode too."""
    found = read_script("train", script)
    assert (None if found is None else found.command) == command


def test_names_are_mlrunner_s() -> None:
    """As its own function makes them."""
    spec2name = pytest.importorskip("mlrunner.utils.misc").spec2name
    Path("here").mkdir()
    choices = {"learning_rate": 0.12345671, "b-1": True, "t": "/a/b", "p": "./here", "n": 10**6}
    assert mlrunner_name(choices) == spec2name(choices, str_maxlen=100)
