"""The results of logs that were made elsewhere: `--config logs=DIR`, without a params.yaml."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from folders import state_of
from openpyxl import load_workbook
from projects import REPOSITORY, Done, Project, rows

DATA = REPOSITORY / "tests/data"
WIZARD = "ppn_2-img_1000-lr_{}-mom_0.9-bs_32-dpout_0.5_0.5"


def read(project: Project, *config: str) -> Done:
    """Run the workflow on logs, from a folder that holds nothing."""
    project.folder.mkdir(exist_ok=True)
    project.target = "all"
    return project.run("--config", *config)


def test_mlrunner_s_folders_become_a_workbook(project: Project) -> None:
    """Its six experiments are there with their accuracies, the best first; nothing else changes."""
    logs = DATA / "mlrunner-output"
    before = state_of(logs)
    done = read(project, f"logs={logs}/", "objective={metric: test_acc, mode: max}")
    assert done.code == 0, done.said
    found = [(row["learning rate"], row["seed"], row["test_acc"]) for row in rows(project)]
    assert found == [
        (0.1, 2, 0.9296), (0.1, 0, 0.9290), (0.1, 1, 0.9242),
        (0.01, 0, 0.9039), (0.01, 1, 0.9021), (0.01, 2, 0.9011),
    ]  # fmt: skip
    for folder in logs.iterdir():
        if folder.is_dir():
            pdf = project.path(f"results/{folder.name}/ranks.pdf")
            assert pdf.read_bytes().startswith(b"%PDF")
    assert project.path("results/comparison.pdf").read_bytes().startswith(b"%PDF")
    assert state_of(logs) == before
    assert sorted(path.name for path in project.folder.iterdir()) == [".snakemake", "results"]
    again = read(project, f"logs={logs}/", "objective={metric: test_acc, mode: max}")
    assert "Nothing to be done" in again.said, again.said


@pytest.fixture
def wizard(project: Project) -> Path:
    """Training Log Wizard's folders two good ones, and bad ones."""
    folder = project.folder.parent / "some runs"
    for lr, log in (("1e-05", "k27-ompi4-np4-ts"), ("0.1", "k2-ompi4-np2")):
        name = WIZARD.format(lr)
        (folder / name).mkdir(parents=True)
        shutil.copy(DATA / f"logs/{log}/log.txt", folder / name / f"{name}.log")
    for number, what in enumerate(("empty", "none", "folder", "link"), 2):
        name = WIZARD.format(number)
        (folder / name).mkdir()
        log = folder / name / f"{name}.log"
        if what == "empty":
            log.touch()
        elif what == "folder":
            log.mkdir()
        elif what == "link":
            log.symlink_to("nowhere")
    return folder


def test_the_wizard_s_folders_become_a_workbook(project: Project, wizard: Path) -> None:
    """Parameters come from the names; what cannot be read has a row that says why."""
    before = state_of(wizard)
    done = read(project, f"logs={wizard}")
    assert done.code == 0, done.said
    found = {row["learning rate"]: row for row in rows(project)}
    assert {rate: row["status"] for rate, row in found.items()} == {
        1e-05: "finished", 0.1: "finished", 2: "unreadable", 3: "unreadable",
        4: "unreadable", 5: "unreadable",
    }  # fmt: skip
    assert [found[rate]["note"] for rate in (2, 3, 4, 5)] == [
        "empty log",
        "no log",
        "cannot be read: it is a folder",
        "cannot be read: No such file or directory",
    ]
    assert found[1e-05]["total processes"] == 4
    assert found[0.1]["total processes"] == 2
    about = {cell for row in load_workbook(project.path("results/experiments.xlsx"))["about"]
             for cell in (one.value for one in row)}  # fmt: skip
    assert {"[0.5, 0.5]", 1000, 32} <= about
    assert state_of(wizard) == before


def test_any_layout_is_told_with_a_pattern(project: Project) -> None:
    """The expression reaches the library as config/README.md shows it; paths may be odd."""
    for lr in ("0.1", "0.2"):
        for seed in (1, 2):
            folder = project.folder.parent / f"runs/lr={lr}/seed={seed}"
            folder.mkdir(parents=True)
            text = "".join(f"epoch={e} loss={float(lr) / e}\n" for e in range(1, 4))
            (folder / "out.txt").write_text(text)
    names = r"lr=(?P<lr>[^/{]+)(?P<odd>.*)/seed=(?P<seed>\d{1,3})/out\.txt"
    (project.folder.parent / "runs/lr=0.2").rename(
        project.folder.parent / "runs/lr=0.2{it's} $HOME; (x)"
    )
    done = read(project, f"logs={{folder: ../runs, names: '{names}', clean: true}}")
    assert done.code == 0, done.said
    found = {(row["learning rate"], row["seed"]): row["loss"] for row in rows(project)}
    assert found.keys() == {(0.1, 1), (0.1, 2), (0.2, 1), (0.2, 2)}
    assert found[0.2, 1] == pytest.approx(0.2 / 3)
    assert list(project.path("results").glob("*/clean.train.1.log"))


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("logs=nowhere", "there is no folder 'nowhere'"),
        ("logs=007", "write logs=./7 there"),
        ("logs=True", "expected a folder of logs"),
        ("logs=../file.log", "is a file, expected a folder"),
        ("logs=../empty", "there is no file in the folder"),
        ("logs={folder: ../runs, names: '('}", "is not a regular expression"),
        ("logs={folder: ../runs, names: 'x'}", "matches none of the 1 files"),
        ("logs={names: 'x'}", "expected 'folder' beside 'names'"),
        ("logs={folder: ../runs, nmaes: 'x'}", "unknown key 'nmaes' (did you mean 'names'?)"),
        ('logs={folder: ../runs, names: "\\d"}', "in single quotes"),
    ],
)
def test_what_cannot_be_used_is_said_without_a_traceback(
    project: Project, config: str, said: str
) -> None:
    """One line that begins with "error:", and nothing is made."""
    (project.folder.parent / "empty").mkdir()
    (project.folder.parent / "file.log").write_text("loss=1\n")
    (project.folder.parent / "runs/a").mkdir(parents=True)
    (project.folder.parent / "runs/a/train.log").write_text("loss=1\n")
    done = read(project, config)
    assert done.code != 0
    (line,) = [line for line in done.said.splitlines() if line.startswith("error:")]
    assert said in line
    assert "Traceback" not in done.said
    assert not project.path("results").exists()
