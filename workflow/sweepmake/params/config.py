"""The workflow's configuration: what config.yaml and `--config` may say, checked."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sweepmake.errors import InputError, suggestion
from sweepmake.params.metrics import Measures
from sweepmake.params.metrics_reader import (
    Origin,
    check_over,
    check_stage,
    config_node,
    read_headings,
    read_metrics,
    read_objective,
    read_over,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sweepmake.params.metrics import MetricPattern, Objective
    from sweepmake.params.yaml_reader import Node

__all__ = ["Config", "check_folders", "merge_measures", "read_config"]


@dataclass(frozen=True, slots=True)
class Config:
    """The configuration, each key as config/README.md describes it.

    Attributes:
        params: path of the params.yaml.
        output: folder of the experiments, without a slash at its end.
        results: folder of what is derived from them.
        title: titles of the documents to run; empty for all.
        stages: stages to run instead of those that the documents name; empty for theirs.
        gpus: slots as written, or None.
        sample: experiments drawn from each document, or None for all.
        sample_seed: seed of the drawing.
        no_subdir: whether all experiments share the output folder.
        debug: whether only the first experiment runs, its output live on the terminal.
        metric: metrics besides those of params.yaml, or instead of those of the same name.
        objective: the objective instead of that of params.yaml, or None.
        over: the parameters to average over, instead of those of params.yaml, or None.
        headings: parameter -> heading of its column, besides Training Log Wizard's.
        logs: how logs are read, checked by their reader; with `folder`, and `names` where it is
            given, for logs that were made elsewhere.
    """

    params: str = "params.yaml"
    output: str = "output"
    results: str = "results"
    title: tuple[str, ...] = ()
    stages: tuple[str, ...] = ()
    gpus: tuple[object, ...] | None = None
    sample: int | None = None
    sample_seed: int = 0
    no_subdir: bool = False
    debug: bool = False
    metric: tuple[MetricPattern, ...] = ()
    objective: Objective | None = None
    over: tuple[str, ...] | None = None
    headings: Mapping[str, str] = field(default_factory=dict)
    logs: Mapping[str, object] = field(default_factory=dict)

    @property
    def log_folder(self) -> str | None:
        """The folder of logs that were made elsewhere; None for a sweep of our own."""
        folder = self.logs.get("folder")
        return folder if isinstance(folder, str) else None

    @property
    def log_names(self) -> str | None:
        """The regular expression that reads parameters out of those logs' paths, or None."""
        names = self.logs.get("names")
        return names if isinstance(names, str) else None

    @property
    def log_options(self) -> Mapping[str, object]:
        """`logs` without what says which logs: how they are read."""
        return {key: value for key, value in self.logs.items() if key not in ("folder", "names")}


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
    known = tuple(Config.__dataclass_fields__)
    for key in config:
        if key not in known:
            file, line = _find(key, files)
            raise InputError(
                f"config: unknown key '{key}'", file=file, line=line, hint=suggestion(key, known)
            )
    reader = _Reader(config, files)
    return Config(
        params=reader.text("params", default_params),
        output=_folder(reader.text("output", "output")),
        results=_folder(reader.text("results", "results")),
        title=reader.texts("title"),
        stages=reader.texts("stages"),
        gpus=reader.slots("gpus"),
        sample=reader.number("sample", None, least=1),
        sample_seed=reader.number("sample_seed", 0, least=0) or 0,
        no_subdir=reader.switch("no_subdir"),
        debug=reader.switch("debug"),
        metric=read_metrics(*reader.node("metric")),
        objective=read_objective(*reader.node("objective")),
        over=read_over(*reader.node("over")),
        headings=read_headings(*reader.node("headings")),
        logs=reader.logs("logs"),
    )


def merge_measures(
    base: Measures,
    config: Config,
    *,
    stages: Collection[str] | None = None,
    parameters: Collection[str] | None = None,
) -> Measures:
    """Return measures with what the configuration says put over them.

    Args:
        base: what params.yaml says; `Measures()` where there is none.
        config: the configuration.
        stages: the stages that there are; None where that is not known (logs made elsewhere).
        parameters: the parameters that some experiment has; None where that is not known.

    Raises:
        InputError: the configuration names a stage or a parameter that there is not.
    """
    metrics = {metric.name: metric for metric in base.metrics}
    for metric in config.metric:
        if stages is not None:
            check_stage(metric, stages, "config: ")
        metrics[metric.name] = metric
    if parameters is not None:
        check_over(config.over or (), parameters, _config_error)
    return Measures(
        metrics=tuple(metrics.values()),
        objective=config.objective or base.objective,
        over=base.over if config.over is None else config.over,
        headings={**base.headings, **config.headings} if config.headings else base.headings,
    )


def _config_error(problem: str, /, *, hint: str | None) -> InputError:
    return InputError(f"config: {problem}", hint=hint)


def check_folders(config: Config) -> None:
    """Raise InputError where a folder cannot be used: a file lies there, or it is a pattern.

    `{name}` is a wildcard of Snakemake, and `<name>` one of its path variables.
    """
    for key in ("output", "results"):
        folder = Path(getattr(config, key))
        if set("{}<") & set(str(folder)):
            raise InputError(
                f"config: '{key}' is '{folder}', but it cannot hold braces or < here",
                hint=f"choose another one: --config {key}=FOLDER",
            )
        there = next((path for path in (folder, *folder.parents) if path.exists()), None)
        if there is not None and not there.is_dir():
            raise InputError(
                f"config: '{key}' is '{folder}', but '{there}' is a file, not a folder",
                hint=f"remove it, or choose another folder: --config {key}=FOLDER",
            )


class _Reader:
    """Takes values of one kind out of the configuration, or says what is wrong with them."""

    def __init__(self, config: Mapping[str, object], files: Sequence[str]) -> None:
        self._config = config
        self._files = files

    def _fail(self, key: str, expected: str) -> InputError:
        file, line = _find(key, self._files)
        found = self._config[key]
        return InputError(
            f"config: '{key}' is {found!r}, expected {expected}", file=file, line=line
        )

    def text(self, key: str, default: str) -> str:
        value = self._config.get(key)
        if value is None:
            return default
        if isinstance(value, bool | dict | list) or not str(value):
            raise self._fail(key, "a path")
        return str(value)

    def texts(self, key: str) -> tuple[str, ...]:
        """One or a list; in one text, commas separate."""
        value = self._config.get(key)
        if value is None or value == []:
            return ()
        listed = value if isinstance(value, list) else str(value).split(",")
        if isinstance(value, dict) or any(isinstance(v, dict | list) for v in listed):
            raise self._fail(key, "a name or a list of names")
        texts = tuple(str(v).strip() for v in listed)
        if "" in texts:
            raise self._fail(key, "a name or a list of names")
        return texts

    def slots(self, key: str) -> tuple[object, ...] | None:
        """A list of slots, or a text of slots with blanks between them, as after mlrunner's -r."""
        value = self._config.get(key)
        if value is None:
            return None
        if isinstance(value, str):
            value = value.split()
        if isinstance(value, int) and not isinstance(value, bool):
            value = [value]
        if not isinstance(value, list) or not value:
            raise self._fail(key, "a list of slots such as [0, 1] or ['0,1', '2,3']")
        return tuple(value)

    def number(self, key: str, default: int | None, *, least: int) -> int | None:
        value = self._config.get(key)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise self._fail(key, f"a whole number, at least {least}")
        return value

    def switch(self, key: str) -> bool:
        value = self._config.get(key)
        # on the command line Snakemake takes True for a boolean, and true for a text
        word = str(value).lower()
        if value is None or word == "false":
            return False
        if word == "true":
            return True
        raise self._fail(key, "true or false")

    def node(self, key: str) -> tuple[Origin, Node]:
        """What the reader of params.yaml takes too, and where it stands."""
        value = self._config.get(key)
        file, line = _find(key, self._files) if value is not None else (None, None)
        return Origin(file, "config: "), config_node(value, line)

    def logs(self, key: str) -> Mapping[str, object]:
        """A mapping of options, or the folder of logs alone; with the folder's path tidied."""
        value = self._config.get(key)
        if value is None:
            return {}
        given = value if isinstance(value, dict) else {"folder": value}
        logs = {name: entry for name, entry in given.items() if name not in ("folder", "names")}
        folder, names = given.get("folder"), given.get("names")
        if folder is not None:
            if isinstance(folder, bool | dict | list) or not str(folder).strip():
                raise self._fail(key, "a folder of logs, or a mapping such as {folder: runs}")
            logs["folder"] = _folder(str(folder))
        if names is not None:
            logs["names"] = self._expression(key, names)
            if folder is None:
                raise self._fail(key, "'folder' beside 'names': {folder: runs, names: …}")
        return logs

    def _expression(self, key: str, names: object) -> str:
        file, line = _find(key, self._files)
        hint = r"names: 'lr(?P<lr>[^/]+)/(?P<stage>\w+)\.log'"
        if not isinstance(names, str) or not names:
            raise InputError(
                f"config: {key}: 'names' is {names!r}, expected a regular expression",
                file=file,
                line=line,
                hint=hint,
            )
        try:
            re.compile(names)
        except (re.error, OverflowError, RecursionError) as error:
            raise InputError(
                f"config: {key}: 'names' is {names!r}, which is no regular expression: {error}",
                file=file,
                line=line,
                hint=hint,
            ) from error
        return names


def _folder(path: str) -> str:
    """Return the path without a slash at its end or "." parts, so that names join to it."""
    return str(Path(path))


def _find(key: object, files: Sequence[str]) -> tuple[str | None, int | None]:
    """Return the file and line in which a top-level key of the configuration stands."""
    pattern = re.compile(rf"[\"']?{re.escape(str(key))}[\"']?\s*:")
    for file in files:
        if not Path(file).is_file():
            continue
        text = Path(file).read_text(encoding="utf-8", errors="replace")
        for number, line in enumerate(text.splitlines(), 1):
            if pattern.match(line):
                return file, number
    return None, None
