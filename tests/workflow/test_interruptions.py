"""What is killed, stopped or started twice: nothing is lost, doubled or left locked."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from itertools import pairwise
from pathlib import Path

import pytest
from projects import SECONDS, Project, wait_until

# Each train run says that it has started and then waits for a word through a named pipe.
WAITING = """\
template:
  train: touch started-{a}; read word < go-{a}; echo $word
  test: echo test {a}
resource: [0, 1]
---
a: [1, 2]
"""


@pytest.fixture
def waiting(project: Project) -> Project:
    project.write(WAITING)
    for a in (1, 2):
        os.mkfifo(project.path(f"go-{a}"))
    return project


def wait_for_starts(project: Project, *numbers: int) -> None:
    for number in numbers:
        wait_until(project.path(f"started-{number}").exists, f"started-{number}")


def tell(project: Project, number: int, word: str = "done") -> None:
    """Write into the pipe as soon as the run reads from it."""

    def written() -> bool:
        try:
            pipe = os.open(project.path(f"go-{number}"), os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            return False
        os.write(pipe, f"{word}\n".encode())
        os.close(pipe)
        return True

    wait_until(written, f"a reader of go-{number}")


def logs(project: Project, stage: str) -> list[str]:
    return [p.read_text() for p in sorted(project.path("output").glob(f"A_*/log.{stage}.*"))]


@pytest.mark.snakemake_versions
def test_kill_9_of_the_workflow_loses_no_run(waiting: Project) -> None:
    """Runs go on without their workflow; the same command counts the ended, awaits the living."""
    workflow = waiting.start()
    wait_for_starts(waiting, 1, 2)
    workflow.kill()
    workflow.wait()
    assert list(waiting.path(".snakemake/locks").iterdir())
    tell(waiting, 1)
    done_1 = waiting.path("output/A_1/.sweepmake/train.done")
    wait_until(done_1.exists, "the end of the orphan")
    again = waiting.start()
    assert again.stdout is not None
    said = ""
    for line in again.stdout:
        said += line
        if "WAIT" in line:
            tell(waiting, 2)
    assert again.wait(SECONDS) == 0, said
    assert "SKIP    finished already, train: 1/2, output/A_1" in said
    assert re.search(
        r"WAIT    an earlier run is still alive \(process \d+, since .+\), train: 2/2, output/A_2",
        said,
    )
    assert logs(waiting, "train") == ["done\n", "done\n"]
    assert logs(waiting, "test") == ["test 1\n", "test 2\n"]


@pytest.mark.snakemake_versions
def test_ctrl_c_stops_the_runs_and_the_command_goes_on_later(waiting: Project) -> None:
    """SIGINT to the foreground group, as a terminal sends it: all stop, and run again."""
    workflow = waiting.start()
    wait_for_starts(waiting, 1, 2)
    os.killpg(workflow.pid, signal.SIGINT)
    said, _ = workflow.communicate(timeout=SECONDS)
    assert workflow.returncode != 0
    # 143 where bash was just then between two commands, and the runner had to insist
    assert re.search(r"FAIL    interrupted, exit code (130|143), train: 1/2, output/A_1", said)
    assert "Runs: 2 interrupted, 2 not started" in said
    assert "Traceback" not in said
    found = subprocess.run(["pgrep", "-f", f"started-.*{waiting.folder}"], capture_output=True)
    assert not found.stdout
    again = waiting.start()
    for number in (1, 2):
        tell(waiting, number)
    said, _ = again.communicate(timeout=SECONDS)
    assert again.returncode == 0, said
    assert "Runs: 4 finished" in said


def test_the_grace_time_of_the_settings_reaches_the_runs(project: Project) -> None:
    """Ctrl-C, and a training that ignores it: it is killed, and no sooner."""
    deaf = 'trap "" INT TERM; touch started-{a}; sleep 300; sleep 300'
    project.write(f"template: {{train: '{deaf}'}}\n---\na: [1]\n")
    workflow = project.start("--config", "grace=2")
    wait_for_starts(project, 1)
    began = time.monotonic()
    os.killpg(workflow.pid, signal.SIGINT)
    said, _ = workflow.communicate(timeout=SECONDS)
    assert 1.9 < time.monotonic() - began < 19
    assert "FAIL    interrupted, exit code 137, train: 1/1" in said


def test_a_second_workflow_on_the_same_output_is_refused(waiting: Project) -> None:
    """While one is alive, the same command says so and starts nothing, even after --unlock."""
    first = waiting.start()
    wait_for_starts(waiting, 1, 2)
    assert waiting.run("--unlock").code == 0
    second = waiting.run()
    assert second.code != 0
    assert f"another workflow (process {first.pid}, since " in second.said
    assert "is running this sweep: its output folder is 'output'. Wait for its end" in second.said
    assert "unlock" not in second.said.lower()
    assert "START" not in second.said
    assert "Traceback" not in second.said
    tell(waiting, 1)
    tell(waiting, 2)
    assert first.wait(SECONDS) == 0
    first.communicate()
    assert logs(waiting, "train") == ["done\n", "done\n"]


def test_two_sweeps_side_by_side_share_the_gpus(project: Project) -> None:
    """Two commands in two folders of one user: no GPU has two runs at any time."""
    text = "template:\n  train: python probe.py {a}\nresource: [0, 1]\n---\na: [1, 2, 3, 4, 5, 6]\n"
    other = Project(project.folder.parent / "other")
    for one in (project, other):
        one.write(text)
        one.write("", "slow")
    started = [one.start() for one in (project, other)]
    for process in started:
        said, _ = process.communicate(timeout=SECONDS)
        assert process.returncode == 0, said
    for gpu in ("0", "1"):
        lines = [p for one in (project, other) for p in one.probes() if p["gpus"] == gpu]
        spans = sorted((float(str(p["begun"])), float(str(p["ended"]))) for p in lines)
        assert len(spans) >= 2
        assert all(a[1] <= b[0] for a, b in pairwise(spans))
    assert len(project.probes()) + len(other.probes()) == 12


def test_two_outputs_of_one_project_run_side_by_side(waiting: Project) -> None:
    """A second output folder is another sweep: it runs beside the first, and unlocks nothing."""
    first = waiting.start()
    wait_for_starts(waiting, 1, 2)
    waiting.write("template: {train: 'true'}\nresource: [7]\n---\nb: [1]\n", "other.yaml")
    other = waiting.run("--config", "params=other.yaml", "output=elsewhere")
    assert other.code == 0, other.said
    assert Path(waiting.path("elsewhere/B_1/.sweepmake/train.done")).exists()
    tell(waiting, 1)
    tell(waiting, 2)
    said, _ = first.communicate(timeout=SECONDS)
    assert first.returncode == 0, said


def test_deleting_an_experiments_folder_runs_it_again(project: Project) -> None:
    """What the user deletes is made anew, the rest stays."""
    project.write("template:\n  train: python probe.py {a}\n---\na: [1, 2]\n")
    assert project.run().code == 0
    project.forget()
    subprocess.run(["rm", "-r", str(project.path("output/A_2"))], check=True)
    assert project.run().code == 0
    assert project.arguments() == ["2"]
