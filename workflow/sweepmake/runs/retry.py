"""What comes after a failed attempt: whether the run is tried again, after what wait, and how.

Snakemake counts the attempts, from `retries:` of the stage or its own `--retries`, and starts the
next one at once, whatever the failure was: on one machine the same job, on a cluster a new one. So
the attempt that follows decides, by the record of the one before it, and refuses where another try
is of no use. That keeps one count, serves a runner too that died with its node, and costs runs that
do not fail nothing.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from sweepmake.runs.batch_job import batch_job
from sweepmake.runs.judging import ask

__all__ = ["Retry", "alone", "decide"]

_WAIT_S = 1
_GROWTH = 4
_LONGEST_S = 300
_BY_SCHEDULER = {"node", "killed", "time limit"}


class Retry:
    """What was decided.

    Attributes:
        refusal: why the run is not tried again, "" where it is.
        wait_s: seconds to wait before.
        alone: whether it gets its GPUs for itself.
        tries: which try of this invocation the next one is, from 2.
    """

    __slots__ = ("alone", "refusal", "tries", "wait_s")

    def __init__(self, refusal: str, *, tries: int, alone: bool = False) -> None:
        self.refusal = refusal
        self.tries = tries
        self.wait_s = min(_WAIT_S * _GROWTH ** (tries - 2), _LONGEST_S)
        self.alone = alone


def decide(before: Mapping[str, object], retry_on: Sequence[str]) -> Retry:
    """Return whether a run that failed in this invocation is tried again.

    Args:
        before: the record of the attempt that failed.
        retry_on: the words of the stage's `retry_on`; none for all but failures that would come
            again: usage errors, and programs that are not there.
    """
    tries = int(str(before.get("tries") or 1)) + 1
    if before.get("state") == "interrupted" and not batch_job(os.environ):
        return Retry("it was interrupted", tries=tries)
    answer = ask({"record": dict(before), "retry_on": list(retry_on)})
    kind = str(answer.get("kind", "failed"))
    if not answer.get("retried", not retry_on) and not _is_preempted(before, retry_on):
        listed = f", and retry_on is: {', '.join(retry_on)}" if retry_on else ""
        return Retry(f"it failed by: {kind}{listed}", tries=tries)
    return Retry("", tries=tries, alone=kind == "out of GPU memory" or bool(before.get("alone")))


def _is_preempted(before: Mapping[str, object], retry_on: Sequence[str]) -> bool:
    """Return whether a scheduler has ended the job, which does not tell the job why."""
    return before.get("state") == "interrupted" and bool(_BY_SCHEDULER & {*retry_on})


def alone(slots: Sequence[str], count: int) -> list[str]:
    """Return slots that share no GPU with each other: a lease of one of them is the only one.

    Who leases a GPU that its list has once keeps all others away from it.

    Args:
        slots: the sweep's slots, in which a GPU may stand several times.
        count: how many slots the run needs.
    """
    chosen: list[str] = []
    taken: set[str] = set()
    for slot in dict.fromkeys(slots):
        if not taken & {*slot.split(",")}:
            chosen.append(slot)
            taken.update(slot.split(","))
    return chosen if len(chosen) >= count else list(dict.fromkeys(slots))
