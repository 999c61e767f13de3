"""What results are made of: the experiments of a sweep, or of a folder of logs made elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sweepmake.attempts import newest_logs
from sweepmake.measures import Measures
from sweepmake.naming import Value

if TYPE_CHECKING:
    from sweepmake.plan import Plan

__all__ = ["Case", "Study", "study_of_plan"]


@dataclass(frozen=True, slots=True)
class Case:
    """One experiment, as far as it is known without reading its files.

    Attributes:
        name: the experiment's name.
        parameters: all its parameters, in the order in which they should be shown.
        folder: where its logs lie.
        records: the folder of its runs' records; "" where it was not run by Sweepmake.
        suffix: what the names of its logs end with where experiments share a folder, else "".
        stages: the stages that it is to go through, in their order.
        logs: stage → the logs of its attempts, oldest first, where they are already known (logs
            made elsewhere); else they are found by their names.
        problem: why there is nothing to read, in words for the table ("empty log"); "" otherwise.
    """

    name: str
    parameters: Mapping[str, Value]
    folder: str
    records: str
    stages: tuple[str, ...]
    suffix: str = ""
    logs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    problem: str = ""

    def find_logs(self, stage: str) -> tuple[Path, ...]:
        """Return the logs of the newest run of a stage: its attempts, oldest first."""
        if stage in self.logs:
            return tuple(map(Path, self.logs[stage]))
        if not self.records:
            return ()
        return newest_logs(Path(self.folder), Path(self.records), stage, self.suffix)


@dataclass(frozen=True, slots=True)
class Study:
    """All experiments, and how their results are to be made.

    Attributes:
        source: the params.yaml, or the folder of logs, as the user names it.
        params: path of the params.yaml; None for logs made elsewhere.
        cases: the experiments, in the order of the file; no two with one name.
        stages: all stages, in their order.
        results: the folder of what is made.
        measures: metrics, objective, headings.
        log_options: the `logs` part of the config.
    """

    source: str
    params: str | None
    cases: tuple[Case, ...]
    stages: tuple[str, ...]
    results: str
    measures: Measures = field(default_factory=Measures)
    log_options: Mapping[str, object] = field(default_factory=dict)

    def result(self, case: Case, file: str) -> Path:
        """Return the path of one experiment's derived file ("metrics.json", "ranks.pdf", …)."""
        return Path(self.results) / case.name / file


def study_of_plan(plan: Plan) -> Study:
    """Return the study of a sweep."""
    stages = tuple(stage.name for stage in plan.sweep.stages)
    cases = tuple(
        Case(
            name=name,
            parameters=experiment.parameters,
            folder=plan.folder(name),
            records=plan.records(name),
            stages=experiment.stages,
            suffix=plan.suffix(name),
        )
        for name, experiment in plan.experiments.items()
    )
    return Study(
        source=plan.config.params,
        params=plan.config.params,
        cases=cases,
        stages=stages,
        results=plan.config.results,
        measures=plan.measures,
        log_options=plan.config.logs,
    )
