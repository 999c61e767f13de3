"""The history file: columns, order, late metrics, joined streams."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from truth import read_history

from sweepmake.logs.history_file import (
    DAMAGES,
    EMPTY,
    PLACE_COLUMNS,
    History,
    open_history,
    write_history,
)
from sweepmake.logs.joining import join_streams
from sweepmake.logs.readers.base import Block, Ends, Observation
from sweepmake.logs.rows import RowStream, Spool
from sweepmake.logs.tally import Tally


def stream(spool: Spool, *seen: Observation) -> RowStream:
    rows = RowStream(spool, Tally())
    for one in seen:
        rows.add(one)
    rows.close()
    return rows


def bar(epoch: str, step: str, **values: str) -> Observation:
    return Observation(values, epoch, step, "9", kind="progress")


def test_late_metrics_become_columns(tmp_path: Path) -> None:
    """A metric that appears late has an empty cell before; columns stand in order of appearance."""
    spool = Spool(tmp_path)
    first = stream(spool, bar("1", "1", loss="0.5"), bar("1", "9", loss="0.4", val_loss="0.3"))
    second = stream(spool, bar("1", "1", lr="0.1", loss="0.6"), bar("2", "1", loss="0.2"))
    write_history(tmp_path / "h.gz", [("train", 1, 0, first), ("train", 1, 1, second)])
    text = gzip.decompress((tmp_path / "h.gz").read_bytes()).decode()
    assert text.splitlines() == [
        ",".join([*PLACE_COLUMNS, "loss", "val_loss", "lr"]),
        "train,1,0,1,1,9,,,0.5,,",
        "train,1,0,1,9,9,,,0.4,0.3,",
        "train,1,1,1,1,9,,,0.6,,0.1",
        "train,1,1,2,1,9,,,0.2,,",
    ]


def test_names_are_quoted(tmp_path: Path) -> None:
    """A stage or a metric with a comma or a quote comes back from the CSV as it was."""
    spool = Spool(tmp_path)
    rows = stream(spool, Observation({'a "b", c': "1"}, "1", "2"))
    write_history(tmp_path / "h.gz", [('x,"y"', 1, 0, rows)])
    row = read_history(tmp_path / "h.gz")[0]
    assert row["stage"] == 'x,"y"'
    assert row['a "b", c'] == "1"


def test_validation_joins_the_last_row_of_its_epoch(tmp_path: Path) -> None:
    """A line without a step adds to its epoch's last row, unless it says otherwise than the row."""
    spool = Spool(tmp_path)
    rows = stream(
        spool,
        bar("1", "9", loss="0.5"),
        Observation({"val_loss": "0.4"}, "1"),
        bar("2", "9", loss="0.3"),
        Observation({"loss": "0.31", "val_loss": "0.2"}, "2"),
        Observation({"val_loss": "0.9"}, "1", kind="summary"),
    )
    write_history(tmp_path / "h.gz", [("train", 1, 0, rows)])
    found = [
        (r["epoch"], r["step"], r["loss"], r["val_loss"]) for r in read_history(tmp_path / "h.gz")
    ]
    assert found == [
        ("1", "9", "0.5", "0.4"),
        ("2", "9", "0.3", ""),
        ("2", "", "0.31", "0.2"),
        ("1", "", "", "0.9"),
    ]  # fmt: skip


def test_streams_of_a_rank_are_joined_by_epoch(tmp_path: Path) -> None:
    """Results on stdout stand on the last bars of their epochs on stderr; the rest comes last."""
    spool = Spool(tmp_path)
    results = stream(
        spool,
        *(Observation({"val loss": f"0.{e}"}, str(e)) for e in (1, 2, 3)),
    )
    bars = stream(spool, *(bar(str(e), str(s), loss="0.5") for e in (1, 2) for s in (1, 9)))
    joined = join_streams([results, bars], spool)
    write_history(tmp_path / "h.gz", [("train", 1, 0, one) for one in joined])
    found = [(r["epoch"], r["step"], r["val loss"]) for r in read_history(tmp_path / "h.gz")]
    assert found == [
        ("1", "1", ""), ("1", "9", "0.1"), ("2", "1", ""), ("2", "9", "0.2"), ("3", "", "0.3"),
    ]  # fmt: skip
    assert join_streams([bars], spool) == [bars]


def test_spool_leaves_nothing_behind(tmp_path: Path) -> None:
    """The spool has no name, and a failed write leaves no partial history."""
    spool = Spool(tmp_path)
    assert list(tmp_path.iterdir()) == []
    rows = stream(spool, bar("1", "1", loss="0.5"))
    spool.close()
    with pytest.raises(ValueError, match="closed"):
        write_history(tmp_path / "h.gz", [("train", 1, 0, rows)])
    assert list(tmp_path.iterdir()) == []


def test_large_histories_are_spooled(tmp_path: Path) -> None:
    """Rows beyond the buffer come back in order, also those written with fewer columns."""
    spool = Spool(tmp_path)
    rows = RowStream(spool, Tally())
    for step in range(1, 5_001):
        values = {"loss": "0.5"} if step < 4_000 else {"loss": "0.5", "extra": "1"}
        rows.add(Observation(values, "1", str(step)))
    rows.close()
    write_history(tmp_path / "h.gz", [("train", 1, 0, rows)])
    found = read_history(tmp_path / "h.gz")
    assert [row["step"] for row in found] == [str(step) for step in range(1, 5_001)]
    assert sum(row["extra"] == "1" for row in found) == 1_001
    assert len(rows.extents) > 2


def test_a_block_fits_the_columns_of_its_stream(tmp_path: Path) -> None:
    """Its metrics may stand in another order, and beside others; the epochs' last rows too."""
    spool = Spool(tmp_path)
    rows = RowStream(spool, Tally())
    rows.add(bar("1", "1", lr="0.1", loss="0.9"))
    ends = Ends(["1", "2"], ["9,9", "1,9"], ["0,0.5", "4,"], [["0.7", "0.6"], ["0.2", ""]])
    lines = "1,9,9,0,0.5,0.7,0.2\n2,1,9,4,,0.6,\n"
    rows.add_block(Block(("loss", "dsc"), lines, 2, 2, 1, ends))
    rows.add(bar("2", "9", loss="0.5", dsc="0.3"))
    rows.close()
    write_history(tmp_path / "h.gz", [("train", 1, 0, rows)])
    text = gzip.decompress((tmp_path / "h.gz").read_bytes()).decode()
    assert text.splitlines() == [
        ",".join([*PLACE_COLUMNS, "lr", "loss", "dsc"]),
        "train,1,0,1,1,9,,,0.1,0.9,",
        "train,1,0,1,9,9,0,0.5,,0.7,0.2",
        "train,1,0,2,1,9,4,,,0.6,",
        "train,1,0,2,9,9,,,,0.5,0.3",
    ]
    assert list(rows.epoch_ends) == ["1,9,9,0,0.5,,0.7,0.2", "2,9,9,,,,0.5,0.3"]
    assert (rows.rows, rows.epoch, rows.stepped) == (4, "2", True)
    assert rows.tally.last == {"lr": "0.1", "loss": "0.5", "dsc": "0.3"}
    assert rows.tally.best["loss"].epoch == "2"
    assert rows.tally.best["dsc"].value == 0.3


def test_every_way_of_reading_gives_the_same_rows(tmp_path: Path) -> None:
    """As texts, as one metric's cells, as numbers; also where a stage's name is quoted."""
    spool = Spool(tmp_path)
    seen = [bar("1", "1", loss="0.5"), bar("1", "9", loss="nan", dsc="0.25"), bar("2", "1")]
    bars = stream(spool, *seen, bar("2", "2", dsc="0.75"))
    path = tmp_path / "h.gz"
    streams = [("train", 1, 0, bars), ("train", 2, 0, bars), ('x,"y"', 1, 3, bars)]
    write_history(path, streams)
    with open_history(path) as history:
        assert history.begins_well
        assert history.metrics == ["loss", "dsc"]
        rows = list(history.rows())
    places = [("train", 1, 0), ("train", 2, 0), ('x,"y"', 1, 3)]
    assert [(row[0], int(row[1]), int(row[2])) for row in rows[::3]] == places
    with open_history(path) as history:
        cells = list(history.metric("dsc"))
    assert [cell[1:] for cell in cells] == [
        (row[0], row[2], row[3], row[4], row[9]) for row in rows
    ]
    lines = gzip.decompress(path.read_bytes()).decode().splitlines(keepends=True)
    assert [cell[0] for cell in cells] == [len(line) for line in lines[1:]]
    with open_history(path) as history:
        tables = list(history.tables())
    assert [table[:3] for table in tables] == places
    numbers = [row for table in tables for row in table.numbers.tolist()]
    for row, cells in zip(rows, numbers, strict=True):
        for text, cell in zip(row[3:], cells, strict=True):
            assert repr(cell) == repr(float(text)) if text else cell == EMPTY


def test_a_damaged_history_is_told_while_it_is_read(tmp_path: Path) -> None:
    """Cut off, too short a row, no number: each way of reading says so."""
    header = ",".join([*PLACE_COLUMNS, "loss"])
    path = tmp_path / "h.gz"
    whole = gzip.compress(f"{header}\n".encode() + b"train,1,0,1,1,9,,,0.5\n" * 9, mtime=0)
    for content in (whole[:-9], gzip.compress(f"{header}\ntrain,1,0,1,1\n".encode(), mtime=0)):
        path.write_bytes(content)
        for read in (lambda history: history.metric("loss"), History.tables):
            with pytest.raises(DAMAGES), open_history(path) as history:
                list(read(history))


def test_only_a_header_of_the_epoch_tells_that_it_begins_again(tmp_path: Path) -> None:
    """Not that a bar or a line names it, nor that a line says how many there are."""
    header = Observation({}, "1", total_epochs=5, kind="place")
    line = Observation({"loss": "0.5"}, "1", "1", total_epochs=5)

    def restarts(*seen: Observation) -> int:
        return stream(Spool(tmp_path), *seen).tally.restarts

    assert restarts(header, line, Observation({}, "1", kind="place"), line) == 0
    assert restarts(header, line, line._replace(step="2")) == 0
    assert restarts(header, header, line) == 0
    assert restarts(header, line, header, line) == 1
