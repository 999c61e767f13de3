"""Runs that mlrunner finished become runs of the sweep; what is held back is told."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from sweepmake.errors import InputError, in_words
from sweepmake.kept_folders import write_kept
from sweepmake.runs.records import append_line, to_json, write_atomically

if TYPE_CHECKING:
    from sweepmake.plan import Plan

__all__ = ["adopt", "assume", "held_lines", "messages"]

_MOST_SHOWN = 3
_MOST_LISTED = 20


def adopt(plan: Plan) -> None:
    """Write the records and markers of the runs that are adopted, before Snakemake looks at them.

    In an order in which a kill at any point loses nothing: first which folders are kept.

    Raises:
        InputError: it cannot be written.
    """
    try:
        write_kept(plan.config.output, plan.kept)
        for name, stages in plan.kept.found.items():
            Path(plan.records(name)).mkdir(parents=True, exist_ok=True)
            for stage, record in stages.items():
                _write(plan, name, stage, record)
        for name, stage in plan.kept.again:
            Path(plan.marker(name, stage)).unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"mlrunner's runs cannot be adopted: {in_words(error)}") from error


def _write(plan: Plan, name: str, stage: str, record: Mapping[str, object]) -> None:
    line = to_json(record)
    write_atomically(f"{plan.records(name)}/{stage}.json", line)
    append_line(f"{plan.records(name)}/runs.jsonl", line)
    marker = plan.marker(name, stage)
    ended = float(str(record["ended"]))
    write_atomically(marker, f"{record['id']}\n")
    os.utime(marker, (ended, ended))


def assume(plan: Plan, forced: Collection[str]) -> None:
    """Let a dry run take for finished what would be adopted, though nothing is written.

    Args:
        plan: the plan.
        forced: what runs all the same, as `session.forced_runs` returns it, and what follows it.
    """
    assumed = set()
    for name, stages in plan.kept.found.items():
        for stage in (one.name for one in plan.sweep.stages):
            if {"*", stage, plan.marker(name, stage)} & set(forced):
                break
            if stage in stages:
                assumed.add((name, stage))
    plan.assumed = frozenset(assumed)


def messages(plan: Plan, *, dry: bool) -> list[str]:
    """Return what the user is told of mlrunner's runs, one line each; [] where there are none."""
    lines = []
    kept = plan.kept
    if kept.found:
        stages = Counter(stage for found in kept.found.values() for stage in found)
        shown = ", ".join(f"{stage} {count}" for stage, count in stages.items())
        verb = "would be adopted" if dry else "are adopted"
        lines.append(
            f"mlrunner: {_count(sum(stages.values()), 'finished run')} of "
            f"{_count(len(kept.found), 'experiment')} {verb} and not run again ({shown})"
            + _skipped(kept.found)
        )
    if dry:
        adopted = [
            f"  ADOPT       {', '.join(found)}: {plan.folder(name)}"
            for name, found in kept.found.items()
        ]
        lines += _cut(adopted)
    renamed = [(old, new) for old, new in kept.names.items() if new in kept.found]
    if renamed:
        examples = ", ".join(f"{old} is in {plan.folder(new)}" for old, new in renamed[:1])
        lines.append(f"mlrunner: {_count(len(renamed), 'folder')} of another name kept: {examples}")
    if kept.again:
        lines.append(f"mlrunner: {_count(len(kept.again), 'adopted run')} of another command "
                     f"{'would run' if dry else 'to run'} again")  # fmt: skip
    return lines + held_lines(plan)[:1]


def _skipped(found: Mapping[str, Mapping[str, Mapping[str, object]]]) -> str:
    """Return a remark on runs whose command `param` does not surely tell."""
    from sweepmake.elsewhere.left_stages import SAME_BUT_SKIPPED

    records = [record for stages in found.values() for record in stages.values()]
    unsure = sum(record.get("adopted") == SAME_BUT_SKIPPED for record in records)
    if not unsure:
        return ""
    return (
        f"; of {unsure} of them 'param' tells the command of a later start, which skipped them: "
        "what they really ran is not certain"
    )


def held_lines(plan: Plan) -> list[str]:
    """Return the line on what is held back, with both ways on, then one for each experiment."""
    held = {name: why for name, why in plan.kept.held.items() if name in plan.experiments}
    if not held:
        return []
    reasons = Counter(held.values()).most_common()
    times = len(reasons) > 1
    shown = "; ".join(f"{why}{f' ({n} times)' * times}" for why, n in reasons[:_MOST_SHOWN])
    more = f"; and {len(reasons) - _MOST_SHOWN} more" if len(reasons) > _MOST_SHOWN else ""
    lines = [
        f"mlrunner: {_count(len(held), 'experiment')} held back, nothing starts there: "
        f"{shown}{more}. To take the runs as they are: --config mlrunner=keep. To run them again: "
        "--config mlrunner=again"
    ]
    listed = [f"  HELD BACK   {plan.folder(name)}: {why}" for name, why in held.items()]
    return lines + _cut(listed)


def _cut(lines: list[str]) -> list[str]:
    more = len(lines) - _MOST_LISTED
    return lines if more <= 0 else [*lines[:_MOST_LISTED], f"  … and {more} more"]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
