"""A secret that a command takes from the environment stays there."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

from projects import Project

SECRET = "hunter2-Zq7cT5"
# the program has the token, and says so by its length alone
TEXT = """\
template:
  train: >
    python -c 'import os, sys; print("tokens", len(sys.argv[1]), len(os.environ["API_TOKEN"]))'
    "$API_TOKEN"; false {x}
resource: [0]
---
x: [1]
"""


def content(path: Path) -> bytes:
    """What a file holds, unpacked where it is packed (the workbook, the history)."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as packed:
            return b"".join(map(packed.read, packed.namelist()))
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def holding(project: Project) -> list[str]:
    """The files of the project, of all folders, in which the secret stands."""
    return sorted(
        str(path.relative_to(project.folder))
        for path in project.folder.rglob("*")
        if path.is_file() and (SECRET.encode() in content(path) or SECRET in path.name)
    )


def test_a_secret_from_the_environment_is_left_nowhere(project: Project) -> None:
    """Not in what runs write, nor in results, nor in Snakemake's notes, nor on the terminal.

    The run fails, so that its command and its last lines are told as well; and everything is made
    of it: records, workbook, report. The same search finds a secret that stands in a template.
    """
    project.target = ""
    project.write(TEXT)
    project.environment["API_TOKEN"] = SECRET
    done = project.run("-p", "--retries", "1")
    assert done.code != 0
    assert f"tokens {len(SECRET)} {len(SECRET)}" in done.said, "the program has had it"
    report = project.run("--report", "report.html")
    assert project.path("results/experiments.xlsx").exists()
    assert project.path("report.html").exists(), report.said
    assert SECRET not in done.said + report.said
    assert holding(project) == []
    project.write(TEXT.replace('"$API_TOKEN"', SECRET))
    project.run()
    found = set(holding(project))
    assert {"output/params.yaml", "output/X_1/param", "output/X_1/.sweepmake/train.json"} <= found
    assert "results/experiments.xlsx" in found
