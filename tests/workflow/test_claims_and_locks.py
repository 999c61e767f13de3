"""What a workflow has claimed and locked: told while it lives, and gone when it has been killed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from projects import REPOSITORY, SECONDS, Project, wait_until

PARAMS = "template: {train: 'echo loss: {a}'}\nresource: [0]\n---\na: [1, 2]\n"
# the run waits for a word through a named pipe
WAITING = "template: {train: 'touch started; read word < go'}\nresource: [0]\n---\na: [1]\n"
MODULE = f'module sweepmake:\n    snakefile: "{REPOSITORY / "workflow" / "Snakefile"}"\n'
BESIDE = """
use rule * from sweepmake
rule mine:
    input: "mine.csv"
    output: "models/mine.npz"
    shell: "touch started; read word < go; touch {output}"
rule both:
    input: rules.mine.output, rules.all.input
"""


def slow_fonts(project: Project) -> Path:
    """Have every program that plots wait for a word, as long as the file is there."""
    folder = project.path("slow")
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        "import os, sys\n"
        "if len(sys.orig_argv) > 1 and 'plot_ranks' in sys.orig_argv[1] and os.path.exists('go'):\n"
        "    open('drawing', 'w').close()\n"
        "    open('go').read()\n"
    )
    project.environment["PYTHONPATH"] = str(folder)
    os.mkfifo(project.path("go"))
    return project.path("go")


def kill(project: Project, arguments: tuple[str, ...], started: str) -> int:
    """Start the command and kill it when a file is there; return its process."""
    workflow = project.start(*arguments)
    wait_until(project.path(started).exists, started)
    workflow.kill()
    workflow.wait()
    assert list(project.path(".snakemake/locks").iterdir())
    return workflow.pid


@pytest.mark.snakemake_versions
@pytest.mark.parametrize("mode", ["sweep", "logs"])
def test_killed_when_only_results_are_left_it_goes_on(project: Project, mode: str) -> None:
    """Also in `logs` mode: the same command again, and nobody has to unlock anything."""
    project.write(PARAMS)
    assert project.run().code == 0
    logs = ("--config", "logs=output", "results=read") if mode == "logs" else ()
    project.target = ""
    go = slow_fonts(project)
    kill(project, logs, "drawing")
    with go.open("w"):  # what the killed one has left behind goes on, too
        go.unlink()
    again = project.run(*logs)
    assert again.code == 0, again.said
    assert "lock" not in again.said.lower()


def test_beside_living_results_a_second_command_is_told_of_the_first(project: Project) -> None:
    """In `logs` mode, and beside a sweep that makes the same results; other results are free."""
    project.write(PARAMS)
    assert project.run().code == 0
    project.target = ""
    go = slow_fonts(project)
    first = project.start("--config", "logs=output", "results=read")
    wait_until(project.path("drawing").exists, "the drawing")
    for arguments in (["logs=output", "results=read"], ["results=read"]):
        second = project.run("--config", *arguments)
        assert second.code == 1
        assert f"another workflow (process {first.pid}, since" in second.said
        assert "is making the results in 'read'. Wait for its end, or" in second.said
        assert "unlock" not in second.said.lower()
    dry = project.run("-n", "--config", "logs=output", "results=read", "--forceall")
    assert dry.code == 0, dry.said
    elsewhere = go.rename(project.path("elsewhere"))
    other = project.run("--config", "logs=output", "results=other")
    assert other.code == 0, other.said
    with elsewhere.open("w"):
        pass
    first.kill()
    first.communicate()


@pytest.mark.snakemake_versions
def test_a_lock_on_files_of_other_rules_stays_and_is_explained(project: Project) -> None:
    """A workflow with rules of its own was killed: one line, and its way on works."""
    project.write(PARAMS)
    project.path("mine.csv").touch()
    project.snakefile = project.path("Snakefile")
    project.snakefile.write_text(MODULE + BESIDE)
    os.mkfifo(project.path("go"))
    project.target = "both"
    kill(project, (), "started")
    # which profiles/default says: the run may have finished when its workflow was killed
    again = project.run("--rerun-incomplete")
    assert again.code == 1
    assert "LockException" not in again.said
    assert again.said.count("snakemake --unlock") == 1
    assert "error: a lock of another workflow in this folder" in again.said
    project.path("go").unlink()
    project.path("go").write_text("word\n")
    assert project.run("--unlock").code == 0
    done = project.run("--rerun-incomplete")
    assert done.code == 0, done.said


def test_a_rule_of_ones_own_beside_a_living_sweep_is_not_told_to_unlock(project: Project) -> None:
    """It needs a run that the living workflow has locked, which nobody could know before."""
    project.write(WAITING)
    os.mkfifo(project.path("go"))
    project.snakefile = project.path("Snakefile")
    project.snakefile.write_text(
        MODULE + "use rule * from sweepmake\n"
        "rule mine:\n    input: rules.train.output\n    output: '{experiment}.npz'\n"
        "    shell: 'touch {output}'\n"
    )
    first = project.start()
    wait_until(project.path("started").exists, "the run")
    project.target = "A_1.npz"
    second = project.run()
    assert second.code == 1
    assert f"error: another workflow (process {first.pid}, since" in second.said
    assert "unlock" not in second.said.lower()
    with project.path("go").open("w") as pipe:
        pipe.write("word\n")
    assert first.wait(SECONDS) == 0
    first.communicate()


def test_one_output_folder_is_one_sweep_from_wherever_it_is_run(project: Project) -> None:
    """Another working folder, the same absolute output: they know of each other."""
    project.write(WAITING)
    os.mkfifo(project.path("go"))
    other = Project(project.folder.parent / "other")
    other.write(WAITING)
    output = ("--config", f"output={project.folder.parent / 'shared'}")
    first = project.start(*output)
    wait_until(project.path("started").exists, "the run")
    second = other.run(*output)
    assert second.code == 1
    assert f"another workflow (process {first.pid}, since" in second.said
    first.kill()
    first.wait()
    with project.path("go").open("w") as pipe:
        pipe.write("word\n")
    third = other.run(*output)
    assert third.code == 0, third.said
    assert "START" not in third.said
