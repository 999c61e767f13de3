"""What logs hold seldom: JSON of fairseq, overlong segments, clashing results, full sheets."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from test_history import bar, stream
from test_readers import Read
from truth import read_history

from sweepmake.errors import InputError
from sweepmake.logs import clean as clean_module
from sweepmake.logs import excel
from sweepmake.logs.demux.account import Account
from sweepmake.logs.demux.streams import Demultiplexer, read_blocks
from sweepmake.logs.history_file import open_history, write_history
from sweepmake.logs.joining import join_streams
from sweepmake.logs.parse import LogOptions, StageLogs, parse_logs
from sweepmake.logs.readers.base import Observation
from sweepmake.logs.readers.fairseq import Fairseq
from sweepmake.logs.readers.json_lines import JsonLines
from sweepmake.logs.readers.megatron import Megatron
from sweepmake.logs.readers.regex import RegexReader
from sweepmake.logs.rows import Spool
from sweepmake.logs.tally import Tally


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"epoch": 2, "update": 0.5, "loss": "4.1", "num_updates": "20"},
         Observation({"update": "0.5", "loss": "4.1", "num_updates": "20"}, "2", "20")),
        ({"epoch": 2, "update": 1.5, "loss": "4.1"},
         Observation({"update": "1.5", "loss": "4.1"}, "2")),
        ({"epoch": 2, "train_loss": "4.1"},
         Observation({"train_loss": "4.1"}, "2", kind="summary")),
        ({"loss": "4.1"}, None),
        ({"name": "x"}, None),
    ],
)  # fmt: skip
def test_fairseq_s_json(fields: dict[str, Any], expected: Observation | None) -> None:
    """Lines with `update` are rows at their step; those of an epoch's end join it."""
    line = f"2026-11-21 18:05:05 | INFO | train_inner | {json.dumps(fields)}"
    seen = Fairseq().read(line)
    assert (seen[0] if isinstance(seen, list) and len(seen) == 1 else seen) == expected


@pytest.mark.parametrize(
    "line",
    ["INFO | valid | epoch 001 | valid on 'valid' subset", "epoch 001:     4 / 40 of nothing",
     "INFO | loaded | {not json}", "INFO | a | b", "plain"],
)  # fmt: skip
def test_what_only_begins_like_fairseq_s_lines_is_none(line: str) -> None:
    assert Fairseq().read(line) is None


def test_fairseq_s_epochs_have_no_zeros_before_them() -> None:
    for text, epoch in (("000", "0"), ("010", "10")):
        seen = Fairseq().read(f"INFO | train_inner | epoch {text}:  4 / 40 loss=0.5, lr=1e-05")
        assert seen == Observation({"loss": "0.5", "lr": "1e-05"}, epoch, "4", "40")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('{"epoch": 1, "loss": "Infinity", "a": "x"}', Observation({"loss": "Infinity"}, "1")),
        ('{"step": 1, "a": {"b": {"c": 2}}}', Observation({"a.b.c": "2"}, None, "1")),
        (' {"epoch": 1, "step": 2, "max_steps": 9, "loss": 0.5} ', None),
        ('{"loss": 0.5}', None), ('{"epoch": 1}', None), ('{"epoch": 1, "loss": 2', None),
        ('{"epoch": 1 "loss": 2}', None), ("[1, 2]", None), ('{"a": "b"}', None),
    ],
)  # fmt: skip
def test_objects_of_json(line: str, expected: Observation | None) -> None:
    """Numbers and where they stand; nothing without a place or without a metric."""
    seen = JsonLines().read(line)
    if line.startswith(" "):
        assert isinstance(seen, Observation)
        assert (seen.epoch, seen.step, seen.values["loss"]) == ("1", "2", "0.5")
    else:
        assert seen == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("[2026-11-21 10:00:00] iteration       40/     200 | lm loss: 4.5E-01 |",
         Observation({"lm loss": "4.5E-01"}, step="40")),
        (" test loss at iteration 40 | lm loss value: 5.0E-01 |",
         Observation({"lm loss value": "5.0E-01"}, step="40", kind="summary")),
        (" iteration 4/ 200 | a: b |", None),
        ("iterations of 4", None),
        ("an iteration | loss: 1 |", None),
    ],
)  # fmt: skip
def test_megatron_s_lines(line: str, expected: Observation | None) -> None:
    assert Megatron().read(line) == expected


def test_places_of_a_pattern_of_the_user_s() -> None:
    """Times in any form are seconds; a line with places alone only tells where the log is."""
    pattern = re.compile(
        r"e(?P<epoch>\d+)/(?P<total_epochs>\w+) (?:in (?P<eta_s>\S+) )?"
        r"(?:at (?P<time_per_step_s>\S+))?(?: L=(?P<loss>\S+))?"
    )
    reader = RegexReader([pattern])
    assert reader.read("e3/9 in 1:02 at 40ms L=0.5") == Observation(
        {"loss": "0.5"}, "3", eta_s="62", time_per_step_s="0.04", total_epochs=9
    )
    assert reader.read("e3/many in 7 L=x") == Observation({}, "3", eta_s="7", kind="place")
    assert reader.read("x" * 4096 + "e3/9 ") is None, "so far a line is looked at"
    assert reader.read("x" * 4000 + "e3/9 ") is not None


LONG = 65_536


@pytest.mark.parametrize("size", [1 << 20, 30_000, 7])
def test_segments_that_are_too_long_are_counted_once_each(tmp_path: Path, size: int) -> None:
    """Wherever the stream is cut; one of the greatest length is read."""
    size = max(size, 3001) if size == 7 else size
    lines = ["loss: 0.5 epoch 1", "x" * LONG + "y", "loss: 0.25 epoch 2", "z" * (3 * LONG)]
    for end, count in (("", 2), ("\n", 2), ("\nloss: 0.125 epoch 3\n", 2)):
        got = Read("\n".join(lines) + end, tmp_path, size=size)
        assert got.tally.counts.overlong == count
        assert got.tally.counts.unparsed == count
        assert [row["loss"] for row in got.rows][:2] == ["0.5", "0.25"]
        assert len(got.rows) == (3 if "0.125" in end else 2)
    whole = "loss: 0.5 epoch 1 " + "x" * (LONG - 18)
    assert Read(whole + "\nend\n", tmp_path, size=size).tally.counts.overlong == 0


def test_signs_of_trouble_and_of_an_end_are_remembered(tmp_path: Path) -> None:
    """A rank whose log ends with an error has died, where it has not said how far it was to go."""
    row = "epoch 1 loss: 0.5\n"
    for words, died in (
        ("Traceback (most recent call last):", True), ("Segmentation fault", True),
        ("CUDA error: out", True), ("MPI_ABORT was", True), ("Killed", True),
        ("aborted (core dumped)", True), ("Skilled", False), ("all is well", False),
    ):  # fmt: skip
        assert Read(row + words + "\n", tmp_path).tally.died == died
    got = Read(row + "early stop since valid performance hasn't improved\nKilled\n", tmp_path)
    assert (got.tally.early_stop_epoch, got.tally.died) == (1, False)


@pytest.mark.parametrize(
    ("line", "count"),
    [("loss: .", 1), ("\u8bad\u7ec3loss: .", 1), ("val_acc= -.", 1), ("'accuracy' .", 1),
     ("glossy: .", 0), ("loss of .", 0), ("7/13 [=>", 1), ("- ETA: soon", 1), ("a s/it b", 1),
     ("4it/s", 1)],
)  # fmt: skip
def test_lines_that_look_like_metrics_and_are_none_are_counted(
    tmp_path: Path, line: str, count: int
) -> None:
    """Also where a word of another script stands right before the name."""
    assert Read(line + "\n", tmp_path).tally.counts.unparsed == count


def test_an_attempt_forgets_how_the_one_before_ended() -> None:
    tally = Tally()
    tally.trouble = tally.failed = True
    assert tally.died
    tally.begin_attempt()
    assert not tally.died


def test_a_metric_that_has_no_value_in_a_block_has_no_best() -> None:
    from sweepmake.logs.readers.base import Ends

    tally = Tally()
    ends = Ends(["1", "2", "3"], ["9,9"] * 3, ["0,0.5", "0,0.25", "0,"],
                [["0.7", "0.6", "0.9"], ["", "", "0.5"], ["nan", "", "0.1"],
                ["nan", "0.3", "0.2"]])  # fmt: skip
    tally.block(("loss", "val_acc", "val_loss", "ppl"), ends)
    assert tally.last == {"loss": "0.6", "val_loss": "nan", "ppl": "0.3"}
    assert {name: best.text for name, best in tally.best.items()} == {"loss": "0.6", "ppl": "0.3"}
    tally.close()
    assert tally.last == {"loss": "0.9", "val_acc": "0.5", "val_loss": "0.1", "ppl": "0.2"}
    assert tally.best["loss"].epoch == "2"
    assert tally.time_per_step_s == 0.375


def test_a_result_that_says_otherwise_than_the_bar_is_a_row_of_its_own(tmp_path: Path) -> None:
    """Behind the bar; one that agrees joins it. What has no epoch comes last."""
    spool = Spool(tmp_path)
    results = stream(
        spool,
        Observation({"loss": "0.5", "val": "1"}, "1"),
        Observation({"loss": "0.1", "val": "2"}, "2"),
        Observation({"end": "3"}, ""),
    )
    bars = stream(spool, *(bar(str(e), "9", loss="0.5") for e in (1, 2)))
    joined = join_streams([results, bars], spool)
    write_history(tmp_path / "h.gz", [("train", 1, 0, one) for one in joined])
    rows = [(r["epoch"], r["step"], r["loss"], r["val"]) for r in read_history(tmp_path / "h.gz")]
    assert rows == [
        ("1", "9", "0.5", "1"), ("2", "9", "0.5", ""), ("2", "", "0.1", "2"), ("", "", "", ""),
    ]  # fmt: skip
    assert joined[0].rows == 4


def test_streams_that_have_no_bars_or_several_with_them_stay_apart(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    plain = [stream(spool, Observation({"loss": "0.5"}, "1")) for _ in range(2)]
    bars = [stream(spool, bar("1", "9", loss="0.5")) for _ in range(2)]
    assert join_streams(plain, spool) == plain
    assert join_streams(bars, spool) == bars
    assert join_streams([*plain, *bars], spool) == [*plain, *bars]


def test_a_full_sheet_is_continued_on_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each begins with the headings."""
    monkeypatch.setattr(excel, "_ROWS", 3)
    log = tmp_path / "log"
    log.write_text("".join(f"Epoch {at}/5\n2/2 - 1s - loss: 0.{at}\n" for at in range(1, 6)))
    parse_logs([StageLogs("train", (log,))], tmp_path, options=LogOptions(excel=True))
    book = openpyxl.load_workbook(tmp_path / "history.xlsx")
    assert book.sheetnames == ["history", "history 2", "history 3", "metrics"]
    cells = [
        [row[-1] for row in book[name].iter_rows(values_only=True)] for name in book.sheetnames
    ]
    assert cells[:3] == [["loss", 0.1, 0.2], ["loss", 0.3, 0.4], ["loss", 0.5]]
    told = list(book["metrics"].iter_rows(values_only=True))
    assert told[0][:6] == ("stage", "metric", "last", "best", "best_epoch", "best_step")
    assert told[1] == ("train", "loss", 0.5, 0.1, 1, 2, 0, 0.5, 0, 1, "min")


def test_files_of_more_ranks_than_may_be_open_are_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clean_module, "_OPEN_FILES", 2)
    log = tmp_path / "log"
    lines = [f"[1,{rank}]<stdout>:{turn} of {rank}\n" for turn in range(3) for rank in range(5)]
    log.write_text("".join(lines))
    clean_module.clean_log(log, tmp_path / "out.txt", per_rank=tmp_path / "ranks")
    for rank in range(5):
        text = (tmp_path / f"ranks/rank{rank}.log").read_text()
        assert text == "".join(f"{turn} of {rank}\n" for turn in range(3))


def test_a_history_without_its_last_line_feed_is_read(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    path = tmp_path / "h.gz"
    write_history(path, [("t", 1, 0, stream(spool, bar("1", "1", loss="0.5")))])
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:-1]))
    with open_history(path) as history:
        assert [row[-1] for row in history.rows()] == ["0.5"]
    with open_history(path) as history:
        (table,) = history.tables()
    assert table.numbers.shape[0] == 1


def test_accounts_are_equal_where_their_numbers_are() -> None:
    """And say them, where a test fails."""
    one, other = Account(), Account()
    assert one == other
    other.lost = 2
    assert one != other
    assert one != 0
    assert repr(other).startswith("Account(bytes=0, lines=0, joined=0, ambiguous=0, lost=2")


def test_a_closed_demultiplexer_takes_nothing_more() -> None:
    demultiplexer = Demultiplexer()
    demultiplexer.close()
    demultiplexer.close()
    with pytest.raises(ValueError, match="closed"):
        demultiplexer.feed(b"x")


def test_a_packed_log_that_is_damaged_is_an_error_of_input(tmp_path: Path) -> None:
    """One that is cut is not: it may still be written."""
    packed = bytearray(gzip.compress(bytes(range(256)) * 4000, 0))
    packed[20_000:20_040] = b"\xff" * 40
    path = tmp_path / "log"
    path.write_bytes(packed)
    with pytest.raises(InputError, match="the log cannot be read"):
        list(read_blocks(path, 1000))
