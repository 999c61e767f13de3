"""history.csv.gz: its columns, its one writer and its one reader.

One row per stage, attempt, rank, epoch and step (docs/readers.md). Rows are streamed: neither way
does memory grow with the file.
"""

from __future__ import annotations

import csv
import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sweepmake.replacing import replacing

if TYPE_CHECKING:  # only a reader of the file needs these; a small log is soon written
    from gzip import GzipFile

    import numpy as np
    from numpy.typing import NDArray

    from sweepmake.logs.rows import RowStream

__all__ = [
    "DAMAGES",
    "EMPTY",
    "PLACE_COLUMNS",
    "STEP_TIME",
    "Cell",
    "History",
    "Table",
    "open_history",
    "write_history",
]

STEP_TIME = "time_per_step_s"
PLACE_COLUMNS = ("stage", "attempt", "rank", "epoch", "step", "steps_per_epoch", "eta_s", STEP_TIME)
"""The columns before the metrics."""
EMPTY = 9e307
"""Stands for an empty cell among numbers, so that a logged nan remains one; no program logs it."""
DAMAGES = (OSError, EOFError, zlib.error, ValueError)
"""What reading a file that is cut off, damaged or no history raises."""

Cell = tuple[int, str, str, str, str, str]
"""One metric's cell of one row: length of the line, stage, rank, epoch, step, value as logged."""

_NUMBERED = 3  # from this column on, all cells are numbers
_GZIP_LEVEL = 1
_BLOCK = 1 << 20  # bytes of text that are turned into numbers at once
# the lines of one stage, attempt and rank
_ONE_RANK = re.compile(rb"([^\n,]+,\d+,\d+,)[^\n]*\n(?:\1[^\n]*\n)*")


def write_history(path: Path, streams: Sequence[tuple[str, int, int, RowStream]]) -> list[str]:
    """Write history.csv.gz; return its metric columns.

    Args:
        path: the file; replaced in one step.
        streams: (stage, attempt, rank, rows) in the order of the file.

    Same rows, same bytes: the gzip header holds no name and no time.
    """
    columns: dict[str, int] = {}
    for _, _, _, stream in streams:
        for name in stream.columns:
            columns.setdefault(name, len(columns))
    packer = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, 31)
    with replacing(path) as partial, partial.open("wb") as file:
        header = ",".join([*PLACE_COLUMNS, *map(_quoted, columns)]) + "\n"
        file.write(packer.compress(header.encode("utf-8", "replace")))
        for stage, attempt, rank, stream in streams:
            prefix = f"{_quoted(stage)},{attempt},{rank},".encode()
            targets = [columns[name] for name in stream.columns]
            for data, width in stream.pieces():
                lines = _widen(data, targets[:width], len(columns), prefix)
                file.write(packer.compress(lines))
        file.write(packer.flush())
    return list(columns)


def _widen(data: bytes, targets: list[int], total: int, prefix: bytes) -> bytes:
    """Return rows with a prefix and with every column of the table."""
    if targets == list(range(len(targets))):
        end = b"," * (total - len(targets)) + b"\n"
        return prefix + data[:-1].replace(b"\n", end + prefix) + end
    lines = []
    for line in data[:-1].split(b"\n"):
        cells = line.split(b",")
        wide = [b""] * total
        for target, cell in zip(targets, cells[5:], strict=True):
            wide[target] = cell
        lines.append(prefix + b",".join(cells[:5] + wide))
    return b"\n".join(lines) + b"\n"


def _quoted(text: str) -> str:
    if any(mark in text for mark in ',"\n\r'):
        return '"' + text.replace('"', '""') + '"'
    return text


class Table(NamedTuple):
    """Consecutive rows of one stage, attempt and rank, as numbers.

    Args:
        stage, attempt, rank: whose they are.
        numbers: (rows, columns from "epoch" on), float64; EMPTY where a cell is empty.
    """

    stage: str
    attempt: int
    rank: int
    numbers: NDArray[np.float64]


class History:
    """A history that is open; its rows can be read once.

    Attributes:
        columns: the header.
        metrics: the names behind PLACE_COLUMNS, in the order of the file.
    """

    def __init__(self, file: GzipFile) -> None:
        self._file = file
        self.columns = next(csv.reader([file.readline().decode("utf-8")]), [])
        self.metrics = self.columns[len(PLACE_COLUMNS) :]

    @property
    def begins_well(self) -> bool:
        """Whether the header begins as that of a history."""
        return tuple(self.columns[: len(PLACE_COLUMNS)]) == PLACE_COLUMNS

    def whole(self) -> GzipFile:
        """Return the file from its header on, for a parser of one's own."""
        self._file.seek(0)
        return self._file

    def rows(self) -> Iterator[list[str]]:
        """Yield each row's cells."""
        return csv.reader(self._lines())

    def metric(self, name: str) -> Iterator[Cell]:
        """Yield one metric's cells, row by row: no more is read than is asked for.

        A line is `train,1,0,1,13,13,0,0.038,0.8749,0.8817`.

        Raises:
            ValueError: a row is too short.
        """
        at = len(PLACE_COLUMNS) + self.metrics.index(name)
        for line in self._lines():
            if '"' in line:
                cells = next(csv.reader([line]))
            else:
                cells = line.rstrip("\r\n").split(",", at + 1)
            if len(cells) <= at:
                raise ValueError(f"a row that begins with {line[:40]!r}")
            yield len(line), cells[0], cells[2], cells[3], cells[4], cells[at]

    def tables(self) -> Iterator[Table]:
        """Yield all rows, in pieces of about a MiB of text.

        Raises:
            ValueError: a cell is no number, or a row has not as many as the header.
        """
        for text in _blocks(self._file):
            yield from _tables(text, len(self.columns) - _NUMBERED)

    def _lines(self) -> TextIOWrapper:
        return TextIOWrapper(self._file, encoding="utf-8", newline="")


@contextmanager
def open_history(path: Path) -> Iterator[History]:
    """Open a history.

    Raises:
        One of DAMAGES, here or while rows are read: the file cannot be read.
    """
    import gzip

    with gzip.open(path, "rb") as file:
        yield History(file)


def _blocks(file: GzipFile) -> Iterator[bytes]:
    """Yield the file in pieces of whole lines."""
    rest = b""
    while block := file.read(_BLOCK):
        text = rest + block
        end = text.rfind(b"\n") + 1
        rest = text[end:]
        if end:
            yield text[:end]
    if rest:
        yield rest + b"\n"


def _tables(text: bytes, width: int) -> Iterator[Table]:
    """Yield the rows of whole lines; one has `width` numbers.

    A line is `train,1,0,1,13,13,0,0.038,0.8749,0.8817`.
    """
    if b'"' in text:  # only a stage's name can be quoted
        rows = csv.reader(text.decode("utf-8").splitlines())
        for (stage, attempt, rank), group in groupby(rows, key=lambda row: row[:_NUMBERED]):
            body = b",".join(",".join(row[_NUMBERED:]).encode() for row in group)
            yield Table(stage, int(attempt), int(rank), _numbers(body, width))
        return
    at = 0
    while at < len(text):
        match = _ONE_RANK.match(text, at)
        if match is None:
            raise ValueError(f"a row that begins with {text[at : at + 40]!r}")
        prefix = match[1]
        stage, attempt, rank, _ = prefix.decode("utf-8").split(",")
        body = text[at + len(prefix) : match.end() - 1].replace(b"\n" + prefix, b",")
        yield Table(stage, int(attempt), int(rank), _numbers(body, width))
        at = match.end()


def _numbers(body: bytes, width: int) -> NDArray[np.float64]:
    """Return the cells of some rows, joined by commas; an empty one is EMPTY.

    Raises:
        ValueError: a cell is no number, or a row has not as many as the header.
    """
    import numpy as np

    text = b"," + body + b","
    if b",," in text:
        text = text.replace(b",,", b",9e307,").replace(b",,", b",9e307,")
    cells = np.fromiter(map(float, text[1:-1].split(b",")), dtype=np.float64)
    if cells.size % width:
        raise ValueError(f"a row that has not the header's {width + _NUMBERED} cells")
    return cells.reshape(-1, width)
