"""How a run ends: its shells, its program, what it leaves behind, and the signals that come."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from stage_runner import Runner

from sweepmake.runs.slots import try_acquire

SECONDS = 30

# A training that saves a checkpoint before it ends.
SAVING = """\
import signal, sys, time, pathlib
def stop(number, frame):
    pathlib.Path("asked").touch()
    while not pathlib.Path("go").exists():
        time.sleep(0.01)
    print("saved", flush=True)
    sys.exit(5)
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, stop)
pathlib.Path("started").touch()
time.sleep(60)
"""
# A program whose end the test decides.
HELD = "touch started; while ! [ -e go ]; do sleep 0.02; done; echo done"


@pytest.fixture
def started(runner: Runner) -> Iterator[Runner]:
    """A runner of which nothing is left when the test has ended."""
    (runner.folder / "saving.py").write_text(SAVING)
    runner.slots = "0"
    yield runner
    (runner.folder / "go").touch()


def wait_for(runner: Runner, name: str) -> None:
    end = time.monotonic() + SECONDS
    while not (runner.folder / name).exists():
        assert time.monotonic() < end, f"{name} never came"
        time.sleep(0.01)


def child_of(pid: int) -> int:
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=True)
    return int(found.stdout.split()[0])


def is_free(runner: Runner) -> bool:
    """Whether the only GPU can be had."""
    lease = try_acquire(["0"], 1, str(runner.folder / "locks"))
    if lease:
        lease.release()
    return lease is not None


def read_until(process: subprocess.Popen[str], text: str) -> str:
    assert process.stderr is not None
    for line in process.stderr:
        if text in line:
            return line
    pytest.fail(f"never said: {text}")


def test_a_training_whose_shell_was_killed_keeps_its_gpu(started: Runner) -> None:
    """kill -9 of the inner bash: the training is waited for, and the run counts as interrupted."""
    process = started.start(f"bash -c '{HELD}'; true")
    wait_for(started, "started")
    os.kill(child_of(child_of(process.pid)), signal.SIGKILL)
    said = read_until(process, "WAIT")
    assert "WAIT    for what its killed shell has left: bash (process " in said
    assert not is_free(started)
    (started.folder / "go").touch()
    _, said = process.communicate(timeout=SECONDS)
    assert process.returncode == 137
    assert "FAIL    interrupted, exit code 137" in said
    assert started.record()["state"] == "interrupted"
    assert "done\n" in started.logs()[0].read_text()
    assert is_free(started)


@pytest.mark.parametrize(
    ("end", "code", "state"), [("true", 0, "finished"), ("exit 7", 7, "failed")]
)
def test_what_the_inner_shell_wrote_counts_where_the_outer_was_killed(
    started: Runner, end: str, code: int, state: str
) -> None:
    """The command went on to its end, whose exit code is known: it ran, and does not run again."""
    process = started.start(f"{HELD}; {end}")
    wait_for(started, "started")
    os.kill(child_of(process.pid), signal.SIGKILL)
    read_until(process, "WAIT")
    assert not is_free(started)
    (started.folder / "go").touch()
    process.communicate(timeout=SECONDS)
    assert process.returncode == code
    assert (started.record()["state"], started.record()["exit_code"]) == (state, code)


def test_a_killed_program_with_a_helper_has_failed(started: Runner) -> None:
    """It is not its shell that died: nobody waits for the helper, which is ended."""
    process = started.start("sleep 60 & python3 saving.py")
    wait_for(started, "started")
    inner = child_of(child_of(process.pid))
    found = subprocess.run(
        ["pgrep", "-P", str(inner), "python3"], capture_output=True, text=True, check=True
    )
    os.kill(int(found.stdout), signal.SIGKILL)
    _, said = process.communicate(timeout=SECONDS)
    assert process.returncode == 137
    assert "FAIL    exit code 137 (signal 9), train" in said
    assert "LEFT    ended what the command left behind: sleep (process " in said


def test_what_is_left_of_the_group_is_ended_before_anything_is_unlocked(started: Runner) -> None:
    """SIGTERM, the grace time, SIGKILL, and a line; the run has finished."""
    stubborn = "(trap '' TERM; touch started; while :; do sleep 0.05; done) &"
    began = time.monotonic()
    process = started.start(f"{stubborn} while ! [ -e started ]; do sleep 0.01; done", grace="1")
    said = read_until(process, "LEFT")
    assert "ended what the command left behind: bash (process " in said
    assert not is_free(started)
    assert process.wait(SECONDS) == 0
    assert time.monotonic() - began > 1
    assert is_free(started)
    assert started.record()["state"] == "finished"
    assert float(str(started.record()["wall_time_s"])) > 1


def test_what_reads_the_commands_output_comes_to_its_end(started: Runner) -> None:
    """bash does not wait for a process substitution; what it has to write is not cut off."""
    code, said = started.run("echo hello > >(sleep 0.3; cat; echo end)")
    assert (code, said.count("\n")) == (0, 1)
    assert started.logs()[0].read_text() == "hello\nend\n"


@pytest.mark.parametrize(
    "command",
    [
        "python3 saving.py",
        "python3 saving.py && true",
        "exec python3 saving.py",
        "trap 'echo mine' EXIT; python3 saving.py",
        "sleep 60 & python3 saving.py",
        "(python3 saving.py; true)",
        "bash -c 'python3 saving.py; true'; true",
        "python3 saving.py & wait",
        "set -e; python3 saving.py  # a comment",
        "python3 saving.py <<< word",
    ],
)
def test_a_training_that_is_still_saving_keeps_its_gpu(started: Runner, command: str) -> None:
    """However the shell started it, and although shells die of SIGTERM at once."""
    process = started.start(command)
    wait_for(started, "started")
    process.send_signal(signal.SIGTERM)
    wait_for(started, "asked")
    assert not is_free(started)
    assert process.poll() is None
    (started.folder / "go").touch()
    process.communicate(timeout=SECONDS)
    assert started.record()["state"] == "interrupted"
    assert "saved\n" in started.logs()[0].read_text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_run_within_the_grace_time(started: Runner, number: int) -> None:
    """Also one that obeys no signal: after the grace time it is killed."""
    process = started.start("trap '' INT TERM HUP; touch started; sleep 60; sleep 60", grace="1")
    wait_for(started, "started")
    began = time.monotonic()
    process.send_signal(number)
    process.communicate(timeout=SECONDS)
    assert 0.9 < time.monotonic() - began < 5
    assert process.returncode == 137
    assert started.record()["state"] == "interrupted"


def test_one_ctrl_c_that_comes_on_two_ways_asks_once(started: Runner) -> None:
    """From the terminal and from the workflow: the training may still save."""
    process = started.start("python3 saving.py")
    wait_for(started, "started")
    for number in (signal.SIGINT, signal.SIGINT, signal.SIGTERM):
        process.send_signal(number)
        wait_for(started, "asked")
    (started.folder / "go").touch()
    process.communicate(timeout=SECONDS)
    assert started.logs()[0].read_text() == "saved\n"
    assert started.record()["exit_code"] == 5


def test_a_hangup_that_is_ignored_stays_so(started: Runner) -> None:
    """Under nohup, closing the terminal ends neither the runner nor the command."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        process = started.start(f"{HELD}; grep SigIgn /proc/self/status")
    finally:
        signal.signal(signal.SIGHUP, before)
    wait_for(started, "started")
    process.send_signal(signal.SIGHUP)
    os.killpg(child_of(process.pid), signal.SIGHUP)
    (started.folder / "go").touch()
    process.communicate(timeout=SECONDS)
    assert process.returncode == 0
    ignored = int(started.logs()[0].read_text().split()[-1], 16)
    assert ignored & 1 << (signal.SIGHUP - 1)
    assert not ignored & 1 << (signal.SIGINT - 1)


def test_a_signal_at_the_moment_when_the_command_ends(started: Runner) -> None:
    """The process group may be gone: no traceback, and what had finished has finished."""
    for attempt in range(40):
        process = started.start(f"echo {attempt}", stage=f"s{attempt}")
        exit_file = started.path(f".sweepmake/s{attempt}.exit")
        while process.poll() is None and not (
            exit_file.exists() and exit_file.read_text() != "-\n"
        ):
            pass
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=SECONDS)
        assert "Traceback" not in said
        state = started.record(f"s{attempt}")["state"]
        assert state in ("finished", "interrupted")
        assert (process.returncode == 0) == (state == "finished")


@pytest.mark.parametrize(
    ("command", "log"),
    [
        ("if (", "/bin/bash: -c: line 2: syntax error: unexpected end of file\n"),
        ("true\nnosuch", "/bin/bash: line 2: nosuch: command not found\n"),
        ("cat <<E\n$LINENO\nE", "1\n"),
        ("set -x; true", "+ true\n"),
        ("cd /; echo $PWD", "/\n"),
        ("echo $0 $# ${BASH_ENV-none} ${SWEEPMAKE_EXIT-none}", "/bin/bash 0 none none\n"),
    ],
)
def test_what_bash_says_of_a_command_is_what_it_says_alone(
    started: Runner, command: str, log: str
) -> None:
    """Messages, line numbers and variables know nothing of what writes the exit code."""
    alone = subprocess.run(
        ["/bin/bash", "-c", command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert started.run(command)[0] == alone.returncode
    assert started.logs()[0].read_text() == alone.stdout == log


def test_the_users_own_start_up_file_is_read(started: Runner) -> None:
    """BASH_ENV, as clusters set it, with a variable in it; the command's own shells read it too."""
    (started.folder / "env.sh").write_text("export MODULE=loaded\n")
    started.environment = {"BASH_ENV": "$HERE/env.sh", "HERE": str(Path(started.folder))}
    assert started.run("echo $MODULE; bash -c 'unset MODULE; echo $BASH_ENV'")[0] == 0
    assert started.logs()[0].read_text() == "loaded\n$HERE/env.sh\n"


def test_under_an_interrupted_run_there_is_no_traceback_of_ctrl_c(started: Runner) -> None:
    """What the program said before it is shown, and nothing where that is all there is."""
    program = "import pathlib, time; {}pathlib.Path('started').touch(); time.sleep(60)"
    for stage, words, shown in [
        ("a", "", []),
        ("b", "print('epoch 3', flush=True); ", ["epoch 3"]),
    ]:
        (started.folder / "started").unlink(missing_ok=True)
        (started.folder / "program.py").write_text(program.format(words))
        process = started.start("python3 program.py", stage=stage)
        wait_for(started, "started")
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=SECONDS)
        assert "KeyboardInterrupt" in started.logs(stage)[0].read_text()
        assert f"FAIL    interrupted, exit code 130, {stage}: 1/1" in said
        assert [line[10:] for line in said.splitlines() if line.startswith("        |")] == shown
        assert "nothing was written" not in said
