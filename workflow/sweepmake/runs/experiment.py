"""One experiment of which results are made, wherever it was run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sweepmake.params.naming import Value
from sweepmake.runs.newest_logs import find_logs

__all__ = ["Experiment"]


@dataclass(frozen=True, slots=True)
class Experiment:
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
        commands: stage → its filled command, as the record of its run has it; {} where nobody asks
            whether a run was of the command that stands in params.yaml now.
        problem: why there is nothing to read, or nothing is started, in words for the table ("empty
            log"); "" otherwise.
        to_adopt: stage → the record of a run that another program finished, and that the next
            start of the sweep adopts.
    """

    name: str
    parameters: Mapping[str, Value]
    folder: str
    records: str
    stages: tuple[str, ...]
    suffix: str = ""
    logs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    commands: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""
    to_adopt: Mapping[str, Mapping[str, object]] = field(default_factory=dict)

    @property
    def held(self) -> bool:
        """Whether an experiment of a sweep is held back: nothing may start in its folder."""
        return bool(self.records and self.problem)

    def find_logs(self, stage: str) -> tuple[Path, ...]:
        """Return the logs of the newest run of a stage: its attempts, oldest first."""
        return find_logs(self.folder, self.records, stage, self.suffix, self.logs)
