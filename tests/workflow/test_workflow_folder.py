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
        program, option, _, *rest = command(*arguments, cores=cores)
        return [program, option, str(REPOSITORY / "workflow" / "Snakefile"), *rest]

    monkeypatch.setattr(project, "command", other)
    project.write(PARAMS)
    return project


def test_it_has_the_same_default_target(shim: Project) -> None:
    """Without a target it plans everything, as the Snakefile above it does."""
    planned = shim.run("-n")
    assert planned.code == 0, planned.said
    assert _jobs(planned) == {"all": 1, "train": 3, "test": 3, "read_logs": 3, "total": 10}


def test_it_runs_and_reports(shim: Project) -> None:
    """Its runs are executed and counted; one failure spares the others, as in the profile."""
    done = shim.run()
    assert done.code != 0
    assert "Runs: 5 finished, 1 failed" in done.said
    assert len(done.started) == 6


def _jobs(planned: Done) -> dict[str, int]:
    table = planned.said.partition("Job stats:")[2].partition("\n\n")[0]
    rows = [line.split() for line in table.splitlines()[1:] if line.split()]
    return {row[0]: int(row[1]) for row in rows if row[1].isdigit()}
