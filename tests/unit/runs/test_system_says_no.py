"""What becomes of a run when the operating system says no: one line, a true state, and it goes on.

The disks are memory disks of 3 MB, so the tests need the right to mount.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from stage_runner import Runner

PAGE = 4096
# the last lines of a command that counts how often it ran, on another disk than its own
RAN = "echo ran >> $COUNT"


class Disk:
    """A small file system, mounted where a runner's output folder is."""

    def __init__(self, folder: Path, options: str) -> None:
        self.folder = folder
        folder.mkdir()
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)],
            check=True,
            capture_output=True,
        )

    def fill(self, pages_left: int = 0) -> None:
        """Leave so many pages free."""
        with (self.folder / "filler").open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(PAGE))
            except OSError:
                file.truncate(max(0, file.tell() - pages_left * PAGE))

    def empty(self) -> None:
        (self.folder / "filler").unlink()

    def remount(self, options: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{options}", str(self.folder)], check=True)

    def unmount(self) -> None:
        subprocess.run(["umount", "-l", str(self.folder)], check=True)


@pytest.fixture
def mount(runner: Runner) -> Iterator[Callable[[str], Disk]]:
    disks: list[Disk] = []

    def make(options: str = "size=3m") -> Disk:
        try:
            disks.append(Disk(runner.folder / "output", options))
        except (subprocess.CalledProcessError, FileNotFoundError) as error:
            pytest.skip(f"a memory disk cannot be mounted here: {error}")
        return disks[-1]

    runner.environment["COUNT"] = str(runner.folder / "count")
    yield make
    for disk in disks:
        disk.unmount()


def runs(runner: Runner) -> int:
    path = runner.folder / "count"
    return len(path.read_text().splitlines()) if path.exists() else 0


def states(runner: Runner) -> set[str]:
    """What record and stat say of a run that has ended, "" for nothing."""
    record, stat = runner.path(".sweepmake/train.json"), runner.path("stat")
    found = {json.loads(record.read_text())["state"] if record.exists() else ""}
    return found | {
        (yaml.safe_load(stat.read_text()) or {}).get("train", "") if stat.exists() else ""
    }


def check_refused(runner: Runner, code: int, said: str, why: str) -> None:
    """One line says why, nothing is called running, no temporary file is left."""
    assert code != 0
    failures = [line for line in said.splitlines() if line.startswith("FAIL")]
    assert len([line for line in failures if why in line]) == 1, said
    assert "Traceback" not in said
    assert "running" not in states(runner)
    assert not list(runner.folder.rglob("*.tmp"))


def check_it_goes_on(runner: Runner, command: str) -> None:
    """The same command finishes what is to do, and leaves all records as ever."""
    code, said = runner.run(command)
    assert code == 0, said
    assert states(runner) == {"finished"}
    assert runner.path(".sweepmake/train.done").read_text().strip() == runner.record()["id"]
    lines = runner.path(".sweepmake/runs.jsonl").read_text().splitlines()
    ids = [json.loads(line)["id"] for line in lines]
    assert ids[-1] == runner.record()["id"]
    assert len(ids) == len(set(ids))


@pytest.mark.optional_data
def test_a_disk_that_is_full_at_the_start(runner: Runner, mount: Callable[[str], Disk]) -> None:
    """At whatever file it gets full, from the lock to the marker; what finished runs no more."""
    disk = mount("size=3m")
    refused = 0
    for pages in range(24):
        command = f"{RAN}; : {pages}"
        before = runs(runner)
        disk.fill(pages)
        code, said = runner.run(command)
        finished = "FAIL    finished, but the system says: No space" in said
        if code:
            refused += 1
            check_refused(runner, code, said, "No space left on device")
        disk.empty()
        check_it_goes_on(runner, command)
        assert runs(runner) == before + 1, (finished, said)
        for path in sorted(runner.path("").rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
    assert 4 <= refused <= 20, "the sizes do not go from too small to large enough"


@pytest.mark.optional_data
@pytest.mark.parametrize("code", [0, 3])
def test_a_disk_that_is_full_at_the_end(
    runner: Runner, mount: Callable[[str], Disk], code: int
) -> None:
    """The command fills it: the state is true, and what finished is not repeated."""
    disk = mount("size=3m")
    command = f"{RAN}; cat /dev/zero > output/filler; [ -e go ] || exit {code}; true"
    got, said = runner.run(command)
    check_refused(runner, got, said, "No space left on device")
    assert states(runner) == {"finished" if code == 0 else "failed"}
    disk.empty()
    (runner.folder / "go").touch()
    if code == 0:
        check_it_goes_on(runner, command)
        assert runs(runner) == 1
    else:
        assert got == code
        assert "FAIL    exit code 3" in said
        assert runner.run("true")[0] == 0
        history = runner.path(".sweepmake/runs.jsonl").read_text().splitlines()
        assert [json.loads(line)["state"] for line in history] == ["failed", "finished"]


@pytest.mark.optional_data
def test_an_exit_code_has_room_on_a_full_disk(runner: Runner, mount: Callable[[str], Disk]) -> None:
    """The runner is killed, the disk gets full, the command finishes: it is not repeated."""
    disk = mount("size=3m")
    command = f"{RAN}; kill -9 $(ps -o ppid= $PPID); cat /dev/zero > output/filler; true"
    assert runner.run(command)[0] == -9
    subprocess.run(["flock", str(runner.path(".sweepmake/train.lock")), "true"], check=True)
    disk.empty()
    check_it_goes_on(runner, command)
    assert runs(runner) == 1


@pytest.mark.optional_data
def test_a_disk_without_inodes(runner: Runner, mount: Callable[[str], Disk]) -> None:
    """At whatever file they are used up."""
    disk = mount("size=3m,nr_inodes=400")
    refused = 0
    for left in range(16):
        command = f"{RAN}; : {left}"
        before = runs(runner)
        free = os.statvfs(disk.folder).f_ffree
        for number in range(free - left):
            (disk.folder / f"file-{number}").touch()
        code, said = runner.run(command)
        if code:
            refused += 1
            check_refused(runner, code, said, "No space left on device")
        for path in disk.folder.glob("file-*"):
            path.unlink()
        check_it_goes_on(runner, command)
        assert runs(runner) == before + 1, said
        subprocess.run(["rm", "-rf", str(runner.path(""))], check=True)
    assert 4 <= refused <= 14


@pytest.mark.optional_data
def test_a_folder_that_is_read_only(runner: Runner, mount: Callable[[str], Disk]) -> None:
    """One line, and the same command goes on once it can be written."""
    disk = mount("size=3m")
    assert runner.run("true")[0] == 0
    disk.remount("ro")
    code, said = runner.run(RAN)
    assert code == 1
    assert re.fullmatch(
        r"FAIL    Read-only file system: output/E/\S+, train: 1/1, output/E\n", said
    )
    assert states(runner) == {"finished"}
    disk.remount("rw")
    check_it_goes_on(runner, RAN)


def test_a_run_without_file_descriptors(runner: Runner) -> None:
    """However few it has: it runs, or it says so in one line."""
    runner.environment["COUNT"] = str(runner.folder / "count")
    refused = []
    for number in range(4, 12):
        done = subprocess.run(
            [
                "bash",
                "-c",
                f'ulimit -n {number}; exec "$@"',
                "-",
                *runner.arguments(f"{RAN}; : {number}"),
            ],
            cwd=runner.folder,
            env={
                **os.environ,
                **runner.environment,
                "SWEEPMAKE_SLOTS": "0",
                "SWEEPMAKE_LOCKS": "locks",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        said = done.stderr
        if done.returncode:
            refused.append(number)
            check_refused(runner, done.returncode, said, "Too many open files")
    assert 4 in refused
    assert 11 not in refused
    check_it_goes_on(runner, f"{RAN}; : 11")


def test_a_command_that_removes_its_folder_has_run(runner: Runner) -> None:
    """`rm -rf {_output}` at its start, as some do: what it leaves is recorded all the same."""
    command = f"rm -rf output/E; mkdir output/E; {RAN}"
    runner.environment["COUNT"] = str(runner.folder / "count")
    code, said = runner.run(command)
    assert code == 0, said
    check_it_goes_on(runner, command)
    assert runs(runner) == 1
    assert yaml.safe_load(runner.path("param").read_text())["_name"] == "E"
    code, said = runner.run("rm -rf output/E; exit 4")
    assert code == 4
    assert "FAIL    exit code 4, train: 1/1, output/E\n" in said
    assert states(runner) == {"failed"}


def test_a_name_that_is_too_long_is_refused_in_one_line(runner: Runner) -> None:
    """One of 300 characters, which no file system takes."""
    arguments = [a.replace("output/E", f"output/{'n' * 300}") for a in runner.arguments("true")]
    done = subprocess.run(
        arguments,
        cwd=runner.folder,
        env={**os.environ, "SWEEPMAKE_SLOTS": "0", "SWEEPMAKE_LOCKS": "locks"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert re.fullmatch(r"FAIL    File name too long: output/n+(/\S+)?, train: .*\n", done.stderr)


def test_a_command_that_is_too_long_is_recorded_as_failed(runner: Runner) -> None:
    """The system takes arguments of 128 KiB; the run is not left running."""
    code, said = runner.run("true " + "x" * 70_000, "x" * 70_000)  # {_time} stands between
    check_refused(runner, code, said, "Argument list too long: /bin/sh")
    assert runner.record()["exit_code"] == 126
    check_it_goes_on(runner, "true")
