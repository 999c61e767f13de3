"""How often a failed run is tried again, and when a hopeless sweep ends."""

from __future__ import annotations

import pytest
from projects import Project, rows

FAILING = """\
template:
  train: python probe.py {a}
resource: [0]
stage: {train: {retries: 1}}
---
a: [1, 2, 3, 4, 5]
"""


@pytest.mark.snakemake_versions
def test_the_command_line_says_how_often_where_a_stage_does_not(project: Project) -> None:
    """`--retries` counts for it; what a stage says of itself stands, 0 too."""
    project.write(
        "template: {one: python probe.py one, two: python probe.py two}\n"
        "stage: {two: {retries: 0}}\n---\na: [1]\n"
    )
    project.write("", "fail-one")
    project.run("--retries", "2")
    assert project.arguments() == ["one", "one", "one"]
    project.path("fail-one").unlink()
    project.write("", "fail-two")
    project.forget()
    project.run("--retries", "2")
    assert project.arguments() == ["one", "two"]


@pytest.mark.snakemake_versions
def test_after_max_failures_no_more_runs_start(project: Project) -> None:
    """Retries used up: then those that run end, one line says so, and there are results."""
    project.write(FAILING)
    for number in (2, 3):
        project.write("", f"fail-{number}")
    project.target = ""
    done = project.run("--config", "max_failures=2", cores=1)
    assert done.code == 1
    assert project.arguments() == ["1", "2", "2", "3", "3"]
    assert done.said.count("max_failures: 2 runs have failed, so no more are started") == 1
    assert "Runs: 1 finished, 2 failed, 2 not started" in done.said
    assert len(rows(project)) == 5
    project.forget()
    assert project.run(cores=1).code == 1
    assert project.arguments() == ["2", "2", "3", "3", "4", "5"]
