"""One program at a time writes a folder of results."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sweepmake.outputs.writing import writing

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


def test_the_claim_ends_with_the_writing(tmp_path: Path) -> None:
    """Also where that fails."""
    with pytest.raises(RuntimeError), writing(str(tmp_path)):
        raise RuntimeError
    with writing(str(tmp_path)):
        assert (tmp_path / ".sweepmake/.writing").read_text() != ""
    assert (tmp_path / ".sweepmake/.writing").read_text() == ""
