"""One program at a time writes a folder of results."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sweepmake.outputs.writing import WORKFLOW, writing

WRITE = """
import sys
from sweepmake.outputs.writing import writing
with writing(sys.argv[1]):
    print("writes", flush=True)
    sys.stdin.read()
"""


def start(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITE, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_second_writer_waits_and_says_for_whom(tmp_path: Path) -> None:
    """Until the first one has ended, killed or not."""
    folder = tmp_path / "results"
    first = start(folder)
    assert first.stdout is not None
    assert first.stdout.readline() == "writes\n"
    second = start(folder)
    assert second.stderr is not None
    said = second.stderr.readline()
    assert said.startswith(
        f"WAIT    the results in '{folder}' are being written by another program"
    )
    assert f"(process {first.pid}, since " in said
    assert second.poll() is None
    first.kill()
    first.communicate()
    out, _ = second.communicate()
    assert out == "writes\n"
    assert second.returncode == 0


def test_jobs_of_one_workflow_wait_without_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user would look for another sweep."""
    monkeypatch.setenv(WORKFLOW, "workflow 7")
    first = start(tmp_path)
    assert first.stdout is not None
    assert first.stdout.readline() == "writes\n"
    second = start(tmp_path)
    while not any(_leads_to_claim(path) for path in Path(f"/proc/{second.pid}/fd").iterdir()):
        assert second.poll() is None
    first.communicate()
    assert second.communicate() == ("writes\n", "")


def _leads_to_claim(descriptor: Path) -> bool:
    try:
        return descriptor.readlink().name == ".writing"
    except FileNotFoundError:
        return False  # it has just been closed


def test_the_claim_ends_with_the_writing(tmp_path: Path) -> None:
    """Also where that fails."""
    with pytest.raises(RuntimeError), writing(str(tmp_path)):
        raise RuntimeError
    with writing(str(tmp_path)):
        assert (tmp_path / ".sweepmake/.writing").read_text() != ""
    assert (tmp_path / ".sweepmake/.writing").read_text() == ""
