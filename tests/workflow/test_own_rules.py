"""The example of a sweep in a workflow of one's own."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from projects import REPOSITORY, Project, rows


@pytest.mark.snakemake_versions
def test_a_rule_after_test_runs_for_every_experiment(project: Project) -> None:
    """examples/own_rules: its models are those that were tested, and the sweep is complete."""
    home = project.folder / "examples"
    for name in ("digits", "own_rules"):
        shutil.copytree(
            REPOSITORY / "examples" / name, home / name,
            ignore=shutil.ignore_patterns("output", "results", "models", ".snakemake"),
        )  # fmt: skip
    mine = Project(home / "own_rules", target="", snakefile=home / "own_rules/Snakefile")
    text = mine.snakefile.read_text()
    assert '"../../workflow/Snakefile"' in text
    mine.snakefile.write_text(text.replace("../../workflow", str(REPOSITORY / "workflow")))
    done = mine.run(cores=2)
    assert done.code == 0, done.said
    assert "Runs: 6 finished" in done.said
    names = {row["experiment"] for row in rows(mine)}
    assert len(names) == 2
    for name in names:
        with np.load(mine.path(f"models/{name}.npz")) as model:
            assert len(model.files) > 2
        measured = mine.path(f"models/{name}.training.tsv").read_text().splitlines()
        assert measured[0].startswith("s\th:m:s")
        assert len(measured) == 2
