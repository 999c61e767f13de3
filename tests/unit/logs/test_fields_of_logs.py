"""The small parts of formats: durations, fields of Keras's bars, times of tqdm, patterns."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from truth import read_history

from sweepmake.logs.parse import LogOptions, StageLogs, parse_logs
from sweepmake.logs.readers.base import Observation, seconds, unit_seconds
from sweepmake.logs.readers.keras import KerasEpochs, fields
from sweepmake.logs.readers.keras3 import Keras3
from sweepmake.logs.readers.regex import compile_patterns
from sweepmake.logs.readers.tqdm import Tqdm


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2h", "7200"), ("3m", "180"), ("1.5m", "90"), ("9s", "9"), ("2.50s", "2.50"),
        ("182ms", "0.182"), ("35us", "3.5e-05"), ("35µs", "3.5e-05"), ("7ns", "7e-09"),
        ("9", None), ("s", None), ("1h 2m", None),
    ],
)  # fmt: skip
def test_units_of_time(text: str, expected: str | None) -> None:
    """Each becomes seconds; seconds stay the text that they are."""
    assert unit_seconds(text) == expected
    assert seconds(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 day, 0:00:08", "86408"), ("2 days,1:00:00", "176400"), ("3-01:00:00", "262800"),
        ("1:02:03", "3723"), ("01:02", "62"), ("00:12.5", "12.5"), ("1:00:00.25", "3600.25"),
        ("?", None), ("1:2:3:4", None),
    ],
)  # fmt: skip
def test_clocks(text: str, expected: str | None) -> None:
    """Days as Python and as Slurm write them, hours where there are any."""
    assert seconds(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ETA: 1:02 - loss: 0.8549 - dsc: 0.1451",
         ("62", None, False, {"loss": "0.8549", "dsc": "0.1451"})),
        ("1s 41ms/step - loss: 0.8", (None, "0.041", True, {"loss": "0.8"})),
        ("0s 812us/sample - loss: 0.8", (None, "0.000812", True, {"loss": "0.8"})),
        ("2s - loss: 0.8 - 2s/epoch - 182ms/step", (None, "0.182", True, {"loss": "0.8"})),
        ("1s - loss: 0.8-----------", (None, None, True, {"loss": "0.8"})),
        ("ETA: 2s - loss: 0.8Epoch 1/9", ("2", None, False, {"loss": "0.8"})),
        ("1s - loss: 0.8 done", None),
        ("1s and more - loss: 0.8", None),
        ("1s - loss: 0.8 - hello", None),
        ("ETA: soon - loss: 0.8", None),
    ],
)  # fmt: skip
def test_what_follows_a_bar_of_keras(text: str, expected: object) -> None:
    """Times, and names with numbers; a word that is neither makes it another line."""
    assert fields(text) == expected


@pytest.mark.parametrize("rest", ["ETA: 3s - loss: 0.5", "5ms/step - loss: 0.5", "loss: 0.5 bad"])
def test_a_bar_of_keras_3_has_its_times_before_its_metrics(rest: str) -> None:
    """A second one means that two lines were torn and joined."""
    read = Keras3(KerasEpochs()).read
    bar = " 7/13 \N{BOX DRAWINGS HEAVY HORIZONTAL} 1s 5ms/step - "
    assert read(bar + rest) is None
    seen = read(bar + "loss: 0.5")
    assert isinstance(seen, Observation)
    assert (seen.step, seen.eta_s, seen.time_per_step_s) == ("7", "1", "0.005")


@pytest.mark.parametrize(
    ("rate", "expected"),
    [("1.20s/it", "1.20"), ("2.50s/epoch", "2.50"), ("78.02it/s", "0.0128172"), ("4it/s", "0.25"),
     ("0.00it/s", None), ("?it/s", None)],
)  # fmt: skip
def test_the_rate_of_a_bar_of_tqdm_is_a_time_per_step(rate: str, expected: str | None) -> None:
    """Both ways in which it is printed; what is not known, or still, gives none."""
    reader = Tqdm()
    reader.read(f" 10%|#   | 0/40 [00:00<00:00, {rate}, loss=1.5]")
    (seen,) = reader.finish()
    assert (seen.time_per_step_s, seen.values) == (expected, {"loss": "1.5"})


def test_every_pattern_of_the_user_s_is_tried(tmp_path: Path) -> None:
    """In their order; with `reader: regex` nothing else reads the log."""
    patterns = (r"it=(?P<step>\d+) L=(?P<loss>\S+)", r"it=(?P<step>\d+) A=(?P<acc>\S+)")
    assert [one.pattern for one in compile_patterns(patterns)] == list(patterns)
    log = tmp_path / "log"
    log.write_text("it=1 L=0.5\nit=2 A=0.75\nepoch 3 loss: 0.1\n")
    for reader, count in (("regex", 2), (None, 3)):
        options = LogOptions(pattern=patterns, reader=reader)
        rows = read_history(parse_logs([StageLogs("t", (log,))], tmp_path, options=options).history)
        assert len(rows) == count
        assert [(row["step"], row["loss"], row["acc"]) for row in rows[:2]] == [
            ("1", "0.5", ""), ("2", "", "0.75")
        ]  # fmt: skip
        told = json.loads((tmp_path / "metrics.json").read_text())["read_with"]
        assert (told["pattern"], told["reader"]) == (list(patterns), reader)
