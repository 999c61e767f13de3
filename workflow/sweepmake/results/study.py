"""What results are made of: the experiments of a sweep, or of a folder of logs made elsewhere."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sweepmake.elsewhere import find_experiments, keep_out
from sweepmake.elsewhere.left_runs import look
from sweepmake.params.config import merge_metric_options, read_config
from sweepmake.params.metrics import MetricOptions, metrics_to_json
from sweepmake.plan import RECORDS, literal, make_plan
from sweepmake.runs.experiment import Experiment

if TYPE_CHECKING:
    from sweepmake.params.config import Config
    from sweepmake.plan import Plan

__all__ = ["Study", "make_study", "read_study", "study_of_logs", "study_of_plan"]


@dataclass(frozen=True, slots=True)
class Study:
    """All experiments, and how their results are to be made.

    Attributes:
        source: the params.yaml, or the folder of logs, as the user names it.
        params: path of the params.yaml; None for logs made elsewhere.
        experiments: in the order of the file; no two with one name.
        stages: all stages, in their order.
        results: the folder of what is made.
        metric_options: metrics, objective, headings.
        log_options: the `logs` part of the config.
    """

    source: str
    params: str | None
    experiments: tuple[Experiment, ...]
    stages: tuple[str, ...]
    results: str
    metric_options: MetricOptions = field(default_factory=MetricOptions)
    log_options: Mapping[str, object] = field(default_factory=dict)

    def pattern(self, file: str) -> str:
        """Return the path of one experiment's derived file, with the wildcard experiment."""
        return f"{literal(self.results)}/{{experiment}}/{file}"

    def files(self, file: str) -> list[str]:
        """Return the path of that derived file of every experiment, for Snakemake.

        Not of those that are held back: their runs would have to start first.
        """
        return [
            literal(f"{self.results}/{experiment.name}/{file}")
            for experiment in self.experiments
            if not experiment.held
        ]

    def marker(self, file: str) -> str:
        """Return the path of a small file that stands for results of the whole study."""
        return literal(f"{self.results}/{RECORDS}/{file}")

    def log_arguments(self, experiment: Experiment) -> list[str]:
        """Return the arguments of scripts/read_logs.py: all stages, also those not selected now."""
        metrics = self.metric_options.metrics
        arguments = {
            "folder": experiment.folder,
            "records": experiment.records,
            "suffix": experiment.suffix,
            "output": f"{self.results}/{experiment.name}",
            "options": json.dumps(self.log_options, sort_keys=True),
            "metrics": metrics_to_json(metrics) if metrics else "",
            "logs": json.dumps(experiment.logs, sort_keys=True) if experiment.logs else "",
        }
        given = [f"--{name}={value}" for name, value in arguments.items() if value]
        return [*given, *self.stages]

    def result(self, experiment: Experiment, file: str) -> Path:
        """Return the path of one experiment's derived file ("metrics.json", "ranks.pdf", …)."""
        return Path(self.results) / experiment.name / file


def read_study(config: str) -> Study:
    """Return the study that a configuration asks for; the rules pass it to programs as JSON.

    Raises:
        InputError: see `make_study`.
    """
    return make_study(read_config(json.loads(config)))


def make_study(config: Config) -> Study:
    """Return what the configuration asks for: its sweep, or its folder of logs made elsewhere.

    Raises:
        InputError: params.yaml, the folder of logs or the configuration cannot be used.
    """
    if config.log_folder is not None:
        return study_of_logs(config)
    return study_of_plan(look(make_plan(config)), commands=True)


def study_of_logs(config: Config) -> Study:
    """Return the study of a folder of logs that Sweepmake did not make; the folder stays as it is.

    Raises:
        InputError: there is no such folder, it holds no logs, the results would go into it, or the
            configuration names a stage or a parameter that there is not.
    """
    folder = config.log_folder or "."
    experiments, stages = find_experiments(folder, config.logs.names)
    keep_out(folder, config.results, experiments)
    parameters = sorted({name for experiment in experiments for name in experiment.parameters})
    metric_options = merge_metric_options(
        MetricOptions(), config, stages=stages, parameters=parameters if config.over else None
    )
    return Study(
        source=folder,
        params=None,
        experiments=experiments,
        stages=stages,
        results=config.results,
        metric_options=metric_options,
        log_options=config.log_options,
    )


def study_of_plan(plan: Plan, *, commands: bool = False) -> Study:
    """Return the study of a sweep.

    Args:
        plan: the sweep.
        commands: whether to fill every command, so that runs of older ones are told. It takes as
            long as all else, and the rules do not need it.
    """
    stages = tuple(stage.name for stage in plan.sweep.stages)
    experiments = tuple(
        Experiment(
            name=name,
            parameters=experiment.parameters,
            folder=plan.folder(name),
            records=plan.records(name),
            stages=experiment.stages,
            suffix=plan.suffix(name),
            commands=plan.fingerprints(name) if commands else {},
            problem=plan.kept.held.get(name, ""),
            to_adopt=plan.kept.found.get(name, {}),
        )
        for name, experiment in plan.experiments.items()
    )
    return Study(
        source=plan.config.params,
        params=plan.config.params,
        experiments=experiments,
        stages=stages,
        results=plan.config.results,
        metric_options=plan.metric_options,
        log_options=plan.config.log_options,
    )
