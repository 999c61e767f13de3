"""What ends a workflow before its time: one line, no traceback, nothing half-written."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
from projects import REPOSITORY, SECONDS, Project, wait_until

# the run says that it has started, and then waits for a word that never comes
WAITING = """\
template: {train: 'touch started-{a}; read word < go'}
resource: [0, 1]
---
a: [1, 2, 3]
"""
# every program that plots begins a file, and waits
DRAWING = """\
import os, sys
if len(sys.orig_argv) > 1 and "plot_ranks" in sys.orig_argv[1]:
    import sweepmake.outputs.ranks_pdf.ranks as ranks
    from sweepmake.replacing import replacing

    def draw(history, metrics, output, **more):
        with replacing(output) as partial:
            partial.write_text("half")
            open("drawing", "w").close()
            open("go").read()

    ranks.plot_ranks = draw
"""


@pytest.fixture
def waiting(project: Project) -> Project:
    project.write(WAITING)
    os.mkfifo(project.path("go"))
    return project


def end(process: subprocess.Popen[str]) -> str:
    """Return all that a workflow has said, once it has ended."""
    said, _ = process.communicate(timeout=SECONDS)
    assert process.returncode != 0
    assert "Traceback" not in said
    assert "Exception" not in said
    return said


def is_unlocked(project: Project) -> bool:
    return not project.path(".snakemake/locks").exists()


@pytest.mark.snakemake_versions
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
@pytest.mark.parametrize("whole_group", [False, True])
def test_a_signal_to_the_workflow_ends_its_runs(
    waiting: Project, number: signal.Signals, whole_group: bool
) -> None:
    """It reaches the workflow alone (kill, timeout), or also its runs (a terminal, systemd)."""
    workflow = waiting.start()
    wait_until(lambda: all(waiting.path(f"started-{n}").exists() for n in (1, 2)), "the runs")
    (os.killpg if whole_group else os.kill)(workflow.pid, number)
    said = end(workflow)
    assert said.count(f"{number.name}: no run starts any more, and those that run are") == 1
    assert said.count("FAIL    interrupted") == 2
    assert "Runs: 2 interrupted, 1 not started" in said
    assert "The same command again runs these" in said
    assert not waiting.path("started-3").exists()
    assert is_unlocked(waiting)


def test_under_nohup_a_hangup_ends_nothing(waiting: Project) -> None:
    """Neither the workflow nor its runs, to all of which the terminal sends it."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        workflow = waiting.start()
    finally:
        signal.signal(signal.SIGHUP, before)
    wait_until(lambda: all(waiting.path(f"started-{n}").exists() for n in (1, 2)), "the runs")
    os.killpg(workflow.pid, signal.SIGHUP)

    def is_over() -> bool:
        try:
            pipe = os.open(waiting.path("go"), os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            return workflow.poll() is not None  # nobody reads just now
        os.write(pipe, b"word\n")
        os.close(pipe)
        return False

    wait_until(is_over, "the end")
    said, _ = workflow.communicate(timeout=SECONDS)
    assert workflow.returncode == 0, said


@pytest.mark.snakemake_versions
@pytest.mark.parametrize("mode", ["sweep", "logs"])
def test_ctrl_c_while_results_are_made_leaves_nothing_half_written(
    project: Project, mode: str
) -> None:
    """Pressed twice: no traceback of any of the programs, no temporary file, and on again."""
    project.write("template: {train: 'echo loss: 1'}\nresource: [0]\n---\na: [1]\n")
    assert project.run().code == 0
    project.target = ""
    project.path("slow").mkdir()
    project.path("slow/sitecustomize.py").write_text(DRAWING)
    os.mkfifo(project.path("go"))
    project.environment["PYTHONPATH"] = str(project.path("slow"))
    arguments = ("--config", "logs=output", "results=read") if mode == "logs" else ()
    workflow = project.start(*arguments)
    wait_until(project.path("drawing").exists, "the drawing")
    os.killpg(workflow.pid, signal.SIGINT)
    os.killpg(workflow.pid, signal.SIGINT)
    said = end(workflow)
    assert "SIGINT: no run starts any more" in said
    results = project.path("read" if mode == "logs" else "results")
    assert [path.name for path in results.rglob(".ranks.pdf*")] == []
    assert is_unlocked(project)
    del project.environment["PYTHONPATH"]
    again = project.run(*arguments)
    assert again.code == 0, again.said
    assert list(results.glob("*/ranks.pdf"))


@pytest.mark.parametrize("moment", ["reading", "planning"])
def test_ctrl_c_before_anything_runs_is_one_line(project: Project, moment: str) -> None:
    """While params.yaml is read, and while the jobs are found: twice, as people do."""
    project.write("template: {train: 'true'}\n---\na: [1]\n")
    fifo = project.path("go")
    os.mkfifo(fifo)
    if moment == "reading":
        project.path("params.yaml").unlink()
        os.mkfifo(project.path("params.yaml"))
        fifo = project.path("params.yaml")
    else:
        project.snakefile = project.path("Snakefile")
        project.snakefile.write_text(
            f'module sweepmake:\n    snakefile: "{REPOSITORY / "workflow" / "Snakefile"}"\n'
            "use rule * from sweepmake\n"
            "def wait(wildcards):\n    return open('go').read()\n"
            "rule mine:\n    input: wait\n    output: 'x'\n    shell: 'touch x'\n"
        )
        project.target = "mine"
    workflow = project.start()
    with fifo.open("w"):  # until it is read
        os.killpg(workflow.pid, signal.SIGINT)
        os.killpg(workflow.pid, signal.SIGINT)
        said = end(workflow)
    assert said.count("Interrupted. The same command again goes on from here.\n") <= 1
    assert workflow.returncode == -signal.SIGINT
    assert len([line for line in said.splitlines() if "nterrupt" in line]) <= 1


def test_a_terminal_that_is_gone_is_no_reason_to_lose_the_end(waiting: Project) -> None:
    """SIGHUP, and nobody reads what is said any more: the records and the lock are as ever."""
    workflow = waiting.start()
    wait_until(lambda: all(waiting.path(f"started-{n}").exists() for n in (1, 2)), "the runs")
    assert workflow.stdout is not None
    workflow.stdout.close()
    os.killpg(workflow.pid, signal.SIGHUP)
    workflow.wait(SECONDS)
    stats = [Path(path).read_text() for path in waiting.path("output").glob("*/stat")]
    assert len(stats) == 2
    assert not any("running" in stat for stat in stats)
    assert is_unlocked(waiting)
