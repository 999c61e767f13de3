"""The claims of a workflow on its folders, with other processes that hold them and are killed."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sweepmake.errors import SweepmakeError
from sweepmake.invocation.folders import SweepClaims
from sweepmake.runs.claims import Holder, this_process

HOLD = """
import os, sys
from sweepmake.invocation.folders import SweepClaims
from sweepmake.runs.claims import this_process
claims = SweepClaims(sys.argv[1] or None, sys.argv[2])
claims.settle(this_process("snakemake", {}), run=True, make=True)
print(flush=True)
sys.stdin.read()
"""
# what the last version does
HOLD_BEFORE = """
import fcntl, os, sys
file = open(sys.argv[1], "a+")
fcntl.flock(file, fcntl.LOCK_EX)
file.write(f"{os.getpid()}\\n")
file.flush()
print(flush=True)
sys.stdin.read()
"""


@pytest.fixture
def me() -> Holder:
    return this_process("snakemake --cores 4", {})


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


class Others:
    """Other processes that hold claims."""

    def __init__(self) -> None:
        self.started: list[subprocess.Popen[str]] = []

    def hold(self, *arguments: str, code: str = HOLD, cwd: Path | None = None) -> int:
        process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=cwd,
            text=True,
        )
        self.started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "\n"
        return process.pid

    def kill(self) -> None:
        for process in self.started:
            process.kill()
            process.communicate()
        self.started.clear()


@pytest.fixture
def others() -> Iterator[Others]:
    made = Others()
    yield made
    made.kill()


def old_claim(output: str) -> Path:
    name = hashlib.sha256(str(Path(output).absolute()).encode()).hexdigest()[:16]
    path = Path(".snakemake/sweepmake") / f"{name}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def test_who_has_a_folder_is_told_and_what_to_do_then(me: Holder, others: Others) -> None:
    """The process, since when; wait, look at the results, or take other folders."""
    pid = others.hold("output", "results")
    claims = SweepClaims("output", "results")
    claims.take(me)
    with pytest.raises(SweepmakeError) as caught:
        claims.require(run=True, make=False)
    text = str(caught.value)
    assert text.startswith(f"another workflow (process {pid}, since ")
    assert "is running this sweep: its output folder is 'output'. Wait for its end" in text
    assert "snakemake --cores 1 results" in text
    assert "--config output=FOLDER results=FOLDER" in text
    with pytest.raises(SweepmakeError, match=r"is making the results in 'results'\. Wait"):
        claims.require(run=False, make=True)
    claims.require(run=False, make=False)
    assert claims.known == claims.held == []
    others.kill()
    claims.take(me)
    claims.require(run=True, make=True)
    assert claims.known == claims.held == ["output", "results"]


@pytest.mark.parametrize("name", ["link", "./output", "inside/../output", "absolute"])
def test_a_folder_is_one_by_whatever_name(
    me: Holder, others: Others, folder: Path, name: str
) -> None:
    """A link, a detour, an absolute path, from another working folder."""
    (folder / "output").mkdir()
    (folder / "inside").mkdir()
    (folder / "link").symlink_to("output")
    others.hold("../output", "r", cwd=folder / "inside")
    claims = SweepClaims(str(folder / "output") if name == "absolute" else name, "mine")
    claims.take(me)
    with pytest.raises(SweepmakeError, match="another workflow"):
        claims.require(run=True, make=False)


def test_the_last_version_keeps_this_one_out(me: Holder, others: Others) -> None:
    """Its claim is a process number in Snakemake's folder, and nothing of ours stays taken."""
    pid = others.hold(str(old_claim("output")), code=HOLD_BEFORE)
    claims = SweepClaims("output", "results")
    claims.take(me)
    with pytest.raises(SweepmakeError, match=rf"another workflow \(process {pid}\) is running"):
        claims.require(run=True, make=False)
    assert claims.held == []
    others.kill()
    claims.take(me)
    claims.require(run=True, make=False)


def test_the_last_version_is_kept_out_by_this_one(me: Holder) -> None:
    """It finds its own file locked, and a bare process number in it."""
    claims = SweepClaims("output", "results")
    claims.take(me)
    with old_claim("output").open("r+") as file:
        with pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert file.read().strip() == str(os.getpid())
        assert json.loads(Path("output/.sweepmake/.claim").read_text())["pid"] == os.getpid()
        claims.release()
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_what_is_not_needed_is_let_go(me: Holder, others: Others) -> None:
    """Only the stages: the results are another's, who makes them of something else."""
    Path("results").mkdir()
    claims = SweepClaims("output", "results")
    claims.take(me)
    assert claims.held == ["output", "results"]
    claims.settle(me, run=True, make=False)
    assert claims.held == ["output"]
    others.hold("", "results")
    claims.settle(me, run=True, make=False)
    with pytest.raises(SweepmakeError, match="is making the results"):
        claims.settle(me, run=True, make=True)


def test_results_that_were_never_made_are_nobodys(me: Holder) -> None:
    """Their folder is made by who needs it, and known to be free before."""
    claims = SweepClaims("output", "results")
    claims.take(me)
    assert not Path("results").exists()
    assert claims.known == ["output", "results"]
    claims.settle(me, run=True, make=True)
    assert claims.held == ["output", "results"]


def test_a_folder_that_cannot_be_had_is_named_where_it_is_needed(me: Holder) -> None:
    """Who runs nothing may read another's folder."""
    Path("output").write_text("a file")
    claims = SweepClaims("output", "results")
    claims.take(me)
    claims.require(run=False, make=True)
    with pytest.raises(SweepmakeError, match=r"folder 'output' cannot be written to: .*directory"):
        claims.require(run=True, make=True)


def test_a_file_system_without_locks_gives_no_claim_and_no_error(
    me: Holder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Results lay on such file systems before there was a claim on them."""

    def no_locks(_file: int, _how: int) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    Path("results").mkdir()
    claims = SweepClaims(None, "results")
    claims.take(me)
    claims.require(run=False, make=True)
    assert claims.known == []
