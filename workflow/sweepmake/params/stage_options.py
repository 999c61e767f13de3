"""The keys of `stage:` in params.yaml: what the user may say about a stage, or about `all` of them.

A new one is one line here and, where it does something, the code that uses `stage.<key>`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sweepmake.params.kinds import given, key, mapping, number

__all__ = ["ALL", "STAGE_OPTIONS", "StageOptions", "options_of"]

ALL = "all"
"""What stands in `stage:` for every stage; no stage can have this name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageOptions:
    """What a run of a stage needs; the keys' descriptions say what each means."""

    gpu: int = key(
        number(least=0), 1, "GPU slots that a run holds; with 0 it waits for none and sees none"
    )
    threads: int = key(number(least=1), 1, "CPU threads, counted against `--cores`")
    mem_mb: int | None = key(
        number(least=1),
        None,
        "memory in megabytes, for clusters and for `--resources mem_mb=…`",
    )
    runtime: int | None = key(number(least=1), None, "time limit in minutes, for clusters")
    retries: int = key(number(least=0), 0, "how often a failed run is tried again at once")


STAGE_OPTIONS = mapping(given(StageOptions))
"""Reads `stage:`: stage → the options that are written for it."""


def options_of(stage: str, written: Mapping[str, Mapping[str, object]]) -> dict[str, object]:
    """Return the options of a stage: its own, and those for all stages that it does not have."""
    return {**written.get(ALL, {}), **written.get(stage, {})}
