"""The keys of `stage:` in params.yaml: what the user may say about a stage, or about `all` of them.

A new one is one line here and, where it does something, the code that uses `stage.<key>`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sweepmake.params.kinds import given, key, mapping, number, text
from sweepmake.params.origin import Origin
from sweepmake.params.yaml_reader import Node

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
    retries: int | None = key(
        number(least=0),
        None,
        "how often a failed run is tried again at once; without it, `--retries` says so",
    )
    conda: str | None = key(
        text("an environment file, a folder, or an environment's name"),
        None,
        "a conda environment for its command: an environment file (`.yaml`, `.yml`), the folder or "
        "the name of an environment; used with `--sdm conda`",
        example="envs/train.yaml",
    )
    container: str | None = key(
        text("an image"),
        None,
        "a container image in which its command runs: `docker://…`, `oras://…` or an image file",
        example="docker://pytorch/pytorch:latest",
    )


def _check(options: dict[str, object], node: Node, origin: Origin) -> dict[str, object]:
    """Refuse two environments for one command."""
    if "conda" in options and "container" in options:
        raise origin.error(
            "has both 'conda' and 'container'", node, hint="a command has one environment"
        )
    return options


STAGE_OPTIONS = mapping(
    given(StageOptions, rules={"not": {"required": ["conda", "container"]}}).then(_check)
)
"""Reads `stage:`: stage → the options that are written for it."""


def options_of(stage: str, written: Mapping[str, Mapping[str, object]]) -> dict[str, object]:
    """Return the options of a stage: its own, and those for all stages that it does not have.

    A command has one environment: a stage's own container stands instead of the conda environment
    for all, and the reverse.
    """
    own = written.get(stage, {})
    shared = dict(written.get(ALL, {}))
    if "conda" in own or "container" in own:
        shared.pop("conda", None)
        shared.pop("container", None)
    return {**shared, **own}
