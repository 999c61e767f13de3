"""The `logs:` part of the config: how logs are read and what is written beside the numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from sweepmake.errors import InputError, suggestion
from sweepmake.logs.demux.launchers import launcher_named
from sweepmake.logs.readers import READERS

if TYPE_CHECKING:
    from sweepmake.logs.summary import Json
    from sweepmake.params.metrics import MetricPattern

__all__ = ["LogOptions", "metrics_from_json", "read_with"]


class LogOptions(NamedTuple):
    """How logs are read: the keys of `logs:` but for those that say which logs.

    Its fields are those of params.log_keys.LogKeys, where they are described and read. They stand
    here again because reading a small log takes less time than importing that model.
    """

    launcher: str | None = None
    reader: str | None = None
    pattern: tuple[str, ...] = ()
    clean: bool = False
    per_rank: bool = False
    excel: bool = False
    pattern_time_s: int = 60

    @classmethod
    def from_config(cls, given: Mapping[str, Any]) -> LogOptions:
        """Return the options that `Config.log_options` holds; what is absent has its default.

        Raises:
            InputError: an unknown reader or launcher, a pattern that is not valid.
        """
        named = {name: value for name, value in given.items() if value != "auto"}
        pattern = named.pop("pattern", ())
        one = isinstance(pattern, str)
        options = cls(**named, pattern=(pattern,) if one else tuple(pattern))
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


def read_with(options: LogOptions, metrics: Sequence[MetricPattern]) -> dict[str, Json]:
    """Return how logs are read, for metrics.json: when it changes, they must be read again."""
    how: dict[str, Json] = {
        "launcher": options.launcher,
        "reader": options.reader,
        "pattern": list(options.pattern),
        "metrics": [[one.name, one.stage, one.pattern, one.take] for one in metrics],
    }
    if options.pattern_time_s != LogOptions().pattern_time_s:
        how["pattern_time_s"] = options.pattern_time_s
    return how


def metrics_from_json(argument: str) -> tuple[MetricPattern, ...]:
    """Return the metrics that `metrics.metrics_to_json` wrote; none for an empty text."""
    if not argument:
        return ()
    import json

    from sweepmake.params.metrics import (
        MetricPattern,  # it takes a good part of the time to read a small log
    )

    return tuple(MetricPattern(*parts) for parts in json.loads(argument))
