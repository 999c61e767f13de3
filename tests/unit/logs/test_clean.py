"""The cleaned log can be read by a person."""

from __future__ import annotations

from pathlib import Path

from launcher_models import DATA

from sweepmake.logs.clean import clean_log


def test_cleaned_log_has_one_line_per_event_with_its_rank(tmp_path: Path) -> None:
    """Bars show their last state, mpirun speaks for itself, unfinished lines come last."""
    output = tmp_path / "clean" / "log.train.txt"
    clean_log(DATA / "k27-ompi4-np4-die" / "log.txt", output)
    lines = output.read_text(encoding="utf-8").splitlines()
    assert lines[0].endswith("] Epoch 1/8")
    assert not any("\b" in line or "\r" in line for line in lines)
    epochs = [line for line in lines if line.startswith("[2] Epoch")]
    assert epochs == [f"[2] Epoch {epoch}/8" for epoch in range(1, 7)]
    assert sum(line.startswith("[2] 13/13 [====") for line in lines) == 5
    assert "[mpirun]   Exit code:    1" in lines
    assert any(line.startswith("[1 stderr] RuntimeError: CUDA error") for line in lines)
    assert [line[:4] for line in lines[-4:]] == ["[2] ", "[1] ", "[0] ", "[3] "] or {
        line[:4] for line in lines[-4:]
    } == {"[0] ", "[1] ", "[2] ", "[3] "}
    assert all(line.endswith("…") for line in lines[-4:])


def test_per_rank_files_hold_what_each_rank_said(tmp_path: Path) -> None:
    """`per_rank` writes a file for each rank, the lines as in the cleaned log."""
    case = DATA / "k2-ompi4-np4-v2"
    clean_log(case / "log.txt", tmp_path / "all.txt", per_rank=tmp_path / "ranks")
    assert sorted(file.name for file in (tmp_path / "ranks").iterdir()) == [
        f"rank{rank}.log" for rank in range(4)
    ]
    lines = (tmp_path / "all.txt").read_text(encoding="utf-8").splitlines()
    for rank in range(4):
        own = (tmp_path / "ranks" / f"rank{rank}.log").read_text(encoding="utf-8").splitlines()
        assert own == [
            line.split("] ", 1)[1] for line in lines if line.startswith((f"[{rank}]", f"[{rank} "))
        ]


def test_srun_speaks_under_its_own_name(tmp_path: Path) -> None:
    """The launcher's lines bear the name of the launcher that was recognised."""
    log = tmp_path / "log"
    log.write_bytes(b"0: a\n1: b\n0: c\nsrun: error: vm: task 1: Exited with exit code 17\n1: d\n")
    found = clean_log(log, tmp_path / "out.txt")
    assert "[srun] srun: error: vm: task 1" in (tmp_path / "out.txt").read_text(encoding="utf-8")
    assert [(end.rank, end.code) for end in found.exits] == [(1, 17)]


def test_redraws_are_written_where_asked(tmp_path: Path) -> None:
    """With `redraws` every state of a bar is a line of its own."""
    case = DATA / "k2-ompi4-np2"
    clean_log(case / "log.txt", tmp_path / "last.txt")
    clean_log(case / "log.txt", tmp_path / "all.txt", redraws=True)
    short = (tmp_path / "last.txt").read_text(encoding="utf-8")
    long = (tmp_path / "all.txt").read_text(encoding="utf-8")
    bars = (case / "streams" / "rank0.stdout").read_bytes().count(b"/13 [")
    assert sum(line.startswith("[0]") and "/13 [" in line for line in long.splitlines()) == bars
    assert set(short.splitlines()) <= set(long.splitlines())


def test_what_never_ended_comes_last_in_the_order_of_who_was_heard(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"[1,0]<stdout>:a[1,2]<stdout>:b[1,1]<stdout>:c[1,0]<stdout>:d")
    clean_log(log, tmp_path / "out.txt", launcher="openmpi4")
    lines = (tmp_path / "out.txt").read_text(encoding="utf-8").splitlines()
    assert [line[:5] for line in lines] == ["[2] b", "[1] c", "[0] a"]


def test_only_the_last_lines_say_that_they_never_ended(tmp_path: Path) -> None:
    """Not the redraws before them, which were not to end."""
    log = tmp_path / "log"
    log.write_bytes(b"1/3 a\r2/3 b\nc\r3/3 d")
    clean_log(log, tmp_path / "all.txt", launcher="none", redraws=True)
    lines = (tmp_path / "all.txt").read_text(encoding="utf-8").splitlines()
    assert lines == ["[0] 1/3 a", "[0] 2/3 b", "[0] c", "[0] 3/3 d \N{HORIZONTAL ELLIPSIS}"]
