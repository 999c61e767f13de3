"""A sweep whose workflow is taken in by its address: from a git repository, never checked out."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from projects import REPOSITORY, Project, rows

pytestmark = pytest.mark.snakemake_versions

USER = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b",
        "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}  # fmt: skip
ADDRESSES = {
    "gitfile": 'gitfile("{repository}", path="workflow/Snakefile", commit="{commit}")',
    # git itself is told where that lies, so nothing is downloaded
    "github": 'github("somebody/sweepmake", path="workflow/Snakefile", commit="{commit}")',
}


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=folder, env=os.environ | USER, check=True, text=True,
        stdout=subprocess.PIPE,
    ).stdout.strip()  # fmt: skip


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository whose only commit has the files of the workflow as they are now.

    None of them is checked out there.
    """
    tree = tmp_path_factory.mktemp("repositories") / "somebody" / "sweepmake"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard",
         "Snakefile", "workflow", "rules", "scripts", "profiles"],
        cwd=REPOSITORY, check=True, text=True, stdout=subprocess.PIPE,
    ).stdout.split("\0")  # fmt: skip
    for name in filter(None, listed):
        source, copy = REPOSITORY / name, tree / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, copy, follow_symlinks=False)
    git(tree, "init", "-q")
    git(tree, "add", ".")
    git(tree, "commit", "-qm", "all")
    git(tree, "rm", "-q", "-r", ".")
    git(tree, "commit", "-qm", "nothing")
    return tree


@pytest.mark.parametrize("kind", ADDRESSES)
def test_the_digits_by_address(project: Project, repository: Path, kind: str) -> None:
    """The example runs from a user's own folder and configuration to the workbook and a report."""
    shutil.copytree(
        REPOSITORY / "examples/digits", project.folder,
        ignore=shutil.ignore_patterns("output", "results", ".snakemake"),
    )  # fmt: skip
    commit = git(repository, "rev-parse", "HEAD^")
    address = ADDRESSES[kind].format(repository=repository, commit=commit)
    project.path("mine.yaml").write_text("title: early-stop\nsample: 1\noutput: runs\n")
    project.snakefile = project.path("Snakefile")
    project.snakefile.write_text(
        f'configfile: "mine.yaml"\nmodule sweepmake:\n    snakefile: {address}\n'
        "    config: config\nuse rule * from sweepmake\n"
    )
    settings = project.path("gitconfig")
    elsewhere = f'[url "file://{repository.parents[1]}/"]\n  insteadOf = https://github.com/\n'
    settings.write_text(elsewhere + "[safe]\n  directory = *\n")
    project.environment["GIT_CONFIG_GLOBAL"] = str(settings)
    project.target = ""
    done = project.run(cores=2)
    assert done.code == 0, done.said
    assert done.said.count("START") == 3
    (row,) = rows(project)
    assert row["status"] == "finished"
    assert 0.5 < row["val_acc"] <= 1
    assert project.path("results/comparison.pdf").exists()
    assert "Nothing to be done" in project.run(cores=2).said
    reported = project.run("--report", "report.html")
    assert reported.code == 0, reported.said
    assert "parameter sweep" in project.path("report.html").read_text()
    assert next(project.path("runs").glob("Patience_*/.sweepmake/test.done"))
