"""Who writes the files that show all experiments: one program at a time in a folder of results."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sweepmake.plan import RECORDS
from sweepmake.runs.claims import Claim, this_process, without_locks

__all__ = ["WORKFLOW", "writing"]

WORKFLOW = "SWEEPMAKE_WORKFLOW"
"""The variable by which the jobs of one workflow know each other."""

_FILE = ".writing"


@contextmanager
def writing(results: str) -> Iterator[None]:
    """Claim a folder of results as long as it is written; wait for another one, and say so.

    Jobs of one workflow wait for each other without a word.

    Args:
        results: the folder; it is made where it is missing.

    Raises:
        OSError: the folder cannot be written to.
    """
    claim = Claim(str(Path(results, RECORDS, _FILE)))
    Path(claim.path).parent.mkdir(parents=True, exist_ok=True)
    mine = os.environ.get(WORKFLOW, "")
    me = this_process(mine or "results", os.environ)
    try:
        if other := claim.take(me):
            if other.what != mine:
                text = f"WAIT    the results in '{results}' are being written by another program"
                sys.stderr.write(f"{text} ({other})\n")
                sys.stderr.flush()
            claim.wait(me)
    except OSError as error:
        if not without_locks(error):
            raise
    try:
        yield
    finally:
        claim.release()
