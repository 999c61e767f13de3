"""Claims: who holds a run, a folder, a card, with real processes that are really killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sweepmake.runs.claims import Claim, Holder, is_alive, this_process

HOLD = """
import os, subprocess, sys
from sweepmake.runs.claims import Claim, this_process
claim = Claim(sys.argv[1])
assert claim.take(this_process("a sweep", {"SLURM_JOB_ID": "815"})) is None
if sys.argv[2:] == ["down"]:
    claim.hand_down()
    subprocess.Popen(["sleep", "600"], close_fds=False, stdout=subprocess.DEVNULL)
print("held", flush=True)
sys.stdin.read()
claim.release()
print("free", flush=True)
sys.stdin.read()
"""


def hold(path: Path, *more: str) -> subprocess.Popen[str]:
    """Start a process that holds a claim; return when it does."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path), *more],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "held\n"
    return process


def end(process: subprocess.Popen[str]) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def test_who_holds_a_claim_is_told(tmp_path: Path) -> None:
    """A claim that is taken names its holder: host, process and its start, job, time, what."""
    process = hold(tmp_path / "claim")
    try:
        holder = Claim(str(tmp_path / "claim")).take(this_process("another", {}))
        assert holder is not None
        assert (holder.what, holder.host) == ("a sweep", os.uname().nodename)
        assert (holder.pid, holder.job) == (process.pid, "815")
        assert 0 <= time.time() - holder.since < 60
        assert is_alive(holder) is True
        assert str(holder).startswith(f"process {process.pid} (job 815), since ")
    finally:
        end(process)


def test_a_killed_holder_leaves_the_claim_free(tmp_path: Path) -> None:
    """After SIGKILL the text is still there, but the claim is not held; its holder is dead."""
    path = tmp_path / "claim"
    end(hold(path))
    assert is_alive(Holder.of_text(path.read_text())) is False
    claim = Claim(str(path))
    assert claim.take(this_process("me", {})) is None
    assert claim.is_held
    assert Holder.of_text(path.read_text()).pid == os.getpid()
    claim.release()
    assert not claim.is_held
    assert path.read_text() == ""


def test_a_claim_that_was_handed_down_outlives_its_taker(tmp_path: Path) -> None:
    """The program that runs under a claim holds it, too, until it ends."""
    process = hold(tmp_path / "claim", "down")
    pid = process.pid
    try:
        os.kill(pid, signal.SIGKILL)
        process.wait()
        holder = Claim(str(tmp_path / "claim")).take(this_process("me", {}))
        assert holder is not None
        assert holder.pid == pid
        assert is_alive(holder) is False
    finally:
        end(process)


def test_an_explicit_release_frees_it_under_a_process_that_was_left_behind(tmp_path: Path) -> None:
    """What has inherited the claim does not keep it when its taker frees it."""
    process = hold(tmp_path / "claim", "down")
    try:
        assert process.stdin
        assert process.stdout
        process.stdin.close()
        assert process.stdout.readline() == "free\n"
        assert Claim(str(tmp_path / "claim")).take(this_process("me", {})) is None
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()


def test_waiting_ends_when_the_holder_does(tmp_path: Path) -> None:
    """Whoever waits has the claim as soon as its holder is gone."""
    process = hold(tmp_path / "claim")
    waiting = hold_later(tmp_path / "claim")
    end(process)
    assert waiting.communicate(timeout=30)[0] == "mine\n"


def hold_later(path: Path) -> subprocess.Popen[str]:
    code = (
        "import sys; from sweepmake.runs.claims import Claim, this_process; "
        "c = Claim(sys.argv[1]); c.wait(this_process('me', {})); print('mine')"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize(
    ("text", "pid"),
    [("4711\n", 4711), ("", 0), ('{"pid": 3', 0), ('{"pid": 3}', 0), ("what", 0)],
)
def test_any_text_of_a_claim_is_read(text: str, pid: int) -> None:
    """The last version wrote a bare number; a text that is just being written says nothing."""
    holder = Holder.of_text(text)
    assert holder.pid == pid
    assert is_alive(holder) is None


def test_a_number_that_was_given_to_another_process_is_no_life() -> None:
    """A process with the holder's number, but another start, is another process."""
    me = this_process("me", {})
    assert is_alive(me) is True
    other = Holder.of_text(me.to_text().replace(me.start, f"{me.start}0"))
    assert is_alive(other) is False


def test_nothing_is_known_of_a_process_of_another_host() -> None:
    """Its life cannot be asked for from here, and it is named with its host."""
    holder = Holder(host="elsewhere", pid=os.getpid(), start=this_process("", {}).start)
    assert is_alive(holder) is None
    assert str(holder) == f"process {os.getpid()} on elsewhere"


def test_a_claim_in_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """It is the caller that makes folders, and says what is wrong with them."""
    with pytest.raises(FileNotFoundError):
        Claim(str(tmp_path / "none" / "claim")).take(this_process("me", {}))
