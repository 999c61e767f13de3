"""Each reader on lines that real programs print."""

# ruff: noqa: E501  (lines of logs stay as they are)

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from sweepmake.errors import InputError
from sweepmake.logs.history_file import write_history
from sweepmake.logs.readers import READERS, Block, Observation, Part, Reader, make_readers
from sweepmake.logs.readers.base import Ends, seconds, unit_seconds
from sweepmake.logs.reading import StreamReader
from sweepmake.logs.rows import RowStream, Spool
from sweepmake.logs.tally import Tally

BAR = "[=>............................]"


class Read:
    """What one stream gave: its rows as dictionaries without empty cells, and its tally."""

    def __init__(self, text: str | bytes, folder: Path, **options: object) -> None:
        data = text.encode() if isinstance(text, str) else text
        self.tally = Tally()
        spool = Spool(folder)
        stream = RowStream(spool, self.tally)
        readers = make_readers(
            options.get("only"), [re.compile(one) for one in options.get("patterns", ())]
        )
        reader = StreamReader(stream, readers, bulk=bool(options.get("bulk", True)))
        size = int(options.get("size", 1 << 20))
        for at in range(0, len(data), size):
            reader.feed(data[at : at + size])
        reader.close()
        history = folder / "history.csv.gz"
        write_history(history, [("train", 1, 0, stream)])
        from truth import read_history

        self.rows = [
            {k: v for k, v in row.items() if v and k not in ("stage", "attempt", "rank")}
            for row in read_history(history)
        ]


@pytest.fixture
def read(tmp_path: Path):
    def run(text: str | bytes, **options: object) -> Read:
        return Read(text, tmp_path, **options)

    return run


@pytest.mark.parametrize(
    ("eta", "expected"),
    [
        ("9s", "9"),
        ("0s", "0"),
        ("9:99", "639"),
        ("1:02", "62"),
        ("1:02:03", "3723"),
        ("9:99:99", "38439"),
        ("25:00:00", "90000"),
    ],
)
def test_keras2_eta(read, eta: str, expected: str) -> None:
    """Every form of Keras's ETA becomes seconds."""
    got = read(f"Epoch 1/2\n\r 1/13 {BAR} - ETA: {eta} - loss: 0.8549 - dsc: 1.7519e-04")
    assert got.rows == [
        {
            "epoch": "1", "step": "1", "steps_per_epoch": "13", "eta_s": expected,
            "loss": "0.8549", "dsc": "1.7519e-04",
        }
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("time", "expected"),
    [("1s 41ms/step", "0.041"), ("5s 2s/step", "2"), ("0s 35us/step", "3.5e-05"),
     ("1:02 4s/step", "4"), ("0s 812us/sample", "0.000812")],
)  # fmt: skip
def test_keras2_time_per_step(read, time: str, expected: str) -> None:
    """The final bar's time per step is in seconds."""
    got = read(f"Epoch 1/2\n13/13 [=====] - {time} - loss: 0.5 - val_loss: 0.6\n")
    assert got.rows[0]["time_per_step_s"] == expected
    assert got.rows[0]["val_loss"] == "0.6"


def test_keras2_last_redraw_wins(read) -> None:
    """`13/13 … ETA: 0s` and the final bar are one row, also with a message between."""
    got = read(
        "Epoch 1/2\n\r13/13 [====] - ETA: 0s - loss: 0.5000 - dsc: 0.1\n"
        "Epoch 1: val_loss improved from inf to 0.86219, saving model to ck.h5\n\b\b\b\r"
        "13/13 [====] - 1s 41ms/step - loss: 0.4999 - dsc: 0.1 - val_loss: 0.8622 - lr: 0.1250\n"
    )
    assert len(got.rows) == 1
    assert got.rows[0]["loss"] == "0.4999"
    assert got.rows[0]["lr"] == "0.1250"


def test_keras2_values(read) -> None:
    """nan, inf, negative, integer values and any metric names keep their text."""
    got = read(
        f"Epoch 1/2\n 1/13 {BAR} - ETA: 5s - loss: nan - top-5 acc: -0.5000 - x/y: inf - n: 12\n"
    )
    values = {"loss": "nan", "top-5 acc": "-0.5000", "x/y": "inf", "n": "12"}
    assert values.items() <= got.rows[0].items()


def test_keras2_unknown_number_of_steps(read) -> None:
    """A generator of unknown length gives rows without steps_per_epoch."""
    got = read("Epoch 1/2\n      5/Unknown - 1s 20ms/step - loss: 0.8534")
    assert got.rows == [
        {"epoch": "1", "step": "5", "time_per_step_s": "0.02", "loss": "0.8534", "eta_s": "0"}
    ]


def test_keras_evaluation_is_outside_epochs(read) -> None:
    """Bars of model.evaluate after an epoch's final bar do not change its rows."""
    got = read(
        "Epoch 1/1\n\r2/2 [====] - 1s 5ms/step - loss: 0.5000\n"
        "\r1/3 [=>..] - ETA: 0s - loss: 0.7000\b\b\r3/3 [====] - 0s 4ms/step - loss: 0.6000\n"
    )
    assert [(row.get("epoch"), row["step"], row["loss"]) for row in got.rows] == [
        ("1", "2", "0.5000"),
        (None, "1", "0.7000"),
        (None, "3", "0.6000"),
    ]


@pytest.mark.parametrize(
    "line",
    ["Epoch 1/2 - lo\x00ss: 0.5", "Epoch 1/2 - lo\x1b[1mss: 0.5\x1b[0m", "\x00\x00Epoch 1/2 - loss: 0.5",
     "\x1b]0;title\x07Epoch 1/2 - loss: 0.5", "Epoch 1/2 - loss: 0.5\x1b[K \x00"],
)  # fmt: skip
def test_what_a_terminal_does_not_show_is_not_read(read, line: str) -> None:
    """Each by itself: codes, and the NUL bytes of a file with holes."""
    assert read(line + "\n").rows == [{"epoch": "1", "loss": "0.5"}]


def test_keras3_evaluation_is_outside_epochs(read) -> None:
    """The full bar, drawn twice, is the last of its epoch; what follows is none of its rows."""
    got = read(
        "Epoch 1/1\n1/2 \u2501\u2501 1s 5ms/step - loss: 0.9\r2/2 \u2501\u2501 0s 5ms/step - loss: 0.5\r"
        "2/2 \u2501\u2501 1s 9ms/step - loss: 0.5 - val_loss: 0.4\n"
        "1/2 \u2501\u2501 1s 5ms/step - loss: 0.7\r2/2 \u2501\u2501 1s 5ms/step - loss: 0.6\n"
    )
    assert [(row.get("epoch"), row["step"], row["loss"]) for row in got.rows] == [
        ("1", "1", "0.9"), ("1", "2", "0.5"), (None, "1", "0.7"), (None, "2", "0.6"),
    ]  # fmt: skip


def test_bars_of_callbacks_leave_the_epoch_alone(read) -> None:
    """Bars that model.predict and model.evaluate draw inside an epoch are none of its rows."""
    text = (
        "Epoch 3/5\n\r 5/13 [=>..] - ETA: 0s - loss: 0.5000\b\r13/13 [==] - ETA: 0s - loss: 0.4000\n"
        "1/4 [=>..] - ETA: 0s\b\r4/4 [==] - 0s 2ms/step\n"
        "1/8 [=>..] - ETA: 0s - loss: 0.9000\b\r8/8 [==] - 0s 3ms/step - loss: 0.8000\n"
        "\b\b\r13/13 [==] - 1s 41ms/step - loss: 0.4000 - val_loss: 0.6000\n"
    )
    rows = [(r.get("epoch"), r["step"], r["loss"]) for r in read(text).rows]
    assert sorted(rows, key=str) == [
        ("3", "13", "0.4000"),
        ("3", "5", "0.5000"),
        (None, "1", "0.9000"),
        (None, "8", "0.8000"),
    ]


def test_tf115_validation_bar_is_no_training(read) -> None:
    """The second `Epoch 1/9` of TF 1.15, right behind the bar, opens the validation's own bar."""
    got = read(
        "Epoch 1/9\n\r 1/13 [=>..] - ETA: 2s - loss: 0.8945 - acc: 0.9199Epoch 1/9\n"
        "\r 1/13 [=>..] - ETA: 0s - loss: 0.8933 - acc: 0.6445\b\b\r"
        "13/13 [====] - 0s 22ms/step - loss: 0.9056 - acc: 0.8528 - val_loss: 0.9037\n"
        "Epoch 2/9\n\r 1/13 [=>..] - ETA: 2s - loss: 0.7945 - acc: 0.9199Epoch 1/9\n"
        "\r 1/13 [=>..] - ETA: 0s - loss: 0.7933 - acc: 0.6445\b\b\r"
        "13/13 [====] - 0s 22ms/step - loss: 0.8056 - acc: 0.8528 - val_loss: 0.8037\n"
    )
    assert [(row["epoch"], row["step"], row["loss"]) for row in got.rows] == [
        ("1", "1", "0.8945"), ("1", "13", "0.9056"), ("2", "1", "0.7945"), ("2", "13", "0.8056"),
    ]  # fmt: skip
    assert got.tally.restarts == 0


def test_restart_glued_to_a_bar_is_no_validation(read) -> None:
    """A program killed in a bar and started again in the same log is read again from epoch 1."""
    epoch = (
        "Epoch {}/9\n\r 1/2 [=>..] - ETA: 2s - loss: 0.8945\b\r2/2 [==] - 0s 2ms/step - loss: 0.5\n"
    )
    got = read(
        epoch.format(1) + "Epoch 2/9\n\r 1/2 [=>..] - ETA: 2s - loss: 0.8945"
        + epoch.format(1) + epoch.format(2)
    )  # fmt: skip
    assert [row["epoch"] for row in got.rows] == ["1", "1", "2", "1", "1", "2", "2"]
    assert got.tally.restarts == 1


def test_lost_header_is_not_guessed(read) -> None:
    """Where the bars start again without a header, the epoch is not known."""
    got = read(
        "Epoch 7/9\n\r 4/13 [=>..] - ETA: 2s - loss: 0.5000\b\r 2/13 [=>..] - ETA: 2s - loss: 0.4000\b"
    )
    assert [row.get("epoch") for row in got.rows] == ["7", None]


def test_keras3_bar(read) -> None:
    """Colour codes go, the bar's two times are ETA and time per step."""
    bar = (
        "\x1b[1m {}/13\x1b[0m \x1b[32m━━━\x1b[0m\x1b[37m━━━\x1b[0m \x1b[1m{}\x1b[0m {}ms/step - {}"
    )
    got = read(
        "Epoch 1/2\n\r" + bar.format(" 1", "1:05", 103, "accuracy: 0.1777 - loss: 0.8170") + "\b" * 80
        + "\r" + bar.format("13", "2s", 16, "accuracy: 0.5 - loss: 0.4") + "\b" * 80
        + "\r" + bar.format("13", "2s", 41, "accuracy: 0.5 - loss: 0.4 - val_loss: 0.3") + "\n"
    )  # fmt: skip
    assert [(r["step"], r["eta_s"], r["time_per_step_s"], r["loss"]) for r in got.rows] == [
        ("1", "65", "0.103", "0.8170"),
        ("13", "0", "0.041", "0.4"),
    ]
    assert got.rows[1]["val_loss"] == "0.3"


@pytest.mark.parametrize(
    "line",
    [
        "13/13 - 1s - loss: 0.8709 - val_loss: 0.8622",
        "13/13 - 2s - loss: 0.8709 - val_loss: 0.8622 - 2s/epoch - 182ms/step",
        "13/13 - 0s - 25ms/step - loss: 0.8709 - val_loss: 0.8622",
        "13/13 - 1:05 - loss: 0.8709 - val_loss: 0.8622 - 65s/epoch - 5s/step",
    ],
)
def test_keras_lines(read, line: str) -> None:
    """verbose=2 gives one row per epoch in each of its forms."""
    got = read(f"Epoch 3/12\n{line}\n")
    place = {"epoch": "3", "step": "13", "steps_per_epoch": "13"}
    assert (place | {"loss": "0.8709", "val_loss": "0.8622"}).items() <= got.rows[0].items()
    assert got.tally.readers == {"keras_lines": 1}
    assert "eta_s" not in got.rows[0]


@pytest.mark.parametrize(
    ("bar", "step"), [("", None), ("4/4 [==============================]\n", "4")]
)
def test_keras_lines_of_old_programs(read, bar: str, step: str | None) -> None:
    """verbose=2 without steps; behind a bar on a line of its own with them."""
    got = read(
        f"Epoch 1/2\n{bar} - 12s - loss: 0.95 - val_loss: 0.9\nEpoch 2/2\n - 11s - loss: 0.8\n"
    )
    assert [(row["epoch"], row.get("step"), row["loss"]) for row in got.rows] == [
        ("1", step, "0.95"),
        ("2", None, "0.8"),
    ]
    assert got.tally.counts.unparsed == 0


def test_text_behind_a_keras_bar_leaves_its_values(read) -> None:
    """A number with four digits is whole; where a digit follows, nobody knows."""
    bar = "Epoch 1/2\n4/4 [====] - 1s 41ms/step - loss: 0.7020 - val_loss: "
    assert read(bar + "0.6620saving the model\n").rows[0]["val_loss"] == "0.6620"
    assert read(bar + "0.66203 models kept\n").rows == []


def test_an_evaluations_bar_is_no_training(read) -> None:
    """Full, it stands under its phase on the epoch's last row; before, it is nothing."""
    got = read(
        "Epoch 1/2: 100%|##| 20/20 [00:02<00:00, 10.00it/s, loss=0.75]\n"
        "Validation:  40%|# | 2/5 [00:01<00:00, 10.00it/s, loss=0.9]\r"
        "Validation: 100%|##| 5/5 [00:01<00:00, 10.00it/s, loss=0.875]\n"
    )
    assert [(row["step"], row["loss"], row["val_loss"]) for row in got.rows] == [
        ("20", "0.75", "0.875")
    ]


def test_json_phases(read) -> None:
    """`mode` tells training from validation; a logger's prefix may stand in front."""
    got = read(
        '{"mode": "train", "epoch": 1, "iter": 20, "loss": 1.25}\n'
        '[2027-01-01 10:00:00][INFO] - {"mode": "val", "epoch": 1, "iter": 5, "loss": 1.5}\n'
    )
    assert [(row["step"], row["loss"], row["val_loss"]) for row in got.rows] == [
        ("20", "1.25", "1.5")
    ]


def test_places_of_patterns_are_numbers(read) -> None:
    """A decimal comma is read, anything else is left out."""
    pattern = [r"ep=(?P<epoch>\S+) L=(?P<loss>\S+)"]
    got = read("ep=0,5 L=0.91\nep=a,b L=0.81\n", patterns=pattern)
    assert [(row["epoch"], row["loss"]) for row in got.rows] == [("0.5", "0.91"), ("0.5", "0.81")]


def test_early_stopping_total_time_and_epochs(read) -> None:
    """Both wordings of early stopping; the total time; the epochs that were asked for."""
    for text in ("Epoch 00005: early stopping", "Epoch 5: early stopping"):
        got = read(
            f"Epoch 5/12\n13/13 - 1s - loss: 0.5\n{text}\n"
            "Total time elapsed for training = 22.43501615524292 seconds\n"
        )
        assert got.tally.early_stop_epoch == 5
        assert got.tally.total_epochs == 12
        assert got.tally.total_training_time_s == 22.43501615524292
        assert not got.tally.died


def test_fairseq(read) -> None:
    """Inner lines are rows; the epoch's end and the validation join its last row."""
    got = read(
        "2026-11-21 18:05:05 | INFO | train_inner | epoch 001:     40 / 40 loss=0.653, ppl=1.37, "
        "num_updates=40, lr=0.0452254\n"
        "2026-11-21 18:05:05 | INFO | train | epoch 001 | loss 1.499 | ppl 1.42 | num_updates 40\n"
        "2026-11-21 18:05:05 | INFO | valid | epoch 001 | valid on 'valid' subset | loss 0.723\n"
    )
    assert got.rows == [
        {
            "epoch": "1", "step": "40", "steps_per_epoch": "40", "loss": "0.653", "ppl": "1.37",
            "num_updates": "40", "lr": "0.0452254", "train_loss": "1.499", "train_ppl": "1.42",
            "train_num_updates": "40", "valid_loss": "0.723",
        }
    ]  # fmt: skip


def test_hf_trainer(read) -> None:
    """Both generations of dictionaries; the evaluation joins the row of its epoch."""
    got = read(
        "{'loss': 4.16, 'grad_norm': nan, 'learning_rate': 1e-05, 'epoch': 1.0}\n"
        "{'eval_loss': '3.907', 'eval_runtime': '0.0068', 'epoch': '1.0'}\n"
        "  50%|█████     | 4/8 [00:00<00:00, 281.29it/s]{'loss': 4.1, 'epoch': 2.0}\n"
    )
    assert got.rows == [
        {
            "epoch": "1.0", "loss": "4.16", "grad_norm": "nan", "learning_rate": "1e-05",
            "eval_loss": "3.907", "eval_runtime": "0.0068",
        },
        {"epoch": "2.0", "loss": "4.1"},
    ]  # fmt: skip


def test_json_lines(read) -> None:
    """Numbers keep their text, quoted or not; nested names are joined; NaN is a number."""
    got = read(
        '{"event": "train", "epoch": 1, "step": 10, "loss": 1.288366675376892, "a": {"b": "2.50"}}\n'
        '{"epoch": 1, "step": 20, "loss": NaN, "ok": true}\n'
    )
    assert [(row["step"], row["loss"], row.get("a.b")) for row in got.rows] == [
        ("10", "1.288366675376892", "2.50"),
        ("20", "NaN", None),
    ]
    assert got.tally.readers == {"json_lines": 2}


def test_megatron(read) -> None:
    """The validation joins the row of its iteration."""
    got = read(
        " iteration       40/     200 | consumed samples:         1280 | elapsed time per iteration "
        "(ms): 12.4 | learning rate: 4.522542E-02 | lm loss: 4.525810E-01 | loss scale: 1.0 |\n"
        " validation loss at iteration 40 | lm loss value: 5.008986E-01 | lm loss PPL: 1.65E+00 | \n"
    )
    assert len(got.rows) == 1
    row = {"step": "40", "time_per_step_s": "0.0124", "lm loss": "4.525810E-01"}
    assert (row | {"lm loss value": "5.008986E-01"}).items() <= got.rows[0].items()


def test_imagenet(read) -> None:
    """Meters give their value and mean; the summary joins with `val_`."""
    got = read(
        "Epoch: [0][40/40]\tTime  0.012 ( 0.013)\tLoss 4.5258e-01 (1.0389e+00)\tAcc@1  90.62 ( 57.73)\n"
        "Test: [ 0/40]\tTime  0.012 ( 0.013)\tLoss 4.5258e-01 (1.0389e+00)\n"
        " * Acc@1 87.500 Acc@5 100.000\n"
    )
    assert got.rows == [
        {
            "epoch": "0", "step": "40", "steps_per_epoch": "40", "time_per_step_s": "0.012",
            "Time": "0.012", "Time_avg": "0.013", "Loss": "4.5258e-01", "Loss_avg": "1.0389e+00",
            "Acc@1": "90.62", "Acc@1_avg": "57.73", "val_Acc@1": "87.500", "val_Acc@5": "100.000",
        }
    ]  # fmt: skip


def test_tqdm_postfix_steps(read) -> None:
    """Redraws between two counts get the steps that they belong to."""
    bars = [(0, None), (0, 1), (0, 2), (2, 2), (2, 3), (3, 3)]
    got = read(
        "".join(
            f"\repoch 1/5:   0%|          | {n}/4 [00:00<00:02, 2.00it/s"
            + (f", loss={value}.5]" if value else "]")
            for n, value in bars
        )
    )
    assert [(row["step"], row["loss"]) for row in got.rows] == [
        ("1", "1.5"),
        ("2", "2.5"),
        ("3", "3.5"),
    ]
    assert got.rows[2]["time_per_step_s"] == "0.5"
    assert got.tally.total_epochs == 5


def test_lightning_last_redraw_wins(read) -> None:
    """Lightning's count moves first; its validation result stands on the last row."""
    bars = [(0, ""), (2, ""), (2, ", train_loss=8.3, v_num=0"), (4, ", train_loss=8.3, v_num=0"),
            (4, ", train_loss=4.1"), (4, ", train_loss=4.1, val_loss=0.07")]  # fmt: skip
    got = read("".join(f"\rEpoch 0:  10%|█   | {n}/4 [00:00<00:00, 70it/s{p}]" for n, p in bars))
    assert [(r["step"], r["train_loss"], r.get("val_loss")) for r in got.rows] == [
        ("2", "8.3", None),
        ("4", "4.1", "0.07"),
    ]
    assert "v_num" not in got.rows[0]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "Iter 1: loss=348.4970, lr=0.009997, test_acc=0.5999, duration=0:00:08",
            {"epoch": "1", "loss": "348.4970", "lr": "0.009997", "test_acc": "0.5999", "duration": "8"},
        ),
        (
            "[2026-11-21 18:07:16,800][train][INFO] - epoch 1 step 10/40 | loss 1.28837 | acc 43.75%",
            {"epoch": "1", "step": "10", "steps_per_epoch": "40", "loss": "1.28837", "acc": "43.75"},
        ),
        (
            "epoch 1: train loss 1.0389  val loss 0.5009",
            {"epoch": "1", "train loss": "1.0389", "val loss": "0.5009"},
        ),
        (
            "INFO:root:Epoch: 2, Loss: 0.4351, Accuracy: 91.2%",
            {"epoch": "2", "Loss": "0.4351", "Accuracy": "91.2"},
        ),
        ("Epoch 3/10 - loss: nan, val_loss: inf", {"epoch": "3", "loss": "nan", "val_loss": "inf"}),
        ("iter 100: loss 2.3456, time 50.12ms", {"step": "100", "loss": "2.3456", "time": "50.12"}),
        ("step 250: train loss 2.4, val loss 2.5", {"step": "250", "train loss": "2.4", "val loss": "2.5"}),
        ("Test loss: 0.0345", {"Test loss": "0.0345"}),
        ("2026-01-02 03:04:05,678 - trainer - INFO - epoch=4 lr=1e-05 loss=-3", {"epoch": "4", "loss": "-3"}),
        ("Epoch [1/5], Step [100/600], Loss: 0.1767", {"epoch": "1", "step": "100", "Loss": "0.1767"}),
    ],
)  # fmt: skip
def test_pairs(read, line: str, expected: dict[str, str]) -> None:
    """Lines of names and numbers, as loops of one's own print them."""
    got = read(line + "\n")
    assert len(got.rows) == 1
    assert expected.items() <= got.rows[0].items()


@pytest.mark.parametrize(
    "line",
    [
        "Epoch 00003: val_loss improved from 0.79301 to 0.43698, saving model to ck0.h5",
        "Epoch 5: ReduceLROnPlateau reducing learning rate to 0.06250000149011612.",
        "Settings: batch_size=8 learning_rate=0.05 epochs=9 intra=1",
        "Total params: 25",
        "Number of training images: 104, validation images: 24",
        "2026-11-21 18:00:59.406413: I tensorflow/core/util/port.cc:113] oneDNN custom operations",
        "Metric val_loss improved by 0.013 >= min_delta = 0.0. New best score: 0.064",
        '  File "train.py", line 192, in <module>',
        "{'lr': 0.1, 'batch_size': 8}",
        "Loading checkpoint shards: 100%|██████████| 2/2 [00:00<00:00, 2.1it/s]",
    ],
)
def test_prose_gives_no_values(read, line: str) -> None:
    """What only looks like a metric is not one."""
    assert read(line + "\n").rows == []


def test_regex_reader(read) -> None:
    """Named groups are places and metrics."""
    got = read(
        "noise\nep=3 it=40/200 left 1:02 L=0.4351\n",
        patterns=[r"ep=(?P<epoch>\d+) it=(?P<step>\d+)/(?P<steps_per_epoch>\d+) left (?P<eta_s>\S+) "
                  r"L=(?P<loss>\S+)"],
    )  # fmt: skip
    assert got.rows == [
        {"epoch": "3", "step": "40", "steps_per_epoch": "200", "eta_s": "62", "loss": "0.4351"}
    ]
    assert got.tally.readers == {"regex": 1}


def test_bad_patterns_are_refused() -> None:
    """A pattern that cannot be used says why."""
    from sweepmake.logs.readers.regex import compile_patterns

    with pytest.raises(InputError, match="not valid"):
        compile_patterns(["(?P<loss>"])
    with pytest.raises(InputError, match="no named group"):
        compile_patterns([r"loss=(\S+)"])


def test_only_one_reader(read) -> None:
    """With a reader chosen, the others are not asked."""
    text = "Epoch 1/2\n13/13 - 1s - loss: 0.5\n{'loss': 4.1, 'epoch': 2.0}\n"
    assert read(text, only="hf_trainer").tally.readers == {"hf_trainer": 1}
    assert read(text, only="keras_lines").tally.readers == {"keras_lines": 1}


@pytest.mark.parametrize("name", [name for name in READERS if name != "regex"])
def test_docstring_quotes_real_lines(name: str) -> None:
    """A reader's module quotes lines of its format."""
    import importlib

    module = importlib.import_module(f"sweepmake.logs.readers.{name}")
    assert re.search(r"\n {4}.*\d", module.__doc__ or "")


def test_format_changes_within_a_log(read) -> None:
    """Evaluation lines in another format are read too."""
    got = read(
        "epoch 1 step 1/2 | loss 0.5\n"
        '{"epoch": 1, "val_loss": 0.4}\n'
        "Epoch 2/2\n13/13 - 1s - loss: 0.3\n"
    )
    assert [row.get("val_loss") for row in got.rows] == ["0.4", None]
    assert len(got.tally.readers) == 3


def test_broken_metric_lines_are_counted(read) -> None:
    """A bar that cannot be read counts as unparsed."""
    got = read(f"Epoch 1/2\n 1/13 {BAR} - ETA: 5s - loss: 0.8[garbage\n 7/13 [==\n")
    assert got.rows == []
    assert got.tally.counts.unparsed >= 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1 day, 0:00:08", "86408"), ("00:12", "12"), ("1-02:03:04", "93784"), ("?", None), ("", None),
     ("0:00:08.5", "8.5"), ("9" * 5000 + ":00", None)],
)  # fmt: skip
def test_seconds(text: str, expected: str | None) -> None:
    """Durations of other programs."""
    assert seconds(text) == expected


def test_unit_seconds() -> None:
    """Units down to nanoseconds."""
    assert [unit_seconds(one) for one in ("182ms", "2s", "35us", "5ns", "2m", "x")] == [
        "0.182", "2", "3.5e-05", "5e-09", "120", None,
    ]  # fmt: skip


class Dots(Reader):
    """Reads `3.9`: epoch 3, a loss of 9; whole blocks after the first one."""

    name = "dots"

    def __init__(self) -> None:
        self.one_by_one = 0

    def read(self, text: str) -> Observation | None:
        epoch, dot, loss = text.partition(".")
        if not dot:
            return None
        self.one_by_one += 1
        return Observation({"loss": loss}, epoch)

    def read_block(self, text: str) -> Iterator[Part] | None:
        return self._parts(text.split()) if self.one_by_one else None

    def _parts(self, words: list[str]) -> Iterator[Part]:
        for word in words:
            epoch, dot, loss = word.partition(".")
            if dot and epoch != "0":
                ends = Ends([epoch], [","], [","], [[loss]])
                yield Block(("loss",), f"{epoch},,,,,{loss}\n", 1, 1, 0, ends)
            else:
                yield word


def test_keras3_evaluation_with_as_many_steps_is_outside_the_epoch(read) -> None:
    """The full bar is drawn twice; one that comes after other bars is another's."""
    bar = "13/13 ━━━━━━━━━━━━━━━━━━━━ 1s 41ms/step - loss: 0.{}\n"
    text = "Epoch 1/1\n" + bar.format(5) + bar.format(5) + " 1/13 ━━━━━ 1s 9ms/step - loss: 0.7\n"
    assert [(row.get("epoch"), row["loss"]) for row in read(text + bar.format(8)).rows] == [
        ("1", "0.5"),
        (None, "0.7"),
        (None, "0.8"),
    ]


def test_a_reader_may_read_whole_blocks(tmp_path: Path) -> None:
    """Once it can; what it leaves is offered to all readers one by one, in its place."""
    dots, tally = Dots(), Tally()
    spool = Spool(tmp_path)
    reader = StreamReader(RowStream(spool, tally), [dots])
    for text in (b"1.9\n2.8\n", b"3.7\nend\n4.6\n0.5\n", b"5.4"):
        reader.feed(text)
    reader.close()
    assert dots.one_by_one == 3  # the first two, and 0.5
    assert list(reader.rows.epoch_ends)[:4] == ["1,,,,,9", "2,,,,,8", "3,,,,,7", "4,,,,,6"]
    assert (tally.counts.observations, tally.counts.other, tally.readers) == (6, 1, {"dots": 6})
    assert list(tally.last_lines) == ["end"]
    assert (tally.best["loss"].text, tally.last["loss"]) == ("4", "4")
    assert tally.restarts == 1
