"""Why an experiment failed, for the tables: what `ended_run` says of the stage that failed."""

from __future__ import annotations

from sweepmake.results.ended_run import Failure, describe_end
from sweepmake.results.failure_kinds import KINDS
from sweepmake.results.outcomes import Outcome

__all__ = ["KINDS", "Failure", "describe_failure"]


def describe_failure(outcome: Outcome) -> Failure | None:
    """Return how an experiment failed, None where it did not.

    Args:
        outcome: the experiment. Of its failed stage's log the last 64 KiB are read; where there is
            no log, the last lines of its summary.
    """
    stage = outcome.failed_stage
    if stage is None:
        return None
    if stage.kind:
        return Failure(stage.stage, stage.exit_code, stage.kind, stage.reason)
    summary = outcome.summary.get("stages", {}).get(stage.stage, {})
    return describe_end(stage.stage, stage.status, stage.exit_code, stage.log, summary)
