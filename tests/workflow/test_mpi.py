"""A sweep whose training runs under the real mpirun: the history is what the ranks recorded."""

from __future__ import annotations

import csv
import gzip
import importlib.util
import json
import shutil
from pathlib import Path

import pytest
from projects import REPOSITORY, Project

pytestmark = [
    pytest.mark.skipif(shutil.which("mpirun") is None, reason="mpirun is not installed"),
    pytest.mark.skipif(importlib.util.find_spec("mpi4py") is None, reason="mpi4py is missing"),
]


def shown(value: float) -> str:
    """A value as Keras prints it in its bar."""
    return f"{value:.4f}" if abs(value) > 1e-3 else f"{value:.4e}"


def recorded(path: Path) -> list[tuple[str, ...]]:
    """What a rank recorded about each bar that it showed: epoch, step, steps, its values."""
    rows: dict[tuple[int, int], tuple[str, ...]] = {}
    for epoch in json.loads(path.read_text())["epochs"]:
        for step, steps, visible, values in epoch["bars"]:
            if visible:
                numbers = [shown(values[k]) if k in values else "" for k in COLUMNS]
                rows[epoch["epoch"], step] = (str(epoch["epoch"]), str(step), str(steps), *numbers)
    return list(rows.values())


COLUMNS = ("loss", "accuracy", "val_loss", "val_accuracy")


def test_the_history_of_a_real_mpirun_is_what_its_ranks_recorded(tmp_path: Path) -> None:
    """Four ranks write over each other; every value of each comes back on its rank, in order."""
    shutil.copytree(REPOSITORY / "examples", tmp_path / "examples")
    project = Project(tmp_path / "examples" / "mpi", target="all")
    done = project.run("--config", "title=learning-rate", "sample=1", cores=4)
    assert done.code == 0, done.said
    (folder,) = project.path("output").glob("Lr_*")
    with gzip.open(project.path("results") / folder.name / "history.csv.gz", "rt") as file:
        history = [row for row in csv.DictReader(file) if row["stage"] == "train"]
    assert {row["rank"] for row in history} == {"0", "1", "2", "3"}
    for rank in range(4):
        found = [
            (row["epoch"], row["step"], row["steps_per_epoch"], *(row[c] for c in COLUMNS))
            for row in history
            if row["rank"] == str(rank)
        ]
        assert found == recorded(folder / "ranks" / f"rank{rank}.json")
    summary = json.loads((project.path("results") / folder.name / "metrics.json").read_text())
    assert summary["total_job_ranks"] == 4
    assert summary["stages"]["train"]["launcher"].startswith("openmpi")
