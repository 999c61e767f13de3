"""workflow/Snakefile, where other tools look for a workflow, is this workflow."""

from __future__ import annotations

import pytest
from projects import REPOSITORY, Done, Project

PARAMS = """\
template:
  train: "true {lr}"
  test: "test {lr} != 2"
---
lr: [ 1, 2, 3 ]
"""


@pytest.fixture
def shim(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project whose `run` starts workflow/Snakefile."""
    command = project.command

    def other(*arguments: str, cores: int = 4) -> list[str]:
        whole, workflow = (str(REPOSITORY / path) for path in ("Snakefile", "workflow/Snakefile"))
        parts = command(*arguments, cores=cores)
        return [workflow if part == whole else part for part in parts]

    monkeypatch.setattr(project, "command", other)
    project.write(PARAMS)
    return project


def test_it_has_the_same_default_target(shim: Project) -> None:
    """Without a target it plans everything, as the Snakefile above it does."""
    shim.target = ""
    planned = shim.run("-n")
    assert planned.code == 0, planned.said
    per_experiment = {"train": 3, "test": 3, "read_logs": 3, "plot_ranks": 3}
    once = {"build_workbook": 1, "plot_comparison": 1, "all": 1, "total": 15}
    assert _jobs(planned) == {**per_experiment, **once}


def test_it_runs_and_reports(shim: Project) -> None:
    """Its runs are executed and counted; one failure spares the others, and has its row."""
    shim.target = ""
    done = shim.run()
    assert done.code != 0
    assert "Runs: 5 finished, 1 failed" in done.said
    assert len(done.started) == 6
    assert "results/experiments.xlsx: 3 experiments: 2 finished, 1 failed" in done.said


def _jobs(planned: Done) -> dict[str, int]:
    table = planned.said.partition("Job stats:")[2].partition("\n\n")[0]
    rows = [line.split() for line in table.splitlines()[1:] if line.split()]
    return {row[0]: int(row[1]) for row in rows if row[1].isdigit()}
