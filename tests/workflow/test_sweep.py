"""The main path: experiments run through their stages, and what has to run again does."""

from __future__ import annotations

import json
import os
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from projects import Done, Project

GRID = """\
template:
  train: python probe.py train {lr} {seed}
  avg: python probe.py avg {seed}
  test: python probe.py test {lr} {seed}
default: {lr: 0.1, seed: 1}
resource: [0, 1]
stage: {avg: {gpu: 0}}
---
lr: [0.1, 0.2]
seed: [1, 2]
"""
ALL_RUNS = sorted(
    f"{stage} {lr} {seed}" if stage != "avg" else f"avg {seed}"
    for stage in ("train", "avg", "test")
    for lr in (0.1, 0.2)
    for seed in (1, 2)
)

shares_the_grid = pytest.mark.xdist_group("grid")  # in one worker, which runs the sweep once


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, Done]:
    """GRID that has run, and what was said; for tests that change none of it."""
    project = Project(tmp_path_factory.mktemp("grid") / "project")
    project.write(GRID)
    project.write("", "slow")
    done = project.run()
    assert done.code == 0, done.said
    return project, done


@shares_the_grid
@pytest.mark.snakemake_versions
def test_every_experiment_goes_through_its_stages(grid: tuple[Project, Done]) -> None:
    """All runs finish, each stage after the one before, on GPUs of their own, and leave files."""
    project, done = grid
    assert project.arguments() == ALL_RUNS
    assert "params.yaml: 4 experiments, 12 runs, 12 to do" in done.said
    assert "Runs: 12 finished" in done.said
    assert done.said.count("START") == 12
    busy: dict[object, list[tuple[float, float]]] = {}
    for line in project.probes():
        if line["argv"][0] == "avg":  # type: ignore[index]
            assert line["gpus"] == ""
        else:
            busy.setdefault(line["gpus"], []).append((line["begun"], line["ended"]))  # type: ignore[arg-type]
    assert sorted(map(str, busy)) == ["0", "1"]
    for spans in busy.values():
        spans.sort()
        assert all(end <= begin for (_, end), (begin, _) in pairwise(spans))
    for name in ("Lr_0.1-Seed_1", "Lr_0.2-Seed_2"):
        folder = project.path("output") / name
        stat = yaml.safe_load((folder / "stat").read_text())
        assert stat == {"train": "finished", "avg": "finished", "test": "finished"}
        ended = [
            (folder / ".sweepmake" / f"{s}.done").stat().st_mtime for s in ("train", "avg", "test")
        ]
        assert ended == sorted(ended)
    assert project.path("output/params.yaml").read_text() == GRID
    again = project.run()
    assert again.code == 0
    assert "Nothing to be done" in again.said


@pytest.fixture(scope="module")
def accuracies(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A sweep that has run; each of its logs has an accuracy."""
    project = Project(tmp_path_factory.mktemp("accuracies") / "project")
    project.write(
        "template: {test: 'echo acc {lr}'}\nresource: [0]\n---\nlr: [1e-4, 0.5]\nname: [é b]\n"
    )
    assert project.run().code == 0
    return project


@pytest.mark.xdist_group("examiners")
@pytest.mark.parametrize("module", ["mlrunner.examine", "sweepmake"])
def test_both_examiners_read_the_folders(accuracies: Project, tmp_path: Path, module: str) -> None:
    """mlrunner's and Sweepmake's find parameters, logs and metrics in what a sweep leaves."""
    home = pytest.importorskip(module, reason="mlrunner is not installed")
    project = accuracies.copy(tmp_path / "project")  # an examiner may leave files there

    def add_acc(path: Path, experiment: object, caches: object) -> None:
        log = home.latest_log("test", path)
        experiment.metric["acc"] = float(Path(log).read_text().split()[1])  # type: ignore[attr-defined]

    examiner = home.Examiner()
    examiner.add(add_acc)
    examiner.exam(output=str(project.path("output")), regex=".*")
    table = examiner.table(concise=False)
    assert sorted(table["lr"]) == [0.0001, 0.5]
    assert list(table["acc"]) == list(table["lr"])
    assert set(table["name"]) == {"é b"}


def test_one_failure_spares_the_others_and_alone_runs_again(project: Project) -> None:
    """Exit code 1, the others finish; the same command runs the failed one and what follows it."""
    project.write(GRID)
    project.write("", "fail-train-0.2-1")
    done = project.run()
    assert done.code == 1
    assert "FAIL    exit code 1, train: 3/4, output/Lr_0.2-Seed_1" in done.said
    assert "        | this one fails" in done.said
    assert "Runs: 9 finished, 1 failed, 2 not started" in done.said
    assert (
        "FAILED      train: output/Lr_0.2-Seed_1  (log: output/Lr_0.2-Seed_1/log.train."
        in done.said
    )
    assert "Traceback" not in done.said
    assert "Error in rule" not in done.said
    project.path("fail-train-0.2-1").unlink()
    project.forget()
    again = project.run()
    assert again.code == 0, again.said
    assert project.arguments() == ["avg 1", "test 0.2 1", "train 0.2 1"]
    assert "Runs: 3 finished, 9 skipped (finished before)" in again.said
    assert len(list(project.path("output/Lr_0.2-Seed_1").glob("log.train.*"))) == 2


@shares_the_grid
def test_editing_reruns_what_changed_and_nothing_else(
    grid: tuple[Project, Done], tmp_path: Path
) -> None:
    """A new template, default or value reruns exactly the runs whose commands it changes."""
    project = grid[0].copy(tmp_path / "project")
    project.path("slow").unlink()
    project.forget()
    project.write(GRID.replace("avg {seed}", "avg {seed} more"))
    assert project.run().code == 0
    changed = [f"avg {seed} more" for seed in (1, 1, 2, 2)]
    tests = [f"test {lr} {seed}" for lr in (0.1, 0.2) for seed in (1, 2)]
    assert project.arguments() == sorted(changed + tests)
    project.forget()
    text = GRID.replace("avg {seed}", "avg {seed} more").replace("seed: [1, 2]", "seed: [1, 3]")
    project.write(text)
    assert project.run().code == 0
    assert project.arguments() == [
        "avg 3 more", "avg 3 more", "test 0.1 3", "test 0.2 3", "train 0.1 3", "train 0.2 3",
    ]  # fmt: skip


def test_editing_a_default_reruns_the_experiments_that_use_it(project: Project) -> None:
    """A default counts where an experiment's commands contain it, and only there."""
    text = (
        "template:\n  train: python probe.py {lr} {seed}\ndefault: {lr: 1, seed: 1}\n"
        "---\nlr: [1, 2]\n---\nseed: [3]\n"
    )
    project.write(text)
    assert project.run().code == 0
    assert project.arguments() == ["1 1", "1 3", "2 1"]
    project.forget()
    project.write(text.replace("default: {lr: 1,", "default: {lr: 9,"))
    done = project.run()
    assert done.code == 0
    assert project.arguments() == ["9 3"]
    assert "2 skipped" in done.said


def test_runs_start_in_the_order_of_the_file(project: Project) -> None:
    """One at a time: an experiment's later stages go before the next experiment's first."""
    project.write(
        "template:\n  train: 'true'\n  test: 'true'\nresource: [0]\n"
        "---\na: [3, 1, 2]\n---\n_cmd: test\na: [9]\n"
    )
    done = project.run(cores=1)
    folders = ["A_3", "A_3", "A_1", "A_1", "A_2", "A_2", "A_9"]
    stages = ["train", "test", "train", "test", "train", "test", "test"]
    assert done.started == [f"{s} output/{f}" for s, f in zip(stages, folders, strict=True)]


def test_retries_run_a_failed_stage_again(project: Project) -> None:
    """`retries` in params.yaml: each attempt has a log and a record of its own."""
    project.write(
        "template:\n  train: echo x >> {_output}/tries; [ $(wc -l < {_output}/tries) = 3 ]\n"
        "stage: {train: {retries: 2}}\n---\na: [1]\n"
    )
    done = project.run()
    assert done.code == 0, done.said
    records = project.path("output/A_1/.sweepmake/runs.jsonl").read_text().splitlines()
    assert [json.loads(line)["attempt"] for line in records] == [1, 2, 3]
    assert len(list(project.path("output/A_1").glob("log.train.*"))) == 3


def test_values_arrive_byte_for_byte(project: Project) -> None:
    """Whatever a value is, the program gets it as one argument, through YAML, Snakemake, bash."""
    values = [
        "a b", "it's", 'say "hi"', "$(touch pwned)", "`id`", "; rm -rf /", "a\nb", "é✓", "-x",
        "{_name}", "{x} [y]", "*", "~", "\\n", "a&&b", "${HOME}", "#no", "%s", "../../up",
        "/etc/passwd", "",
    ]  # fmt: skip
    template = {"train": "python probe.py {v} [v2] '<{v}>'"}
    first = {"template": template, "default": {"v2": 1}}
    project.write(yaml.dump_all([first, {"v": values}], allow_unicode=True))
    done = project.run()
    assert done.code == 0, done.said
    got = sorted(line["argv"] for line in project.probes())  # type: ignore[type-var]
    assert got == sorted([v, "--v2", "1", f"<{v}>"] for v in values)
    assert not project.path("pwned").exists()
    assert len(list(project.path("output").glob("V_*"))) == len(values)
    assert not (project.folder.parent / "up").exists()


def test_what_is_no_placeholder_reaches_the_shell(project: Project) -> None:
    """awk programs, JSON, globs, ${variables} and brace expansion stay as they are."""
    project.write(
        """template:
  train: >
    echo one two | awk '{print $2}';
    X=5; echo ${X} {a,b} '{"json": [0, 1]}' [0-9]zzz; [ -n x ] && echo "{v}"
---
v: [7]
"""
    )
    assert project.run().code == 0
    log = next(project.path("output/V_7").glob("log.train.*")).read_text()
    assert log == 'two\n5 a b {"json": [0, 1]} [0-9]zzz\n7\n'


def test_a_run_record_tells_where_and_what(project: Project) -> None:
    """Each run's record: when, how long, host, slot, exit code, attempt, commit, command."""
    project.write("template: {train: 'echo {a}'}\nresource: ['4,5']\n---\na: [1]\n")
    git = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b",
           "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}  # fmt: skip
    for command in ("init -q", "add .", "commit -qm first", "rev-parse HEAD"):
        head = subprocess.run(
            ["git", *command.split()],
            cwd=project.folder,
            env={**os.environ, **git},
            capture_output=True,
            text=True,
            check=True,
        )
    assert project.run().code == 0
    record = json.loads(project.path("output/A_1/.sweepmake/train.json").read_text())
    assert record["commit"] == head.stdout.strip()
    assert record["slot"] == "4,5"
    assert record["command"] == "echo 1"
    assert record["host"] == os.uname().nodename
    assert record["wall_time_s"] == pytest.approx(record["ended"] - record["started"], abs=0.002)
    assert (record["exit_code"], record["attempt"], record["state"]) == (0, 1, "finished")
