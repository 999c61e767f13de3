"""The rows of a stream, out of what its readers see, kept on disk until the header is known.

Metrics may appear late, so rows are spooled with the columns that their stream knows, and widened
when `history.csv.gz` is written (history_file.py). Memory does not grow with the log.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from sweepmake.logs.readers.base import Block, Observation
from sweepmake.logs.tally import Tally

__all__ = ["PLACE_CELLS", "Row", "RowStream", "Spool", "add_up"]

PLACE_CELLS = 5  # epoch, step, steps, ETA, time per step
_EPOCH_ENDS = 100  # so many last rows of epochs are kept for the summary
_FLUSH = 32_768


class Spool:
    """One temporary file that many streams write to in pieces."""

    def __init__(self, folder: Path) -> None:
        path = folder / f".spool.{os.getpid()}.{id(self)}"
        self._file = path.open("x+b")
        path.unlink()  # it lives as long as it is open
        self._end = 0

    def write(self, data: bytes) -> tuple[int, int]:
        """Append data; return its (offset, length)."""
        self._file.seek(self._end)
        self._file.write(data)
        place = (self._end, len(data))
        self._end += len(data)
        return place

    def read(self, place: tuple[int, int]) -> bytes:
        """Return what was written at (offset, length)."""
        self._file.seek(place[0])
        return self._file.read(place[1])

    def close(self) -> None:
        """Give the file's space back."""
        self._file.close()


class Row:
    """One row that may still get values."""

    __slots__ = ("epoch", "eta_s", "step", "steps", "time_per_step_s", "values")

    def __init__(self, epoch: str, seen: Observation) -> None:
        self.epoch = epoch
        self.step = seen.step or ""
        self.steps = seen.steps_per_epoch or ""
        self.eta_s = seen.eta_s or ""
        self.time_per_step_s = seen.time_per_step_s or ""
        self.values = dict(seen.values)

    def merge(self, seen: Observation) -> None:
        """Take over what a later observation of the same place says."""
        self.step = seen.step or self.step
        self.steps = seen.steps_per_epoch or self.steps
        self.eta_s = seen.eta_s or self.eta_s
        self.time_per_step_s = seen.time_per_step_s or self.time_per_step_s
        self.values.update(seen.values)


class RowStream:
    """The rows of one stream (one rank's stdout, say) of one attempt, in the order logged."""

    def __init__(self, spool: Spool, tally: Tally) -> None:
        self.columns: list[str] = []
        self.extents: list[tuple[tuple[int, int], int]] = []
        self.rows = 0
        self.stepped = False
        self.epoch = ""
        self.pending: Row | None = None
        self.tally = tally
        self._index: dict[str, int] = {}
        self._spool = spool
        self._buffer: list[str] = []
        self._buffered = 0
        self.epoch_ends: deque[str] = deque(maxlen=_EPOCH_ENDS)
        self._last_line = ("", "")

    def add(self, seen: Observation) -> None:
        """Take one observation: a new row, or more about the last one."""
        if seen.kind == "aside":
            self._write_row(Row(seen.epoch or "", seen))
            return
        epoch = self.epoch if seen.epoch is None else seen.epoch
        if seen.epoch is not None and seen.kind != "summary":
            self._move(seen)
        if seen.total_epochs is not None:
            self.tally.total_epochs = seen.total_epochs
        if not seen.values:
            return
        row = self.pending
        if row is not None and self._belongs(seen, epoch, row):
            row.merge(seen)
            return
        if row is not None and seen.kind == "line" and not epoch:
            self.tally.went_back(row.step, seen.step)
        self.flush_pending()
        self.pending = Row(epoch, seen)

    def _belongs(self, seen: Observation, epoch: str, row: Row) -> bool:
        """Return whether an observation is about the pending row."""
        if row.epoch != epoch:
            return False
        if seen.kind == "progress":
            return bool(seen.step) and seen.step == row.step
        if seen.step is not None and seen.step != row.step:
            return False
        shared = seen.values.keys() & row.values.keys()
        if any(seen.values[name] != row.values[name] for name in shared):
            return False
        return seen.kind == "summary" or len(shared) < len(seen.values)

    def _move(self, seen: Observation) -> None:
        """Note the epoch that the stream is in now, and whether the program began again."""
        epoch = seen.epoch or ""
        header = seen.kind == "place" and seen.total_epochs is not None
        moves = epoch != self.epoch or (header and self.pending is not None)
        if moves and self.tally.moved(self.epoch, epoch, again=header and epoch == self.epoch):
            self.flush_pending()  # what follows is of another run, also at the same place
        self.epoch = epoch

    def flush_pending(self) -> None:
        """Write the last row; nothing can be added to it any more."""
        row, self.pending = self.pending, None
        if row is not None:
            self._write_row(row)

    def _write_row(self, row: Row) -> None:
        known = self._index
        if not all(name in known for name in row.values):
            self.learn(row.values)
        get = row.values.get
        cells = [row.epoch, row.step, row.steps, row.eta_s, row.time_per_step_s]
        cells += [get(name, "") for name in self.columns]
        self.stepped = self.stepped or row.step != ""
        line = ",".join(cells)
        self.write(line + "\n", 1)
        if row.epoch != self._last_line[0]:
            self._end_epoch()
        self._last_line = (row.epoch, line)
        self.tally.row(row.epoch, row.step, row.steps, row.time_per_step_s, row.values)

    def add_block(self, block: Block) -> None:
        """Take many rows at once."""
        self.flush_pending()
        if not all(name in self._index for name in block.names):
            self.learn(block.names)
        self.write(self._as_wide(block.lines, block.names), block.rows)
        ends = block.ends
        if ends.epochs[0] != self._last_line[0]:
            self._end_epoch()
        columns = (ends.epochs, ends.places, ends.times, *ends.values)
        rows = zip(*[column[-_EPOCH_ENDS:] for column in columns], strict=True)
        lines = "\n".join(map(",".join, rows)) + "\n"
        latest = self._as_wide(lines, block.names).splitlines()
        self.epoch_ends.extend(latest[:-1])
        self._last_line = (ends.epochs[-1], latest[-1])
        self.epoch = ends.epochs[-1]
        self.stepped = self.stepped or not ends.places[-1].startswith(",")
        self.tally.block(block.names, ends)

    def _as_wide(self, lines: str, names: Sequence[str]) -> str:
        """Return rows of some metrics with a cell for each column that is known now."""
        known = self.columns
        if known[: len(names)] == list(names):
            missing = "," * (len(known) - len(names))
            return lines.replace("\n", missing + "\n") if missing else lines
        wide = []
        for line in lines.splitlines():
            cells = line.split(",")
            values = dict(zip(names, cells[PLACE_CELLS:], strict=True))
            cells[PLACE_CELLS:] = [values.get(name, "") for name in known]
            wide.append(",".join(cells) + "\n")
        return "".join(wide)

    def _end_epoch(self) -> None:
        if self._last_line[1]:
            self.epoch_ends.append(self._last_line[1])

    def learn(self, names: Iterable[str]) -> None:
        """Add columns; the rows before have fewer."""
        self._spill()
        for name in names:
            if name not in self._index:
                self._index[name] = len(self.columns)
                self.columns.append(name)

    def write(self, text: str, rows: int) -> None:
        """Write finished rows, all as wide as the columns known now."""
        self._buffer.append(text)
        self._buffered += len(text)
        self.rows += rows
        if self._buffered >= _FLUSH:
            self._spill()

    def _spill(self) -> None:
        if self._buffer:
            data = "".join(self._buffer).encode("utf-8", "replace")
            self.extents.append((self._spool.write(data), len(self.columns)))
            self._buffer.clear()
            self._buffered = 0

    def close(self) -> None:
        """Write what is left."""
        self.flush_pending()
        self._end_epoch()
        self._spill()
        self.tally.close()

    def pieces(self) -> Iterator[tuple[bytes, int]]:
        """Yield (rows, how many metric columns they have), in order."""
        for place, width in self.extents:
            yield self._spool.read(place), width

    def lines(self) -> Iterator[str]:
        """Yield the rows as they were written, with the cells of the columns known then."""
        for data, _ in self.pieces():
            yield from data.decode("utf-8", "replace").splitlines()

    def written(self) -> Iterator[tuple[list[str], dict[str, str]]]:
        """Yield the place of each row (PLACE_CELLS cells) and its values."""
        for line in self.lines():
            cells = line.split(",")
            values = zip(self.columns, cells[PLACE_CELLS:], strict=False)
            yield cells[:PLACE_CELLS], {name: text for name, text in values if text}


def add_up(streams: Iterable[RowStream]) -> Tally:
    """Return what the rows of one rank's closed streams add up to, as they were written."""
    tally = Tally()
    for stream in streams:
        for (epoch, step, steps, _, time), values in stream.written():
            tally.row(epoch, step, steps, time, values)
        tally.counts.rows += stream.rows
    tally.close()
    return tally
