"""What counts as a value, a result, a death: nothing that may be a part of a number."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from truth import read_history

from sweepmake.logs import parse as parse_module
from sweepmake.logs.parse import StageLogs, parse_logs

LINES = "epoch 1: loss=3.0, val_ppl=21.9\nepoch 2: loss=2.5, val_ppl=18.2\n"


def read(folder: Path, *logs: str, whole: bool = False) -> dict[str, Any]:
    """Return metrics.json of the attempts of one stage, with the history's rows under "rows"."""
    files = []
    for at, text in enumerate(logs):
        files.append(folder / f"log.{at}")
        files[-1].write_bytes(text.encode())
    found = parse_logs([StageLogs("train", tuple(files), whole)], folder / "out")
    content: dict[str, Any] = json.loads(found.metrics.read_text())
    return {**content["stages"]["train"], "rows": read_history(found.history), "flat": content}


@pytest.mark.parametrize(
    ("end", "value"),
    [
        ("epoch 3: loss=2.1, val_ppl=1", "18.2"),
        ("epoch 3: loss=2.1, val_ppl=1.5e-0", "18.2"),
        ("epoch 3: loss=2.1, val_ppl=", "18.2"),
        ("epoch 3: loss=2.1, val_ppl=17.5\n", "17.5"),
        ("epoch 3: loss=2.1, val_ppl=17.5\r", "17.5"),
        ("epoch 3: loss=2.1, val_ppl=17.5, lr", "17.5"),
    ],
)
def test_a_number_at_the_very_end_is_no_value(tmp_path: Path, end: str, value: str) -> None:
    """A kill, a full disk or a copy of a living log may have cut it; what stands before counts."""
    found = read(tmp_path, LINES + end)
    assert found["metrics"]["val_ppl"]["last"] == float(value)
    assert found["metrics"]["loss"]["last"] == 2.1


def test_a_number_at_the_end_of_a_finished_run_is_one(tmp_path: Path) -> None:
    """Its record says that the program came to its end; an earlier attempt did not."""
    text = LINES + "epoch 3: loss=2.1, val_ppl=1"
    assert read(tmp_path, text, whole=True)["metrics"]["val_ppl"]["last"] == 1
    rows = read(tmp_path, text, text, whole=True)["rows"]
    assert [row["val_ppl"] for row in rows] == ["21.9", "18.2", "", "21.9", "18.2", "1"]


@pytest.mark.parametrize(
    ("text", "died"),
    [
        ("Epoch 0/2, loss: 0.9\nEpoch 1/2, loss: 0.8\n", False),
        ("Epoch 1/9, loss: 0.9\nEpoch 2/9, loss: 0.8\n", False),
        ("Epoch 1/9, loss: 0.9\nEpoch 2/9, loss: 0.8\nTest loss: 0.5\n", False),
        ("Epoch 1/9, loss: 0.9\nEpoch 2/9, lo", True),
        ("Epoch 1/2, loss: 0.9\nEpoch 2/2, loss: 0.8\nbye", False),
        ("Epoch 1/9, loss: 0.9\nTraceback (most recent call last):\n", True),
        ("Epoch 0/1, loss: 0.9\nTraceback (most recent call last):\n", False),
        ("loss: 0.9\nSegmentation fault\n", True),
    ],
)
def test_a_rank_has_died_where_something_says_so(tmp_path: Path, text: str, died: bool) -> None:
    """A cut line or an error before the last epoch; a missing last epoch alone is none."""
    assert read(tmp_path, text)["ranks"]["0"]["died"] is died


def test_epochs_from_0_are_counted(tmp_path: Path) -> None:
    """Epochs 0 to 2 are three."""
    assert read(tmp_path, "".join(f"epoch {n}: loss=0.{9 - n}\n" for n in range(3)))["flat"][
        "total_epochs"
    ] == 3  # fmt: skip


STREAMS = [
    *(
        f"[0]<stderr>:epoch {n}/3 step {s}/2: loss=0.{9 - n}{s}\n"
        for n in (1, 2, 3)
        for s in (1, 2)
    ),
    "[0]<stdout>:epoch 1: val_acc=0.5\n",
    "[0]<stdout>:epoch 2: val_acc=0.7\n",
]


@pytest.mark.parametrize("block", [1, 7, 64, 1000, 1 << 20])
def test_the_summary_is_that_of_the_rows_that_are_written(tmp_path: Path, block: int) -> None:
    """With a stream of steps and one of results, whatever the size of the blocks that are read."""

    def blocks(path: Path):  # type: ignore[no-untyped-def]
        data = path.read_bytes()
        return (data[at : at + block] for at in range(0, len(data), block))

    with mock.patch.object(parse_module, "read_blocks", blocks):
        found = read(tmp_path, "".join(STREAMS))
    last = [row for row in found["rows"] if row["epoch"] == "3"][-1]
    assert found["ranks"]["0"]["last"] == {"loss": float(last["loss"]), "val_acc": 0.7}
    assert found["ranks"]["0"]["best"]["loss"] == {"value": 0.62, "epoch": 3, "step": 2}
    assert found["ranks"]["0"]["best"]["val_acc"]["value"] == 0.7
    assert found["ranks"]["0"]["restarts"] == 0


def test_a_metric_outside_the_epochs_has_a_best(tmp_path: Path) -> None:
    """Results without an epoch on stdout, steps with theirs on stderr."""
    lines = [line.replace("epoch 1: ", "").replace("epoch 2: ", "") for line in STREAMS]
    metric = read(tmp_path, "".join(lines))["ranks"]["0"]
    assert metric["last"]["val_acc"] == 0.7
    assert metric["best"]["val_acc"]["value"] == 0.7


def test_a_place_with_a_comma_moves_no_column(tmp_path: Path) -> None:
    """A decimal comma is read, what is no number left out; rows are as wide as the header."""
    log = tmp_path / "log"
    log.write_text("ep=0,5 L=0.91\nep=a,b L=0.81\n")
    options = parse_module.LogOptions(pattern=(r"ep=(?P<epoch>\S+) L=(?P<loss>\S+)",))
    found = parse_logs([StageLogs("train", (log,))], tmp_path / "out", options=options)
    rows = read_history(found.history)
    assert [(row["epoch"], row["loss"]) for row in rows] == [("0.5", "0.91"), ("0.5", "0.81")]
    assert all(None not in row for row in rows)


def test_ranks_that_spoke_without_metrics_are_counted(tmp_path: Path) -> None:
    """Four ranks are ready, then one of them dies: there were four."""
    found = read(tmp_path, "".join(f"[1,{n}]<stdout>:worker {n} is ready\n" for n in (0, 2, 1, 3)))
    assert found["flat"]["total_job_ranks"] == 4


@pytest.mark.parametrize("cut", ["1/2 - 1s - lo", "1/2 - 1s - loss: 0.71 - accu", "1/2 [=>..] - E"])
def test_a_restart_behind_a_cut_line_is_one(tmp_path: Path, cut: str) -> None:
    """The header of the program that was started again is glued to what the kill has cut."""
    bars = "2/2 - 1s - loss: 0.{0}1 - val_loss: 0.{0}\n"
    again = "Epoch 1/2\n" + bars.format(7) + "Epoch 2/2\n" + bars.format(6)
    found = read(tmp_path, f"Epoch 1/2\n{bars.format(9)}Epoch 2/2\n{cut}{again}")
    assert [row["val_loss"] for row in found["rows"] if row["val_loss"]] == ["0.9", "0.7", "0.6"]
    assert found["ranks"]["0"]["restarts"] == 1
    assert not found["ranks"]["0"]["died"]


@pytest.mark.parametrize("last", ["loss: inf", "loss=-inf", "loss: Infinity", "loss: nan"])
def test_a_value_without_a_digit_is_one(tmp_path: Path, last: str) -> None:
    """What is not finite is what the run ends with, and not what stood before it."""
    found = read(tmp_path, f"loss: 0.5\n{last}\n")
    assert found["ranks"]["0"]["last"]["loss"] in ("inf", "-inf", "nan")
