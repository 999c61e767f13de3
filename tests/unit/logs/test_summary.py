"""metrics.json: Training Log Wizard's keys, best and last values, ranks that died."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sweepmake.logs.parse import StageLogs, parse_logs
from sweepmake.logs.summary import column_order, json_number
from sweepmake.logs.tally import Tally
from sweepmake.metric_names import direction

DATA = Path(__file__).resolve().parents[2] / "data" / "logs"


def summary(text: str | bytes, folder: Path) -> dict:
    log = folder / "log"
    log.write_bytes(text.encode() if isinstance(text, str) else text)
    found = parse_logs([StageLogs("train", (log,))], folder / "out")
    return json.loads(found.metrics.read_text(), parse_constant=pytest.fail)


RUN = (
    "Epoch 1/3\n13/13 [==] - 1s 41ms/step - loss: 0.9 - accuracy: 0.5 - val_loss: 0.8 "
    "- val_accuracy: 0.6 - val_dsc: 0.2\n"
    "Epoch 2/3\n13/13 [==] - 1s 43ms/step - loss: 0.7 - accuracy: 0.7 - val_loss: 0.85 "
    "- val_accuracy: 0.65 - val_dsc: 0.3\n"
    "Epoch 00002: early stopping\nTotal time elapsed for training = 2125.779879808426 seconds\n"
)


def test_training_log_wizard_keys(tmp_path: Path) -> None:
    """The flat keys have the wizard's names, meaning and types."""
    found = summary(RUN, tmp_path)
    flat = {key: found[key] for key in list(found)[:8]}
    assert flat == {
        "total_epochs": 3,
        "steps_x_epoch": 13,
        "total_job_ranks": 1,
        "total_training_time": 2125.779879808426,
        "early_stop_iteration": 2,
        "val_loss": 0.85,
        "val_acc": 0.65,
        "val_dsc": 0.3,
    }
    assert found["results"] == {
        "jobrank_0": [
            [0, 1, 13, 13, 0.041, 0.9, 0.5, 0.8, 0.6, 0.2],
            [0, 2, 13, 13, 0.043, 0.7, 0.7, 0.85, 0.65, 0.3],
        ]
    }


@pytest.mark.parametrize("text", [RUN, "", "Epoch 1/2\n1/1 - 1s - loss: nan - val_loss: nan\n"])
def test_the_wizards_aggregate_can_read_it(text: str, tmp_path: Path) -> None:
    """What the original aggregate script does with the JSON works: int(), float() and a ratio."""
    found = summary(text, tmp_path)
    found.pop("results")
    for key in ("total_epochs", "steps_x_epoch", "total_job_ranks", "early_stop_iteration"):
        int(found[key])
    for key in ("total_training_time", "val_loss", "val_acc", "val_dsc"):
        float(found[key])
    assert isinstance(found["val_dsc"] / found["val_loss"], float)


def test_best_and_last(tmp_path: Path) -> None:
    """Losses have their least, accuracies their greatest value; epochs count by their last row."""
    metrics = summary(RUN, tmp_path)["stages"]["train"]["metrics"]
    assert (metrics["val_loss"]["best"], metrics["val_loss"]["best_epoch"]) == (0.8, 1)
    assert (metrics["val_accuracy"]["best"], metrics["val_accuracy"]["best_epoch"]) == (0.65, 2)
    assert metrics["val_loss"]["last"] == 0.85
    assert metrics["val_loss"]["rule"] == "min"


def test_spread_over_ranks(tmp_path: Path) -> None:
    """Mean and standard deviation are those of the ranks' last values."""
    lines = "".join(f"[1,{rank}]<stdout>:Epoch 1/1\n" for rank in range(2)) * 1
    lines += "".join(
        f"[1,{rank}]<stdout>:2/2 - 1s - loss: {value}\n" for rank, value in ((0, 0.25), (1, 0.75))
    )
    found = summary(lines, tmp_path)
    loss = found["stages"]["train"]["metrics"]["loss"]
    assert (loss["mean"], loss["std"], loss["ranks"], loss["best_rank"]) == (0.5, 0.25, 2, 0)
    assert found["stages"]["train"]["launcher"].startswith("openmpi4")
    assert found["total_job_ranks"] == 2
    assert list(found["stages"]["train"]["ranks"]) == ["0", "1"]


def test_not_finite_numbers_are_strings(tmp_path: Path) -> None:
    """The JSON is strict: nan and inf are strings that float() takes."""
    text = "Epoch 1/1\n2/2 - 1s - loss: nan - a: inf - b: -inf\n"
    last = summary(text, tmp_path)["stages"]["train"]["ranks"]["0"]["last"]
    assert last == {"loss": "nan", "a": "inf", "b": "-inf"}
    assert json_number("1e999") == "inf"


def test_a_rank_that_died_says_what_it_said_last(tmp_path: Path) -> None:
    """The rank of a real crash is marked, with its last words."""
    log = DATA / "k27-ompi4-np4-die" / "log.txt"
    found = parse_logs([StageLogs("train", (log,))], tmp_path)
    ranks = json.loads(found.metrics.read_text())["stages"]["train"]["ranks"]
    assert ranks["1"]["died"]
    assert any("CUDA error" in line for line in ranks["1"]["last_lines"])
    assert ranks["1"]["last_epoch"] == 3
    account = ranks["1"]["account"]
    assert account["bytes"] > 3_000
    assert account["unparsed"] == ranks["1"]["segments_unparsed"]


def test_restarts_are_counted(tmp_path: Path) -> None:
    """A program started again in the same log is read on, and said."""
    found = summary(RUN + RUN, tmp_path)
    rank = found["stages"]["train"]["ranks"]["0"]
    assert rank["restarts"] == 1
    assert rank["rows"] == 4


def test_long_logs_have_short_results(tmp_path: Path) -> None:
    """Beyond the limit only the latest epochs' last rows stand in `results`."""
    text = "".join(
        f"Epoch {epoch}/2200\n"
        + "".join(f"\r{step}/10 [=>] - ETA: 1s - loss: 0.5000" for step in range(1, 10))
        + f"\r10/10 [==] - 1s 41ms/step - loss: 0.5000 - val_loss: 0.{epoch:04d}\n"
        for epoch in range(1, 2201)
    )
    found = summary(text, tmp_path)
    assert found["results_rows"] == "epoch ends"
    rows = found["results"]["jobrank_0"]
    assert rows[-1][:5] == [0, 2200, 10, 10, 0.041]
    assert [row[1] for row in rows] == list(range(2200 - len(rows) + 1, 2201))
    assert len(rows) == 100
    assert found["val_loss"] == 0.22


@pytest.mark.parametrize(
    ("name", "rule"),
    [("val_loss", "min"), ("ppl", "min"), ("wer", "min"), ("best_loss", "min"), ("Acc@1", "max"),
     ("dsc", "max"), ("val_f1", "max"), ("eval_bleu", "max"), ("lr", None), ("gnorm", None)],
)  # fmt: skip
def test_direction(name: str, rule: str | None) -> None:
    """The rule for the best value comes from the metric's name."""
    assert direction(name) == rule


def test_column_order() -> None:
    """Rows of `results` have loss and accuracy first, validation last: the wizard's order."""
    columns = ["accuracy", "dsc", "loss", "val_accuracy", "val_dsc", "val_loss", "lr"]
    order = [columns[at] for at in column_order(columns)]
    assert order == ["loss", "accuracy", "dsc", "lr", "val_loss", "val_accuracy", "val_dsc"]


@pytest.mark.parametrize("columns", ["", " - val_loss: 0.5000"])
def test_time_per_step_is_the_mean_over_epochs(columns: str, tmp_path: Path) -> None:
    """Each epoch counts once, also where many epochs took equally long."""
    times = [40] * 150 + [100] * 50
    text = "".join(
        f"Epoch {epoch}/200\n1/2 [>.] - ETA: 1s - loss: 0.5000\r"
        f"2/2 [==] - 1s {time}ms/step - loss: 0.5000{columns}\n"
        for epoch, time in enumerate(times, 1)
    )
    rank = summary(text, tmp_path)["stages"]["train"]["ranks"]["0"]
    assert rank["time_per_step_s"] == 0.055


def test_the_order_of_ranks_is_not_that_in_which_they_spoke(tmp_path: Path) -> None:
    """The lowest rank's values and metrics come first; the names of readers are sorted."""
    lines = [
        (2, "Epoch 1/7"), (2, "9/9 - 1s - acc: 0.5 - val_loss: 0.9"),
        (0, "Total time elapsed for training = 5.5 seconds"), (0, "Epoch 1/5"),
        (0, "4/4 - 1s - loss: 0.25 - val_loss: 0.3 - acc: 0.5"), (1, '{"epoch": 1, "loss": 0.75}'),
        (2, "Epoch 00002: early stopping"),
    ]  # fmt: skip
    text = "".join(f"[1,{rank}]<stdout>:{line}\n" for rank, line in lines)
    found = summary(text, tmp_path)
    train = found["stages"]["train"]
    assert list(train["ranks"]) == ["0", "1", "2"]
    assert list(train["metrics"]) == ["loss", "val_loss", "acc"]
    assert (train["metrics"]["loss"]["last"], train["metrics"]["loss"]["best_rank"]) == (0.25, 0)
    assert (train["metrics"]["val_loss"]["last"], train["metrics"]["acc"]["last"]) == (0.3, 0.5)
    assert list(train["readers"]) == ["json_lines", "keras_lines"]
    assert (found["total_epochs"], found["steps_x_epoch"], found["val_loss"]) == (5, 4, 0.3)
    assert (found["total_training_time"], found["early_stop_iteration"]) == (5.5, 2)
    assert list(found["results"]) == ["jobrank_0", "jobrank_1", "jobrank_2"]


def test_of_readers_that_read_as_much_the_first_of_the_alphabet_is_named(tmp_path: Path) -> None:
    text = "Epoch 1/1\n2/2 - 1s - loss: 0.5\n" + '{"epoch": 2, "loss": 0.75}\n'
    train = summary(text, tmp_path)["stages"]["train"]
    assert train["readers"] == {"json_lines": 1, "keras_lines": 1}
    assert train["reader"] == "json_lines"


def test_each_metric_with_a_better_and_a_worse_has_its_best() -> None:
    """Also those that a line names behind one that has none."""
    tally = Tally()
    tally.row("1", "9", "9", "", {"lr": "0.1", "loss": "0.5", "acc": "0.8"})
    tally.row("2", "9", "9", "", {"lr": "0.2", "loss": "0.6", "acc": "0.9"})
    tally.close()
    best = {name: (best.value, best.epoch) for name, best in tally.best.items()}
    assert best == {"loss": (0.5, "1"), "acc": (0.9, "2")}
