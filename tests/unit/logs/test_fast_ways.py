"""Fast ways give what the slow ones give (test_parse); here: that they are taken, and in bounds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from test_readers import Read

from sweepmake.logs.readers import keras_layout
from sweepmake.logs.readers.base import Observation
from sweepmake.logs.readers.keras import Bar, KerasEpochs
from sweepmake.logs.readers.keras2 import Keras2
from sweepmake.logs.readers.keras3 import Keras3

BARS = {
    "keras2": ("{}/13 [==>..] - ETA: {}s - loss: 0.5", "{}/13 [====] - 1s {}ms/step - loss: 0.4"),
    "keras3": ("{}/13 ━━━━ {}s 4ms/step - loss: 0.5", "{}/13 ━━━━ 1s {}ms/step - loss: 0.4"),
}


LATE = "val_loss: 0.3000 - lr: 0.1000", "val_loss: 0.3000 - learning_rate: 1.0000e-04"


def epochs(
    reader: str, first: int, last: int, *, seconds: Callable[[int], int], late: str = LATE[0]
) -> str:
    """Epochs of 13 bars each, and a final one."""
    bar, final = BARS[reader]
    text = ""
    for epoch in range(first, last + 1):
        text += f"Epoch {epoch}/999\n"
        text += "".join(
            f"\r{bar.format(step, seconds(epoch * 13 + step))}" for step in range(1, 14)
        )
        text += f"\r{final.format(13, seconds(epoch))} - {late}\n"
    return text


@pytest.mark.parametrize("late", LATE)
@pytest.mark.parametrize("reader", BARS)
def test_bars_that_look_alike_are_read_many_at_once(
    reader: str, late: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only those from which the reader learns how they look are read one by one."""
    asked = 0
    for made in (Keras2, Keras3):
        read = made.read

        def counted(self: object, text: str, read: Callable[..., object] = read) -> object:
            nonlocal asked
            asked += 1
            return read(self, text)

        monkeypatch.setattr(made, "read", counted)
    place, placed = KerasEpochs.place, 0

    def count(self: KerasEpochs, bar: Bar) -> Observation:
        nonlocal placed
        placed += 1
        return place(self, bar)

    monkeypatch.setattr(KerasEpochs, "place", count)
    text = epochs(reader, 1, 200, seconds=lambda at: at % 7, late=late)
    got = Read(text, tmp_path, only=reader)
    assert len(got.rows) == 200 * 13
    assert got.tally.readers == {reader: 200 * 14}
    assert asked < 200
    assert placed < 200, "whole epochs are taken at once, not only the bars within each"
    asked = 0
    assert Read(text, tmp_path, only=reader, bulk=False).rows == got.rows
    assert asked > 200 * 14


@pytest.mark.parametrize("reader", BARS)
def test_what_is_remembered_of_bars_stays_within_bounds(
    reader: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many different steps, times and values a log has, and the rows are the same."""
    tables = [keras_layout._STEPS, keras_layout._FULL, keras_layout._TIMES[reader]]
    for table in tables:
        table.clear()
    text = epochs(reader, 1, 60, seconds=lambda at: at)
    whole = Read(text, tmp_path, only=reader).rows
    monkeypatch.setattr(keras_layout, "_BOUND", 5)
    for table in tables:
        table.clear()
    assert Read(text, tmp_path, only=reader).rows == whole
    assert max(map(len, tables)) <= 6


def test_late_values_that_are_remembered_stay_within_bounds() -> None:
    """They differ in every epoch of a training."""
    late = keras_layout._Late(["val_loss"])
    cells = [late[f" - val_loss: {at / 1e4:.4f}"] for at in range(5_000)]
    assert cells[-1] == "0.4999"
    assert len(late) <= 2_001
