"""The history equals what the ranks recorded about themselves."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from truth import Comparison, compare, load_truth, read_history

from sweepmake.logs.parse import StageLogs, parse_logs

ROOT = Path(__file__).resolve().parents[3]
DATA = ROOT / "tests" / "data" / "logs"
SHARED = Path(os.environ.get("SWEEPMAKE_SHARED_LOGS") or ROOT.parent / "shared" / "logs")

# What no reader can give back: the reason, how many values at least are right, of how many
DAMAGED = {
    "k2-torchrun-np4": ("torchrun's threads share one stdout: a bar of rank 0 is torn", 786, 795),
    "k3-torchrun-np4": ("torchrun lost lines and a header of rank 1, wrote garbage", 903, 945),
    "k2-ompi5-np4-untagged": ("four ranks wrote without tags", 73, 810),
}
# Numbers that the log prints and the truth does not record
PRINTED_ONLY = {
    "fairseq-json": {"update"},
    "imagenet": {"Time", "Time_avg", "Data", "Data_avg"},
    "jsonl": {"global_step"},
    "megatron": {
        "consumed samples",
        "elapsed time per iteration (ms)",
        "global batch size",
        "loss scale",
        "number of skipped iterations",
        "number of nan iterations",
    },
    "mlrunner": {"duration"},
}


def cases(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    return sorted(
        path.parent.name
        for path in folder.glob("*/truth.json")
        if not path.parent.name.startswith("probe")
    )


def parse(case: Path, output: Path) -> tuple[Comparison, dict, dict]:
    truth = load_truth(case)
    found = parse_logs([StageLogs("train", (case / "log.txt",))], output)
    summary = json.loads(found.metrics.read_text(), parse_constant=pytest.fail)
    return compare(read_history(found.history), truth), truth, summary


def check(case: Path, output: Path) -> None:
    found, truth, summary = parse(case, output)
    printed_only = PRINTED_ONLY.get(truth["style"] or "", set())
    invented = [
        place
        for place in found.invented
        if place.split(" ", 6)[-1].rpartition("=")[0] not in printed_only
    ]
    if case.name in DAMAGED:
        _, right, total = DAMAGED[case.name]
        assert found.right >= right
        assert found.right + len(found.wrong) == total
        return
    # the last number of a rank that was killed inside a line is not known whole
    unsure = len(truth["ranks"]) if truth["exit"] else 0
    assert len(found.wrong) <= unsure, found.wrong
    assert invented == []
    assert found.right > 0
    ranks = summary["stages"]["train"]["ranks"]
    assert set(ranks) == set(truth["ranks"])
    for rank, recorded in truth["ranks"].items():
        mine = ranks[rank]
        if truth["framework"].startswith("keras"):
            stopped = recorded.get("stopped_epoch") if recorded.get("early_stopped") else None
            assert mine["early_stop_epoch"] == stopped
            assert mine["total_training_time_s"] == recorded.get("total_time")
        assert mine["died"] == (truth["exit"] != 0)
        assert mine["restarts"] == 0


@pytest.mark.parametrize("case", cases(DATA))
def test_history_equals_truth(case: str, tmp_path: Path) -> None:
    """Every value of a real log stands on its rank, epoch and step, and nothing else does."""
    check(DATA / case, tmp_path)


@pytest.mark.optional_data
@pytest.mark.skipif(not SHARED.is_dir(), reason="the full set of captured logs is not here")
@pytest.mark.parametrize("case", sorted(set(cases(SHARED)) - set(cases(DATA))))
def test_history_equals_truth_of_all_cases(case: str, tmp_path: Path) -> None:
    """The same for the cases that are not part of the repository."""
    check(SHARED / case, tmp_path)
