"""The grammar of lines: prefixes, labels, numbers, phases, templates, and lines as a whole."""

# ruff: noqa: E501  (lines of logs stay as they are)

from __future__ import annotations

import time
from pathlib import Path

import pytest

from sweepmake.logs.readers.base import Observation
from sweepmake.logs.readers.grammar.names import is_result, parse_label
from sweepmake.logs.readers.grammar.numbers import has_decimal_comma, plain
from sweepmake.logs.readers.grammar.phases import has_phase, phase_of, phased
from sweepmake.logs.readers.grammar.prefix import skip_prefix
from sweepmake.logs.readers.pairs import Pairs

FORMATS = Path(__file__).resolve().parents[2] / "data" / "log-formats"


def read(*lines: str) -> list[Observation]:
    """Return what one reader says of lines, nothing for those that it leaves."""
    reader = Pairs()
    seen = [reader.read(line) for line in lines]
    return [one for one in seen if one is not None]


@pytest.mark.parametrize(
    ("line", "own", "phase"),
    [
        ("2027-01-01 10:00:00,100 - INFO: ===> Epoch 3", "Epoch 3", None),
        ("I0101 10:00:00.000100 140000000000001 logging_writer.py:48] [100] loss=1", "[100] loss=1", None),
        ("[2027-02-03 10:00:00,100][valid][INFO] - {}", "{}", "val"),
        ("2026-11-27 10:01:05 | INFO | train | epoch 001", "epoch 001", "train"),
        ("[2027-01-01 10:00:00.100][ INFO](ignite.engine.Trainer) - Epoch: 2/5", "Epoch: 2/5", None),
        ("[2027-01-01 10:00:00 swin] (main.py 179): INFO Train: [0/3]", "Train: [0/3]", None),
        ("[Epoch 3/200] [Batch 10/937]", "[Epoch 3/200] [Batch 10/937]", None),
        ("[0/5][0/40] Loss_D: 1.75", "[0/5][0/40] Loss_D: 1.75", None),
        ("loss:nan", "loss:nan", None),
        ("val_loss:nan", "val_loss:nan", None),
        ("epoch 1: loss=0.5", "epoch 1: loss=0.5", None),
    ],
)  # fmt: skip
def test_a_prefix_ends_where_the_program_speaks(line: str, own: str, phase: str | None) -> None:
    """Times, levels, loggers and files go; places, phases in front of a bracket and names stay."""
    start, found = skip_prefix(line)
    assert (line[start:], found) == (own, phase)


@pytest.mark.parametrize(
    ("text", "role", "name"),
    [
        (" | loss  ", "value", "loss"),
        (" Complete: Avg. Loss: ", "value", "Avg. Loss"),
        (" samples/sec    Train-accuracy=", "value", "Train-accuracy"),
        (" Device=chip:0/1 Epoch=", "epoch", ""),
        ("| end of epoch   ", "epoch", ""),
        ("completed step: ", "step", ""),
        ("rank ", "aside", ""),
        (", best epoch: ", "aside", ""),
        (" improved from ", "", ""),
        (" | number of skipped iterations:   ", "value", "number of skipped iterations"),
        (" | elapsed time per iteration (ms): ", "value", "elapsed time per iteration (ms)"),
        (" Data (t): ", "value", "Data (t)"),
        ("\tD(x): ", "value", "D(x)"),
    ],
)
def test_a_label_says_what_its_number_is(text: str, role: str, name: str) -> None:
    """A value's name, a place, who speaks, or nothing."""
    label = parse_label(text, begins=False, glued=False)
    assert (label.role, label.name) == (role, name)


def test_results_are_known_by_their_last_word() -> None:
    """Names of results, and not those of settings, accounts and files."""
    results = (
        "val_loss",
        "mAP",
        "Acc@1",
        "F1-score",
        "Test error",
        "wer",
        "valid_1's l2",
        "train-rmse",
    )
    others = (
        "Account",
        "transferred",
        "loss_weight",
        "min_score",
        "Return code",
        "mapped",
        "lr",
        "r",
    )
    assert [name for name in results if not is_result(name)] == []
    assert [name for name in others if is_result(name)] == []


@pytest.mark.parametrize(
    ("text", "comma", "expected"),
    [("12,480", False, "12480"), ("1,234,567.5", False, "1234567.5"), ("0,5213", False, None),
     ("0,5213", True, "0.5213"), ("1,25", False, None), ("7", True, "7"), ("1,2,3", True, None)],
)  # fmt: skip
def test_commas(text: str, comma: bool, expected: str | None) -> None:
    """Between thousands they go, decimal ones become points, what may be either is refused."""
    assert plain(text, decimal_comma=comma) == expected


def test_decimal_commas_are_certain_or_not() -> None:
    """A comma behind a zero, or with one, two or four digits behind it, is decimal."""
    assert [has_decimal_comma(one) for one in ("loss 0,5213", "lr 1,25", "tps 12,480", "a 1, 2")] == [
        True, True, False, False,
    ]  # fmt: skip


def test_phases_come_in_front_once() -> None:
    """Training keeps its names, a name that says its phase keeps it, lr is the same in both."""
    assert phase_of("Validation") == "val"
    assert phased("Acc", "val") == "val_Acc"
    assert phased("Acc", "train") == "Acc"
    assert phased("val_loss", "eval") == "val_loss"
    assert phased("lr", "val") == "lr"
    assert not has_phase("tester")


@pytest.mark.parametrize(
    ("line", "epoch", "step", "values"),
    [
        ("TRAIN [0/300][10/1251]\teta 0:12:34 lr 0.1\tloss 6.93 (6.94)", "0", "10", {"lr": "0.1", "loss": "6.93", "loss_avg": "6.94"}),
        ("Train: 0 [  50/1251 (  4%)]  Loss: 6.95 (6.95)  Time: 0.9s, 140.2/s  (1.0s, 138.1/s)  LR: 1.000e-06", "0", "50", {"Loss": "6.95", "Loss_avg": "6.95", "Time": "0.9", "LR": "1.000e-06"}),
        ("[Epoch 3/200] [Batch 10/937] [D loss: 0.69] [G loss: 0.71]", "3", "10", {"D loss": "0.69", "G loss": "0.71"}),
        ("steps: 10 loss: 5.1 iter time (s): 1.2 samples/sec: 25.9", None, "10", {"loss": "5.1", "iter time (s)": "1.2", "samples/sec": "25.9"}),
        ("epoch 1/3 step 2/4: loss=0.99, acc=0.5", "1", "2", {"loss": "0.99", "acc": "0.5"}),
        ("Epoch 2/5: loss 0.99.", "2", None, {"loss": "0.99"}),
        ("Step: 12,000 | loss: 1.25", None, "12000", {"loss": "1.25"}),
        ("Epoch 3: accuracy: 0.91 ± 0.02.", "3", None, {"accuracy": "0.91", "accuracy_std": "0.02"}),
        ("epoch 4 | loss nan | acc 0.5", "4", None, {"loss": "nan", "acc": "0.5"}),
        ("epoch 4: foo=3x, loss=0.5, bar=1.2.3, acc=0.6", "4", None, {"loss": "0.5", "acc": "0.6"}),
        ("Epoch 3 train Loss: 0.6 Acc: 0.7", "3", None, {"train Loss": "0.6", "train Acc": "0.7"}),
        ("epoch 1: train loss 1.0  val loss 0.5 acc 0.9", "1", None, {"train loss": "1.0", "val loss": "0.5", "acc": "0.9"}),
        ("epoch 2, time: 08:00:12, loss: 0.5", "2", None, {"loss": "0.5"}),
        ("epoch 2, elapsed: 0:01:10, loss: 0.5", "2", None, {"elapsed": "70", "loss": "0.5"}),
        ("step 10 | acc 3 | acc 4 | loss 2", None, "10", {"loss": "2"}),
    ],
)  # fmt: skip
def test_places_and_fields(
    line: str, epoch: str | None, step: str | None, values: dict[str, str]
) -> None:
    """Places wherever they stand; one odd field leaves its neighbours alone."""
    (seen,) = read(line)
    assert (seen.epoch, seen.step, dict(seen.values)) == (epoch, step, values)


@pytest.mark.parametrize(
    "line",
    [
        "Epoch 3, global step 1200: 'val_loss' reached 0.12345 (best 0.12345), saving model as top 1",
        "Early stopping at epoch 12 with best loss 0.1234",
        "Accuracy of the network on the 1000 test images: 41 %",
        "TrainOutput(global_step=36, training_loss=4.1289046075609)",
        "Account: 4711",
        "Return code: 0",
        " 1/13 [=>............................] - ETA: 5s - loss: 0.87",
        "Epoch 1:  50%|##   | 1/2 [00:00<00:00,  6.00it/s, loss=2.2",
        "step 10 | loss 1,250",
    ],
)
def test_what_is_not_certain_is_no_value(line: str) -> None:
    """Prose, settings, damaged bars of other readers, commas of either kind."""
    assert read(line) == []


def test_iter_counts_one_way_in_a_log() -> None:
    """Its first line tells whether it is an epoch or a step."""
    first = "Iter 1: loss=2.80", "Iter 2: loss=2.60, test_acc=0.25"
    assert [(one.epoch, one.step) for one in read(*first)] == [(None, "1"), (None, "2")]
    second = "Iter 1: loss=2.80, test_acc=0.2", "Iter 2: loss=2.60"
    assert [(one.epoch, one.step) for one in read(*second)] == [("1", None), ("2", None)]


def test_a_column_keeps_its_first_unit() -> None:
    """`980ms` behind `1s` is 0.98."""
    seen = read("0:\tlearn: 0.5\tremaining: 1s", "1:\tlearn: 0.4\tremaining: 980ms")
    assert [one.values["remaining"] for one in seen] == ["1", "0.98"]


@pytest.mark.parametrize("name", sorted(one.name for one in FORMATS.iterdir()))
def test_blocks_say_the_same_as_lines(name: str) -> None:
    """Lines of a known form are read by their template as they are one by one."""
    lines = [one for one in (FORMATS / name / "log").read_text().splitlines() if one.strip()]
    slow, fast = Pairs(), Pairs()
    for line in lines * 2:
        parts = fast.read_block(line)
        by_template = [one for one in parts or () if isinstance(one, Observation)]
        expected = slow.read(line)
        assert (by_template[0] if by_template else fast.read(line)) == expected


def test_known_forms_are_read_by_template() -> None:
    """From the second line of a form on."""
    reader = Pairs()
    reader.read("[2027-01-01 10:00:00] epoch 1 step 10/40 | loss 1.28 | acc 43.75%")
    parts = list(
        reader.read_block("\n[2027-01-01 10:00:09] epoch 2 step 8/40 | loss -1.5 | acc 50.00%")
        or ()
    )
    assert parts == [Observation({"loss": "-1.5", "acc": "50.00"}, "2", "8", "40")]


@pytest.mark.parametrize(
    "piece", ["1234567890", "a1 ", "loss=", "[1/", "1,", "( ", "a.b:", "- ", "[a "]
)
def test_time_grows_with_the_length(piece: str) -> None:
    """A long line of anything takes about as long as many short ones."""
    line = "epoch 1 " + piece * (4000 // len(piece))
    begin = time.process_time()
    for _ in range(5):
        Pairs().read(line)
    assert time.process_time() - begin < 1
