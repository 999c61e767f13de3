"""A run that did not do its work is not finished: resumed, retried, refused, warned of."""

from __future__ import annotations

import csv
import gzip
import json
import shutil
import subprocess
import sys
from pathlib import Path

from projects import REPOSITORY, Project

EXAMPLE = REPOSITORY / "examples" / "digits"
KILL = """\
        if epoch == 5 and not args.resume:
            import os, signal
            os.kill(os.getpid(), signal.SIGKILL)
"""


def test_digits_killed_in_mid_training_resume_to_the_same_numbers(project: Project) -> None:
    """Killed when epoch 5 had been logged and before it was kept: tried again from epoch 4."""
    project.folder.mkdir()
    for name in ("data", "network.py", "resume.yaml"):
        (project.folder / name).symlink_to(EXAMPLE / name)
    program = (EXAMPLE / "train.py").read_text()
    before = "        if val_loss < best_loss:\n"
    assert before in program
    project.path("train.py").write_text(program.replace(before, KILL + before))
    project.target = "results/Seed_1/metrics.json"
    done = project.run("--config", "params=resume.yaml", cores=1)
    assert done.code == 0, done.said
    assert "RETRY   in 1 s, train: 1/3, output/Seed_1" in done.said
    record = json.loads(project.path("output/Seed_1/.sweepmake/train.json").read_text())
    assert (record["attempt"], record["resumed"], record["state"]) == (2, True, "finished")

    whole = project.folder / "whole"
    options = ["--lr", "0.05", "--epochs", "30", "--seed", "1", "--save-dir", str(whole)]
    command = [sys.executable, str(EXAMPLE / "train.py"), str(EXAMPLE / "data/digits.csv.gz")]
    log = subprocess.run([*command, *options], capture_output=True, text=True, check=True).stdout
    expected = [line.split(", duration")[0] for line in log.splitlines()[:-1]]
    with gzip.open(project.path("results/Seed_1/history.csv.gz"), "rt") as file:
        rows = list(csv.DictReader(file))
    assert [row["attempt"] for row in rows] == ["1"] * 4 + ["2"] * 26
    assert [
        f"Iter {row['epoch']}: loss={row['loss']}, lr={row['lr']}, val_loss={row['val_loss']}, "
        f"val_acc={row['val_acc']}"
        for row in rows
    ] == expected
    for name in ("checkpoint30.npz", "last.npz"):
        assert project.path(f"output/Seed_1/{name}").read_bytes() == (whole / name).read_bytes()
    shutil.rmtree(whole)


def test_a_failure_that_would_come_again_is_not_tried_again(project: Project) -> None:
    """Snakemake would try it three times; the pipe of another stage is told of once."""
    project.write(
        "template:\n  pre: python probe.py {a} | tee log.txt\n  train: nosuchprogram {a}\n"
        "stage: {train: {retries: 2}}\n---\na: 1\n"
    )
    done = project.run()
    assert done.code == 1
    assert done.said.count("warning: a failure before the last | of a pipe counts for nothing") == 1
    assert "params.yaml:2 (pre: | tee)" in done.said
    assert done.said.count("not tried again, because it failed by: command not found") == 2
    assert len(list(Path(project.path("output/A_1")).glob("log.train.*"))) == 1


def test_success_and_pipefail_asked_for_later_repeat_nothing(project: Project) -> None:
    """They are no part of the command that decides about a rerun; a new run is held to them."""
    template = "template: {train: 'python probe.py {a} | cat'}\n"
    project.write(template + "---\na: 1\n")
    assert project.run().code == 0
    strict = "stage: {train: {pipefail: true, success: {files: '{_output}/model-{a}.pt'}}}\n"
    project.write(template + strict + "---\na: [1, 2]\n")
    done = project.run()
    assert done.code == 1
    assert done.started == ["train output/A_2"]
    assert "FAIL    exit code 0, there is no output/A_2/model-2.pt, train: 2/2" in done.said
