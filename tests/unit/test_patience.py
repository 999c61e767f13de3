"""A regular expression of the user's that never ends has a time limit per log, and one line."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from sweepmake.errors import InputError
from sweepmake.logs.options import LogOptions, read_with
from sweepmake.logs.parse import StageLogs, parse_logs
from sweepmake.params.metrics import MetricPattern
from sweepmake.patience import Patience, TooSlowError

NEVER = r"(\w+ ?)*:"  # on a line of forty words without a colon
LINE = "word " * 40 + "x=1 !\n"
LOG = "epoch=1 loss=0.5\n" + LINE + "epoch=2 loss=0.25\nscore 7\n"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log.train.20260101.000000"
    path.write_text(LOG)
    return path


def parsed(log: Path, folder: Path, *metrics: MetricPattern, **options: object) -> dict:
    """Return metrics.json."""
    made = parse_logs(
        [StageLogs("train", (log,))],
        folder,
        options=LogOptions(pattern_time_s=1, **options),  # type: ignore[arg-type]
        metrics=metrics,
    )
    content: dict = json.loads(made.metrics.read_text())
    return content


def test_a_metric_that_never_ends_has_no_value_and_the_others_have(
    log: Path, tmp_path: Path
) -> None:
    """The rest of the log is read; the note names pattern, log and limit."""
    begun = time.process_time()
    found = parsed(
        log,
        tmp_path / "out",
        MetricPattern("never", "", NEVER),
        MetricPattern("score", "train", r"score (\d)"),
    )
    assert time.process_time() - begun < 10
    never, score = found["measured"]["never"], found["measured"]["score"]
    assert (never["value"], never["matches"], never["rank"]) == (None, 0, None)
    assert never["note"] == f"'{NEVER}' took longer than 1 s (pattern_time_s) on '{log.name}'"
    assert score["value"] == 7
    assert found["stages"]["train"]["metrics"]["loss"]["last"] == 0.25
    assert signal.getsignal(signal.SIGVTALRM) is signal.SIG_DFL
    assert signal.getitimer(signal.ITIMER_VIRTUAL) == (0.0, 0.0)


def test_a_metric_has_its_time_for_each_log(log: Path, tmp_path: Path) -> None:
    """What took too long on an earlier attempt's log is searched for in the newest."""
    newest = tmp_path / "log.train.20260102.000000"
    newest.write_text("ok: 1\n")
    made = parse_logs(
        [StageLogs("train", (log, newest))],
        tmp_path / "out",
        options=LogOptions(pattern_time_s=1),
        metrics=[MetricPattern("m", "", rf"{NEVER} (\d)")],
    )
    assert made.user_metrics["m"]["matches"] == 1  # type: ignore[index, call-overload]


@pytest.mark.parametrize(
    "options",
    [
        {"pattern": (r"loss=(?P<loss>\S+)", r"(\w+ ?)*:(?P<x>.)")},
        {"launcher": r"(?:\w+ ?)*:(?P<rank>\d)"},
    ],
)
def test_a_format_that_never_ends_is_told_in_one_line(
    log: Path, tmp_path: Path, options: dict
) -> None:
    """A history with a part of the log would be a wrong one: there is none."""
    with pytest.raises(InputError) as caught:
        parsed(log, tmp_path / "out", **options)
    guilty = options["pattern"][1] if "pattern" in options else options["launcher"]
    assert str(caught.value).startswith(
        f"{log}: the log pattern '{guilty}' took longer than 1 s (nested repeats"
    )
    assert not (tmp_path / "out" / "history.csv.gz").exists()
    assert not list((tmp_path / "out").glob(".*")), "nothing half-made stays behind"


def test_a_longer_log_has_more_time() -> None:
    """A second for each megabyte: an expression that is only slow is not stopped."""
    patience = Patience(0.05)
    patience.grant(10_000_000)
    begun = time.process_time()
    with patience:
        while time.process_time() - begun < 0.2:
            pass
    with pytest.raises(TooSlowError), Patience(0.05):
        re.search(NEVER, LINE)


def test_the_time_is_shared_by_all_that_is_searched_in_one_log() -> None:
    """Ten short searches are as long as one."""
    patience = Patience(0.2)

    def search(times: int) -> None:
        for _ in range(times):
            begun = time.process_time()
            with patience:
                while time.process_time() - begun < 0.06:
                    pass

    search(2)
    with pytest.raises(TooSlowError):
        search(10)


def test_in_a_thread_nothing_is_ended() -> None:
    """Signals are handled in the main thread only; a notebook may read logs in another."""
    went: list[bool] = []

    def search() -> None:
        with Patience(0.0):
            went.append(True)

    thread = threading.Thread(target=search)
    thread.start()
    thread.join()
    assert went == [True]


def test_another_limit_reads_logs_again() -> None:
    """And the usual one does not: what was read before there was a limit stays."""
    usual = read_with(LogOptions(), [])
    assert "pattern_time_s" not in usual
    assert read_with(LogOptions(pattern_time_s=600), []) != usual


def test_the_program_ends_with_one_line(log: Path, tmp_path: Path) -> None:
    """`python -m sweepmake.logs`, and its limit."""
    done = subprocess.run(
        [sys.executable, "-m", "sweepmake.logs", str(log), "--output", str(tmp_path / "out"),
         "--pattern", rf"{NEVER}(?P<x>\d)", "--pattern-time", "1"],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {log}: the log pattern '{NEVER}(?P<x>\\d)' took longer")
    assert done.stderr.count("\n") == 1
