"""What makes thousands of runs slow does not come back."""

from __future__ import annotations

import re
import subprocess
import sys

from projects import REPOSITORY, Project


def test_planning_imports_neither_pandas_nor_matplotlib() -> None:
    """What the rules import when the Snakefile is read, in every job on a cluster, is light.

    Looked at in a plain Python: Snakemake itself imports every plugin that is installed, and some
    of those (Slurm's) import pandas and matplotlib.
    """
    rules = (REPOSITORY / "rules" / "common.smk").read_text()
    imports = re.findall(r"^ *((?:from|import) [^\n]*sweepmake[^\n]*)$", rules, re.M)
    assert len(imports) >= 4
    code = "\n".join(line.strip() for line in imports) + "\nimport sys; print(*sys.modules)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = set(ended.stdout.split())
    assert "sweepmake.plan" in modules
    assert not modules & {"pandas", "matplotlib", "openpyxl", "numpy", "pynvml", "jsonschema"}


def looks(project: Project, *arguments: str) -> int:
    """Run the stages one after the other; count how often Snakemake looked at what waits."""
    project.write(
        "template: {train: 'sleep 0.3; true {lr}'}\nresource: [0]\n---\nlr: [1, 2, 3, 4, 5, 6, 7]\n"
    )
    done = project.run("--verbose", *arguments)
    assert done.code == 0, done.said
    return len(re.findall(r"^Ready jobs: ", done.said, re.M))


def test_waiting_jobs_are_looked_at_once_per_finished_run(project: Project) -> None:
    """Snakemake's rate limit would add one look per second for every run that has finished."""
    assert looks(project) <= 8


def test_a_rate_limit_of_the_user_stays(project: Project) -> None:
    """Snakemake looks again and again, as it always does under a limit."""
    assert looks(project, "--max-jobs-per-timespan", "200/1s") > 8
