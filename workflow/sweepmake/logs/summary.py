"""metrics.json: what a run ends with, in Training Log Wizard's keys and in Sweepmake's own.

The JSON is strict: a number that is not finite is a string ("nan", "inf", "-inf") inside `stages`,
and -1 in the flat keys, where -1 has always meant "not known" (its aggregate script wants numbers
there).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sweepmake.logs.tally import Tally
from sweepmake.metric_names import base_name, direction, is_validation, validation_name

__all__ = ["StageSummary", "column_order", "describe_stage", "flat_keys", "json_number"]

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


class StageSummary(NamedTuple):
    """What was found in one stage's logs.

    Args:
        stage: its name.
        files: the logs, as given.
        launcher: what wrote the tags.
        reader: the reader that read most; None when nothing was read.
        ranks: rank -> its sums.
        accounts: rank -> what the demultiplexer counted.
        evidence: what shows the launcher.
        confidence: how sure that is, from 0 to 1.
        warnings: what the user should know of these logs.
    """

    stage: str
    files: tuple[str, ...]
    launcher: str | None
    reader: str | None
    ranks: Mapping[int, Tally]
    accounts: Mapping[int, Json]
    evidence: str = ""
    confidence: float = 1.0
    warnings: tuple[str, ...] = ()


def json_number(text: str) -> Json:
    """Return a number text as JSON: an int, a float, or "nan", "inf", "-inf"."""
    if text.isdecimal() and len(text) < 18:
        return int(text)
    try:
        value = float(text)
    except ValueError:
        return None
    if math.isfinite(value):
        return value
    return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"


def describe_stage(found: StageSummary) -> dict[str, Json]:
    """Return one stage's part of metrics.json."""
    readers: dict[str, int] = {}
    for tally in found.ranks.values():
        for name, count in tally.readers.items():
            readers[name] = readers.get(name, 0) + count
    return {
        "files": list(found.files),
        "launcher": found.launcher,
        "launcher_evidence": found.evidence,
        "launcher_confidence": found.confidence,
        "warnings": list(found.warnings),
        "reader": found.reader,
        "readers": {name: readers[name] for name in sorted(readers)},
        "metrics": _metrics(found.ranks),
        "ranks": {
            str(rank): _rank(tally, found.accounts.get(rank))
            for rank, tally in sorted(found.ranks.items())
        },
    }


def _metrics(ranks: Mapping[int, Tally]) -> dict[str, Json]:
    """Return per metric: last, best and its place, mean and spread of the last values over the
    ranks."""
    names: dict[str, None] = {}
    for _, tally in sorted(ranks.items()):
        names.update(dict.fromkeys(tally.last))
    described: dict[str, Json] = {}
    for name in names:
        having = [(rank, tally) for rank, tally in sorted(ranks.items()) if name in tally.last]
        values = [float(tally.last[name]) for _, tally in having]
        mean = sum(values) / len(values)
        spread = math.hypot(*(value - mean for value in values)) / math.sqrt(len(values))
        rule = direction(name)
        entry: dict[str, Json] = {
            "last": json_number(having[0][1].last[name]),
            "mean": _finite(mean),
            "std": _finite(spread),
            "ranks": len(having),
            "rule": rule,
            "best": None,
            "best_epoch": None,
            "best_step": None,
            "best_rank": None,
        }
        bests = [(tally.best[name], rank) for rank, tally in having if name in tally.best]
        if bests:
            sign = -1 if rule == "max" else 1
            best, rank = min(bests, key=lambda pair: (sign * pair[0].value, pair[1]))
            entry["best"] = json_number(best.text)
            entry["best_epoch"] = json_number(best.epoch)
            entry["best_step"] = json_number(best.step)
            entry["best_rank"] = rank
        described[name] = entry
    return described


def _rank(tally: Tally, account: Json) -> dict[str, Json]:
    """Return one rank's part."""
    counts = tally.counts
    described: dict[str, Json] = {
        "last": {name: json_number(text) for name, text in tally.last.items()},
        "best": {
            name: {
                "value": json_number(best.text),
                "epoch": json_number(best.epoch),
                "step": json_number(best.step),
            }
            for name, best in tally.best.items()
        },
        "last_epoch": json_number(tally.last_epoch),
        "last_step": json_number(tally.last_step),
        "total_epochs": tally.total_epochs,
        "steps_per_epoch": json_number(tally.steps_per_epoch),
        "early_stop_epoch": tally.early_stop_epoch,
        "total_training_time_s": tally.total_training_time_s,
        "time_per_step_s": tally.time_per_step_s,
        "restarts": tally.restarts,
        "rows": counts.rows,
        "observations": counts.observations,
        "segments_other": counts.other,
        "segments_unparsed": counts.unparsed,
        "segments_overlong": counts.overlong,
        "died": tally.died,
        "account": account,
    }
    if tally.died or counts.unparsed:
        described["last_lines"] = list(tally.last_lines)
    return described


def flat_keys(stages: Sequence[StageSummary]) -> dict[str, Json]:
    """Return Training Log Wizard's keys, from the first stage that logged anything.

    A value is that of the lowest rank that has it. total_epochs is what the log announces ("Epoch
    1/12"), else how many epochs it has; val_<name> is the last value; -1 stands for what the log
    does not say.
    """
    logged = [stage for stage in stages if any(tally.last for tally in stage.ranks.values())]
    # where none did, its ranks are still known: those that spoke
    first = next(iter([*logged, *(stage for stage in stages if stage.ranks)]), None)
    ranks = [tally for _, tally in sorted(first.ranks.items())] if first else []
    keys: dict[str, Json] = {
        "total_epochs": _first([t.total_epochs for t in ranks], -1),
        "steps_x_epoch": _first([_whole(t.steps_per_epoch) for t in ranks], -1),
        "total_job_ranks": len(ranks),
        "total_training_time": _first([t.total_training_time_s for t in ranks], -1),
        "early_stop_iteration": _first([t.early_stop_epoch for t in ranks], -1),
    }
    if keys["total_epochs"] == -1:
        keys["total_epochs"] = _first([_epochs(t) for t in ranks], -1)
    values: dict[str, Json] = {"val_loss": -1, "val_acc": -1, "val_dsc": -1}
    for tally in reversed(ranks):
        for name, text in tally.last.items():
            key = validation_name(name)
            if key is not None:
                value = json_number(text)
                values[key] = value if isinstance(value, int | float) else -1
    return keys | values


def column_order(columns: Sequence[str]) -> list[int]:
    """Return the metric columns in the order of Training Log Wizard's rows.

    Loss, accuracy, the others as logged; then the validation metrics in the same order.
    """

    def key(at: int) -> tuple[bool, int, int]:
        name = base_name(columns[at]).lower()
        place = 0 if name == "loss" else 1 if name in ("acc", "accuracy", "acc@1") else 2
        return is_validation(columns[at]), place, at

    return sorted(range(len(columns)), key=key)


def _first(values: Sequence[int | float | None], otherwise: int) -> int | float:
    return next((value for value in values if value is not None), otherwise)


def _epochs(tally: Tally) -> int | None:
    """Return how many epochs a log has."""
    last = _whole(tally.last_epoch)
    return None if last is None else last + tally.counts_from_0


def _whole(text: str) -> int | None:
    try:
        return int(float(text))
    except (ValueError, OverflowError):
        return None


def _finite(value: float) -> Json:
    return value if math.isfinite(value) else json_number(str(value))
