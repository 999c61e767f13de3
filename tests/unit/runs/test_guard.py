"""What a run is held to beside its exit code, by the stage runner as the workflow starts it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from stage_runner import Runner

from sweepmake.runs import memory
from sweepmake.runs.guard import Guard
from sweepmake.runs.log_search import LONGEST, LogSearch


def held_to(runner: Runner, **told: object) -> Runner:
    """Return the runner, which tells its runs this."""
    runner.options = [f"--guard={json.dumps(told)}"]
    return runner


@pytest.mark.parametrize(
    ("told", "command", "reason"),
    [
        ({"files": ["output/E/m.pt"]}, "true", "there is no output/E/m.pt"),
        ({"files": ["output/E/m.pt"]}, ": > output/E/m.pt", "output/E/m.pt is empty"),
        ({"files": ["output/E/m*.pt"]}, ": > output/E/m1.pt", "output/E/m*.pt is empty"),
        ({"files": ["output/E/[[]x].pt"]}, "echo > output/E/x.pt", "there is no output/E/[x].pt"),
        ({"files": ["output/E/d"]}, "mkdir output/E/d", "output/E/d is empty"),
        ({"pattern": "^all done$"}, "echo all done, almost", "no line of its log matches"),
        ({"metric": {"names": ["loss"], "patterns": [], "options": {}}},
         "echo 'Iter 1: loss=0.5'; echo 'Iter 2: loss=nan'", "its metric 'loss' is nan"),
        ({"metric": {"names": ["bleu"], "patterns": [["bleu", "train", "BLEU = (.*)", "last"]],
                     "options": {}}}, "echo BLEU = inf", "its metric 'bleu' is inf"),
        ({"metric": {"names": ["bleu"], "patterns": [], "options": {}}}, "echo hello",
         "there is no metric 'bleu' in its log"),
    ],
)  # fmt: skip
def test_exit_code_0_without_success_is_a_failure(
    runner: Runner, told: dict[str, Any], command: str, reason: str
) -> None:
    """The reason stands in the record and on the FAIL line; the stage's marker is not made."""
    code, said = held_to(runner, **told).run(command)
    assert code == 1
    record = runner.record()
    assert (record["state"], record["exit_code"]) == ("failed", 0)
    assert record["kind"] == "not successful"
    assert reason in str(record["reason"])
    assert f"FAIL    exit code 0, {record['reason']}, train: 1/1, output/E\n" in said
    assert yaml.safe_load(runner.path("stat").read_text()) == {"train": "failed"}
    assert not runner.path(".sweepmake/train.done").exists()


def test_a_run_that_did_its_work_has_finished(runner: Runner) -> None:
    """Files, a pattern in colour at the end of the log, finite metrics."""
    metric = {
        "names": ["loss", "bleu"],
        "patterns": [["bleu", "train", r"BLEU = (\S+)", "last"]],
        "options": {},
    }
    held_to(runner, files=["output/E/m?.pt", "output/E"], pattern="^done$", metric=metric)
    command = (
        "echo 'Iter 1: loss=0.5'; echo BLEU = 31; : > output/E/m1.pt; echo 1 > output/E/m2.pt; "
        r"printf '50%%\rdone\033[0m'"
    )
    code, said = runner.run(command)
    assert (code, said) == (0, "START   gpu: 0, train: 1/1, output/E\n")
    assert runner.record()["state"] == "finished"


def test_success_that_is_asked_for_later_repeats_nothing(runner: Runner) -> None:
    """What has finished stays finished, and so it does with pipefail."""
    assert runner.run("false | echo 1")[0] == 0
    held_to(runner, files=["output/E/m.pt"]).options.append("--pipefail=0")
    assert "SKIP" in runner.run("false | echo 1")[1]


def test_a_run_that_ended_while_nobody_watched_is_held_to_its_success(runner: Runner) -> None:
    """The runner was killed, the command lived on and wrote its 0: the next one looks."""
    assert runner.run("echo 1")[0] == 0
    record = runner.record() | {"state": "running", "ended": None, "exit_code": None}
    runner.path(".sweepmake/train.json").write_text(json.dumps(record))
    runner.path(".sweepmake/runs.jsonl").unlink()
    held_to(runner, files=["output/E/m.pt"])
    assert "START" in runner.run("echo 1")[1]
    lines = runner.path(".sweepmake/runs.jsonl").read_text().splitlines()
    assert [json.loads(line)["state"] for line in lines] == ["failed", "failed"]


def test_with_pipefail_a_failure_inside_a_pipe_counts(runner: Runner) -> None:
    """Without, bash reports how the last command ended; the command itself is the same one."""
    assert runner.run("exit 3 | cat")[0] == 0
    runner.options = ["--pipefail=0"]
    code, said = runner.run("exit 3 | cat", stage="avg")
    assert code == 3
    assert "FAIL    exit code 3" in said
    assert runner.record("avg")["command"] == "exit 3 | cat"


def test_pipefail_goes_into_a_container(runner: Runner) -> None:
    """Where the shell is that has the pipe."""
    runner.options = ["--pipefail=14"]
    assert runner.run("/bin/bash -c 'exit 3 | cat'")[0] == 3


def test_fail_on_ends_a_run_early(runner: Runner) -> None:
    """Also behind carriage returns; the line is the reason."""
    held_to(runner, fail_on=[r"loss[=: ]+nan"])
    code, said = runner.run(r"printf 'loss=1\rloss=nan\rloss=2'; exec sleep 60")
    record = runner.record()
    assert code == 143
    assert record["kind"] == "stopped by a pattern"
    assert record["reason"] == "its log says: loss=nan"
    assert float(str(record["wall_time_s"])) < 20
    assert "FAIL    exit code 143 (signal 15), its log says: loss=nan, train" in said


def test_fail_on_counts_in_the_last_words_too(runner: Runner) -> None:
    """A run that is over before anyone looks has failed all the same."""
    code, _ = held_to(runner, fail_on=["nan"]).run("printf 'loss nan'")
    assert (code, runner.record()["exit_code"], runner.record()["state"]) == (1, 0, "failed")


def test_a_log_is_searched_once_and_line_by_line(tmp_path: Path) -> None:
    """No line is looked at before it has ended, none twice, and of an overlong one the start."""
    log = tmp_path / "log"
    log.write_bytes(b"loss=na")
    search = LogSearch(str(log), ["nan$", "^b+$"])
    assert search.look() == ""
    with log.open("ab") as file:
        file.write(b"no\n" + b"x" * LONGEST + b"nan")
    assert search.look() == ""
    with log.open("ab") as file:
        file.write(b"nan\nloss=\x1b[31mnan\x1b[0m\r")
    assert search.look() == "loss=nan"
    with log.open("ab") as file:
        file.write(b"more\nbb")
    assert search.look() == ""
    assert search.look(ended=True) == "bb"


def test_a_run_is_held_to_its_runtime(runner: Runner) -> None:
    """It gets SIGTERM, and its kind of failure is a timeout."""
    code, _ = held_to(runner, runtime=0.01).run("exec sleep 60")
    record = runner.record()
    assert (code, record["kind"]) == (143, "timeout")
    assert record["reason"] == "it has run for longer than its runtime, 0.01 min"


def test_a_run_is_held_to_its_memory(runner: Runner) -> None:
    """That of all its processes together, also of ranks in groups of their own."""
    program = "x = bytearray(60 << 20); import time; time.sleep(60)"
    held_to(runner, mem_mb=90)
    code, _ = runner.run(f"setsid python3 -c '{program}' & exec python3 -c '{program}'")
    record = runner.record()
    assert (code, record["kind"]) == (143, "out of memory")
    assert "it took more memory than its mem_mb, 90 MB: 1" in str(record["reason"])


def test_shared_memory_counts_once(runner: Runner) -> None:
    """As that of a loader's workers, which is forked."""
    program = (
        "import os, time; x = b'1' * (60 << 20); "
        "[os.fork() or (time.sleep(3), os._exit(0)) for _ in range(3)]; time.sleep(3)"
    )
    code, _ = held_to(runner, mem_mb=120).run(f'python3 -c "{program}"')
    assert code == 0


def fake_cgroups(tmp_path: Path, controllers: str) -> Path:
    """Return a folder that looks as cgroups v2 do to a process in /user/run.scope."""
    (tmp_path / "user" / "run.scope").mkdir(parents=True)
    (tmp_path / "user" / "cgroup.subtree_control").write_text(controllers)
    return tmp_path


def test_a_cgroup_is_made_beside_this_process(tmp_path: Path) -> None:
    """With the limit, all of it ended together, and what the kernel says of it is read."""
    root = fake_cgroups(tmp_path, "cpu memory pids")
    group = memory.make_cgroup("sweepmake-1", 100, str(root), "1:name=x:/y\n0::/user/run.scope\n")
    assert group is not None
    path = root / "user" / "sweepmake-1"
    assert group.path == str(path)
    assert (path / "memory.max").read_text() == str(100 << 20)
    assert (path / "memory.oom.group").read_text() == "1"
    assert not group.is_used
    (path / "cgroup.procs").write_text("12\n")
    assert group.is_used
    (path / "memory.events").write_text("low 0\noom 1\noom_kill 0\n")
    assert not group.has_killed
    (path / "memory.events").write_text("low 0\noom 1\noom_kill 3\n")
    assert group.has_killed


@pytest.mark.parametrize("own", ["0::/\n", "4:memory:/a\n", "0::/user/run.scope\n"])
def test_where_no_cgroup_can_be_made_there_is_none(tmp_path: Path, own: str) -> None:
    """In the root of a container, with cgroups v1, without the memory controller."""
    root = fake_cgroups(tmp_path, "cpu pids")
    assert memory.make_cgroup("sweepmake-1", 100, str(root), own) is None
    assert [path.name for path in (root / "user").iterdir() if path.is_dir()] == ["run.scope"]


def test_what_the_kernel_ends_ran_out_of_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run in a cgroup is not looked at; what the kernel says at the end counts."""
    path = tmp_path / "group"
    path.mkdir()
    monkeypatch.setattr(
        "sweepmake.runs.guard.make_cgroup", lambda _name, _limit: memory.Cgroup(str(path))
    )
    log = tmp_path / "log"
    log.touch()
    guard = Guard({"mem_mb": 1}, str(log), "x", lambda _guard: None)
    (path / "cgroup.procs").write_text("1\n")
    assert guard.look(1) == ""
    (path / "memory.events").write_text("oom_kill 1\n")
    guard.ended()
    assert guard.kind == "out of memory"


def test_a_silent_run_is_reported_once_and_again_when_it_speaks(runner: Runner) -> None:
    """One line each; the record tells since when, as long as it lasts."""
    held_to(runner, silence={"minutes": 0.01, "end": False})
    record = "output/E/.sweepmake/train.json"
    command = (
        f"echo 1; until grep -q 'silent_since\":' {record}; do sleep 0.1; done; echo 2; "
        f"while grep -q 'silent_since\":' {record}; do sleep 0.1; done"
    )
    code, said = runner.run(command)
    assert code == 0
    assert said.count("SILENT  nothing written since ") == 1
    assert said.count("SPEAKS  writes again, train: 1/1, output/E\n") == 1
    assert "silent_since" not in runner.record()


def test_a_silent_run_is_ended_where_that_is_asked_for(runner: Runner) -> None:
    """As a failed one; it hung."""
    held_to(runner, silence={"minutes": 0.01, "end": True})
    code, _ = runner.run("echo 1; exec sleep 60")
    record = runner.record()
    assert (code, record["state"], record["kind"]) == (143, "failed", "hung")
    assert record["reason"] == "it has written nothing for 0.01 min"
