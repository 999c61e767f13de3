"""The results: made when the sweep has finished, when it has failed, and while it runs."""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from folders import state_of
from projects import REPOSITORY, SECONDS, Done, Project, rows, wait_until

TRAIN = """\
import os, sys, time
lr, seed = float(sys.argv[1]), int(sys.argv[2])
for epoch in range(1, 4):
    val_acc = 0.5 + epoch / 10 + seed / 100 - lr
    print(f"epoch={epoch} loss={1 / epoch + lr:.4f} val_acc={val_acc:.4f}")
sys.stdout.flush()
if os.path.exists(f"wait-{lr}-{seed}"):
    open(f"waiting-{lr}-{seed}", "w").close()
    while os.path.exists(f"wait-{lr}-{seed}"):
        time.sleep(0.02)
if os.path.exists(f"fail-{lr}-{seed}"):
    raise ValueError("these numbers do not fit")
"""
GRID = """\
template:
  train: python train.py {lr} {seed}
  test: echo BLEU4 = 2{seed}.5
default: {data: iwslt}
metric: {bleu: {stage: test, pattern: 'BLEU4? = ([\\d.]+)'}}
objective: {metric: val_acc, mode: max}
---
lr: [0.1, 0.2]
seed: [1, 2]
"""
NAMES = ["Lr_0.1-Seed_2", "Lr_0.1-Seed_1", "Lr_0.2-Seed_2", "Lr_0.2-Seed_1"]  # the best first

shares_a_sweep = pytest.mark.xdist_group("results")  # in one worker, which runs the sweep once


def prepare(project: Project) -> Project:
    project.write(GRID)
    project.write(TRAIN, "train.py")
    project.target = "all"
    return project


@pytest.fixture
def sweep(project: Project) -> Project:
    """The sweep before its first run."""
    return prepare(project)


@pytest.fixture(scope="module")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, Done]:
    """The sweep that has run, and what was said; for tests that change none of it."""
    project = prepare(Project(tmp_path_factory.mktemp("first-run") / "project"))
    done = project.run()
    assert done.code == 0, done.said
    return project, done


@pytest.fixture
def finished(first_run: tuple[Project, Done], tmp_path: Path) -> Project:
    """A copy of the sweep that has run, for tests that go on from there."""
    return first_run[0].copy(tmp_path / "project")


def statuses(project: Project) -> dict[str, str]:
    return {row["experiment"]: row["status"] for row in rows(project)}


@shares_a_sweep
def test_one_command_makes_everything(first_run: tuple[Project, Done]) -> None:
    """A finished sweep has a workbook with the best first, plots of each, and a comparison."""
    sweep, done = first_run
    found = rows(sweep)
    assert [row["experiment"] for row in found] == NAMES
    assert {row["status"] for row in found} == {"finished"}
    assert [row["val_acc"] for row in found] == [0.72, 0.71, 0.62, 0.61]
    assert [row["bleu"] for row in found] == [22.5, 21.5, 22.5, 21.5]
    assert "data" not in found[0]
    with sweep.path("results/experiments.csv").open(encoding="utf-8", newline="") as file:
        assert [row["experiment"] for row in csv.DictReader(file)] == NAMES
    for name in NAMES:
        assert sweep.path(f"results/{name}/ranks.pdf").read_bytes().startswith(b"%PDF")
    assert sweep.path("results/comparison.pdf").read_bytes().startswith(b"%PDF")
    assert "4 experiments: 4 finished" in done.said
    again = sweep.run()
    assert "Nothing to be done" in again.said


@shares_a_sweep
def test_a_copied_project_is_as_finished(finished: Project) -> None:
    """A project may move with all that is in it: nothing runs again."""
    again = finished.run()
    assert again.code == 0, again.said
    assert "Nothing to be done" in again.said


def test_a_failed_experiment_has_its_row_and_spares_the_others(sweep: Project) -> None:
    """The workbook is there after a run with failures, and the same command mends it."""
    sweep.write("", "fail-0.1-2")
    done = sweep.run()
    assert done.code == 1
    assert statuses(sweep)["Lr_0.1-Seed_2"] == "failed"
    assert list(statuses(sweep).values()).count("finished") == 3
    (failure,) = rows(sweep, "failures")
    assert failure["experiment"] == "Lr_0.1-Seed_2"
    assert failure["stage"] == "train"
    assert failure["exit code"] == 1
    assert "these numbers do not fit" in str(failure["last log line"])
    assert sweep.path("results/Lr_0.1-Seed_2/ranks.pdf").exists()
    sweep.path("fail-0.1-2").unlink()
    again = sweep.run()
    assert again.code == 0, again.said
    assert again.started == ["train output/Lr_0.1-Seed_2", "test output/Lr_0.1-Seed_2"]
    assert set(statuses(sweep).values()) == {"finished"}


@shares_a_sweep
def test_a_repeated_training_that_fails_leaves_no_old_numbers(finished: Project) -> None:
    """What the test of an earlier training found does not stand beside the failure."""
    finished.write("import sys; sys.exit('broken')", "train.py")
    done = finished.run("--forcerun", "train")
    assert done.code == 1
    assert "Runs: 4 failed, 4 not started" in done.said
    assert set(statuses(finished).values()) == {"failed"}
    assert {row.get("bleu") for row in rows(finished)} == {None}
    finished.write(TRAIN, "train.py")
    assert finished.run().code == 0
    assert [row["bleu"] for row in rows(finished)] == [22.5, 21.5, 22.5, 21.5]


def test_results_can_be_had_while_the_sweep_runs(sweep: Project) -> None:
    """`snakemake results` beside a running sweep shows what runs and disturbs nothing."""
    sweep.write("", "wait-0.1-1")
    process = sweep.start(cores=1)
    wait_until(sweep.path("waiting-0.1-1").exists, "the training")
    beside = Project(sweep.folder, sweep.environment, target="results")
    done = beside.run(cores=1)
    assert done.code == 0, done.said
    assert not done.started
    found = statuses(sweep)
    assert found["Lr_0.1-Seed_1"] == "running"
    assert list(found.values()).count("not started") == 3
    (running,) = (row for row in rows(sweep) if row["status"] == "running")
    assert running["val_acc"] == 0.71
    sweep.path("wait-0.1-1").unlink()
    said, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, said
    assert set(statuses(sweep).values()) == {"finished"}


def test_results_of_nothing(sweep: Project) -> None:
    """Before the first run there is a row for every experiment, and nothing is run."""
    sweep.target = "results"
    done = sweep.run()
    assert done.code == 0, done.said
    assert set(statuses(sweep).values()) == {"not started"}
    assert len(rows(sweep)) == 4
    assert not sweep.path("output").exists()


@shares_a_sweep
def test_an_edited_template_is_seen_before_it_runs(finished: Project) -> None:
    """What the next command will run again is "outdated" until then."""
    text = GRID.replace("seed: [1, 2]", "seed: [1]").replace("[0.1, 0.2]", "[0.1]")
    finished.write(text.replace("echo BLEU4 = 2", "echo BLEU4 = 3"))
    finished.target = "results"
    assert finished.run().code == 0
    (row,) = rows(finished)
    assert (row["status"], row["note"]) == (
        "outdated",
        "test: of an older command, to be run again",
    )
    finished.target = "all"
    done = finished.run()
    assert done.started == ["test output/Lr_0.1-Seed_1"]
    (row,) = rows(finished)
    assert (row["status"], row["bleu"]) == ("finished", 31.5)


@shares_a_sweep
def test_another_objective_makes_the_workbook_again_and_nothing_else(finished: Project) -> None:
    """What is shown may change without a training, and without reading a log."""
    read = finished.path(f"results/{NAMES[0]}/metrics.json").stat().st_mtime_ns
    finished.write(GRID.replace("val_acc, mode: max", "loss, mode: min"))
    done = finished.run()
    assert done.code == 0, done.said
    assert not done.started
    assert finished.path(f"results/{NAMES[0]}/metrics.json").stat().st_mtime_ns == read
    assert rows(finished)[0]["loss"] == min(row["loss"] for row in rows(finished))
    assert "best: Lr_0.1-Seed_1 (loss" in done.said


@shares_a_sweep
def test_an_objective_that_no_experiment_has(finished: Project) -> None:
    """The names that there are, no traceback, and a workbook all the same."""
    finished.write(GRID.replace("metric: val_acc", "metric: val_dcs"))
    finished.path("results/comparison.pdf").unlink()  # so that it is made again, too
    done = finished.run()
    assert "plot_comparison" in done.said
    assert "val_dcs" in done.said
    assert "val_acc" in done.said
    assert "Traceback" not in done.said
    assert len(rows(finished)) == 4


@shares_a_sweep
def test_a_deleted_workbook_is_made_again(finished: Project) -> None:
    """Snakemake knows the workbook by a marker only; by its own name it is explained."""
    finished.path("results/experiments.xlsx").unlink()
    finished.path("results/comparison.pdf").unlink()
    done = finished.run()
    assert done.code == 0, done.said
    assert not done.started
    assert len(rows(finished)) == 4
    assert finished.path("results/comparison.pdf").exists()
    finished.target = "results/experiments.xlsx"
    asked = finished.run()
    assert asked.code == 1
    assert "snakemake --cores 4 results" in asked.said
    assert "MissingRule" not in asked.said


def test_parameters_that_look_like_snakemakes_variables(sweep: Project) -> None:
    """`<b>` and `<results>` in a value are text, in names of files too."""
    sweep.write(
        "template: {train: 'echo loss={lr} {text}'}\n---\nlr: [1]\n"
        "text: ['<b>x</b>', '<results>']\n"
    )
    done = sweep.run()
    assert done.code == 0, done.said
    assert {row["text"] for row in rows(sweep)} == {"<b>x</b>", "<results>"}
    assert not list(sweep.folder.glob("output/*results/results"))


def test_folders_of_logs_that_look_like_snakemakes_patterns(project: Project) -> None:
    """Logs made elsewhere may lie in folders called <b> or {y}."""
    project.path("logs").mkdir(parents=True)
    for name in ("a<b>", "<results>", "x{y}"):
        project.write("epoch=1 loss=0.5\n", f"logs/{name}.log")
    project.target = "all"
    done = project.run("--config", "logs=logs")
    assert done.code == 0, done.said
    assert [row["loss"] for row in rows(project)] == [0.5] * 3


class Raised(Project):
    """A project whose Snakemake finds a module of the library with a higher FORMAT_VERSION."""

    module = ""

    def command(self, *arguments: str, cores: int = 4) -> list[str]:
        program = f"import {self.module}, sys; {self.module}.FORMAT_VERSION += 1"
        program += "; from snakemake.cli import main; main()"
        return [sys.executable, "-c", program, *super().command(*arguments, cores=cores)[1:]]


def test_results_of_an_older_format_are_made_again(project: Project) -> None:
    """A mended reader reads the logs again, a mended plot draws again."""
    project.path("logs").mkdir(parents=True)
    project.write("epoch=1 loss=0.5\n", "logs/a.log")
    project.target = "all"
    arguments = ("--config", "logs=logs")
    done = project.run(*arguments)
    assert done.code == 0, done.said
    later = Raised(project.folder, project.environment, project.target)
    drawn = {"plot_ranks", "plot_comparison", "build_workbook", "all"}
    for module, again in (("logs", {"read_logs"} | drawn), ("outputs.drawing", drawn)):
        later.module = f"sweepmake.{module}"
        found = later.run(*arguments, "-n")
        assert found.code == 0, found.said
        assert set(re.findall(r"^(?:local)?rule (\w+):", found.said, re.M)) == again


def test_what_cannot_be_written_is_said_without_a_traceback(sweep: Project) -> None:
    """The operating system's words and the file; not where in the program that was."""
    assert sweep.run("--until", "test").code == 0
    sweep.path(f"results/{NAMES[0]}").mkdir(parents=True)
    command = [sys.executable, str(REPOSITORY / "scripts" / "read_logs.py"), "train"]
    command += [f"--folder=output/{NAMES[0]}", f"--records=output/{NAMES[0]}/.sweepmake"]
    command += [f"--output=results/{NAMES[0]}/file/in/a/file"]
    sweep.write("", f"results/{NAMES[0]}/file")
    done = subprocess.run(command, cwd=sweep.folder, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr


def test_the_results_folder_cannot_be_a_file(sweep: Project) -> None:
    """A file in its place is named, and nothing is trained for nothing."""
    sweep.write("", "my results")
    done = sweep.run("--config", "results=my results")
    assert done.code != 0
    assert "my results" in done.said
    assert "Traceback" not in done.said


def test_logs_made_elsewhere(project: Project) -> None:
    """A folder that mlrunner made becomes a workbook and plots, and is not touched."""
    project.write("")
    project.path("params.yaml").unlink()
    project.target = "all"
    source = project.path("their logs")
    shutil.copytree(REPOSITORY / "tests/data/mlrunner-output", source)
    before = state_of(source)
    done = project.run("--config", "logs=their logs")
    assert done.code == 0, done.said
    found = rows(project)
    assert len(found) == 6
    assert sorted(row["test_acc"] for row in found) == [
        0.9011, 0.9021, 0.9039, 0.9242, 0.9290, 0.9296,
    ]  # fmt: skip
    assert {row["seed"] for row in found} == {0, 1, 2}
    assert len(list(project.path("results").glob("*/ranks.pdf"))) == 6
    assert state_of(source) == before
    assert not project.path("output").exists()
