"""The keys of `stage:` in params.yaml: what the user may say about a stage, or about `all` of them.

A new one is one line here and, where it does something, the code that uses `stage.<key>`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sweepmake.params.folders import from_home
from sweepmake.params.guard_keys import (
    PATTERNS,
    RETRY_ON,
    SILENCE,
    SUCCESS,
    SilenceKeys,
    SuccessKeys,
)
from sweepmake.params.kinds import given, key, mapping, number, switch, text
from sweepmake.params.origin import Origin
from sweepmake.params.yaml_reader import Node

__all__ = ["ALL", "STAGE_OPTIONS", "StageOptions", "options_of"]

ALL = "all"
"""What stands in `stage:` for every stage; no stage can have this name."""


def _from_home(path: str, node: Node, origin: Origin) -> str:
    return from_home(path)


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
        "memory in megabytes, for clusters and for `--resources mem_mb=…`; a limit with "
        "[`limits: enforce`](#limits)",
    )
    runtime: int | None = key(
        number(least=1),
        None,
        "time limit in minutes, for clusters; everywhere with [`limits: enforce`](#limits)",
    )
    retries: int = key(number(least=0), 0, "how often a failed run is tried again; the waits grow")
    retry_on: tuple[str, ...] = key(
        RETRY_ON,
        (),
        "what `retries` is for: some of `oom`, `gpu oom`, `node`, `killed`, `time limit`, `hung`",
        example="[gpu oom, node]",
        absent="all but usage errors and commands that are not there",
    )
    pipefail: bool = key(
        switch(), False, "whether a failure counts that stands before the last `|` of a pipe"
    )
    success: SuccessKeys | None = key(
        SUCCESS,
        None,
        "what a run must have done: one that ends with exit code 0 without it has failed",
        example="{files: '{_output}/model.pt', pattern: 'training done', metric: val_acc}",
    )
    fail_on: tuple[str, ...] = key(
        PATTERNS,
        (),
        "regular expressions; a line of the log that one matches ends the run, as a failed one",
        example="'loss[=: ]+nan'",
        absent="none",
    )
    silence: SilenceKeys | None = key(
        SILENCE,
        None,
        "minutes without a byte in the log after which a run is reported as hung, or ended",
        example="{minutes: 30, end: true}",
    )
    resume: str | None = key(
        text("a part of a command"),
        None,
        "what stands for `{_resume}` in the template where an earlier attempt can be resumed",
        example="--resume {_output}/last.pt",
    )
    resume_if: str | None = key(
        text("a path"),
        None,
        "the file of an earlier attempt that must be there for it; `*` and `?` as in `success`",
        example="'{_output}/last.pt'",
    )
    conda: str | None = key(
        text("an environment file, a folder, or an environment's name").then(_from_home),
        None,
        "a conda environment for its command: an environment file (`.yaml`, `.yml`), the folder or "
        "the name of an environment; used with `--sdm conda`",
        example="envs/train.yaml",
    )
    container: str | None = key(
        text("an image").then(_from_home),
        None,
        "a container image in which its command runs: `docker://…`, `oras://…` or an image file",
        example="docker://pytorch/pytorch:latest",
    )


def _check(options: dict[str, object], node: Node, origin: Origin) -> dict[str, object]:
    """Refuse two environments for one command, and half of what a resumption needs."""
    if "conda" in options and "container" in options:
        raise origin.error(
            "has both 'conda' and 'container'", node, hint="a command has one environment"
        )
    for one, other in (("resume", "resume_if"), ("resume_if", "resume")):
        if one in options and other not in options:
            raise origin.error(
                f"has '{one}' without '{other}'",
                node,
                hint="resume: --resume {_output}/last.pt, and resume_if: '{_output}/last.pt'",
            )
    return options


STAGE_OPTIONS = mapping(
    given(
        StageOptions,
        rules={
            "not": {"required": ["conda", "container"]},
            "dependentRequired": {"resume": ["resume_if"], "resume_if": ["resume"]},
        },
    ).then(_check)
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
