"""What became of every experiment: its runs' records, and the summary of its logs."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sweepmake.results.columns import as_number
from sweepmake.results.study import Study
from sweepmake.results.summary_file import read_summary
from sweepmake.runs.experiment import Experiment
from sweepmake.runs.newest_logs import outdated
from sweepmake.runs.records import read_end, read_record

__all__ = ["STATUSES", "Outcome", "StageOutcome", "read_outcome", "read_outcomes"]

STATUSES = (
    "finished",
    "running",
    "failed",
    "interrupted",
    "lost",
    "outdated",
    "held back",
    "unfinished",
    "not started",
    "unreadable",
)
"""All that an experiment's status can be.

"outdated": a stage has finished, but params.yaml has another command for it now: it runs again.
"lost": the machine or the process died, nobody knows how the run ended. "unfinished": some stages
have finished, the next has not started. "held back": mlrunner finished a stage with another
command, and nothing starts in its folder without the user's word. "unreadable": logs made elsewhere
that cannot be read.
"""


@dataclass(frozen=True, slots=True)
class StageOutcome:
    """How the newest run of one stage stands.

    Attributes:
        stage: its name.
        status: one of STATUSES, but for "held back", "unfinished" and "unreadable".
        exit_code: None while it runs, or where nobody knows.
        started, ended: seconds since the epoch.
        wall_time_s, cpu_time_s: seconds.
        max_memory_mb: the largest resident set of one of its processes, in MiB.
        gpus: how many GPUs it held.
        attempt: which attempt this was, from 1.
        log: its log, "" where there is none.
        host, command, commit: where and what was run; the git commit of the working directory.
        kind, reason: the kind of failure and why, where the stage runner has found it; else "".
        silent_since: when it last wrote, in seconds since the epoch, where it is reported as hung.
    """

    stage: str
    status: str
    exit_code: int | None = None
    started: float | None = None
    ended: float | None = None
    wall_time_s: float | None = None
    cpu_time_s: float | None = None
    max_memory_mb: float | None = None
    gpus: int = 0
    attempt: int = 0
    log: str = ""
    host: str = ""
    command: str = ""
    commit: str = ""
    kind: str = ""
    reason: str = ""
    silent_since: float | None = None

    @property
    def gpu_time_s(self) -> float | None:
        """GPU seconds: the wall time times the GPUs held; None where the wall time is unknown."""
        return None if self.wall_time_s is None else self.wall_time_s * self.gpus


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one experiment.

    Attributes:
        experiment: whose outcome this is.
        status: one of STATUSES.
        stages: its stages' newest runs, in their order; one for each of the experiment.
        summary: its metrics.json (see docs/readers.md) without `results`; {} where there is none.
    """

    experiment: Experiment
    status: str
    stages: tuple[StageOutcome, ...]
    summary: Mapping[str, Any] = field(default_factory=dict)

    @property
    def failed_stage(self) -> StageOutcome | None:
        """The first stage that did not end well, or None."""
        bad = ("failed", "interrupted", "lost")
        return next((stage for stage in self.stages if stage.status in bad), None)


def read_outcomes(study: Study) -> list[Outcome]:
    """Return what became of every experiment of a study, in its order."""
    return [read_outcome(study, experiment) for experiment in study.experiments]


def read_outcome(study: Study, experiment: Experiment) -> Outcome:
    """Return what became of one experiment: of its records, and its summary if it was made."""
    summary = read_summary(study.result(experiment, "metrics.json"))
    if experiment.records:
        old = outdated(experiment.records, experiment.stages)
        stages = tuple(
            StageOutcome(stage, "not started") if stage in old else _stage(experiment, stage)
            for stage in experiment.stages
        )
        status = _overall([stage.status for stage in stages])
        if experiment.held and status in ("outdated", "unfinished", "not started"):
            return Outcome(experiment, "held back", stages, summary)
        if status == "not started" and not any(
            experiment.find_logs(stage) for stage in study.stages
        ):
            summary = {}  # of logs that somebody has deleted
        return Outcome(experiment, status, stages, summary)
    stages = tuple(_foreign_stage(experiment, stage, summary) for stage in experiment.stages)
    status = "unreadable" if experiment.problem else _overall([stage.status for stage in stages])
    return Outcome(experiment, status, stages, summary)


def _overall(statuses: Sequence[str]) -> str:
    """Return an experiment's status from its stages'."""
    for status in ("running", "failed", "interrupted", "lost", "outdated"):
        if status in statuses:
            return status
    if all(status == "finished" for status in statuses):
        return "finished"
    return "unfinished" if "finished" in statuses else "not started"


def _stage(experiment: Experiment, stage: str) -> StageOutcome:
    """Return how a stage stands, by the record that the stage runner keeps."""
    path = f"{experiment.records}/{stage}.json"
    record = read_record(path)
    if stage in experiment.to_adopt:
        record = dict(experiment.to_adopt[stage])
    if record is None:
        return StageOutcome(stage, "not started")
    status, code = str(record.get("state", "lost")), record.get("exit_code")
    if status == "running":
        status, code = _settled(experiment, stage, record)
        if status != "running" and read_record(path) != record:
            return _stage(experiment, stage)  # it has just ended, or begun again
    command = experiment.commands.get(stage)
    if status == "finished" and command is not None and command != record.get("fingerprint"):
        status = "outdated"
    slot = str(record.get("slot") or "")
    declared = as_number(record.get("gpu")) or 0
    return StageOutcome(
        stage=stage,
        status=status,
        exit_code=code if isinstance(code, int) else None,
        started=as_number(record.get("started")),
        ended=as_number(record.get("ended")),
        wall_time_s=as_number(record.get("wall_time_s")),
        cpu_time_s=as_number(record.get("cpu_time_s")),
        max_memory_mb=as_number(record.get("max_memory_mb")),
        gpus=(slot.count(",") + 1 if slot else int(declared)) if declared else 0,
        attempt=int(as_number(record.get("attempt")) or 0),
        log=str(record.get("log") or ""),
        host=str(record.get("host") or ""),
        command=str(record.get("command") or ""),
        commit=str(record.get("commit") or ""),
        kind=str(record.get("kind") or ""),
        reason=str(record.get("reason") or ""),
        silent_since=as_number(record.get("silent_since")),
    )


def _settled(
    experiment: Experiment, stage: str, record: Mapping[str, object]
) -> tuple[str, object]:
    """Return the (status, exit code) of a run whose record says that it runs.

    Its stage runner may have been killed: then nobody holds the run's lock, and the exit code, if
    the command lived on to leave one, stands in a file. On another host the lock means nothing.
    """
    if record.get("host") != os.uname().nodename:
        return "running", None
    try:
        file = os.open(f"{experiment.records}/{stage}.lock", os.O_RDONLY)
    except OSError:
        return "lost", None
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return "running", None
    finally:
        os.close(file)
    return read_end(f"{experiment.records}/{stage}.exit")


def _foreign_stage(experiment: Experiment, stage: str, summary: Mapping[str, Any]) -> StageOutcome:
    """Return how a stage stands of which there is nothing but logs: as they tell."""
    logs = experiment.find_logs(stage)
    if not logs:
        return StageOutcome(stage, "not started")
    ranks = summary.get("stages", {}).get(stage, {}).get("ranks", {})
    died = any(rank.get("died") for rank in ranks.values())
    return StageOutcome(
        stage, "failed" if died else "finished", attempt=len(logs), log=str(logs[-1])
    )
