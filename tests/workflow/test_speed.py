"""What makes thousands of runs slow does not come back."""

from __future__ import annotations

import os
import re
import subprocess
import sys

from projects import REPOSITORY, Project


def test_planning_imports_neither_pandas_nor_matplotlib(project: Project) -> None:
    """Reading the Snakefile, which every job on a cluster does, imports no library for results."""
    project.write("template: {train: 'true {lr}'}\n---\nlr: [0.1, 0.2]\n")
    command = ["-m", "snakemake", "-s", str(REPOSITORY / "Snakefile"), "--cores", "1", "-n"]
    ended = subprocess.run(
        [sys.executable, "-X", "importtime", *command],
        cwd=project.folder,
        env={**os.environ, **project.environment},
        capture_output=True,
        text=True,
        check=True,
    )
    modules = set(re.findall(r"^import time: .*\| +(\S+)$", ended.stderr, re.M))
    assert "sweepmake.plan" in modules
    assert not modules & {"pandas", "matplotlib", "openpyxl"}


def looks(project: Project, *arguments: str) -> int:
    """Run the stages one after the other; count how often Snakemake looked at what waits."""
    project.write(
        "template: {train: 'sleep 0.3; true {lr}'}\nresource: [0]\n---\nlr: [1, 2, 3, 4, 5, 6, 7]\n"
    )
    done = project.run("stages", "--verbose", *arguments)
    assert done.code == 0, done.said
    return len(re.findall(r"^Ready jobs: ", done.said, re.M))


def test_waiting_jobs_are_looked_at_once_per_finished_run(project: Project) -> None:
    """Snakemake's rate limit would add one look per second for every run that has finished."""
    assert looks(project) <= 8


def test_a_rate_limit_of_the_user_stays(project: Project) -> None:
    """Snakemake looks again and again, as it always does under a limit."""
    assert looks(project, "--max-jobs-per-timespan", "200/1s") > 8
