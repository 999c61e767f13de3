"""Joins the attempts of one run: what a resumed attempt logs again counts once.

A training that was killed in its third epoch and resumes from the checkpoint of the second logs the
third epoch anew. Its first attempt's rows from there on are dropped; so no epoch stands twice in
the history, and no half of one is a best value. An attempt that began again from the start drops
nothing: it is another training.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from sweepmake.logs.rows import PLACE_CELLS, RowStream, Spool, add_up
from sweepmake.logs.tally import Tally

__all__ = ["join_attempts"]

_Place = tuple[float, float]
_Rows = list[tuple[int, int, RowStream]]


def join_attempts(rows: _Rows, spool: Spool, tallies: Mapping[int, Tally]) -> _Rows:
    """Return the streams of a stage without what later attempts have logged again.

    Args:
        rows: (attempt, rank, stream).
        spool: where shortened streams are written.
        tallies: rank → its sums, which are made anew where rows are dropped.
    """
    starts: dict[int, dict[int, _Place]] = {}
    if len({attempt for attempt, _, _ in rows}) > 1:
        for attempt, rank, stream in rows:
            first = next(filter(None, map(_place, stream.lines())), None)
            if first is not None:
                of_rank = starts.setdefault(rank, {})
                of_rank[attempt] = min(first, of_rank.get(attempt, first))
    joined: _Rows = []
    changed: set[int] = set()
    for attempt, rank, stream in rows:
        cut = _cut(attempt, starts.get(rank, {}))
        short = None if cut is None else _shorten(stream, cut, spool)
        joined.append((attempt, rank, stream if short is None else short))
        if short is not None:
            changed.add(rank)
    for rank in changed:
        own = sorted((one for one in joined if one[1] == rank), key=lambda one: one[0])
        tallies[rank].take_rows(add_up(stream for _, _, stream in own))
    return joined


def _cut(attempt: int, starts: Mapping[int, _Place]) -> _Place | None:
    """Return where the attempts that go on from this one begin; None where none does."""
    mine = starts.get(attempt)
    begun: list[_Place] = []
    for later in sorted(starts):
        if mine is None or later <= attempt:
            continue
        if starts[later] <= mine or (starts[later][0] == mine[0] > -math.inf):
            break  # it began again, and what comes after it goes on from there
        begun.append(starts[later])
    return min(begun, default=None)


def _place(line: str) -> _Place | None:
    """Return the epoch and step of a row, None where it has neither (`model.evaluate`)."""
    epoch, step, _ = line.split(",", 2)
    if not epoch and not step:
        return None
    return float(epoch) if epoch else -math.inf, float(step) if step else math.inf


def _shorten(stream: RowStream, cut: _Place, spool: Spool) -> RowStream | None:
    """Return a stream without its rows from a place on; None where it has none there."""
    places = list(map(_place, stream.lines()))
    before = [p for p in places if p is not None and p[0] == cut[0] and p[1] < cut[1]]
    if cut[0] > -math.inf and len(before) < 2:
        # the first row of an epoch need not be its first step: a bar is not drawn at each of them
        cut = (cut[0], -math.inf)
    if not any(place is not None and place >= cut for place in places):
        return None
    short = RowStream(spool, Tally())
    short.learn(stream.columns)
    short.stepped = stream.stepped
    ends: list[tuple[str, str]] = []
    for place, line in zip(places, stream.lines(), strict=True):
        if place is not None and place >= cut:
            continue
        wide = line + "," * (PLACE_CELLS + len(stream.columns) - line.count(",") - 1)
        short.write(wide + "\n", 1)
        epoch = line.partition(",")[0]
        if ends and ends[-1][0] == epoch:
            ends.pop()
        ends.append((epoch, wide))
    short.close()
    short.epoch_ends.extend(line for _, line in ends)
    return short
