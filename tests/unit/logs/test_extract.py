"""The user's own metrics: numbers that regular expressions read out of the ranks' streams."""

from __future__ import annotations

import json
import random
import re
import tracemalloc
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweepmake.errors import InputError
from sweepmake.logs.demux.streams import StreamId
from sweepmake.logs.extract import LONGEST, Found, MetricSearch, _literal
from sweepmake.logs.options import metrics_from_json
from sweepmake.logs.parse import StageLogs, parse_logs
from sweepmake.params.metrics import MetricPattern, metrics_to_json

DATA = Path(__file__).resolve().parents[2] / "data" / "logs"
BLEU = MetricPattern("bleu", "test", r"BLEU4? = ([\d.]+)")


def measured(tmp_path: Path, stages: dict[str, list[str | Path]], *metrics: MetricPattern) -> Any:
    """What metrics.json says of metrics; texts are written to logs first."""
    logs = []
    for stage, attempts in stages.items():
        files = []
        for number, attempt in enumerate(attempts):
            path = attempt if isinstance(attempt, Path) else tmp_path / f"log.{stage}.{number}"
            if isinstance(attempt, str):
                path.write_bytes(attempt.encode())
            files.append(path)
        logs.append(StageLogs(stage, tuple(files)))
    parsed = parse_logs(logs, tmp_path / "results", metrics=metrics)
    content = json.loads(parsed.metrics.read_text())
    assert list(content).index("measured") < list(content).index("stages")
    assert content["measured"] == parsed.user_metrics
    return content["measured"]


def value(tmp_path: Path, text: str, pattern: str, take: str = "last") -> Any:
    """The value of a metric in a log."""
    metric = MetricPattern("m", "test", pattern, take)  # type: ignore[arg-type]
    return measured(tmp_path, {"test": [text]}, metric)["m"]["value"]


def test_the_issues_example(tmp_path: Path) -> None:
    """fairseq's last line, and what is said of where the number came from."""
    text = "epoch 1\nGenerate test with beam=5: BLEU4 = 34.21, 68.5/42.9/28.8 (BP=0.97)\n"
    assert measured(tmp_path, {"train": [text], "test": [text]}, BLEU) == {
        "bleu": {"value": 34.21, "stage": "test", "matches": 1, "rank": 0, "note": ""}
    }


@pytest.mark.parametrize(
    ("take", "expected"),
    [("last", 0.5), ("first", 3), ("max", 3), ("min", -1.5), ("mean", 0.6666666666666666)],
)
def test_take(tmp_path: Path, take: str, expected: float) -> None:
    """Which of several matches counts; two on one line are two. A whole number stays one."""
    assert value(tmp_path, "x=3\nno\nx=-1.5 x=0.5\n", r"x=(\S+)", take) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1e-4", 0.0001), ("93.1%", 93.1), ("93.1 %", 93.1), ("12,345.5", 12345.5), ("27.3.", 27.3),
        ("7,", 7), ("nan", "nan"), ("-inf", "-inf"), ("+5", 5.0), ("abc", None), ("1_000", None),
        ("1,2", None), ("0x1F", None), ("", None),
    ],
)  # fmt: skip
def test_numbers(tmp_path: Path, text: str, expected: object) -> None:
    """What a number may look like; what is none gives no value, never 0."""
    assert value(tmp_path, f"x: {text}\n", r"x: (.*)") == expected


def test_which_group(tmp_path: Path) -> None:
    """The group `value`, else the first that took part, else all that matches."""
    text = "step 7 acc 0.5\nstep 8 score 0.6\n"
    assert value(tmp_path, text, r"step (\d+) acc (?P<value>\S+)") == 0.5
    assert value(tmp_path, text, r"acc (\S+)|score (\S+)") == 0.6
    assert value(tmp_path, text, r"(?<=acc )\S+") == 0.5


def test_nan_among_numbers(tmp_path: Path) -> None:
    """nan is neither the largest nor the smallest, but the last and the mean where it is."""
    text = "x=nan\nx=2\nx=1\nx=nan\n"
    takes = ("max", "min", "last", "first", "mean")
    assert [value(tmp_path, text, r"x=(\w+)", take) for take in takes] == [2, 1, *["nan"] * 3]
    assert value(tmp_path, "x=nan\n", r"x=(\w+)", "max") == "nan"


def test_what_is_no_number_is_noted(tmp_path: Path) -> None:
    """By name, with what was found."""
    metrics = [MetricPattern(name, "", rf"{name}=(\S+)") for name in ("a", "b", "c")]
    found = measured(tmp_path, {"t": ["a=abc\nb=1\nb=oops\n"]}, *metrics)
    assert found["a"]["value"] is None
    assert found["a"]["note"] == "not a number: 'abc'"
    assert (found["b"]["value"], found["b"]["matches"]) == (1, 2)
    assert found["b"]["note"] == "1 of 2 matches not a number: 'oops'"
    assert found["c"] == {
        "value": None,
        "stage": "",
        "matches": 0,
        "rank": None,
        "note": "no match",
    }


def test_a_stage_without_a_log(tmp_path: Path) -> None:
    """It is told from a log without a match."""
    found = measured(tmp_path, {"train": ["BLEU = 3\n"]}, BLEU)["bleu"]
    assert (found["value"], found["stage"], found["note"]) == (None, "test", "no log")


def test_notes_name_the_metric(tmp_path: Path) -> None:
    """What the log of the rule shows."""
    log = tmp_path / "log"
    log.write_text("nothing\n")
    metrics = (BLEU, MetricPattern("acc", "", "acc (.)"))
    parsed = parse_logs([StageLogs("test", (log,))], tmp_path, metrics=metrics)
    assert parsed.notes == ["metric 'bleu': no match in stage 'test'", "metric 'acc': no match"]


def test_without_a_stage_the_last_one_counts(tmp_path: Path) -> None:
    """Of all stages that have a match."""
    metric = MetricPattern("acc", "", r"acc (\S+)")
    stages: dict[str, list[str | Path]] = {"a": ["acc 1\n"], "b": ["acc 2\n"], "c": ["done\n"]}
    found = measured(tmp_path, stages, metric)["acc"]
    assert (found["value"], found["stage"]) == (2, "b")


def test_the_newest_attempt_with_a_match_counts(tmp_path: Path) -> None:
    metric = MetricPattern("acc", "t", r"acc (\S+)")
    assert measured(tmp_path, {"t": ["acc 1\nacc 2\n", "acc 3\n"]}, metric)["acc"]["value"] == 3
    found = measured(tmp_path, {"t": ["acc 1\nacc 2\n", "died\n"]}, metric)["acc"]
    assert (found["value"], found["matches"]) == (2, 2)


def test_lines_end_where_a_redraw_begins(tmp_path: Path) -> None:
    """`^` and `$` are the ends of what stood on the screen; colour codes are gone."""
    text = (
        "1/2 acc: 0.1\r2/2 acc: 0.2\b\b\b\b\x1b[32macc: 0.3\x1b[0m  \nend acc: 0.4 of 1\nacc: 0.5"
    )
    assert value(tmp_path, text, r"^acc: (\S+)$", "first") == 0.3
    assert value(tmp_path, text, r"acc: (\S+)$", "min") == 0.1
    assert value(tmp_path, text, r"^acc: (\S+)$") == 0.5
    assert value(tmp_path, "acc:\n0.5\n", r"acc:\s+(\S+)") is None


@pytest.mark.parametrize("text", ["ac\x00c 1", "ac\x1b[1mc 1\x1b[0m", "\x1b[Kacc 1", "acc\x00 1"])
@pytest.mark.parametrize("pattern", [r"acc (\d)", r"(?:acc) (\d)"])
def test_what_a_terminal_does_not_show_hides_nothing(
    tmp_path: Path, text: str, pattern: str
) -> None:
    """Codes and NUL bytes, each by itself; whether a text can be looked for first or not."""
    assert value(tmp_path, f"{text}\n", pattern) == 1


def test_ranks_are_searched_apart(tmp_path: Path) -> None:
    """Tags inside a line do not hide a number; the lowest rank with a match counts."""
    text = (
        "[1,0]<stdout>:start\n[1,1]<stdout>:dice sc[1,2]<stdout>:dice score 0.3\n"
        "[1,1]<stdout>:ore 0.25\n[1,2]<stdout>:bye\n"
    )
    found = measured(tmp_path, {"t": [text]}, MetricPattern("m", "t", r"^dice score (\S+)$"))["m"]
    assert (found["value"], found["rank"], found["matches"]) == (0.25, 1, 1)


@pytest.mark.parametrize("name", ["k27-ompi4-np4-ts", "k2-mpich4-np4-pattern", "k3-ompi4-np4-v2"])
def test_a_real_log_gives_what_the_readers_give(tmp_path: Path, name: str) -> None:
    """The last val_loss of rank 0, found by an expression and by a reader."""
    log = DATA / name / "log.txt"
    metric = MetricPattern("m", "", r"val_loss: ([-\d.e]+)")
    found = measured(tmp_path, {"t": [log]}, metric)["m"]
    content = json.loads((tmp_path / "results/metrics.json").read_text())
    assert found["value"] == content["stages"]["t"]["ranks"]["0"]["last"]["val_loss"]
    assert found["rank"] == 0


def test_nothing_asked_for_changes_nothing(tmp_path: Path) -> None:
    """metrics.json of a sweep without `metric` is as it was."""
    log = DATA / "k27-ompi4-np1" / "log.txt"
    parsed = parse_logs([StageLogs("t", (log,))], tmp_path)
    assert "measured" not in json.loads(parsed.metrics.read_text())


def test_without_metrics_there_is_nothing_to_note(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("epoch=1 loss=0.5\n")
    parsed = parse_logs([StageLogs("t", (log,))], tmp_path)
    assert (parsed.user_metrics, parsed.notes) == ({}, [])


def test_a_bad_pattern_is_an_error_of_input(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"metric 'm': 'x\(' is not a regular expression"):
        value(tmp_path, "x\n", "x(")


def test_metrics_as_an_argument() -> None:
    """What the plan writes, the script reads."""
    metrics = (BLEU, MetricPattern("a b", "", r"\"'{x} ü(.)", "mean"))
    assert metrics_from_json(metrics_to_json(metrics)) == metrics
    assert metrics_from_json("") == ()


PATTERNS = [
    "ab (.)",
    "ab?(\\d)",
    "^ab(.)",
    "a|b(\\d)",
    "(a)b",
    "\\ba (\\d)",
    "a{2}",
    "é(\\d)",
    "(?i)A(\\d)",
    "b*1",
]


@given(
    st.text("ab 1é\n\r\b\x1b", max_size=60),
    st.lists(st.integers(0, 80), max_size=6),
    st.sampled_from(PATTERNS),
)
def test_the_cuts_of_blocks_do_not_matter(text: str, cuts: list[int], pattern: str) -> None:
    """Any cuts give what a plain search of every line gives."""
    data = text.encode()
    places = sorted({0, *(cut for cut in cuts if cut < len(data)), len(data)})
    search = MetricSearch([MetricPattern("m", "", pattern)])
    for begin, end in pairwise(places):
        search.feed(StreamId(0, "output"), data[begin:end])
    search.close()
    found = search.found.get("m", Found(0))
    clean = re.sub(r"\x1b[ab]?", lambda code: "" if code[0] == "\x1b" else code[0][1:], text)
    lines = [line.rstrip() for line in re.split(r"[\r\n\b]+", clean)]
    assert found.matches == sum(len(list(re.finditer(pattern, line))) for line in lines)


@given(st.sampled_from(PATTERNS), st.text("ab 1éA", max_size=12))
def test_every_match_has_the_literal(pattern: str, text: str) -> None:
    """What is looked for first stands in every text that the expression matches."""
    if re.search(pattern, text):
        assert _literal(pattern) in text


@pytest.mark.parametrize(
    ("pattern", "literal"),
    [(r"BLEU4? = (.)", "BLEU"), (r"^val_loss: (.)", "val_loss: "), (r"\bacc=(.)", "acc="),
     ("a|b", ""), ("(?i)acc", ""), (r"a+b", ""), (r"\d", ""), ("ab{0}", "a")],
)  # fmt: skip
def test_literals(pattern: str, literal: str) -> None:
    assert _literal(pattern) == literal


def test_a_large_log_is_searched_in_little_memory() -> None:
    """What is kept is the last line's begin, also of a line of many megabytes."""
    search = MetricSearch([MetricPattern("m", "", r"loss=([\d.]+)", "max")])
    chance = random.Random(1)
    lines = b"".join(b"step=%d loss=%.4f\n" % (i, chance.random()) for i in range(5_000))
    tracemalloc.start()
    try:
        for _ in range(8):
            search.feed(StreamId(0, "output"), lines)
        for _ in range(200):
            search.feed(StreamId(0, "output"), b"." * 100_000)
        search.feed(StreamId(0, "output"), b"loss=9\nloss=1.5\n")
        search.close()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert search.found["m"].matches == 8 * 5_000 + 1
    assert search.found["m"].value("max") == 1.5
    assert peak < 20 * len(lines)


def test_the_begin_of_a_long_line_is_searched() -> None:
    """Its first 65,536 characters, whether its end comes in the same block or later."""
    for cut in (10, LONGEST + 10, 5 * LONGEST):
        text = b"a=1 " + b"." * 6 * LONGEST + b" a=2\na=3\n"
        search = MetricSearch([MetricPattern("m", "", r"a=(\d)")])
        search.feed(StreamId(0, "output"), text[:cut])
        search.feed(StreamId(0, "output"), text[cut:])
        search.close()
        assert (search.found["m"].matches, search.found["m"].value("min")) == (2, 1)
