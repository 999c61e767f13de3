"""Asks the library's judge about a run that has ended: its metrics, the kind of its failure.

The judge (results/judge.py) is a program of its own: it needs the log readers, which this room
lies below, and third-party packages, without which the stage runner starts.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

__all__ = ["ask"]

_PROGRAM = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); from sweepmake.results.judge import main; "
    "main()"
)


def ask(question: dict[str, Any]) -> dict[str, Any]:
    """Return the judge's answer; {"error": why} where it has none.

    Args:
        question: see results/judge.py.
    """
    package = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-E", "-c", _PROGRAM, package],
        input=json.dumps(question),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = done.stderr.strip().rpartition("\n")[2]
        return {"error": f"its log could not be judged: {last or f'exit code {done.returncode}'}"}
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
