"""The workflow's configuration: what config.yaml and `--config` may say, checked."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sweepmake.errors import InputError
from sweepmake.params.folders import check_folder, from_home
from sweepmake.params.kinds import choice, key, number, read_keys, switch, text, texts
from sweepmake.params.log_keys import LOG_KEYS, LogKeys, folder_path
from sweepmake.params.metrics import MetricOptions, MetricPattern, Objective
from sweepmake.params.metrics_reader import (
    HEADING_TEXTS,
    METRICS,
    OBJECTIVE,
    OVER,
    check_over,
    check_stage,
)
from sweepmake.params.origin import Origin, config_node
from sweepmake.params.slot_list import slots
from sweepmake.params.yaml_reader import Fields

__all__ = ["Config", "check_folders", "merge_metric_options", "read_config"]

_NAMES = "a name or a list of names"
Limits = Literal["hints", "enforce"]
LIMITS: tuple[Limits, ...] = ("hints", "enforce")


@dataclass(frozen=True, slots=True)
class Config:
    """The configuration; the keys' descriptions say what each means, as config/README.md does."""

    params: str = key(
        text("a path", numbers=True).then(lambda path, node, origin: from_home(path)),
        "params.yaml",
        "The params.yaml; where it is not given and there is none, config/params.yaml",
    )
    output: str = key(folder_path(), "output", "The folder of the experiments")
    results: str = key(folder_path(), "results", "The folder of what is made from the experiments")
    title: tuple[str, ...] = key(
        texts(_NAMES), (), "Run only the documents with one of these titles; all where it is empty"
    )
    stages: tuple[str, ...] = key(
        texts(_NAMES), (), "Run only these stages; where it is empty each document's `_cmd` decides"
    )
    gpus: tuple[str, ...] | None = key(
        slots(alone=True),
        None,
        'The GPU slots, instead of the `resource` of params.yaml; "0,1" is a pair in one slot',
        example="['0,1', '2,3']",
    )
    sample: int | None = key(number(least=1), None, "Draw so many experiments from each document")
    sample_seed: int = key(number(least=0), 0, "The seed of the draw")
    no_subdir: bool = key(switch(), False, "All experiments share the output folder itself")
    mlrunner: Literal["match", "keep", "again"] = key(
        choice(("match", "keep", "again")),
        "match",
        "What becomes of runs that mlrunner finished in the output folder. Those of today's "
        "command count as finished; of another, `match` holds their experiments back, `keep` takes "
        "them as they are, `again` runs them again",
    )
    debug: bool = key(
        switch(), False, "Run the first experiment only, its output live on the terminal"
    )
    grace: int = key(
        number(least=1),
        20,
        "Seconds that a run has to end, from the first signal that asks it to, before it is killed",
    )
    limits: Limits = key(
        choice(LIMITS),
        "hints",
        "What `runtime` and `mem_mb` of a stage are: hints for a cluster, or limits that end a run",
    )
    metric: Mapping[str, MetricPattern] = key(
        METRICS,
        {},
        "Numbers to read out of logs, besides those of params.yaml or instead of them",
        example=r"{bleu: {stage: test, pattern: 'BLEU4? = ([\d.]+)'}}",
    )
    objective: Objective | None = key(
        OBJECTIVE,
        None,
        "What orders the experiments, instead of the `objective` of params.yaml",
        example="{metric: val_acc, mode: max}",
    )
    over: tuple[str, ...] | None = key(
        OVER,
        None,
        "The parameters to average over, instead of the `over` of params.yaml",
        example="[seed, fold]",
    )
    headings: Mapping[str, str] = key(
        HEADING_TEXTS,
        {},
        "Headings of columns, besides Training Log Wizard's: parameter to heading",
        example="{lr: learning rate}",
    )
    logs: LogKeys = key(
        LOG_KEYS,
        LogKeys(),
        "How logs are read, and what is written beside the numbers; or the folder of logs that "
        "were made elsewhere",
    )

    @property
    def log_folder(self) -> str | None:
        """The folder of logs that were made elsewhere; None for a sweep of our own."""
        return self.logs.folder

    @property
    def log_options(self) -> Mapping[str, object]:
        """How logs are read, as LogOptions.from_config takes it."""
        return self.logs.options


def read_config(
    config: Mapping[str, object], files: Sequence[str] = (), *, default_params: str = "params.yaml"
) -> Config:
    """Return the checked configuration.

    Args:
        config: the mapping that Snakemake has merged from config files and `--config`.
        files: the config files, to name file and line in an error.
        default_params: the params.yaml where `config` names none.

    Raises:
        InputError: an unknown key, or a value of the wrong kind.
    """
    lines = _lines_of_keys(files)
    values: dict[str, object] = {"params": default_params}
    for name, value in config.items():
        file, line = lines.get(name, (None, None))  # each key in a file of its own, perhaps
        node = config_node({name: value}, line)
        assert isinstance(node, Fields)  # a mapping's node is one
        values |= read_keys(Config, node, Origin(file, "config: "), nulls=True)
    return Config(**values)  # type: ignore[arg-type]


def _lines_of_keys(files: Sequence[str]) -> dict[str, tuple[str, int]]:
    """Return the file and line of each top-level key, the first where it stands twice."""
    pattern = re.compile(r"[\"']?([^\s\"'#][^\s\"':]*)[\"']?\s*:")
    found: dict[str, tuple[str, int]] = {}
    for file in files:
        if not Path(file).is_file():
            continue
        lines = Path(file).read_text(encoding="utf-8", errors="replace").splitlines()
        for at, line in enumerate(lines, 1):
            if match := pattern.match(line):
                found.setdefault(match[1], (file, at))
    return found


def merge_metric_options(
    base: MetricOptions,
    config: Config,
    *,
    stages: Collection[str] | None = None,
    parameters: Collection[str] | None = None,
) -> MetricOptions:
    """Return options of metrics with what the configuration says put over them.

    Args:
        base: what params.yaml says; `MetricOptions()` where there is none.
        config: the configuration.
        stages: the stages that there are; None where that is not known (logs made elsewhere).
        parameters: the parameters that some experiment has; None where that is not known.

    Raises:
        InputError: the configuration names a stage or a parameter that there is not.
    """
    metrics = {metric.name: metric for metric in base.metrics}
    for metric in config.metric.values():
        if stages is not None:
            check_stage(metric, stages, "config: ")
        metrics[metric.name] = metric
    if parameters is not None:
        check_over(config.over or (), parameters, _config_error)
    return MetricOptions(
        metrics=tuple(metrics.values()),
        objective=config.objective or base.objective,
        over=base.over if config.over is None else config.over,
        headings={**base.headings, **config.headings} if config.headings else base.headings,
    )


def _config_error(problem: str, /, *, hint: str | None) -> InputError:
    return InputError(f"config: {problem}", hint=hint)


def check_folders(config: Config) -> None:
    """Raise InputError where `output` or `results` cannot be a folder."""
    for name in ("output", "results"):
        check_folder(name, getattr(config, name))
