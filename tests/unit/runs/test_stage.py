"""The stage runner, started as the workflow starts it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
import yaml
from stage_runner import Runner

SECONDS = 30


def wait_for(path: Path) -> None:
    """Wait until a command under test has made a file."""
    end = time.monotonic() + SECONDS
    while not path.exists():
        assert time.monotonic() < end, f"{path} never came"
        time.sleep(0.01)


def wait_for_text(process: subprocess.Popen[str], text: str) -> None:
    """Read what a runner says until it says a text."""
    assert process.stderr is not None
    for line in process.stderr:
        if text in line:
            return
    pytest.fail(f"never said: {text}")


def test_a_run_that_was_told_of_no_slots_does_nothing(runner: Runner) -> None:
    """It does not run without a GPU in silence; told of none (""), it takes what is visible."""
    arguments = runner.arguments("echo $CUDA_VISIBLE_DEVICES > seen")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SWEEPMAKE_")}
    environment["CUDA_VISIBLE_DEVICES"] = "6,7"
    done = subprocess.run(
        arguments, cwd=runner.folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr == (
        "error: train of E was not started, because no workflow has said which GPU slots there "
        "are (SWEEPMAKE_SLOTS is not set)\n"
    )
    assert list(runner.folder.iterdir()) == []
    environment["SWEEPMAKE_SLOTS"] = ""
    subprocess.run(arguments, cwd=runner.folder, env=environment, capture_output=True, check=True)
    assert (runner.folder / "seen").read_text() == "6,7\n"


def test_a_run_leaves_param_stat_log_record_and_marker(runner: Runner) -> None:
    """The files of a finished run, with mlrunner's names and keys."""
    code, said = runner.run(
        "echo out; echo err >&2; echo $CUDA_VISIBLE_DEVICES", time="20261121.120000"
    )
    assert code == 0
    assert said == "START   gpu: 0, train: 1/1, output/E\n"
    assert runner.path("log.train.20261121.120000").read_text() == "out\nerr\n0\n"
    assert yaml.safe_load(runner.path("stat").read_text()) == {"train": "finished"}
    assert yaml.safe_load(runner.path("param").read_text()) == {
        "_name": "E",
        "_output": "output/E",
        "_time": "20261121.120000",
        "lr": 0.1,
        "_scripts": {
            "train": "CUDA_VISIBLE_DEVICES=0 echo out; echo err >&2; echo $CUDA_VISIBLE_DEVICES"
            " > output/E/log.train.20261121.120000 2>&1"
        },
    }
    record = runner.record()
    assert record["state"] == "finished"
    assert record["exit_code"] == 0
    assert record["attempt"] == 1
    assert record["slot"] == "0"
    assert record["directory"] == str(runner.folder)
    assert record["host"] == os.uname().nodename
    assert runner.path(".sweepmake/train.done").read_text().strip() == record["id"]
    assert not list(runner.path("").rglob("*.tmp"))


def test_the_record_says_what_a_run_took_and_where(runner: Runner) -> None:
    """Times in seconds, memory in megabytes, slots, the node's name, the commit."""
    runner.environment["SLURMD_NODENAME"] = "node7"
    program = "import time; x = bytearray(100 << 20); sum(range(10**6)); time.sleep(0.1)"
    code, _ = runner.run(f"python3 -c '{program}'", gpu=2, commit="abc-dirty")  # type: ignore[arg-type]
    assert code == 0
    record = runner.record()
    started, ended, wall = (float(str(record[k])) for k in ("started", "ended", "wall_time_s"))
    assert wall == pytest.approx(ended - started, abs=0.002)
    assert wall >= 0.1
    assert 0 < float(str(record["cpu_time_s"])) < wall + 1
    assert 100 < float(str(record["max_memory_mb"])) < 400
    assert (record["gpu"], record["slot"]) == (2, "0,1")
    assert (record["host"], record["commit"]) == ("node7", "abc-dirty")


def test_the_nearest_stage_before_it_is_what_a_run_builds_on(runner: Runner) -> None:
    """Of those that have run; the first of the markers is the nearest."""
    for stage in ("train", "avg"):
        assert runner.run("echo", stage=stage)[0] == 0
    markers = [f"output/E/.sweepmake/{stage}.done" for stage in ("swa", "avg", "train")]
    assert runner.run("echo test", stage="test", after="\n".join(markers))[0] == 0
    assert runner.record("test")["after"] == runner.record("avg")["id"]


def test_a_marker_that_is_put_back_is_as_old_as_the_run(runner: Runner) -> None:
    """Else Snakemake would run again what comes after it."""
    assert runner.run("echo 1")[0] == 0
    done = runner.path(".sweepmake/train.done")
    done.unlink()
    assert "SKIP" in runner.run("echo 1")[1]
    assert done.stat().st_mtime == pytest.approx(float(str(runner.record()["ended"])), abs=0.001)


def test_a_failure_says_stage_folder_code_and_last_lines(runner: Runner) -> None:
    """What the user sees of a failed run, and that it leaves no marker."""
    code, said = runner.run(r"seq 1 30; printf 'bar 1\rbar 2\n'; echo CUDA out of memory; exit 3")
    assert code == 3
    assert "FAIL    exit code 3, train: 1/1, output/E\n" in said
    assert str(runner.logs()[0].relative_to(runner.folder)) in said
    assert said.endswith("| bar 2\n        | CUDA out of memory\n")
    assert "| 23\n" in said
    assert "| 22\n" not in said
    assert yaml.safe_load(runner.path("stat").read_text()) == {"train": "failed"}
    assert runner.record()["state"] == "failed"
    assert not runner.path(".sweepmake/train.done").exists()


def test_a_killed_command_names_its_signal(runner: Runner) -> None:
    """Exit codes above 128 are signals."""
    code, said = runner.run("kill -9 $$")
    assert code == 137
    assert "exit code 137 (signal 9)" in said


def test_the_time_is_filled_in_and_no_part_of_the_fingerprint(runner: Runner) -> None:
    """{_time} is cut out of the command; the same command later is the same run."""
    code, _ = runner.run("echo tb/", " and ", "", time="20261121.120000")
    assert code == 0
    assert runner.logs()[0].read_text() == "tb/20261121.120000 and 20261121.120000\n"
    code, said = runner.run("echo tb/", " and ", "", time="20261121.130000")
    assert code == 0
    assert said == "SKIP    finished already, train: 1/1, output/E\n"
    assert len(runner.logs()) == 1


def test_a_changed_command_runs_again_and_keeps_the_old_log(runner: Runner) -> None:
    """One log per attempt, never overwritten, even within one second."""
    for number in range(4):
        assert runner.run(f"echo {number}", time="20261121.235959")[0] == 0
    logs = runner.logs()
    assert [log.read_text() for log in logs] == ["0\n", "1\n", "2\n", "3\n"]
    assert all(re.fullmatch(r"log\.train\.\d{8}\.\d{6}", log.name) for log in logs)
    assert runner.record()["attempt"] == 4
    history = runner.path(".sweepmake/runs.jsonl").read_text().splitlines()
    assert len(history) == 4


def test_logs_of_one_second_are_named_a_second_apart(runner: Runner) -> None:
    """In the order of the attempts, whichever minute or hour that reaches."""
    for time_of_day in ["095958"] * 3:
        assert runner.run("false", time=f"99990101.{time_of_day}")[0] == 1
    names = [log.name for log in runner.logs()]
    assert names == [f"log.train.99990101.{clock}" for clock in ("095958", "095959", "100000")]


def test_of_a_long_line_the_end_is_shown(runner: Runner) -> None:
    """A progress bar of megabytes hides neither its last state nor the line after it."""
    program = "print('x' * 9000 + chr(13) + 'y' * 5000); print('the end'); raise SystemExit(1)"
    code, said = runner.run(f'python3 -c "{program}"')
    assert code == 1
    assert said.endswith(f"        | {'y' * 5000}\n        | the end\n")


def test_a_rerun_of_the_stage_before_makes_a_run_stale(runner: Runner) -> None:
    """The record names the run it builds on; where that was repeated, it runs again."""
    marker = "output/E/.sweepmake/train.done"
    assert runner.run("echo 1")[0] == 0
    assert runner.run("echo test", stage="test", after=marker)[0] == 0
    assert "SKIP" in runner.run("echo test", stage="test", after=marker)[1]
    assert runner.run("echo 2")[0] == 0
    assert "START" in runner.run("echo test", stage="test", after=marker)[1]


def test_a_run_that_begins_takes_the_markers_of_later_stages_away(runner: Runner) -> None:
    """Were it to fail, Snakemake would otherwise find the last stage's marker and do nothing."""
    later = "output/E/.sweepmake/avg.done\noutput/E/.sweepmake/test.done"
    assert runner.run("echo 1", later=later)[0] == 0
    assert runner.run("echo test", stage="test")[0] == 0
    assert "SKIP" in runner.run("echo 1", later=later)[1]
    assert runner.path(".sweepmake/test.done").exists()
    assert runner.run("false", later=later)[0] == 1
    assert not runner.path(".sweepmake/test.done").exists()


@pytest.mark.parametrize("forced", ["*", "train", "avg\noutput/E/.sweepmake/train.done"])
def test_what_is_forced_runs_again(runner: Runner, forced: str) -> None:
    """--forceall, a stage and a marker each force the run."""
    assert runner.run("echo 1")[0] == 0
    assert "SKIP" in runner.run("echo 1", force="avg")[1]
    assert "START" in runner.run("echo 1", force=forced)[1]


def test_a_stage_without_gpu_sees_none(runner: Runner) -> None:
    """gpu: 0 gets an empty CUDA_VISIBLE_DEVICES and waits for no slot."""
    runner.environment["CUDA_VISIBLE_DEVICES"] = "5"
    code, said = runner.run('echo "[$CUDA_VISIBLE_DEVICES]"', gpu=0)  # type: ignore[arg-type]
    assert code == 0
    assert said.startswith("START   cpu, train")
    assert runner.logs()[0].read_text() == "[]\n"


def test_the_schedulers_assignment_stands(runner: Runner) -> None:
    """Without slots (inside a batch job) CUDA_VISIBLE_DEVICES stays what it was."""
    runner.slots = ""
    runner.environment["CUDA_VISIBLE_DEVICES"] = "5,7"
    assert runner.run("echo $CUDA_VISIBLE_DEVICES", gpu=2)[0] == 0  # type: ignore[arg-type]
    assert runner.logs()[0].read_text() == "5,7\n"
    assert runner.record()["slot"] == "5,7"


def test_the_command_sees_nothing_of_the_runner(runner: Runner) -> None:
    """No SWEEPMAKE_ variable, no open terminal, default signals, and the user's thread numbers."""
    code, _ = runner.run("env; readlink /proc/self/fd/0", omp_num_threads="7")
    assert code == 0
    log = runner.logs()[0].read_text()
    assert "SWEEPMAKE_" not in log
    assert "OMP_NUM_THREADS=7\n" in log
    assert log.endswith("/dev/null\n")


def test_a_run_that_finished_while_nobody_watched_counts(runner: Runner) -> None:
    """The runner is killed -9, its command goes on and ends well: it is not repeated."""
    go = runner.folder / "go"
    os.mkfifo(go)
    first = runner.start("touch started; read < go; echo done")
    wait_for(runner.folder / "started")
    first.kill()
    first.wait()
    second = runner.start("touch started; read < go; echo done")
    wait_for_text(second, "WAIT    an earlier run is still alive (process ")
    go.write_text("\n")
    assert second.wait(SECONDS) == 0
    assert [log.read_text() for log in runner.logs()] == ["done\n"]
    record = runner.record()
    assert record["state"] == "finished"
    assert record["exit_code"] == 0
    took = float(str(record["ended"])) - float(str(record["started"]))
    assert record["wall_time_s"] == pytest.approx(took, abs=0.002)
    assert took > 0
    assert runner.path(".sweepmake/train.done").read_text().strip() == record["id"]
    assert yaml.safe_load(runner.path("stat").read_text()) == {"train": "finished"}


def test_who_holds_a_run_is_told(runner: Runner) -> None:
    """The process group of its command, since when; a lock of the last version says no more."""
    go = runner.folder / "go"
    os.mkfifo(go)
    first = runner.start("touch started; read < go; echo done")
    wait_for(runner.folder / "started")
    shell = subprocess.run(["pgrep", "-P", str(first.pid)], capture_output=True, text=True).stdout
    second = runner.start("touch started; read < go; echo done")
    assert second.stderr is not None
    assert re.fullmatch(
        rf"WAIT    an earlier run is still alive \(process {shell.strip()}, since \d\d:\d\d\), "
        r"train: 1/1, output/E\n",
        second.stderr.readline(),
    )
    go.write_text("\n")
    assert first.wait(SECONDS) == second.wait(SECONDS) == 0
    held = ["flock", str(runner.path(".sweepmake/train.lock")), "sh", "-c", "echo; read x"]
    with subprocess.Popen(held, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as old:
        assert old.stdout is not None
        assert old.stdout.readline() == "\n"
        third = runner.start("touch started; read < go; echo done")
        wait_for_text(third, "WAIT    an earlier run is still alive (another process), train")
        old.communicate("\n")
    assert third.wait(SECONDS) == 0


def test_what_a_kill_kept_from_being_written_is_written_later(runner: Runner) -> None:
    """A kill between two of the files of an end: the list of runs and stat are made good, once."""
    assert runner.run("echo 1")[0] == 0
    history, stat = runner.path(".sweepmake/runs.jsonl"), runner.path("stat")
    line = history.read_text()
    history.unlink()
    stat.write_text("train: running\n")
    for _ in range(2):
        assert "SKIP" in runner.run("echo 1")[1]
        assert history.read_text() == line
        assert stat.read_text() == "train: finished\n"
    record = runner.path(".sweepmake/train.json")
    record.write_text(record.read_text().replace('"finished"', '"running"'))
    assert "SKIP" in runner.run("echo 1")[1]
    assert history.read_text() == line


def test_temporary_files_that_a_kill_has_left_are_used_up(runner: Runner) -> None:
    """Each has one name, so that they cannot pile up, and the next run of the stage takes it."""
    runner.path(".sweepmake").mkdir(parents=True)
    for name in ("param.train", "stat.train", ".sweepmake/train.json", ".sweepmake/train.done"):
        runner.path(f"{name}.tmp").write_text("half a fi")
    assert runner.run("echo 1")[0] == 0
    assert not list(runner.path("").rglob("*.tmp"))


def test_a_run_whose_command_died_with_it_runs_again(runner: Runner) -> None:
    """Runner and command are killed -9: the attempt is recorded as lost, and a new one starts."""
    first = runner.start("touch started; sleep 60")
    wait_for(runner.folder / "started")
    found = subprocess.run(["pgrep", "-P", str(first.pid)], capture_output=True, text=True)
    group = int(found.stdout.split()[0])
    first.kill()
    os.killpg(group, signal.SIGKILL)
    first.wait()
    code, said = runner.run("echo again")
    assert code == 0
    assert "START" in said
    states = runner.path(".sweepmake/runs.jsonl").read_text().splitlines()
    assert '"state": "lost"' in states[0]
    assert '"state": "finished"' in states[1]
    assert runner.record()["attempt"] == 2


def test_an_orphan_keeps_its_gpu(runner: Runner) -> None:
    """A command that outlives its killed runner keeps the slot; the next run gets another."""
    go = runner.folder / "go"
    os.mkfifo(go)
    first = runner.start("touch started; read < go", stage="train")
    wait_for(runner.folder / "started")
    first.kill()
    first.wait()
    assert runner.run("echo $CUDA_VISIBLE_DEVICES", stage="other")[0] == 0
    assert runner.logs("other")[0].read_text() == "1\n"
    runner.slots = "0"
    waiting = runner.start("echo $CUDA_VISIBLE_DEVICES", stage="third")
    wait_for_text(waiting, "WAIT    its GPUs are in use")
    go.write_text("\n")
    assert waiting.wait(SECONDS) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_reaches_the_command_which_may_clean_up(runner: Runner, number: int) -> None:
    """The command gets the signal once and the time to save; the run counts as interrupted."""
    program = (
        "import signal, sys, time, pathlib\n"
        "def stop(number, frame):\n"
        "    time.sleep(0.3); print('saved', flush=True); sys.exit(5)\n"
        f"signal.signal({number:d}, stop)\n"
        "pathlib.Path('started').touch(); time.sleep(60)\n"
    )
    (runner.folder / "program.py").write_text(program)
    process = runner.start("python3 program.py")
    wait_for(runner.folder / "started")
    process.send_signal(number)
    _, said = process.communicate(timeout=SECONDS)
    assert process.returncode == 5
    assert "FAIL    interrupted, exit code 5" in said
    assert runner.logs()[0].read_text() == "saved\n"
    assert runner.record()["state"] == "interrupted"
    assert "START" in runner.run("echo again")[1]


def test_a_signal_may_reach_the_command_first(runner: Runner) -> None:
    """A scheduler that ends all processes of a job interrupts the run, in whatever order."""
    process = runner.start("kill -TERM $$")
    wait_for(runner.path(".sweepmake/train.exit"))
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=SECONDS)
    assert process.returncode == 143
    assert runner.record()["state"] == "interrupted"


def test_a_command_that_ends_itself_has_failed(runner: Runner) -> None:
    """The same exit code, and nobody asked for it."""
    assert runner.run("kill -TERM $$")[0] == 143
    assert runner.record()["state"] == "failed"


def test_a_second_signal_kills(runner: Runner) -> None:
    """Ctrl-C twice ends a command that ignores the first."""
    process = runner.start("trap '' INT TERM; touch started; while :; do sleep 0.1; done")
    wait_for(runner.folder / "started")
    process.send_signal(signal.SIGINT)
    time.sleep(1.1)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=SECONDS)
    assert process.returncode == 137


@pytest.mark.parametrize("stage", ["train", "other"])
def test_ctrl_c_ends_a_run_that_waits(runner: Runner, stage: str) -> None:
    """Waiting for an earlier copy or for a GPU, a run ends at once and starts nothing."""
    runner.slots = "0"
    first = runner.start("touch started; sleep 60")
    wait_for(runner.folder / "started")
    second = runner.start("touch never", stage=stage)
    wait_for_text(second, "WAIT")
    second.send_signal(signal.SIGINT)
    assert second.wait(SECONDS / 3) == -signal.SIGINT
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=SECONDS)
    assert not (runner.folder / "never").exists()


def test_two_copies_of_a_run_never_work_at_once(runner: Runner) -> None:
    """Of eight runners started together, one runs the command, and seven find it finished."""
    processes = [runner.start("echo $$; sleep 0.2") for _ in range(8)]
    said = [process.communicate(timeout=SECONDS)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * 8
    assert sum("START" in text for text in said) == 1
    assert sum("SKIP" in text for text in said) == 7
    assert len(runner.logs()) == 1


def test_debug_shows_the_output_live_and_in_the_log(runner: Runner) -> None:
    """In debug the command's output is on the terminal as well as in the log."""
    code, said = runner.run("echo hello; exit 4", debug="1")
    assert code == 4
    assert "hello\n" in said.split("FAIL")[0]
    assert runner.logs()[0].read_text() == "hello\n"


def test_an_old_param_of_mlrunner_keeps_its_other_scripts(runner: Runner) -> None:
    """`_scripts` of stages that did not run now stay, as mlrunner keeps them."""
    runner.path("").mkdir(parents=True)
    old = {"_name": "E", "_scripts": {"avg": "CUDA_VISIBLE_DEVICES=0 a: 'b'\n# x", "train": "old"}}
    runner.path("param").write_text(yaml.dump(old, width=40))
    runner.path("stat").write_text(yaml.dump({"avg": "finished", "train": "failed"}))
    assert runner.run("echo new")[0] == 0
    param = yaml.safe_load(runner.path("param").read_text())
    assert param["_scripts"]["avg"] == old["_scripts"]["avg"]  # type: ignore[index]
    assert param["_scripts"]["train"].startswith("CUDA_VISIBLE_DEVICES=0 echo new > ")
    assert yaml.safe_load(runner.path("stat").read_text()) == {
        "avg": "finished",
        "train": "finished",
    }


def test_records_hold_any_text(runner: Runner) -> None:
    """Quotes, newlines, unicode, control characters and bytes that are no UTF-8 come back."""
    text = "printf '%s' 'a\"b\\c\n\té \u2028 \U0001f600 \x7f \udcff'"
    assert runner.run(text)[0] == 0
    assert runner.record()["command"] == text
    scripts = yaml.safe_load(runner.path("param").read_text())["_scripts"]
    assert "é \u2028 \U0001f600 \x7f" in scripts["train"]


def test_what_a_failed_run_wrote_last_is_shown_as_marks(runner: Runner) -> None:
    """Escapes, BEL, NUL and marks of direction; the runner's log has the same text."""
    odd = r"printf 'end \033[2J\033]0;title\a\000 \342\200\256txt.exe\nnext \r2/2 done\f\n'; exit 3"
    code, said = runner.run(odd)
    assert code == 3
    assert r"        | end \x1b[2J\x1b]0;title\x07\x00 \u202etxt.exe" + "\n" in said
    assert r"        | 2/2 done\x0c" + "\n" in said
    assert said == "".join(
        runner.path(".sweepmake/train.log").read_text().splitlines(True)[-len(said.splitlines()) :]
    )
    assert not [char for char in said if not char.isprintable() and char != "\n"]
