"""How the ranks fared: who is slow, fell silent, leaves the others; what was lost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sweepmake.logs.history_file import STEP_TIME
from sweepmake.metric_names import direction
from sweepmake.outputs.drawing.scale import Floats
from sweepmake.outputs.ranks_pdf.bands import band_of
from sweepmake.outputs.ranks_pdf.history import Curve, Stage
from sweepmake.results.columns import as_number

__all__ = ["Health", "RankFacts", "examine", "loss_metrics", "outliers", "rank_list"]

_SLOW = 1.15  # times the median from which the slowest is called a straggler
_FAR = 5.0  # robust standard deviations
_LEAST_RANKS = 4  # fewer have no "others" to speak of
_MAD_TO_STD = 1.4826  # of a normal distribution
_FLOOR = 1e-3  # of the median: ranks that agree to three digits have no outliers
_MOST_NAMED = 8


@dataclass(frozen=True, slots=True)
class RankFacts:
    """What is known of one rank; None where the log does not say.

    Attributes:
        rank: the rank.
        end: x of the last thing that it logged.
        place: the same in words, "epoch 3, step 6 of 13".
        time_per_step_s: mean over its epochs.
        early_stop_epoch: as printed.
        died: whether its output ends like that of a program that died.
        restarts: how often it began again inside a log.
        lost, ambiguous, unread: lines lost, places that could belong to another rank, segments that
            looked like metrics and could not be read.
        last_line: the last thing that it said besides numbers.
    """

    rank: int
    end: float | None = None
    place: str = ""
    time_per_step_s: float | None = None
    early_stop_epoch: float | None = None
    died: bool = False
    restarts: int = 0
    lost: int = 0
    ambiguous: int = 0
    unread: int = 0
    last_line: str = ""


@dataclass(frozen=True, slots=True)
class Health:
    """How the ranks of a stage fared.

    Attributes:
        ranks: what is known of each, those too that logged no metrics.
        straggler: the slowest rank, where it is slower than the others.
        silent: ranks that stopped well before the others.
        leaving: rank → the metric that leaves the others'.
        findings: all of it in sentences, the worst first; never empty.
    """

    ranks: tuple[RankFacts, ...]
    straggler: int | None
    silent: tuple[int, ...]
    leaving: Mapping[int, str]
    findings: tuple[str, ...]


def examine(stage: Stage, summary: Mapping[str, Any]) -> Health:
    """Return how the ranks of a stage fared.

    Args:
        stage: its history.
        summary: its part of metrics.json; {} where there is none.
    """
    told = summary.get("ranks", {})
    numbers = sorted({*stage.ranks, *(int(rank) for rank in told if rank.isdigit())})
    ranks = tuple(_facts(stage, rank, told.get(str(rank), {})) for rank in numbers)
    silent = _silent(stage, ranks)
    leaving, leave_texts = _leaving(stage)
    straggler, slow_texts = _straggler(ranks)
    findings = [
        *_silent_texts(ranks, silent),
        *leave_texts,
        *slow_texts,
        *_end_texts(ranks, summary),
        *_account_texts(ranks),
    ]
    if not silent and not leaving and straggler is None:
        findings.insert(0, _calm_text(ranks))
    return Health(ranks, straggler, silent, leaving, tuple(findings))


def _facts(stage: Stage, rank: int, told: Mapping[str, Any]) -> RankFacts:
    """Return what metrics.json and the history say of a rank."""
    account = told.get("account") or {}
    epoch, step = as_number(told.get("last_epoch")), as_number(told.get("last_step"))
    steps = as_number(told.get("steps_per_epoch"))
    end = stage.axis.place(epoch, step, steps) if epoch is not None or step is not None else np.nan
    found = (stage.curves.get((name, rank)) for name in stage.metrics)
    curves = [curve for curve in found if curve is not None]
    if not np.isfinite(end):
        end = max((float(curve.x[-1]) for curve in curves), default=np.nan)
    time = as_number(told.get("time_per_step_s"))
    if time is None and (STEP_TIME, rank) in stage.ends:
        values = stage.ends[STEP_TIME, rank].y
        if np.isfinite(values).any():
            time = float(np.nanmean(values))
    lines = told.get("last_lines") or [""]
    return RankFacts(
        rank=rank,
        end=float(end) if curves and np.isfinite(end) else None,
        place=_place(epoch, step, steps),
        time_per_step_s=time,
        early_stop_epoch=as_number(told.get("early_stop_epoch")),
        died=bool(told.get("died")),
        restarts=_count(told.get("restarts")),
        lost=_count(account.get("lost")) + _count(told.get("segments_overlong")),
        ambiguous=_count(account.get("ambiguous")),
        unread=_count(told.get("segments_unparsed")),
        last_line=_telling([str(line) for line in lines]),
    )


def _telling(lines: Sequence[str]) -> str:
    """Return the line that says why a program died, else the last."""
    errors = [line for line in lines if "Error" in line or "error:" in line or "Killed" in line]
    plain = [line for line in errors if not line.startswith((" ", "\t"))]
    return (plain or errors or list(lines))[0 if plain else -1].strip()


def _place(epoch: float | None, step: float | None, steps: float | None) -> str:
    words = [] if epoch is None else [f"epoch {epoch:g}"]
    if step is not None:
        words.append(f"step {step:.15g}" + (f" of {steps:.15g}" if steps else ""))
    return ", ".join(words)


def _silent(stage: Stage, ranks: Sequence[RankFacts]) -> tuple[int, ...]:
    """Return the ranks that stopped well before the last one, and not early on purpose."""
    ends = {facts.rank: facts.end for facts in ranks if facts.end is not None}
    if len(ends) < 2:
        return ()
    last = max(ends.values())
    if stage.axis.kind == "epoch":
        allowed = 1.0 if last > 2 else 0.1 * last
    else:
        longest = max(stage.curves.values(), key=lambda curve: len(curve.x))
        gaps = np.diff(longest.x)
        spacing = float(np.median(gaps[gaps > 0])) if (gaps > 0).any() else 0.0
        allowed = max(0.05 * last, 2 * spacing)
    stopped = {facts.rank for facts in ranks if facts.early_stop_epoch is not None}
    return tuple(
        rank for rank, end in ends.items() if last - end > allowed + 1e-9 and rank not in stopped
    )


def _silent_texts(ranks: Sequence[RankFacts], silent: Sequence[int]) -> list[str]:
    by_rank = {facts.rank: facts for facts in ranks}
    furthest = max(
        (facts for facts in ranks if facts.end is not None),
        key=lambda facts: facts.end or 0.0,
        default=None,
    )
    texts = []
    for rank in sorted(silent, key=lambda rank: by_rank[rank].end or 0.0)[:_MOST_NAMED]:
        facts = by_rank[rank]
        text = f"Rank {rank} fell silent in {facts.place}"
        if furthest is not None:
            text += f", while rank {furthest.rank} came to {furthest.place}"
        if facts.died and facts.last_line:
            text += f"; it said last: {facts.last_line[:120]}"
        texts.append(text + ".")
    if len(silent) > _MOST_NAMED:
        texts.append(f"In all, {len(silent)} ranks fell silent: {rank_list(silent)}.")
    quiet = [facts.rank for facts in ranks if facts.end is None]
    if quiet and len(quiet) < len(ranks):
        texts.append(f"{_ranks(quiet)} logged no metrics.")
    return texts


def loss_metrics(metrics: Iterable[str]) -> list[str]:
    """Return the metrics by which ranks are compared: losses, else what has a better and worse."""
    names = list(metrics)
    losses = [name for name in names if "loss" in name.lower()]
    ruled = [name for name in names if direction(name) is not None]
    return losses or ruled[:2]


def outliers(curves: Sequence[Curve]) -> dict[int, float]:
    """Return rank → how far it is from the others, for the ranks that are far; the worst first.

    The distance is the median, over the last quarter of what the rank logged, of its distance from
    the ranks' median, in robust standard deviations (1.4826 times the median absolute deviation).
    Negative: below. With fewer than four ranks nobody is.
    """
    if len(curves) < _LEAST_RANKS:
        return {}
    band = band_of(curves)
    if band.table.shape[1] == 0:
        return {}
    middle = _median(band.table)
    spread = _MAD_TO_STD * _median(np.abs(band.table - middle))
    enough = np.isfinite(band.table).sum(axis=0) >= _LEAST_RANKS
    distance = (band.table - middle) / np.maximum(spread, np.abs(middle) * _FLOOR + 1e-12)
    found = {}
    for rank, row in zip(band.ranks, distance, strict=True):
        values = row[np.isfinite(row) & enough]
        if len(values):
            far = float(np.median(values[-max(1, len(values) // 4) :]))
            if abs(far) > _FAR:
                found[rank] = far
    return dict(sorted(found.items(), key=lambda item: -abs(item[1])))


def _median(table: Floats) -> Floats:
    """Return the median over the rows, nan left out."""
    ordered = np.sort(table, axis=0)  # nan comes last
    count = np.maximum(np.isfinite(ordered).sum(axis=0), 1)
    columns = np.arange(table.shape[1])
    low, high = ordered[(count - 1) // 2, columns], ordered[count // 2, columns]
    return np.asarray((low + high) / 2)


def _leaving(stage: Stage) -> tuple[dict[int, str], list[str]]:
    """Return (rank → the metric that leaves the others', in words)."""
    leaving: dict[int, str] = {}
    texts = []
    for metric in loss_metrics(stage.metrics):
        curves = stage.of(metric, ends=True)
        ended = [curve for curve in curves if len(curve.y) and not np.isfinite(curve.y[-1])]
        for curve in ended[:_MOST_NAMED]:
            texts.append(
                f"Rank {curve.rank}: {metric} is not a number at the end, "
                f"from {stage.axis.kind} {_since(curve):g} on."
            )
        for curve in ended:
            leaving.setdefault(curve.rank, metric)
        far = outliers(curves)
        for rank, distance in list(far.items())[:_MOST_NAMED]:
            side = "above" if distance > 0 else "below"
            texts.append(
                f"Rank {rank}: {metric} leaves the others': it ends {abs(distance):.3g} robust "
                f"standard deviations {side} their median."
            )
        for rank in far:
            leaving.setdefault(rank, metric)
    return leaving, texts


def _since(curve: Curve) -> float:
    """Return x from which on a curve is not finite."""
    finite = np.flatnonzero(np.isfinite(curve.y))
    return float(curve.x[finite[-1] + 1 if len(finite) else 0])


def _straggler(ranks: Sequence[RankFacts]) -> tuple[int | None, list[str]]:
    times = {f.rank: f.time_per_step_s for f in ranks if f.time_per_step_s is not None}
    if len(times) < 2:
        return None, []
    slowest = max(times, key=lambda rank: times[rank])
    middle = float(np.median(list(times.values())))
    if middle <= 0 or times[slowest] < _SLOW * middle:
        return None, []
    text = (
        f"Rank {slowest} is the straggler: {time_text(times[slowest])} per step, "
        f"{times[slowest] / middle:.2f} times the median of {time_text(middle)}."
    )
    return slowest, [text]


def time_text(seconds: float) -> str:
    """Return a short time with its unit."""
    if seconds >= 1:
        return f"{seconds:.3g} s"
    return f"{seconds * 1e3:.3g} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.3g} µs"


def _end_texts(ranks: Sequence[RankFacts], summary: Mapping[str, Any]) -> list[str]:
    """Return how the ranks came to their end: early stops, deaths, fewer epochs than planned."""
    texts = []
    stopped: dict[float, list[int]] = {}
    for facts in ranks:
        if facts.early_stop_epoch is not None:
            stopped.setdefault(facts.early_stop_epoch, []).append(facts.rank)
    for epoch, members in sorted(stopped.items())[:_MOST_NAMED]:
        who = "All ranks" if len(members) == len(ranks) > 1 else _ranks(members)
        texts.append(f"{who} stopped early in epoch {epoch:g}.")
    died = [facts.rank for facts in ranks if facts.died]
    if died:
        who = "All ranks" if len(died) == len(ranks) > 1 else _ranks(died)
        texts.append(f"{who} died: the output ends without an orderly end.")
    restarted = [facts.rank for facts in ranks if facts.restarts]
    if restarted:
        texts.append(f"{_ranks(restarted)} began again inside the log.")
    told = summary.get("ranks", {}).values()
    planned = max((as_number(rank.get("total_epochs")) or 0.0 for rank in told), default=0.0)
    reached = max((as_number(rank.get("last_epoch")) or 0.0 for rank in told), default=0.0)
    if planned > reached > 0 and not stopped:
        texts.append(f"{reached:g} of {planned:g} epochs were reached.")
    return texts


def _account_texts(ranks: Sequence[RankFacts]) -> list[str]:
    """Return what the launcher's log lost or left open."""
    texts = []
    for name, words in (
        ("lost", "were lost"),
        ("ambiguous", "could belong to another rank"),
        ("unread", "looked like metrics and could not be read"),
    ):
        counts = {f.rank: getattr(f, name) for f in ranks if getattr(f, name)}
        if counts:
            what = f"{sum(counts.values())} lines or parts of lines {words}"
            texts.append(f"{what}: {_ranks([*counts]).lower()}.")
    if not texts:
        texts.append("No line was lost, ambiguous or unreadable.")
    return texts


def _calm_text(ranks: Sequence[RankFacts]) -> str:
    if len(ranks) == 1:
        return "There is one rank: nothing to compare it with."
    return "No straggler, no rank fell silent, no loss left the others'."


def _ranks(ranks: Sequence[int]) -> str:
    return f"Rank {ranks[0]}" if len(ranks) == 1 else f"Ranks {rank_list(ranks)}"


def rank_list(ranks: Sequence[int]) -> str:
    """Return ranks as a short list: `0-3, 7, 9 and 12 more`."""
    spans: list[list[int]] = []
    for rank in sorted(ranks):
        if spans and rank == spans[-1][-1] + 1:
            spans[-1].append(rank)
        else:
            spans.append([rank])
    texts = [
        str(span[0]) if len(span) == 1 else f"{span[0]}{'-' if len(span) > 2 else ', '}{span[-1]}"
        for span in spans
    ]
    left = sum(map(len, spans[_MOST_NAMED:]))
    return ", ".join(texts[:_MOST_NAMED]) + (f" and {left} more" if left else "")


def _count(value: object) -> int:
    return int(as_number(value) or 0)
