"""Why experiments failed: kinds of failure, and the line that tells most."""

from __future__ import annotations

import gzip
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stage_runner import Runner

from sweepmake.results.failures import KINDS, Failure, describe_failure
from sweepmake.results.last_words import TAIL, read_last_words
from sweepmake.results.outcomes import Outcome, StageOutcome, read_outcome
from sweepmake.results.study import Study
from sweepmake.runs.experiment import Experiment

DATA = Path(__file__).parents[1].parent / "data"
CASE = Experiment("e", {}, "output/e", "output/e/.sweepmake", ("train", "test"))
LAST = "epoch=3 loss=0.3333 acc=0.8333"


def described(
    log: str | Path, code: int | None = 1, status: str = "failed", summary: Any = None
) -> Failure:
    """What is said of an experiment whose second stage has failed."""
    first = StageOutcome("train", "finished", exit_code=0, log="nowhere")
    second = StageOutcome("test", status, exit_code=code, log=str(log))
    found = describe_failure(Outcome(CASE, status, (first, second), summary or {}))
    assert found is not None
    assert (found.stage, found.exit_code) == ("test", code)
    assert found.kind in KINDS
    return found


def told(tmp_path: Path, text: str, code: int | None = 1, status: str = "failed") -> Failure:
    log = tmp_path / "log"
    log.write_text(text)
    return described(log, code, status)


REAL = [
    ("mpi-raise", 1, "Python exception", "ValueError: batch size 7 does not divide 100", 1),
    ("mpi-raise-tagged", 1, "Python exception", "ValueError: batch size 7 does not divide 100", 1),
    ("mpi-chain-tagged", 1, "disk full", "OSError: [Errno 28] No space left on device", 1),
    ("mpi-full-tagged", 1, "disk full", "OSError: [Errno 28] No space left on device", 1),
    ("mpi-exit-tagged", 17, "failed", LAST, 1),
    ("mpi-kill", 137, "killed", LAST, 1),
    ("mpi-kill-tagged", 137, "killed", LAST, 1),
    ("mpi-segv", 139, "segmentation fault", LAST, 1),
    ("mpi-segv-tagged", 139, "segmentation fault", LAST, 1),
    ("mpi-mpiabort", 3, "MPI abort", "epoch=1 loss=0.5epoch=1 loss=0.5epoch=1 loss=0.5", 1),
    ("mpi-mpiabort-tagged", 3, "MPI abort", "epoch=1 loss=0.5", 1),
    ("mpi-nocmd", 134, "command not found", "Executable: nosuchprog", None),
    ("mpi-root", 1, "failed", "mpirun has detected an attempt to run as root.", None),
    ("one-badalloc", 134, "out of memory", "what():  std::bad_alloc", None),
    ("one-fault", 139, "segmentation fault", "Fatal Python error: Segmentation fault", None),
    ("one-file", 1, "file not found", "FileNotFoundError: [Errno 2] No such file or", None),
    ("one-full", 1, "disk full", "OSError: [Errno 28] No space left on device", None),
    ("one-kill", 137, "killed", "python prog.py kill", None),
    ("one-mem", 1, "out of memory", "MemoryError", None),
    ("one-nofile", 2, "file not found", "python: can't open file", None),
    ("one-nox", 126, "permission", "./nox.sh: Permission denied", None),
    ("one-raise", 1, "Python exception", "ValueError: batch size 7 does not divide 100", None),
    ("one-timeout", 124, "timeout", "epoch=1", None),
    ("one-typo", 127, "command not found", "pyhton: command not found", None),
]


@pytest.mark.parametrize(("name", "code", "kind", "line", "rank"), REAL, ids=[c[0] for c in REAL])
def test_real_failures(name: str, code: int, kind: str, line: str, rank: int | None) -> None:
    """Logs of real failures, with the exit code and, but for a timeout, without it (elsewhere)."""
    for known in (code, None):
        found = described(DATA / f"failures/{name}.txt", known)
        assert line in found.last_line
        assert found.rank == rank
        if known is not None or name != "one-timeout":
            assert found.kind == kind


def test_every_real_log_is_tested() -> None:
    assert {path.stem for path in (DATA / "failures").glob("*.txt")} == {
        experiment[0] for experiment in REAL
    }


def test_a_rank_that_raises_among_bars() -> None:
    """A real Keras training under mpirun: the exception of rank 1, not the bars of the others."""
    found = described(DATA / "logs/k27-ompi4-np4-die/log.txt")
    assert (found.kind, found.rank) == ("CUDA error", 1)
    assert found.last_line.startswith("RuntimeError: CUDA error: an illegal memory access")


# lines that programs print (PyTorch 1.4 to 2.6, TensorFlow 1.15 and 2.4, JAX, fairseq, detectron2,
# Lightning, timm, numpy): https://github.com/pytorch/pytorch/issues/59778,
# tensorflow/tensorflow/issues/44047, facebookresearch/fairseq/issues/1529 and others of the kind
EXCEPTIONS = [
    ("out of GPU memory", "torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate 1.70 GiB"),
    ("out of GPU memory", "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 29.76 GiB. GPU 0"),
    ("out of GPU memory", "RuntimeError: CUDA out of memory. Tried to allocate 20.00 MiB (GPU 0; 5.80 GiB"),
    ("out of GPU memory", "RuntimeError: CUDA error: out of memory"),
    ("out of GPU memory", "RuntimeError: cuda runtime error (2) : out of memory at THCStorage.cu:58"),
    ("out of GPU memory", "RuntimeError: CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`"),
    ("out of GPU memory", "torch.OutOfMemoryError: HIP out of memory. Tried to allocate 2.00 GiB."),
    ("out of GPU memory", "tensorflow.python.framework.errors_impl.ResourceExhaustedError: OOM when "
     "allocating tensor with shape[16,1,892800] on /device:GPU:0 by allocator GPU_0_bfc"),
    ("out of GPU memory", "jaxlib.xla_extension.XlaRuntimeError: RESOURCE_EXHAUSTED: Out of memory while"),
    ("out of memory", "tensorflow.python.framework.errors_impl.ResourceExhaustedError: OOM when "
     "allocating tensor with shape[16,1] on /device:CPU:0 by allocator cpu"),
    ("out of memory", "numpy.core._exceptions._ArrayMemoryError: Unable to allocate 7.45 GiB for an array"),
    ("out of memory", "RuntimeError: [enforce fail at alloc_cpu.cpp:75] err == 0. DefaultCPUAllocator: can't"),
    ("out of memory", "OSError: [Errno 12] Cannot allocate memory"),
    ("out of memory", "RuntimeError: DataLoader worker (pid 5) is killed by signal: Bus error. It is "
     "possible that dataloader's workers are out of shared memory."),
    ("diverged (nan)", "FloatingPointError: Minimum loss scale reached (0.0001)."),
    ("diverged (nan)", "FloatingPointError: Loss became infinite or NaN at iteration=166!"),
    ("diverged (nan)", "RuntimeError: Loss was NaN for 1 times in a row. Stopped training."),
    ("diverged (nan)", "ValueError: The loss returned in `training_step` is nan."),
    ("disk full", "OSError: [Errno 122] Disk quota exceeded"),
    ("disk full", "RuntimeError: [enforce fail at inline_container.cc:445] . PytorchStreamWriter failed "
     "writing file data/176: file write failed"),
    ("interrupted", "KeyboardInterrupt"),
    ("file not found", "FileNotFoundError: [Errno 2] No such file or directory: 'a'"),
    ("missing module", "ImportError: libcudnn.so.8: cannot open shared object file: No such file or "
     "directory"),
    ("missing module", "ModuleNotFoundError: No module named 'fairseq'"),
    ("assertion", "AssertionError"),
    ("Python exception", "mylib.errors.Oops: what happened"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "line"), EXCEPTIONS)
def test_kinds_of_exceptions(tmp_path: Path, kind: str, line: str) -> None:
    """An exception tells its kind, wherever the traceback came from."""
    trace = (
        f'Traceback (most recent call last):\n  File "a.py", line 1, in <module>\n    f()\n{line}\n'
    )
    for text in (trace, trace.replace("\n", "\n[rank0]: "), f"\x1b[31m{trace}\x1b[0m"):
        found = told(tmp_path, f"epoch 1 loss 0.5\n{text}")
        assert (found.kind, found.last_line) == (kind, line)


# ruff: noqa: E501
LINES = [
    ("timeout", "slurmstepd: error: *** STEP 7.0 ON n1 CANCELLED AT 2026-11-21T17:00:00 DUE TO TIME LIMIT ***", 143),
    ("timeout", "slurmstepd: error: *** JOB 7 ON n1 CANCELLED AT 2026-11-21T17:00:00 DUE TO TIME LIMIT ***", None),
    ("out of memory", "slurmstepd: error: Detected 1 oom_kill event in StepId=11300781.0. Some of the step tasks have been OOM Killed.", 137),
    ("out of memory", "slurmstepd: error: Detected 1 oom-kill event(s) in StepId=191.batch cgroup.", 1),
    ("out of memory", "srun: error: n1: task 0: Out Of Memory", 137),
    ("killed", "Killed", 137),
    ("killed", "", 143),
    ("interrupted", "", 130),
    ("segmentation fault", "Segmentation fault (core dumped)", None),
    ("aborted", "Fatal Python error: Aborted", 134),
    ("aborted", "", 135),
    ("out of GPU memory", "F tensorflow/core: Check failed: CUDA_ERROR_OUT_OF_MEMORY: out of memory", 134),
    ("diverged (nan)", "Loss is nan, stopping training", 1),
    ("diverged (nan)", "13/13 [=====] - 1s 85ms/step - loss: nan - acc: 0.1", 1),
    ("usage error", "train.py: error: unrecognized arguments: --lrr", 2),
    ("failed", "W dso_loader.cc:64] Could not load 'libcudnn.so.8': cannot open shared object file: No such file or directory", 1),
    ("failed", "the data set is empty", 3),
    ("command not found", "/bin/sh: 1: pyhton: not found", 127),
    ("Python exception", "SyntaxError: invalid syntax", 1),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "line", "code"), LINES)
def test_kinds_without_a_traceback(tmp_path: Path, kind: str, line: str, code: int | None) -> None:
    """Exit codes, schedulers and last lines tell it too."""
    assert told(tmp_path, f"epoch 1 acc 0.5\n{line}\n", code).kind == kind


def test_what_was_handled_is_no_evidence(tmp_path: Path) -> None:
    """An error that the program survived, long before the end, is not why it ended."""
    trace = "Traceback (most recent call last):\n  File 'a'\nRuntimeError: CUDA out of memory.\n"
    after = "".join(f"step={i} lr=0.1\n" for i in range(100))
    found = told(tmp_path, trace + after, 3)
    assert (found.kind, found.last_line) == ("failed", "step=99 lr=0.1")
    assert told(tmp_path, trace + after[:300], 137).kind == "killed"
    assert told(tmp_path, trace, 137).kind == "out of GPU memory"


def test_interrupted_and_lost(tmp_path: Path) -> None:
    """What the workflow knows of the end counts before the program's own words."""
    trace = "Traceback (most recent call last):\n  File 'a'\nValueError: x\n"
    assert told(tmp_path, trace, 143, "interrupted").kind == "interrupted"
    found = told(tmp_path, "step 1\rstep 2\rstep 3", None, "lost")
    assert (found.kind, found.last_line) == ("lost", "step 3")
    assert told(tmp_path, "slurmstepd: error: DUE TO TIME LIMIT\n", None, "lost").kind == "timeout"


TORCHRUN = """\
[default0]:step=1 loss=0.5
[default1]:step=1 loss=0.6
[default0]:step=2 loss=0.4
[default1]:Traceback (most recent call last):
[default1]:  File "/x/train.py", line 9, in <module>
[default1]:    main()
[default1]:RuntimeError: CUDA out of memory. Tried to allocate 20.00 MiB
[default0]:step=3 loss=0.4
W1121 17:28:16.000000 123 torch/distributed/elastic/multiprocessing/api.py:897] Sending process 7 closing signal SIGTERM
E1121 17:28:16.000000 123 torch/distributed/elastic/multiprocessing/api.py:869] failed (exitcode: 1) local_rank: 1 (pid: 8) of binary: /usr/bin/python
Traceback (most recent call last):
  File "/usr/bin/torchrun", line 8, in <module>
    sys.exit(main())
torch.distributed.elastic.multiprocessing.errors.ChildFailedError:
============================================================
train.py FAILED
------------------------------------------------------------
Failures:
  <NO_OTHER_FAILURES>
------------------------------------------------------------
Root Cause (first observed failure):
[0]:
  time      : 2026-11-21_17:28:16
  rank      : 1 (local_rank: 1)
  exitcode  : 1 (pid: 8)
============================================================
"""


@pytest.mark.parametrize("tagged", [True, False])
def test_torchruns_own_exception_is_second_hand(tmp_path: Path, tagged: bool) -> None:
    """It only reports that of the rank, which is the one to show."""
    text = TORCHRUN if tagged else re.sub(r"^\[default\d\]:", "", TORCHRUN, flags=re.M)
    found = told(tmp_path, text)
    assert (found.kind, found.rank) == ("out of GPU memory", 1)
    assert found.last_line.startswith("RuntimeError: CUDA out of memory.")


SRUN = """\
0: step 1 loss 0.5
1: step 1 loss 0.6
0: step 2 loss 0.4
1: the shard 7 is missing
0: step 3 loss 0.4
srun: error: vm: task 0: Terminated
srun: error: vm: task 1: Exited with exit code 17
srun: error: vm: task 2: Terminated
srun: Terminating StepId=7.0
slurmstepd: error: *** STEP 7.0 ON vm CANCELLED AT 2026-11-21T17:00:00 ***
"""


def test_a_rank_that_the_launcher_stopped_is_not_the_first(tmp_path: Path) -> None:
    """It was told to end because another one had failed; that one's last words are shown."""
    found = told(tmp_path, SRUN, 17)
    assert (found.kind, found.rank) == ("failed", 1)
    assert found.last_line == "the shard 7 is missing"


def test_a_launchers_last_words_are_not_the_programs(tmp_path: Path) -> None:
    """Also where the log has no tags."""
    found = told(tmp_path, re.sub(r"^\d: ", "", SRUN, flags=re.M), 17)
    assert (found.rank, found.last_line) == (1, "step 3 loss 0.4")


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_of_two_ranks_that_raise_the_lower_is_blamed(
    tmp_path: Path, order: tuple[int, int]
) -> None:
    """Whichever wrote first: nothing else tells them apart, and the answer is always one."""
    log = "".join(f"[1,{rank}]<stdout>:step 1 loss 0.5\n" for rank in (0, 1, 2))
    for rank in order:
        log += f"[1,{rank}]<stderr>:Traceback (most recent call last):\n"
        log += f"[1,{rank}]<stderr>:ValueError: of rank {rank}\n"
    found = told(tmp_path, log)
    assert (found.rank, found.last_line) == (1, "ValueError: of rank 1")
    assert list(read_last_words(str(tmp_path / "log")).ranks) == [0, 1, 2]


COMMANDS = [
    ("echo one; pyhton train.py", "command not found", "pyhton: command not found"),
    ("echo one; exit 3", "failed", "one"),
    ("echo one; kill -9 $$", "killed", "one"),
    ("echo one; kill -11 $$", "segmentation fault", "one"),
    ("timeout 0.1 sleep 9", "timeout", ""),
    ("cat no/such/file", "file not found", "cat: no/such/file: No such file or directory"),
    (f"{sys.executable} -c 'import no_such'", "missing module", "ModuleNotFoundError: No module"),
    ("echo full > /dev/full", "disk full", "No space left on device"),
    (f"ulimit -v 400000; {sys.executable} -c 'bytes(1 << 32)'", "out of memory", "MemoryError"),
]


@pytest.mark.parametrize(("command", "kind", "line"), COMMANDS, ids=[c[0][:25] for c in COMMANDS])
def test_runs_that_really_fail(
    runner: Runner, monkeypatch: pytest.MonkeyPatch, command: str, kind: str, line: str
) -> None:
    """From the command through the stage runner's record and log to the kind of failure."""
    monkeypatch.chdir(runner.folder)
    assert runner.run(command)[0] != 0
    experiment = Experiment("E", {}, "output/E", "output/E/.sweepmake", ("train",))
    found = describe_failure(
        read_outcome(Study("params.yaml", None, (experiment,), ("train",), "r"), experiment)
    )
    assert found is not None
    assert found.kind == kind
    assert line in found.last_line


@given(
    st.binary(max_size=300)
    | st.text("[0,1]<stdout>:\\n\\r\x1b Error-=", max_size=200).map(str.encode)
)
def test_no_log_is_too_strange(text: bytes) -> None:
    """Any bytes give a failure whose line a table can hold."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        log.write_bytes(text * 3)
        for code in (1, 139, None):
            found = described(log, code)
            assert not re.search(r"[\x00-\x08\x0a-\x1f\x7f]", found.last_line)


@pytest.mark.parametrize(
    "line", ["\x1b[31mValueError: bad\x1b[0m", "Value\x00Error: bad", "\x00ValueError: bad"]
)
def test_what_a_terminal_does_not_show_is_no_part_of_the_last_words(
    tmp_path: Path, line: str
) -> None:
    begin = 'Traceback (most recent call last):\n  File "a.py", line 1, in <module>\n'
    assert told(tmp_path, f"{begin}{line}\n").last_line == "ValueError: bad"


def test_only_the_end_of_a_log_is_read(tmp_path: Path) -> None:
    """Of a long log the last 64 KiB, from the start of a line; of a packed one as well."""
    log = tmp_path / "log"
    log.write_bytes(b"ValueError: early\n" * 20_000 + b"\xff\xfe the end\n")
    words = read_last_words(str(log))
    lines = words.ranks[0]
    assert lines[0] == "ValueError: early"
    assert lines[-1] == "\ufffd\ufffd the end"
    assert sum(map(len, lines)) < TAIL
    packed = tmp_path / "log.gz"
    packed.write_bytes(gzip.compress(log.read_bytes()))
    assert read_last_words(str(packed)) == words


def test_without_a_log_the_summary_tells(tmp_path: Path) -> None:
    """The last lines of the ranks that died stand in metrics.json."""
    trace = ["Traceback (most recent call last):", '  File "a"', "ValueError: x"]
    ranks = {"0": {"died": False}, "2": {"died": True, "last_lines": trace}}
    summary = {"stages": {"test": {"ranks": ranks}}}
    found = described(tmp_path / "gone", 1, summary=summary)
    assert (found.kind, found.last_line, found.rank) == ("Python exception", "ValueError: x", 2)
    assert described(tmp_path / "gone").last_line == ""
    assert described("").kind == "failed"


def test_a_loss_that_is_no_number(tmp_path: Path) -> None:
    """Where nothing else tells why, a last loss of nan does."""
    (tmp_path / "log").write_text("giving up\n")
    ranks = {"0": {"last": {"val_loss": "nan", "acc": 0.1}}}
    found = described(tmp_path / "log", summary={"stages": {"test": {"ranks": ranks}}})
    assert (found.kind, found.last_line) == ("diverged (nan)", "giving up")


def test_a_traceback_that_others_broke_off_names_no_line_of_theirs(tmp_path: Path) -> None:
    """The first line that is not indented is its end; beyond it only what is surely one counts."""
    begin = 'Traceback (most recent call last):\n  File "a.py", line 1, in <module>\n'
    found = told(tmp_path, begin + "3 of 4 done\ndone\nValueError: bad\n")
    assert found.last_line == "ValueError: bad"
    found = told(tmp_path, begin + "my.Own: bad\nValueError: later\n")
    assert found.last_line == "my.Own: bad"


def test_what_did_not_fail_has_no_failure() -> None:
    done = StageOutcome("train", "finished", exit_code=0)
    for status, stage in (("finished", done), ("running", StageOutcome("train", "running"))):
        assert describe_failure(Outcome(CASE, status, (stage,))) is None


def test_of_several_failing_ranks_the_first_that_the_launcher_names_counts(tmp_path: Path) -> None:
    """One that the launcher had to stop counts only where no other failed."""
    ends = "0: step 1\n1: step 1\n2: step 1\n0: end 0\n1: end 1\n2: end 2\nsrun: error: vm: task {}\nsrun: error: vm: task {}\n"
    first, second = "2: Exited with exit code 17", "1: Exited with exit code 3"
    for one, other, rank in ((first, second, 2), (second, first, 1), ("0: Terminated", second, 1)):
        found = told(tmp_path, ends.format(one, other), 17)
        assert (found.rank, found.last_line) == (rank, f"end {rank}")
    found = told(tmp_path, ends.format("2: Terminated", "0: Terminated"), 1)
    assert found.rank == 2


def test_of_several_ranks_that_raise_without_an_end_the_lowest_is_shown(tmp_path: Path) -> None:
    """Second-hand exceptions, such as those of launchers, are none."""

    def raised(rank: int, what: str) -> str:
        trace = ["Traceback (most recent call last):", '  File "a.py"', what]
        return "".join(f"[1,{rank}]<stderr>:{line}\n" for line in trace)

    started = "".join(f"[1,{rank}]<stdout>:step 1\n" for rank in range(4))
    log = started + raised(3, "ValueError: third") + raised(1, "KeyError: 'first'")
    log += raised(0, "subprocess.CalledProcessError: Command 'x' failed")
    found = told(tmp_path, log, None)
    assert (found.rank, found.last_line) == (1, "KeyError: 'first'")


def test_the_last_exception_tells_and_those_it_came_from(tmp_path: Path) -> None:
    """A cause gives the kind where the last exception gives none; one that was handled does not."""

    def trace(what: str) -> str:
        return f'Traceback (most recent call last):\n  File "a.py"\n{what}\n'

    full, last = trace("OSError: No space left on device"), trace("RuntimeError: cannot save")
    cause = "\nThe above exception was the direct cause of the following exception:\n\n"
    found = told(tmp_path, full + cause + last)
    assert (found.kind, found.last_line) == ("disk full", "OSError: No space left on device")
    assert told(tmp_path, full + "going on\n" + last).kind == "Python exception"


def test_how_near_to_the_end_words_must_stand(tmp_path: Path) -> None:
    """Twenty last lines without an exception; two after one that explains a SIGKILL; nine before
    one that does so by memory alone."""
    full = "write failed: No space left on device\n"
    after = [f"step={at}\n" for at in range(60)]
    for kind, count in (("disk full", 19), ("failed", 20)):
        assert told(tmp_path, full + "".join(after[:count])).kind == kind
    trace = 'Traceback (most recent call last):\n  File "a.py"\nValueError: x\n'
    for kind, count in (("Python exception", 2), ("killed", 3)):
        assert told(tmp_path, trace + "".join(after[:count]), 137).kind == kind
    for kind, count in (("Python exception", 57), ("failed", 60)):
        assert told(tmp_path, trace + "".join(after[:count]), 3).kind == kind
    memory = "std::bad_alloc\n"
    for kind, count in (("out of memory", 8), ("killed", 9)):
        assert told(tmp_path, memory + "".join(after[:count]), 137).kind == kind
