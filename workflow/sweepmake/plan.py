"""The sweep as the workflow sees it: which files each run makes, needs, and is started with."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from sweepmake.errors import InputError
from sweepmake.kept_folders import NOTHING_KEPT, read_kept
from sweepmake.params.commands import fill
from sweepmake.params.config import merge_metric_options
from sweepmake.params.folders import check_apart
from sweepmake.params.guarding import guard_of
from sweepmake.params.naming import with_hash
from sweepmake.params.sweep import read_sweep
from sweepmake.visible import visible

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sweepmake.kept_folders import Kept
    from sweepmake.params.config import Config
    from sweepmake.params.sweep import PlannedExperiment, Stage, Sweep

__all__ = ["RECORDS", "Plan", "default_params", "literal", "make_plan", "rule_names"]

RECORDS = ".sweepmake"
"""The folder, inside an experiment's, of the records and markers of its runs."""

_Dumper: type[yaml.SafeDumper] = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def default_params() -> str:
    """Return the params.yaml that is meant where none is named: ./, then config/."""
    nearby = Path("config/params.yaml")
    return str(nearby) if nearby.exists() and not Path("params.yaml").exists() else "params.yaml"


def make_plan(config: Config) -> Plan:
    """Return the plan of the sweep that the configuration asks for.

    Raises:
        InputError: params.yaml or the configuration cannot be used, or `output` and `results` are
            not apart.
    """
    sweep = read_sweep(
        config.params,
        titles=config.title,
        stages=config.stages,
        sample=config.sample,
        sample_seed=config.sample_seed,
    )
    names = {experiment.name for experiment in sweep.experiments} | {RECORDS}
    inside = {RECORDS} if config.no_subdir else names
    check_apart(config.output, config.results, inside, names)
    slots = sweep.slots if config.gpus is None else config.gpus
    return Plan(config, sweep, slots, read_kept(config.output))


class Plan:
    """What each run of a sweep makes, needs and is started with.

    Attributes:
        config: the configuration.
        sweep: the sweep.
        slots: the slots that the user listed, or None.
        experiments: the experiments to run, by name; only the first in a debug run.
        kept: the folders of mlrunner's that some of them keep.
        assumed: (experiment, stage) of runs that a dry run takes for finished: they would be
            adopted before anything starts.
        metric_options: metrics, objective and headings, of params.yaml and the configuration.
    """

    __slots__ = ("_after", "_later", "_numbers", "_parameters", "_stages", "assumed", "config",
                 "experiments", "kept", "metric_options", "slots", "sweep")  # fmt: skip

    def __init__(
        self,
        config: Config,
        sweep: Sweep,
        slots: tuple[str, ...] | None,
        kept: Kept = NOTHING_KEPT,
    ) -> None:
        self.config = config
        self.sweep = sweep
        self.slots = slots
        chosen = sweep.experiments[:1] if config.debug else sweep.experiments
        self.kept = kept
        self.assumed: frozenset[tuple[str, str]] = frozenset()
        self.experiments: dict[str, PlannedExperiment] = _by_name(chosen, kept.names)
        self.metric_options = merge_metric_options(
            sweep.metric_options,
            config,
            stages=[stage.name for stage in sweep.stages],
            parameters=_parameters(sweep) if config.over else None,
        )
        self._numbers = {name: number for number, name in enumerate(self.experiments)}
        self._stages: dict[str, Stage] = {stage.name: stage for stage in sweep.stages}
        order = tuple(self._stages)
        self._after = {s: order[:i][::-1] for i, s in enumerate(order)}
        self._later = {s: order[i + 1 :] for i, s in enumerate(order)}
        self._parameters: dict[str, str] = {}

    def keeping(self, kept: Kept) -> Plan:
        """Return the same plan with other folders of mlrunner's kept."""
        return Plan(self.config, self.sweep, self.slots, kept)

    @property
    def runs(self) -> int:
        """How many runs the sweep has, finished ones included."""
        return sum(len(e.stages) for e in self.experiments.values())

    def folder(self, experiment: str) -> str:
        """The folder in which a stage of the experiment runs ({_output})."""
        return self.config.output if self.config.no_subdir else f"{self.config.output}/{experiment}"

    def records(self, experiment: str) -> str:
        """The folder of the records of an experiment's runs."""
        if self.config.no_subdir:
            return f"{self.config.output}/{RECORDS}/{experiment}"
        return f"{self.config.output}/{experiment}/{RECORDS}"

    def pattern(self, stage: str, ending: str) -> str:
        """The path of a stage's own files as a Snakemake pattern with the wildcard experiment."""
        output = literal(self.config.output)
        inner = (
            f"{RECORDS}/{{experiment}}" if self.config.no_subdir else f"{{experiment}}/{RECORDS}"
        )
        return f"{output}/{inner}/{stage}.{ending}"

    def marker(self, experiment: str, stage: str) -> str:
        """The small file that says that a run has finished."""
        return f"{self.records(experiment)}/{stage}.done"

    def needs(self, experiment: str, stage: str) -> list[str]:
        """The marker that a run waits for: that of the stage before it, among those selected.

        Raises:
            InputError: nothing may start in the experiment's folder without the user's word.
        """
        chain = self._find(experiment).stages
        if why := self.kept.held.get(experiment):
            raise InputError(f"'{experiment}' is held back: {why}")
        position = chain.index(stage) if stage in chain else 0
        return self._wait_for(experiment, chain[position - 1]) if position else []

    def last_marker(self, experiment: str) -> list[str]:
        """The marker of an experiment's last stage, as what its results wait for."""
        return self._wait_for(experiment, self._find(experiment).stages[-1])

    def last_markers(self) -> list[str]:
        """The markers of the last stage of every experiment in whose folder runs may start."""
        names = (name for name in self.experiments if name not in self.kept.held)
        return [marker for name in names for marker in self.last_marker(name)]

    def _wait_for(self, experiment: str, stage: str) -> list[str]:
        if (experiment, stage) in self.assumed:
            return []
        return [literal(self.marker(experiment, stage))]

    def priority(self, experiment: str, stage: str) -> int:
        """What has begun goes on first, then the order of the file decides."""
        count = len(self.experiments)
        depth = self._find(experiment).stages.index(stage)
        return depth * count + count - self._numbers[experiment]

    def command(
        self,
        experiment: str,
        stage: str,
        *,
        name: str | None = None,
        output: str | None = None,
        resumed: bool = False,
    ) -> list[str]:
        """The filled command, cut where {_time} goes; this is what decides about a rerun.

        Args:
            experiment: its name.
            stage: the stage.
            name: what {_name} stands for, where it is not the experiment's name.
            output: what {_output} stands for, where it is not the experiment's folder.
            resumed: whether with what stands for {_resume}; that decides about nothing.
        """
        found, what = self._find(experiment), self._stages[stage]
        name = experiment if name is None else name
        output = self.folder(experiment) if output is None else output
        resume = what.resuming if resumed else None
        pieces = list(
            fill(what.template, found.parameters, name=name, output=output, resume=resume)
        )
        if what.container is None:
            return pieces
        inside = [piece.replace("'", "'\\''") for piece in pieces]
        inside[0] = _container(what, self.config.output) + inside[0]
        inside[-1] += "'"
        return inside

    def fingerprints(self, experiment: str) -> dict[str, str]:
        """The filled command of each of an experiment's stages, as the stage runner records it."""
        stages = self._find(experiment).stages
        return {stage: "{_time}".join(self.command(experiment, stage)) for stage in stages}

    def resources(self, stage: Stage) -> dict[str, int]:
        """The resources that params.yaml declares for a stage, under Snakemake's names."""
        declared = {"mem_mb": stage.mem_mb, "runtime": stage.runtime}
        return {name: value for name, value in declared.items() if value is not None}

    def conda(self, stage: Stage) -> str | None:
        """The conda environment of a stage as Snakemake takes it; paths begin at the root.

        Snakemake would look for others beside the file of the rules.
        """
        given = stage.conda
        if given is None or not ("/" in given or given.endswith((".yaml", ".yml"))):
            return given
        return literal(str(Path(given).absolute()))

    def ignored_conda(self, methods: Collection[str]) -> str | None:
        """Return a warning where stages have conda environments that Snakemake will not use.

        Args:
            methods: the names of Snakemake's DeploymentMethods that are switched on.
        """
        stages = [f"'{stage.name}'" for stage in self.sweep.stages if stage.conda is not None]
        if not stages or "CONDA" in methods:
            return None
        return f"without --sdm conda, the conda environment of {', '.join(stages)} is not used"

    def options(self, experiment: str, stage: str) -> str:
        """The other arguments of the stage runner, quoted; they do not decide about a rerun."""
        options = [
            f"--stage={stage}",
            f"--experiment={experiment}",
            f"--number={self._number(experiment)}",
            f"--gpu={self._stages[stage].gpu}",
            f"--folder={self.folder(experiment)}",
            f"--records={self.records(experiment)}",
            f"--suffix={self.suffix(experiment)}",
            f"--log={self.records(experiment)}/{stage}.log",
            "--after=" + "\n".join(self.marker(experiment, s) for s in self._after[stage]),
            "--later=" + "\n".join(self.marker(experiment, s) for s in self._later[stage]),
            f"--parameters={self._param_text(experiment)}",
            *self._guards(experiment, self._stages[stage]),
        ]
        return shlex.join(options)  # here, once: Snakemake formats a job's command four times

    def _guards(self, experiment: str, stage: Stage) -> list[str]:
        """What the stage runner is told of a run beside its command; [] where nothing is asked."""
        values = {
            **self._find(experiment).parameters,
            "_name": experiment,
            "_output": self.folder(experiment),
        }
        resumed = self.command(experiment, stage.name, resumed=True) if stage.resuming else ()
        guard = guard_of(
            stage,
            values,
            enforce=self.config.limits == "enforce",
            metrics=self.metric_options.metrics,
            log_options=self.config.log_options,
            resumed=resumed,
        )
        options = [f"--guard={guard}"] if guard else []
        if stage.pipefail:
            start = "" if stage.container is None else _container(stage, self.config.output)
            options.append(f"--pipefail={len(start)}")
        if stage.retry_on:
            options.append(f"--retry-on={','.join(stage.retry_on)}")
        return options

    def hidden_failures(self) -> str | None:
        """Return a warning where a template's pipe hides that its program has failed."""
        found = [
            f"{self.sweep.file}:{pipe.line} ({stage.name}: {pipe.text})"
            for stage in self.sweep.stages
            for pipe in stage.template.pipes
            if not stage.pipefail
        ]
        if not found:
            return None
        return (
            "a failure before the last | of a pipe counts for nothing, unless 'stage' says "
            f"'pipefail: true': {', '.join(dict.fromkeys(found))}"
        )

    def message(self, experiment: str, stage: str) -> str:
        """What a dry run shows of a run: its place and the exact command."""
        gpu = self._stages[stage].gpu
        what = "cpu" if gpu == 0 else f"gpu: {gpu} slot{'s' if gpu > 1 else ''}"
        command = "{_time}".join(self.command(experiment, stage))
        return visible(
            f"{what}, {stage}: {self._number(experiment)}, {self.folder(experiment)}\n    {command}"
        )

    def _number(self, experiment: str) -> str:
        """An experiment's place in the sweep and the sweep's size, "3/16"."""
        return f"{self._numbers[experiment] + 1}/{len(self.experiments)}"

    def suffix(self, experiment: str) -> str:
        """What the names of an experiment's files end with where all share one folder."""
        return f".{experiment}" if self.config.no_subdir else ""

    def _find(self, experiment: str) -> PlannedExperiment:
        try:
            return self.experiments[experiment]
        except KeyError:
            raise InputError(f"no experiment has the name '{experiment}'") from None

    def _param_text(self, experiment: str) -> str:
        """The YAML of the file `param`, as mlrunner has it, without `_time` and `_scripts`."""
        text = self._parameters.get(experiment)
        if text is None:
            meta = {"_name": experiment, "_output": self.folder(experiment)}
            values = {**meta, **self._find(experiment).parameters}
            text = yaml.dump(values, Dumper=_Dumper, width=1_000_000, allow_unicode=True)
            self._parameters[experiment] = text
        return text


def _by_name(
    experiments: Sequence[PlannedExperiment], kept: Mapping[str, str]
) -> dict[str, PlannedExperiment]:
    """Return the experiments by name: one that keeps a folder of mlrunner's has that one's name.

    So `{_name}`, `{_output}`, its records and its results are that folder's. One that would have
    the same name by itself gets another: no two share a folder.
    """
    if not kept:
        return {one.name: one for one in experiments}
    taken = frozenset(kept.values())
    found: dict[str, PlannedExperiment] = {}
    for one in experiments:
        name = kept.get(one.name, one.name)
        if name in found or (name in taken and one.name not in kept):
            name = with_hash(one.name, one.choices)
        found[name] = one if name == one.name else replace(one, name=name)
    return found


def _parameters(sweep: Sweep) -> list[str]:
    """Return the parameters that some experiment has, sorted."""
    return sorted({name for experiment in sweep.experiments for name in experiment.parameters})


def _container(stage: Stage, output: str) -> str:
    """Return what stands before a stage's command that runs in a container, quoted, and a quote.

    The program is found where the run is, so that the command, which decides about a rerun, is the
    same on every machine. It is Apptainer's `exec` (also Singularity's): the working directory and
    the output folder are the same inside, and so are the environment's variables, among them
    CUDA_VISIBLE_DEVICES. Where `output` is a link, what it leads to is bound.
    """
    return (
        '"$(command -v apptainer || command -v singularity || echo apptainer)" exec '
        f'{"--nv " if stage.gpu else ""}--bind "$PWD" --bind "$(realpath {shlex.quote(output)})" '
        f'--pwd "$PWD" {shlex.quote(stage.container or "")} /bin/bash -c \''
    )


def literal(path: str) -> str:
    """Return a path with the braces escaped that Snakemake would take for wildcards."""
    return path.replace("{", "{{").replace("}", "}}") if "{" in path or "}" in path else path


def rule_names(stages: list[str], taken: set[str]) -> dict[str, str]:
    """Return a rule name for each stage: its own where Snakemake accepts it."""
    names: dict[str, str] = {}
    for stage in stages:
        name = re.sub(r"\W", "_", stage)
        while name in taken or name in names.values():
            name = f"stage_{name}"
        names[stage] = name
    return names
