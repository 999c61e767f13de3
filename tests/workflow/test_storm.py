"""A storm of kills in small; in full: `python tests/storm --kills 200`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

STORM = Path(__file__).resolve().parents[1] / "storm"


def test_a_dozen_kills_break_no_promise() -> None:
    """Whatever is killed, and when: the same command goes on, and no promise is broken."""
    done = subprocess.run(
        [sys.executable, str(STORM), "--kills", "12", "--seed", "5"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "12 kills in" in done.stdout
