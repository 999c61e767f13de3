"""Tables under a header."""

# ruff: noqa: E501  (lines of logs stay as they are)

from __future__ import annotations

import pytest

from sweepmake.logs.readers.columns import Columns


@pytest.mark.parametrize(
    ("header", "row", "epoch", "step", "values"),
    [
        ("epoch     train_loss  accuracy  time    ", "0         0.51        0.81      00:12", "0", None,
         {"train_loss": "0.51", "accuracy": "0.81", "time": "12"}),
        ("      Iter       Train Loss   Remaining Time", "         3           1.0625            0.30s", None, "3",
         {"Train Loss": "1.0625", "Remaining Time": "0.30"}),
        ("E    #       LOSS NER  SCORE ", "  1     200      20.00    0.45", "1", "200",
         {"LOSS NER": "20.00", "SCORE": "0.45"}),
        ("| epoch | loss | acc |", "| 4 | 0.5 | - |", "4", None, {"loss": "0.5"}),
        ("epoch,loss,acc", "4,0.5,0.25", "4", None, {"loss": "0.5", "acc": "0.25"}),
    ],
)  # fmt: skip
def test_a_row_is_read_by_its_header(
    header: str, row: str, epoch: str | None, step: str | None, values: dict[str, str]
) -> None:
    """fastai, scikit-learn, spaCy, bars, commas."""
    reader = Columns()
    assert reader.read(row) is None
    reader.heading(header)
    seen = reader.read(row)
    assert (seen.epoch, seen.step, seen.values) == (epoch, step, values)


def test_what_does_not_fit_the_header_is_no_row() -> None:
    """Another number of cells, words in a cell, a count that runs backwards."""
    reader = Columns()
    reader.heading("epoch     loss  acc")
    assert reader.read("5  0.5  0.6") is not None
    assert [reader.read(row) for row in ("6  0.5", "6  0.5  bad", "4  0.5  0.6")] == [None] * 3
