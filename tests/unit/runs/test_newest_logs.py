"""Which logs are those of one run, and which runs are older than what they are made of."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sweepmake.runs.newest_logs import newest_logs, outdated


def tried(
    folder: Path, *attempts: tuple[str, str], stage: str = "train", suffix: str = ""
) -> list[str]:
    """Write the logs and the records of attempts (fingerprint, state); return the logs' names."""
    records = folder / ".sweepmake"
    records.mkdir(exist_ok=True)
    names = []
    for number, (fingerprint, state) in enumerate(attempts, 1):
        name = f"log.{stage}.20261121.12000{number}{suffix}"
        (folder / name).write_text(f"{number}\n")
        record = {"stage": stage, "fingerprint": fingerprint, "state": state, "log": f"x/{name}"}
        line = json.dumps(record) + "\n"
        if state != "running":
            with (records / "runs.jsonl").open("a") as file:
                file.write(line)
        (records / f"{stage}.json").write_text(line)
        names.append(name)
    return names


def newest(folder: Path, stage: str = "train", suffix: str = "") -> list[str]:
    return [log.name for log in newest_logs(folder, folder / ".sweepmake", stage, suffix)]


@pytest.mark.parametrize(
    ("attempts", "kept"),
    [
        ("A finished", [1]),
        ("A failed, A failed, A finished", [1, 2, 3]),
        ("A interrupted, A lost, A failed", [1, 2, 3]),
        ("A failed, A running", [1, 2]),
        ("A failed, B failed, A finished", [3]),  # another command lies between
        ("A failed, B failed, B finished", [2, 3]),
        ("A finished, A finished", [2]),  # it was repeated
        ("A finished, A failed, A finished", [2, 3]),
        ("A failed, A finished, A running", [3]),
        ("A finished, B running", [2]),
    ],
)
def test_the_attempts_of_the_newest_run_belong_together(
    tmp_path: Path, attempts: str, kept: list[int]
) -> None:
    """Oldest first: those of one command, back to the change of it or to a run that finished."""
    pairs = [(command, state) for command, state in map(str.split, attempts.split(", "))]
    names = tried(tmp_path, *pairs)
    assert newest(tmp_path) == [names[number - 1] for number in kept]


def test_other_stages_do_not_part_the_attempts(tmp_path: Path) -> None:
    """What another stage did between two attempts is no change of the command."""
    first = tried(tmp_path, ("A", "failed"))
    tried(tmp_path, ("B", "finished"), stage="test")
    tried(tmp_path, ("A", "failed"), ("A", "finished"))
    assert newest(tmp_path) == [*first, "log.train.20261121.120001", "log.train.20261121.120002"]
    assert newest(tmp_path, "test") == ["log.test.20261121.120001"]


def test_a_line_that_a_crash_has_cut_is_left_out(tmp_path: Path) -> None:
    """The attempts around it are found all the same."""
    names = tried(tmp_path, ("A", "failed"))
    with (tmp_path / ".sweepmake/runs.jsonl").open("a") as file:
        file.write('{"stage": "train", "finge\n[]\n')
    more = tried(tmp_path, ("A", "failed"), ("A", "finished"))
    assert newest(tmp_path) == [*names, *more]


def test_a_log_that_is_gone_is_left_out(tmp_path: Path) -> None:
    """Somebody has removed the first attempt's."""
    names = tried(tmp_path, ("A", "failed"), ("A", "finished"))
    (tmp_path / names[0]).unlink()
    assert newest(tmp_path) == names[1:]


def test_without_records_the_newest_log_counts(tmp_path: Path) -> None:
    """By its time: of this stage, and of this experiment where several share the folder."""
    for name in ("train.20220518.000000", "train.20220517.235959", "train.20220519.000000.Lr_1",
                 "train.b.20220520.000000", "test.20220521.000000", "train.20220522"):  # fmt: skip
        (tmp_path / f"log.{name}").touch()
    assert newest(tmp_path) == ["log.train.20220518.000000"]
    assert newest(tmp_path, suffix=".Lr_1") == ["log.train.20220519.000000.Lr_1"]
    assert newest(tmp_path, "avg") == []


@pytest.mark.parametrize(
    ("started", "old"),
    [
        ({"train": 1, "avg": 2, "test": 3}, set()),
        ({"train": 2, "avg": 1, "test": 3}, {"avg"}),
        ({"train": 3, "avg": 1, "test": 2}, {"avg", "test"}),
        ({"train": 1, "avg": 3, "test": 2}, {"test"}),
        ({"train": 2, "test": 1}, {"test"}),
        ({"avg": 1, "test": 1}, set()),
        ({"train": None, "test": 1}, set()),
        ({}, set()),
    ],
)
def test_a_stage_older_than_one_before_it_is_outdated(
    tmp_path: Path, started: dict[str, float | None], old: set[str]
) -> None:
    """It is measured by the newest of all stages before it; what has not run says nothing."""
    for stage, moment in started.items():
        (tmp_path / f"{stage}.json").write_text(json.dumps({"started": moment}))
    assert outdated(str(tmp_path), ("train", "avg", "test")) == old
