"""An attempt that goes on where an earlier one stopped."""

from __future__ import annotations

import json
import os
import signal
import time

from stage_runner import Runner

SECONDS = 30
COMMAND = "echo fresh; touch output/E/last.pt; test -e well"
RESUMED = "echo resumed; test -e well"


def resumable(runner: Runner) -> Runner:
    """Return the runner, told how its run is resumed."""
    told = {"resume": [RESUMED], "resume_if": "output/E/last*.pt"}
    runner.options = [f"--guard={json.dumps(told)}"]
    return runner


def said(runner: Runner) -> list[str]:
    """Return what each attempt wrote."""
    return [log.read_text().strip() for log in runner.logs()]


def test_a_failed_attempt_is_resumed_from_its_file(runner: Runner) -> None:
    """Again and again; the fingerprint is that of the command without the resumption."""
    resumable(runner)
    for _ in range(3):
        assert runner.run(COMMAND)[0] == 1
    record = runner.record()
    assert said(runner) == ["fresh", "resumed", "resumed"]
    assert (record["fingerprint"], record["command"]) == (COMMAND, RESUMED)
    assert record["resumed"] is True
    (runner.folder / "well").touch()
    assert runner.run(COMMAND)[0] == 0
    assert "SKIP" in runner.run(COMMAND)[1]
    runner.options = []
    assert "SKIP" in runner.run(COMMAND)[1]


def test_a_killed_attempt_is_resumed(runner: Runner) -> None:
    """Killed with its runner, so that nobody wrote down how it ended."""
    command = "echo $$ > output/E/pid; touch output/E/last.pt; exec sleep 60"
    process = resumable(runner).start(command)
    end = time.monotonic() + SECONDS
    while not runner.path("last.pt").exists():
        assert time.monotonic() < end
        time.sleep(0.01)
    process.kill()
    process.communicate()
    os.killpg(os.getpgid(int(runner.path("pid").read_text())), signal.SIGKILL)
    (runner.folder / "well").touch()
    assert runner.run(command)[0] == 0
    assert said(runner) == ["", "resumed"]


def test_nothing_is_resumed_without_the_file(runner: Runner) -> None:
    """An attempt that left none begins at the start."""
    resumable(runner)
    for _ in range(2):
        assert runner.run("echo fresh; false")[0] == 1
    assert said(runner) == ["fresh", "fresh"]


def test_the_file_of_another_command_does_not_count(runner: Runner) -> None:
    """Neither at once nor after an attempt of the new command that left no file of its own."""
    resumable(runner)
    assert runner.run(COMMAND)[0] == 1
    old = time.time() - 10
    os.utime(runner.path("last.pt"), (old, old))
    for _ in range(2):
        assert runner.run("echo other; false")[0] == 1
    assert said(runner) == ["fresh", "other", "other"]


def test_a_finished_or_forced_run_begins_at_the_start(runner: Runner) -> None:
    """Who forces a run wants it anew, and a finished one has nothing to go on with."""
    resumable(runner)
    (runner.folder / "well").touch()
    assert runner.run(COMMAND)[0] == 0
    assert runner.run(COMMAND, force="train")[0] == 0
    (runner.folder / "well").unlink()
    assert runner.run(COMMAND, force="*")[0] == 1
    assert runner.run(COMMAND, force="*")[0] == 1
    assert runner.run(COMMAND)[0] == 1
    assert said(runner) == ["fresh"] * 4 + ["resumed"]


def test_a_run_on_another_upstream_is_not_resumed(runner: Runner) -> None:
    """What it had learnt, it had learnt from another model."""
    resumable(runner)
    marker = "output/E/.sweepmake/pre.done"
    for text, expected in (("echo 1", "fresh"), ("echo 2", "fresh"), ("echo 2", "resumed")):
        assert runner.run(text, stage="pre")[0] == 0
        assert runner.run(COMMAND, after=marker)[0] == 1
        assert said(runner)[-1] == expected
