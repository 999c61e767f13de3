"""What the system refuses at the start and in results: one line, and old results stay whole."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from projects import Project

pytestmark = pytest.mark.optional_data  # not every machine lets one mount

PARAMS = "template: {train: 'echo loss: {a}'}\nresource: [0]\n---\na: [1]\n"
FILL = "; dd if=/dev/zero of=results/fill bs=1k count=4000 || true"
FULL = "error: No space left on device (free some space in the folder of results and in /tmp)"


@pytest.fixture
def mounted(project: Project) -> Iterator[Project]:
    """A project that has run, with a disk of 3 MB for its results."""
    project.write(PARAMS)
    results = project.path("results")
    results.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(results)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("the right to mount a file system is needed")
    project.target = ""
    try:
        done = project.run()
        assert done.code == 0, done.said
        yield project
    finally:
        subprocess.run(["umount", str(results)], check=True)


def remount(folder: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(folder)], check=True)


def test_a_disk_that_fills_up_costs_no_result(mounted: Project) -> None:
    """The runs' numbers are read when there is room again; until then the old workbook stands."""
    before = mounted.path("results/experiments.xlsx").read_bytes()
    mounted.write(PARAMS.replace("{a}'", "{a}" + FILL + "'").replace("[1]", "[1, 2]"))
    done = mounted.run()
    assert done.code == 1
    assert FULL in done.said
    assert "Traceback" not in done.said
    assert "Runs: 2 finished" in done.said
    assert mounted.path("results/experiments.xlsx").read_bytes() == before
    assert not list(mounted.path("results").rglob(".experiments.xlsx.*"))
    again = mounted.run()
    assert again.code == 1
    assert "No space left on device" in again.said
    assert "Traceback" not in again.said
    mounted.path("results/fill").unlink()
    again = mounted.run()
    assert again.code == 0, again.said
    assert "START" not in again.said


def test_a_disk_that_cannot_be_written_to_is_named(mounted: Project) -> None:
    """That of the results, and Snakemake's own folder; before anything starts."""
    mounted.write(PARAMS.replace("[1]", "[1, 2]"))
    results = mounted.path("results")
    remount(results, "ro")
    done = mounted.run()
    remount(results, "rw")
    assert done.code == 1
    assert "error: the folder 'results' cannot be claimed: 'results/.sweepmake/" in done.said
    notes = str(mounted.path(".snakemake"))
    subprocess.run(["mount", "--bind", notes, notes], check=True)
    try:
        remount(Path(notes), "ro,bind")
        second = mounted.run()
    finally:
        subprocess.run(["umount", notes], check=True)
    assert second.code == 1
    (line,) = [line for line in second.said.splitlines() if line.startswith("error:")]
    assert line.endswith(": Read-only file system")
    assert ".snakemake/" in line
    for one in (done, second):
        assert "START" not in one.said
        assert "Traceback" not in one.said
    assert mounted.run().code == 0
