"""Join what one rank wrote to its two streams: bars on stderr, the epochs' results on stdout.

tqdm draws on stderr while the program prints `epoch 1: train loss 1.0389` to stdout. Where a
launcher keeps the streams apart, it does not say which came first; the epoch does: lines without a
step join the last row of their epoch.
"""

from __future__ import annotations

from collections.abc import Sequence

from sweepmake.logs.rows import RowStream, Spool, add_up
from sweepmake.logs.tally import Tally

__all__ = ["join_streams"]

_MOST = 100_000
_Values = dict[str, str]


def join_streams(streams: Sequence[RowStream], spool: Spool) -> list[RowStream]:
    """Return one rank's streams, those without steps joined to the one with steps.

    Args:
        streams: the rank's streams that have rows, in their order.
        spool: where joined rows are written.

    The streams come back as they are where there is nothing to join: one stream, none or several
    with steps, no epochs.
    """
    stepped = [stream for stream in streams if stream.stepped]
    others = [stream for stream in streams if not stream.stepped]
    if len(stepped) != 1 or not others or sum(one.rows for one in others) > _MOST:
        return list(streams)
    results: dict[str, list[_Values]] = {}
    for stream in others:
        for cells, values in stream.written():
            results.setdefault(cells[0], []).append(values)
    joined = RowStream(spool, Tally())
    joined.learn(stepped[0].columns)
    for stream in others:
        joined.learn(stream.columns)
    _join(stepped[0], results, joined)
    joined.close()
    # what is written decides, and not what each stream alone would have added up to
    joined.tally = add_up([joined])
    return [joined]


def _join(bars: RowStream, results: dict[str, list[_Values]], joined: RowStream) -> None:
    """Write the bars' rows, each epoch's result in its last row; what has no epoch comes last."""
    waiting: tuple[list[str], _Values] | None = None
    for cells, values in bars.written():
        if waiting is not None:
            _write(waiting, results if waiting[0][0] != cells[0] else {}, joined)
        waiting = cells, values
    if waiting is not None:
        _write(waiting, results, joined)
    for epoch, left in results.items():
        for values in left:
            joined.write(_line([epoch, "", "", "", ""], values, joined.columns), 1)
            joined.epoch_ends.append(
                _line([epoch, "", "", "", ""], values, joined.columns).rstrip()
            )


def _write(
    row: tuple[list[str], _Values], results: dict[str, list[_Values]], out: RowStream
) -> None:
    """Write a row; if it closes its epoch, with the epoch's next result."""
    cells, values = row
    found = results.get(cells[0])
    later: _Values = {}
    if found and cells[0]:
        result = found.pop(0)
        clash = any(values.get(name, text) != text for name, text in result.items())
        later, values = (result, values) if clash else ({}, values | result)
    line = _line(cells, values, out.columns)
    out.write(line, 1)
    if results:
        out.epoch_ends.append(line.rstrip("\n"))
    if later:
        out.write(_line([cells[0], "", "", "", ""], later, out.columns), 1)


def _line(cells: list[str], values: _Values, columns: Sequence[str]) -> str:
    return ",".join(cells + [values.get(name, "") for name in columns]) + "\n"
