"""The command as a child process: its end, what ends it, and what is left of it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

PROGRAM = """\
import json, os, sys, time
from sweepmake.runs.child import Child
command, grace_s, reasons, every_s = json.loads(sys.argv[1])
looks = []
def look():
    looks.append(time.monotonic())
    return reasons.pop(0) if reasons else ""
said = []
child = Child(grace_s, said.append)
child.watch()
log = os.open("log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
open("exit", "w").write("-\\n")
begun = time.monotonic()
child.start(command, "exit", log, os.environ)
code, _ = child.wait(None if reasons is None else look, every_s)
print(json.dumps({
    "code": code, "took": time.monotonic() - begun, "looks": [t - begun for t in looks],
    "ended_for": child.ended_for, "interrupted": child.interrupted, "said": said,
    "pid": child.pid, "exit": open("exit").read(),
}))
"""


def run(
    folder: Path,
    command: str,
    *,
    grace_s: float = 20,
    reasons: list[str] | None = None,
    every_s: float = 1.0,
) -> dict[str, Any]:
    """Run a command as the stage runner does; return what became of it."""
    told = json.dumps([command, grace_s, reasons, every_s])
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, told],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_look_is_taken_every_so_often_and_delays_no_end(tmp_path: Path) -> None:
    """The end is noticed at once, not at the next look."""
    found = run(tmp_path, "sleep 0.5", reasons=[], every_s=0.1)
    assert 3 <= len(found["looks"]) <= 5
    assert found["looks"][0] >= 0.1
    ended = run(tmp_path, "sleep 0.2", reasons=[], every_s=30)
    assert ended["looks"] == []
    assert ended["took"] < 5
    assert (found["code"], found["ended_for"], found["interrupted"]) == (0, "", False)


def test_a_look_with_a_reason_ends_the_command(tmp_path: Path) -> None:
    """SIGTERM to the whole group, and the reason is kept; later looks are not taken."""
    command = "(trap 'echo saved; exit' TERM; sleep 60 & wait) & sleep 60; echo never"
    found = run(tmp_path, command, reasons=["", "loss is nan", "other"], every_s=0.3)
    assert found["code"] == 143
    assert found["ended_for"] == "loss is nan"
    assert len(found["looks"]) == 2
    assert not found["interrupted"]
    assert "saved\n" in (tmp_path / "log").read_text()
    assert "never" not in (tmp_path / "log").read_text()


def test_what_ignores_the_end_is_killed_after_the_grace_time(tmp_path: Path) -> None:
    """SIGKILL comes as many seconds after SIGTERM as the settings say."""
    command = "trap '' TERM; touch ready; while :; do sleep 0.05; done"
    found = run(tmp_path, command, reasons=["silent"], every_s=0.5, grace_s=1)
    assert found["code"] == 137
    assert found["ended_for"] == "silent"
    assert 1.4 < found["took"] < 5
