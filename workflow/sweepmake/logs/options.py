"""The `logs:` part of the config: how logs are read and what is written beside the numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from sweepmake.errors import InputError, suggestion
from sweepmake.logs.demux.launchers import launcher_named
from sweepmake.logs.readers import READERS

if TYPE_CHECKING:
    from sweepmake.logs.summary import Json
    from sweepmake.params.metrics import MetricPattern

__all__ = ["LogOptions", "metrics_from_json", "read_with"]


class LogOptions(NamedTuple):
    """What the user may say about logs.

    Args:
        launcher: what wrote the tags ("openmpi4", …); None: recognised from the log.
        reader: the one format to read ("keras2", …); None: chosen by what the log shows.
        pattern: regular expressions with named groups, for formats that no reader knows.
        clean: write a cleaned log that a person can read: clean.<stage>.<attempt>.log.
        per_rank: write one per rank too: ranks.<stage>.<attempt>/rank<r>.log.
        excel: write history.xlsx too.
        folder: of logs that were made elsewhere; not used in reading them.
        names: what reads parameters out of their paths; see sweepmake.foreign.
    """

    launcher: str | None = None
    reader: str | None = None
    pattern: tuple[str, ...] = ()
    clean: bool = False
    per_rank: bool = False
    excel: bool = False
    folder: str | None = None
    names: str | None = None

    @classmethod
    def from_config(cls, config: Mapping[str, object] | None) -> LogOptions:
        """Return the options of a config's `logs:` mapping; what is absent has its default.

        Raises:
            InputError: an unknown key, a value of the wrong kind, an unknown reader or launcher,
                a pattern that is not valid.
        """
        if config is None:
            return cls()
        if not isinstance(config, Mapping):
            raise InputError(f"logs: must be a mapping, not {config!r}", hint="logs: {clean: true}")
        known = list(cls._fields)
        for key in config:
            if key not in known:
                raise InputError(f"logs: has no key {key!r}", hint=suggestion(key, known))
        options = cls(
            launcher=_word(config, "launcher"),
            reader=_word(config, "reader"),
            pattern=_patterns(config.get("pattern")),
            clean=_switch(config, "clean"),
            per_rank=_switch(config, "per_rank"),
            excel=_switch(config, "excel"),
            folder=_word(config, "folder"),
            names=_word(config, "names"),
        )
        options.check()
        return options

    def check(self) -> None:
        """Raise InputError where a value cannot be used."""
        if self.launcher is not None:
            launcher_named(self.launcher)
        if self.reader is not None and self.reader not in READERS:
            raise InputError(
                f"logs: there is no reader {self.reader!r}", hint=suggestion(self.reader, READERS)
            )
        if self.reader == "regex" and not self.pattern:
            raise InputError(
                "logs: the reader 'regex' needs a pattern",
                hint="pattern: 'ep=(?P<epoch>\\d+) L=(?P<loss>\\S+)'",
            )
        self.patterns()

    def patterns(self) -> tuple[re.Pattern[str], ...]:
        """Return the compiled patterns."""
        if not self.pattern:
            return ()
        from sweepmake.logs.readers.regex import compile_patterns

        return compile_patterns(self.pattern)


def _word(config: Mapping[str, object], key: str) -> str | None:
    value = config.get(key)
    if value is None or (value == "auto" and key in ("launcher", "reader")):
        return None
    if not isinstance(value, str):
        raise InputError(f"logs: {key} must be a name, not {value!r}")
    return value


def _switch(config: Mapping[str, object], key: str) -> bool:
    value = config.get(key, False)
    if value in ("true", "false"):
        return value == "true"  # Snakemake takes what stands in braces after --config for texts
    if not isinstance(value, bool):
        raise InputError(f"logs: {key} must be true or false, not {value!r}")
    return value


def _patterns(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list | tuple) and all(isinstance(one, str) for one in value):
        return tuple(value)
    raise InputError(f"logs: pattern must be a regular expression or a list of them, not {value!r}")


def read_with(options: LogOptions, metrics: Sequence[MetricPattern]) -> dict[str, Json]:
    """Return how logs are read, for metrics.json: when it changes, they must be read again."""
    return {
        "launcher": options.launcher,
        "reader": options.reader,
        "pattern": list(options.pattern),
        "metrics": [[one.name, one.stage, one.pattern, one.take] for one in metrics],
    }


def metrics_from_json(argument: str) -> tuple[MetricPattern, ...]:
    """Return the metrics that `measures.metrics_to_json` wrote; none for an empty text."""
    if not argument:
        return ()
    import json

    from sweepmake.params.metrics import (
        MetricPattern,  # it takes a good part of the time to read a small log
    )

    return tuple(MetricPattern(*parts) for parts in json.loads(argument))
