"""From logs to files: options, attempts, cuts, broken bytes."""

from __future__ import annotations

import gzip
import json
import os
import random
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_readers import Read
from truth import read_history

from sweepmake.errors import InputError
from sweepmake.logs.__main__ import main
from sweepmake.logs.parse import FORMAT_VERSION, LogOptions, StageLogs, parse_logs

ROOT = Path(__file__).resolve().parents[3]
DATA = ROOT / "tests" / "data" / "logs"
LOGS = sorted(DATA.glob("*/log.txt"))
MUTATIONS = int(os.environ.get("SWEEPMAKE_MUTATIONS", "2000"))


def bars(epochs: int, steps: int, seed: int, *, first: int = 1, late: bool = True) -> bytes:
    """A Keras 2 stream as TF 2.15 writes it."""
    chance = random.Random(seed)
    text = ""
    for epoch in range(first, first + epochs):
        text += f"Epoch {epoch}/{first + epochs - 1}\n"
        width = 0
        for step in [*sorted(chance.sample(range(1, steps), min(steps - 1, 6))), steps, steps]:
            loss = chance.choice(["0.8710", "1.7519e-04", "-0.5000", "nan", "12.0000"])
            final = step == steps and text.count(f" {steps}/{steps}", text.rfind("Epoch")) > 0
            when = chance.choice(["ETA: 5s", "ETA: 1:02", "ETA: 1:02:03"])
            when = f"1s {41 + epoch % 3}ms/step" if final else when
            bar = f" {step}/{steps} [==>...] - {when} - loss: {loss}"
            bar += f" - dsc: {chance.random():.4f}"
            if final and late:
                bar += f" - val_loss: {chance.random():.4f} - val_dsc: {chance.random():.4f}"
            text += "\b" * width + "\r" + bar + " " * chance.randint(0, 2)
            width = len(bar)
        text += "\n"
        if chance.random() < 0.1:
            text += chance.choice(["hello\n", "learning rate at the end: 0.1\n", "\n\n"])
    return text.encode()


@pytest.mark.parametrize("seed", range(6))
def test_bulk_equals_general(seed: int, tmp_path: Path) -> None:
    """The fast way gives the same rows and sums as the readers one by one."""
    text = bars(40, 9, seed) + bars(15, 9, seed, late=False) + b" 3/9 [=>] - ETA: 1s - loss: 0.1\n"
    fast, slow = Read(text, tmp_path), Read(text, tmp_path, bulk=False)
    assert fast.rows == slow.rows
    assert len(fast.rows) > 300
    assert fast.tally.restarts == 1
    for name in ("last", "best", "readers", "counts", "last_epoch", "last_step", "time_per_step_s"):
        assert getattr(fast.tally, name) == getattr(slow.tally, name), name


@pytest.mark.parametrize("seed", range(12))
def test_bulk_equals_general_where_bars_are_lost(seed: int, tmp_path: Path) -> None:
    """Also where headers and bars are missing, swapped or drawn again."""
    chance = random.Random(seed)
    segments = bars(60, 9, seed).split(b"\r")
    for _ in range(9):
        at = chance.randrange(100, len(segments) - 1)
        if chance.random() < 0.5:
            segments[at : at + 2] = [segments[at + 1], segments[at]]
        else:
            segments[at : at + 1] = [segments[at]] * chance.choice([0, 2])
    text = b"\r".join(segments)
    fast, slow = Read(text, tmp_path), Read(text, tmp_path, bulk=False)
    assert fast.rows == slow.rows
    for name in ("last", "best", "readers", "counts", "restarts", "last_step", "time_per_step_s"):
        assert getattr(fast.tally, name) == getattr(slow.tally, name), name


def test_rows_are_as_wide_as_the_table(tmp_path: Path) -> None:
    """Also those of epochs that are read at once right behind a row that brought a new metric."""
    text = bars(30, 9, 1) + b"epoch 30: grad norm 0.5 lr 0.1\n" + bars(30, 9, 2)
    tables = []
    for bulk in (True, False):
        Read(text, tmp_path, bulk=bulk)
        tables.append(gzip.decompress((tmp_path / "history.csv.gz").read_bytes()).splitlines())
    assert b"grad norm" in tables[0][0]
    assert tables[0] == tables[1]


@given(seed=st.integers(0, 10_000), cuts=st.lists(st.integers(0, 60_000), max_size=20))
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_cuts_change_nothing(seed: int, cuts: list[int], tmp_path: Path) -> None:
    """A stream may come in blocks cut anywhere."""
    text = bars(12, 9, seed)
    whole = Read(text, tmp_path)
    from sweepmake.logs.history_file import write_history
    from sweepmake.logs.readers import make_readers
    from sweepmake.logs.reading import StreamReader
    from sweepmake.logs.rows import RowStream, Spool
    from sweepmake.logs.tally import Tally

    tally = Tally()
    rows = RowStream(Spool(tmp_path), tally)
    reader = StreamReader(rows, make_readers())
    places = [0, *sorted(cut % len(text) for cut in cuts), len(text)]
    for begin, end in pairwise(places):
        reader.feed(text[begin:end])
    reader.close()
    write_history(tmp_path / "cut.csv.gz", [("train", 1, 0, rows)])
    keep = ("stage", "attempt", "rank")
    found = [
        {k: v for k, v in row.items() if v and k not in keep}
        for row in read_history(tmp_path / "cut.csv.gz")
    ]
    assert found == whole.rows
    assert tally.best == whole.tally.best
    assert tally.counts == whole.tally.counts


def test_same_log_same_bytes(tmp_path: Path) -> None:
    """Parsing twice gives the same bytes; the gzip header holds no name and no time."""
    log = DATA / "k2-ompi4-np2" / "log.txt"
    for name in ("a", "b"):
        parse_logs([StageLogs("train", (log,))], tmp_path / name)
    for file in ("history.csv.gz", "metrics.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    head = (tmp_path / "a" / "history.csv.gz").read_bytes()[:10]
    assert head[3] == 0
    assert head[4:8] == bytes(4)
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == [
        "history.csv.gz",
        "metrics.json",
    ]


def test_attempts_are_joined_and_numbered(tmp_path: Path) -> None:
    """Two attempts of a stage and a second stage stand in one history."""
    first, second, test = tmp_path / "log.1", tmp_path / "log.2", tmp_path / "log.test"
    first.write_bytes(b"Epoch 1/3\n2/2 - 1s - loss: 0.9\nEpoch 2/3\n1/2 [=>] - ETA: 1s - loss: 0.8")
    second.write_bytes(b"Epoch 2/3\n2/2 - 1s - loss: 0.7\nEpoch 3/3\n2/2 - 1s - loss: 0.6\n")
    test.write_text("Test loss: 0.0345\nTest accuracy: 0.91\n")
    found = parse_logs(
        [StageLogs("train", (first, second)), StageLogs("test", (test,))], tmp_path / "out"
    )
    rows = read_history(found.history)
    assert [(r["stage"], r["attempt"], r["epoch"], r["loss"]) for r in rows] == [
        ("train", "1", "1", "0.9"), ("train", "2", "2", "0.7"), ("train", "2", "3", "0.6"),
        ("test", "1", "", ""),
    ]  # fmt: skip
    assert (rows[-1]["Test loss"], rows[-1]["Test accuracy"]) == ("0.0345", "0.91")
    content = json.loads(found.metrics.read_text())
    assert content["stages"]["train"]["metrics"]["loss"]["last"] == 0.6
    assert not content["stages"]["train"]["ranks"]["0"]["died"]
    assert content["stages"]["test"]["metrics"]["Test accuracy"]["best"] == 0.91


@pytest.mark.parametrize("data", [b"", b"\n", b"\0" * 1000, b"\xff\xfe\r\b\b", b"loss", b"\x1b["])
def test_logs_without_numbers(data: bytes, tmp_path: Path) -> None:
    """An empty log or one of noise gives a history of a header alone."""
    log = tmp_path / "log"
    log.write_bytes(data)
    found = parse_logs([StageLogs("train", (log,))], tmp_path)
    assert found.rows == 0
    assert gzip.decompress(found.history.read_bytes()).count(b"\n") == 1
    assert json.loads(found.metrics.read_text())["val_loss"] == -1


def test_long_lines_are_counted_not_kept(tmp_path: Path) -> None:
    """A line of 20 MB is one unparsed segment; what follows is read."""
    log = tmp_path / "log"
    log.write_bytes(b"x loss: 0.5 " * 1_700_000 + b"\nEpoch 1/1\n2/2 - 1s - loss: 0.9\n")
    began = time.process_time()
    found = parse_logs([StageLogs("train", (log,))], tmp_path)
    assert found.rows == 1
    rank = json.loads(found.metrics.read_text())["stages"]["train"]["ranks"]["0"]
    assert rank["segments_overlong"] == 1
    assert rank["account"]["unparsed"] == 1
    assert time.process_time() - began < 10


@pytest.mark.parametrize(
    "segment",
    [
        b"| " * 30_000,
        b"loss: " * 10_000 + b"1",
        b"a " * 30_000 + b"1",
        b" - loss: 0." * 5_000,
        b"epoch " * 10_000 + b"1",
        b"1/13 " * 10_000,
        b"{'a': 1, " * 6_000,
        b"{" * 60_000 + b"1",
        b"\x1b[1m" * 15_000 + b"1",
        b"[0<0" * 15_000,
        b"epoch 1 | " + b"a.b " * 900 + b"1x",
        b"Epoch: [0][1/2]\t" + b"L 1 (" * 10_000,
        b"2026-11-21 " * 6_000 + b"x 1",
        b"x=1," * 15_000,
    ],
)
def test_no_segment_takes_long(segment: bytes, tmp_path: Path) -> None:
    """No expression backtracks without bound on a segment of the greatest length."""
    began = time.process_time()
    Read(segment[:65_000] + b"\n", tmp_path)
    assert time.process_time() - began < 2


def test_mutated_logs_are_read(tmp_path: Path) -> None:
    """Cut, swapped, flipped and truncated logs raise nothing and take no time."""
    chance = random.Random(20)
    contents = [log.read_bytes()[:40_000] for log in LOGS]
    log = tmp_path / "log"
    slowest = 0.0
    for turn in range(MUTATIONS):
        data = bytearray(contents[turn % len(contents)])
        begin = chance.randrange(max(1, len(data) - 3_000))
        del data[begin + 3_000 :], data[: begin if chance.random() < 0.7 else 0]
        for _ in range(chance.randint(1, 8)):
            _mutate(data, chance)
        log.write_bytes(data)
        began = time.process_time()
        found = parse_logs([StageLogs("train", (log,))], tmp_path / "out")
        slowest = max(slowest, time.process_time() - began)
        if turn % 50 == 0:
            json.loads(found.metrics.read_text(), parse_constant=pytest.fail)
            rows = read_history(found.history)
            assert all(None not in row and None not in row.values() for row in rows)
    assert slowest < 5


def _mutate(data: bytearray, chance: random.Random) -> None:
    if not data:
        return
    at, length = chance.randrange(len(data)), chance.randint(1, 200)
    piece = bytes(data[at : at + length])
    kind = chance.randrange(5)
    if kind == 0:
        del data[at : at + length]
    elif kind == 1:
        to = chance.randrange(len(data))
        data[to:to] = piece
    elif kind == 2:
        data[at] ^= 1 << chance.randrange(8)
    elif kind == 3:
        data[at : at + length] = chance.randbytes(len(piece))
    else:
        del data[at:]


def test_options_from_config() -> None:
    """What the config says; absent keys have their defaults."""
    options = LogOptions.from_config({"clean": True, "reader": "keras2", "pattern": "(?P<loss>x)"})
    assert options == LogOptions(clean=True, reader="keras2", pattern=("(?P<loss>x)",))
    assert LogOptions.from_config({}) == LogOptions()
    assert LogOptions.from_config({"launcher": "auto"}).launcher is None


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"reader": "keras"}, "did you mean 'keras"),
        ({"reader": "regex"}, "needs a pattern"),
        ({"pattern": "("}, "not valid"),
        ({"launcher": "openmpj4"}, "did you mean 'openmpi4'"),
    ],
)
def test_config_mistakes_are_explained(config: object, message: str) -> None:
    """Every mistake names what was found and what would do."""
    with pytest.raises(InputError, match=message):
        LogOptions.from_config(config)


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`python -m sweepmake.logs LOGFILE --output DIR` writes; a missing log is status 2."""
    log = DATA / "k2-ompi4-np2" / "log.txt"
    assert main([str(log), "--output", str(tmp_path), "--stage", "fit", "--reader", "keras2"]) == 0
    assert {row["stage"] for row in read_history(tmp_path / "history.csv.gz")} == {"fit"}
    assert json.loads((tmp_path / "metrics.json").read_text())["format_version"] == FORMAT_VERSION
    assert main([str(tmp_path / "none"), "--output", str(tmp_path)]) == 2
    assert "none" in capsys.readouterr().err


def test_cleaned_logs(tmp_path: Path) -> None:
    """`clean` and `per_rank` write what a person can read, one file per attempt and rank."""
    log = DATA / "k2-ompi4-np2" / "log.txt"
    options = LogOptions(clean=True, per_rank=True)
    parse_logs([StageLogs("train", (log, log))], tmp_path, options=options)
    for attempt in (1, 2):
        assert "[1] Epoch 2/12" in (tmp_path / f"clean.train.{attempt}.log").read_text()
        ranks = tmp_path / f"ranks.train.{attempt}"
        assert sorted(path.name for path in ranks.iterdir()) == ["rank0.log", "rank1.log"]
        assert "Epoch 2/12\n" in (ranks / "rank1.log").read_text()


def test_excel(tmp_path: Path) -> None:
    """The workbook holds the history's cells as numbers and a sheet of metrics."""
    from openpyxl import load_workbook

    log = tmp_path / "log"
    log.write_bytes(b"Epoch 1/1\n2/2 - 1s - loss: nan - dsc: 0.5\n")
    parse_logs([StageLogs("train", (log,))], tmp_path, options=LogOptions(excel=True))
    book = load_workbook(tmp_path / "history.xlsx")
    rows = [[cell.value for cell in row] for row in book["history"].rows]
    assert rows[1] == ["train", 1, 0, 1, 2, 2, None, None, "nan", 0.5]
    assert [row[1].value for row in book["metrics"].rows] == ["metric", "loss", "dsc"]


def test_nothing_heavy_is_imported() -> None:
    """Reading logs loads no pandas, numpy, matplotlib, openpyxl or snakemake."""
    code = (
        "import sys; from sweepmake.logs.__main__ import main; "
        f"main([{str(LOGS[0])!r}, '--output', sys.argv[1]]); "
        "print([m for m in ('pandas', 'numpy', 'matplotlib', 'openpyxl', 'snakemake', 'yaml', "
        "'dataclasses', 'inspect') "
        "if m in sys.modules])"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT / "workflow")}
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-c", code, folder], capture_output=True, text=True, env=environment
        )
    assert done.stdout.splitlines()[-1] == "[]"
