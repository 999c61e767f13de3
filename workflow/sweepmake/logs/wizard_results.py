"""Training Log Wizard's `results`: per rank, one list per row of the history.

    "results": {"jobrank_0": [[0, 1, 1, 13, 5, 0.871, 0.9199, 0.129], …]}

A row is [rank, epoch, step, steps per epoch, seconds, loss, accuracy, …, val_loss, …]; the seconds
are the ETA, on an epoch's last row the time per step. The names of the metrics stand in
`results_columns`. What a row lacks is null; nulls at its end are left out. A long log (more rows
than LIMIT) gives the last rows of its latest epochs only: the history has them all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sweepmake.logs.rows import PLACE_CELLS, RowStream
from sweepmake.logs.summary import Json, column_order, json_number

__all__ = ["LIMIT", "result_rows"]

LIMIT = 20_000


class _Numbers(dict[str, Json]):
    """Texts as JSON numbers, each converted once: most of a log's values come again."""

    def __missing__(self, text: str) -> Json:
        found = self[text] = json_number(text)
        return found


def result_rows(streams: Sequence[tuple[int, RowStream]]) -> dict[str, Json]:
    """Return `results`, `results_columns` and `results_rows` of one stage's (rank, rows)."""
    columns = list(dict.fromkeys(name for _, stream in streams for name in stream.columns))
    order = [columns[at] for at in column_order(columns)]
    everything = sum(stream.rows for _, stream in streams) <= LIMIT
    results: dict[str, list[Json]] = {}
    numbers = _Numbers()
    for rank, stream in streams:
        rows = results.setdefault(f"jobrank_{rank}", [])
        lines = stream.lines() if everything else stream.epoch_ends
        rows.extend(_rows(rank, lines, stream.columns, order, numbers))
    return {
        "results": {key: results[key] for key in results},
        "results_columns": list(order),
        "results_rows": "all" if everything else "epoch ends",
    }


def _rows(
    rank: int, lines: Iterable[str], columns: list[str], order: list[str], numbers: _Numbers
) -> Iterable[Json]:
    """Yield the rows of one stream; `columns` are its own, `order` those of the result."""
    width = PLACE_CELLS + len(columns)
    places = [PLACE_CELLS + columns.index(name) if name in columns else width for name in order]
    for line in lines:
        cells = line.split(",")
        cells += [""] * (width + 1 - len(cells))  # the last stands for the columns of others
        epoch, step, steps, eta, time = cells[:PLACE_CELLS]
        seconds = (time or eta) if step and step == steps else (eta or time)
        shown = [epoch, step, steps, seconds, *[cells[at] for at in places]]
        row: list[Json] = [rank, *map(numbers.__getitem__, shown)]
        while len(row) > 5 and row[-1] is None:
            row.pop()
        yield row
