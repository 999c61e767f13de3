"""Plain tags are believed on evidence, and ranks without tags are never mixed in silence."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from launcher_models import DATA

from sweepmake.logs.__main__ import main
from sweepmake.logs.demux.escapes import Escapes
from sweepmake.logs.demux.recognition import weigh
from sweepmake.logs.demux.streams import Demultiplexer, StreamId, demultiplex
from sweepmake.logs.demux.untagged import several_ranks

JOB = b"".join(b"module load %d: done\nsite.py: UserWarning: cache\n" % n for n in range(150))


def ranks_of(log: bytes, block: int = 1 << 20) -> dict[int, bytes]:
    """What each rank wrote, the log fed in blocks; every byte must be accounted for."""
    demultiplexer = Demultiplexer()
    found: dict[int, bytes] = {}
    for start in range(0, len(log), block):
        demultiplexer.feed(log[start : start + block])
        for stream, text in demultiplexer.take().items():
            found[stream.rank] = found.get(stream.rank, b"") + text
    demultiplexer.close()
    for stream, text in demultiplexer.take().items():
        found[stream.rank] = found.get(stream.rank, b"") + text
    assert demultiplexer.accounted == len(log)
    return found


def training(tag: Callable[[int], bytes], ranks: list[int], epochs: int = 3) -> bytes:
    """Each rank's line of each epoch, in turns."""
    return b"".join(
        tag(rank) + b"epoch %d: loss=0.%d%d1 acc=0.5\n" % (epoch, 9 - epoch, rank)
        for epoch in range(1, epochs + 1)
        for rank in ranks
    )


TAGS: dict[str, tuple[str, Callable[[int], bytes]]] = {
    "mpich": ("mpich", lambda rank: b"[%d] " % rank),
    "torchrun": ("torchrun", lambda rank: b"[default%d]:" % rank),
    "torchtitan": ("torchrun", lambda rank: b"[rank%d]:" % rank),
    "srun": ("srun", lambda rank: b"%d: " % rank),
    "bracket": ("mpich", lambda rank: b"[rank %d] " % rank),
    "line": ("lines", lambda rank: b"rank %d | " % rank),
    "gpu": ("lines", lambda rank: b"GPU %d: " % rank),
    "logger": ("lines", lambda rank: b"2026-11-27 10:00:01 INFO [rank=%d] " % rank),
    "sagemaker": ("openmpi4", lambda rank: b"[1,mpirank:%d,algo-2]<stdout>:" % rank),
}


@pytest.mark.parametrize("form", TAGS)
@pytest.mark.parametrize("ranks", [[0, 1], [1, 2, 3], [3, 2]], ids=str)
@pytest.mark.parametrize("around", ["alone", "behind the job's output", "before a long traceback"])
def test_ranks_are_told_apart_whoever_is_silent(form: str, ranks: list[int], around: str) -> None:
    """Rank 0 may be silent, and most lines may be the job's own."""
    name, tag = TAGS[form]
    log = training(tag, ranks)
    if around == "behind the job's output":
        log = JOB + log
    elif around == "before a long traceback":
        log += b"Traceback (most recent call last):\n" + b'  File "a.py", line 8\n' * 40
    assert Demultiplexer().launcher.name == "none"
    demultiplexer = Demultiplexer()
    demultiplexer.feed(log)
    demultiplexer.close()
    found = {stream.rank: text for stream, text in demultiplexer.take().items()}
    assert demultiplexer.launcher.name == name
    assert 0.8 <= demultiplexer.verdict.sure <= 1
    for rank in ranks:
        lines = training(lambda _: b"", [rank]).splitlines()
        start = b"2026-11-27 10:00:01 INFO " if form == "logger" else b""
        assert found[rank].splitlines()[:3] == [start + line for line in lines]
    assert set(found) == set(ranks)


@pytest.mark.parametrize("form", TAGS)
@given(block=st.integers(1, 200))
@settings(deadline=None, max_examples=10)
def test_ranks_are_told_apart_however_the_log_is_cut(form: str, block: int) -> None:
    """The same bytes come out, whatever the blocks."""
    log = JOB[:300] + training(TAGS[form][1], [0, 1, 2]) + b"end of the job\n"
    assert ranks_of(log, block) == ranks_of(log)


def of_one_rank() -> dict[str, bytes]:
    """Logs of one process whose lines begin like tags."""
    epochs = [b"epoch %d: loss=0.%d acc=0.5\n" % (n, 9 - n) for n in range(1, 6)]
    plain = b"".join(epochs)
    classes = [b"%d: precision 0.5 recall 0.6\n" % n for n in range(4)]
    steps = [b"step %d/40 loss=0.%d\n" % (10 * n, 9 - n) for n in range(1, 5)]
    trace = b"".join(b"[rank%d]: Traceback\n[rank%d]:   File a\n" % (n, n) for n in (1, 0, 1)) * 9
    return {
        "list": b"[1] one\n[2] two\n[3] three\n" + plain,
        "list from 0": b"0: conv 3x3\n1: conv 3x3\n2: dense\n" + plain,
        "two lists": b"0: a\n1: b\n2: c\nOptimizer:\n0: w\n1: b\n" + plain,
        "a list alone": b"0: conv\n1: dense\n2: relu\n",
        "lists alone": b"Layers:\n0: a\n1: b\n2: c\nOptimizer:\n0: w\n1: b\n",
        "citations": b"[1] Kingma, 2014\n[2] He, 2015\n[1] is used for training\n" + plain,
        "classes by epoch": b"".join(one + b"".join(classes) for one in epochs),
        "classes under headers": b"".join(
            b"Epoch %d/5\n" % n + b"".join(b"[%d] acc 0.%d\n" % (c, c) for c in range(30))
            for n in range(1, 6)
        ),
        "epoch in brackets": b"".join(b"[%d] " % n + step for n in range(4) for step in steps),
        "epoch from 1": b"".join(b"[%d] " % n + step for n in range(1, 5) for step in steps),
        "progress": b"".join(b"[%d] 10/40 loss=0.%d\n" % (n, n) for n in range(1, 9)),
        "one number": b"[2] epoch 1: loss=0.5\n[2] epoch 2: loss=0.4\n",
        "steps": b"".join(b"[%d] loss 0.%d\n" % (100 * n, n) for n in range(1, 9)),
        "numbered": b"".join(b"%d: loss=0.%d\n" % (n, n) for n in range(1, 9)),
        "vector of R": b'[1] "a"\n[1] 0.25\n[1] 0.5\n[1] 0.7\n',
        "tracebacks of torch": plain + trace,
        "warnings of torch": plain[:30] + b"[rank1]:[W1127 10:02:11.3 Process.cpp:4115] a\n" * 9,
        "dates": b"2026: epoch 1: loss=0.5\n2026: epoch 2: loss=0.4\n",
        "clock": b"".join(b"%d: epoch 1: loss=0.5\n" % (1000 + n) for n in range(5)),
        "low rank": b"".join(
            b"rank %d | epoch %d | loss 0.5\n" % (rank, n) for rank in (4, 8, 16) for n in range(3)
        ),
        "rank of a matrix": b"".join(b"rank 8 epoch %d loss 0.5\n" % n for n in range(4)),
        "cards": b"GPU 0: NVIDIA H100\nGPU 1: NVIDIA H100\n" + plain,
        "cards each epoch": b"".join(
            one + b"GPU 0: 40.5 GB\nGPU 1: 41.5 GB\n" for one in epochs
        ),
        "rank 0 only": b"".join(b"[rank 0] " + one for one in epochs[:0]) + plain,
        "table": b"0: 0.5 0.6\n1: 0.5 0.7\n" * 5 + plain * 2,
    }  # fmt: skip


@pytest.mark.parametrize("case", of_one_rank())
@pytest.mark.parametrize("job", [b"", JOB], ids=["alone", "job"])
def test_a_program_that_numbers_its_lines_stays_one_rank(case: str, job: bytes) -> None:
    """Lists, footnotes, classes, epochs in brackets, ranks of matrices: none is a rank."""
    log = job + of_one_rank()[case]
    assert demultiplex(log) == {StreamId(0, "output"): log}
    assert weigh(log).form is None


def test_numbered_lines_in_any_order_of_lists_stay_one_rank() -> None:
    """Random lists between the lines of a training, with every plain tag there is."""
    chance = random.Random(4)
    marks = [b"[%d] ", b"%d: ", b"(%d) ", b"<%d> ", b"[item%d]:", b"[%d@host] "]
    for _ in range(300):
        log = b""
        mark = chance.choice(marks)
        for epoch in range(1, 8):
            for number in range(chance.randint(0, 1), chance.randint(2, 6)):
                log += (
                    mark % number + chance.choice([b"conv", b"0.5 0.25", b"acc 0.5", b"ok"]) + b"\n"
                )
            log += b"epoch %d: loss=0.%d\n" % (epoch, epoch)
        assert weigh(log).form is None, log


def test_open_mpi_5_with_damaged_tags_stays_open_mpi_5() -> None:
    """One tag among many that has lost its blank is that rank's, and no sign of Open MPI 4."""
    line = b"[1,%d]<stdout>: epoch %d: loss=0.5\n"
    log = b"".join(line % (rank, epoch) for epoch in range(4) for rank in (0, 1))
    for damaged in (b"[1,1]<stdout>:\n", b"[1,1]<stdout>:glued\n", b"[1,0]<stdout>:\n" * 3):
        found = ranks_of(log + damaged + log)
        assert weigh(log + damaged + log).form.name == "openmpi5"  # type: ignore[union-attr]
        assert sum(text.count(b"epoch") for text in found.values()) == 16
        assert not any(b" epoch" in text for text in found.values())
        for block in (1, 7, 16, 64):
            assert ranks_of(log + damaged + log, block) == found


@given(
    text=st.lists(st.sampled_from([b"#", b"0", b"1", b"5", b"3", b"#015", b"#033", b"a"])),
    cut=st.integers(1, 9),
)
def test_escapes_come_back_however_they_are_cut(text: list[bytes], cut: int) -> None:
    """`#015` is a carriage return, also where two blocks share it."""
    whole = b"".join(text)
    escapes = Escapes()
    parts = [escapes.turn_back(whole[at : at + cut]) for at in range(0, len(whole), cut)]
    expected = whole.replace(b"#015", b"\r").replace(b"#033", b"\x1b")
    expected = expected.replace(b"#010", b"\b").replace(b"#011", b"\t")
    assert b"".join([*parts, escapes.turn_back(b"", final=True)]) == expected


def test_a_bar_and_its_numbers_that_srun_cut_are_one_line() -> None:
    """`srun --unbuffered` ends every piece; a bar without numbers goes on in the next one."""
    log = (
        b"0: Epoch 1/2\n1: Epoch 1/2\n0: 1/3 [==>.....]\n1: 1/3 [==>.....]\n"
        b"0:  - ETA: 2s - loss: 0.8\n1:  - ETA: 2s - loss: 0.7\n0: 2/3 [====>..]\n1: done\n"
    )
    for block in (1, 5, 1000):
        assert ranks_of(log, block) == {
            0: b"Epoch 1/2\n1/3 [==>.....] - ETA: 2s - loss: 0.8\n2/3 [====>..]\n",
            1: b"Epoch 1/2\n1/3 [==>.....] - ETA: 2s - loss: 0.7\ndone\n",
        }


def streams_of(case: str) -> list[Path]:
    return sorted((DATA / case / "streams").iterdir())


CASES = sorted(path.parent.name for path in DATA.glob("*/streams"))


@pytest.mark.parametrize("case", CASES)
def test_what_one_rank_wrote_is_not_taken_for_several(case: str) -> None:
    """Each stream of each real log: one process, whatever it prints."""
    for stream in streams_of(case):
        assert several_ranks(stream.read_bytes()[: 1 << 18]) is None, stream.name


@pytest.mark.parametrize("case", of_one_rank())
def test_lists_and_classes_are_not_taken_for_several_ranks(case: str) -> None:
    """What one program numbers is not what several say."""
    assert several_ranks(of_one_rank()[case]) is None


def in_one_process() -> dict[str, bytes]:
    """Logs of one process that tell a place more than once, or go back."""
    places = [(epoch, step) for epoch in range(1, 6) for step in (10, 20, 30, 40)]
    return {
        "a metric per line": b"".join(
            b"epoch %d step %d loss: 0.%d\nepoch %d step %d acc: 0.%d\n" % (e, s, s, e, s, s)
            for e, s in places
        ),
        "layers": b"".join(
            b"epoch %d step %d layer %d loss=0.%d%d\n" % (e, s, layer, s, layer)
            for e, s in places
            for layer in range(4)
        ),
        "no step": b"".join(b"epoch %d loss=0.%d%d\n" % (e, e, s) for e, s in places),
        "epochs of an update": b"".join(
            b"update %d epoch %d loss=0.%d%d\n" % (u, e, u, e) for u in range(9) for e in range(4)
        ),
        "two phases": b"".join(
            b"train epoch %d loss=0.%d\nval epoch %d loss=0.%d\n" % (e, s, e, s) for e, s in places
        ),
        "redraws": b"".join(
            b"\rEpoch %d: %d/40 [00:01<00:02, 3.1it/s, loss=0.%d]" % (e, s, again)
            for e, s in places
            for again in range(2)
        ),
        "clients": b"".join(
            b"round %d client %d epoch %d loss=0.%d%d\n" % (r, c, e, r, e)
            for r in range(4)
            for c in range(3)
            for e in range(3)
        ),
    }


@pytest.mark.parametrize("case", in_one_process())
def test_one_process_that_tells_a_place_again_is_not_several(case: str) -> None:
    """Lines of other kinds, numbered parts, nested loops and redraws contradict nothing."""
    assert several_ranks(in_one_process()[case]) is None


@pytest.mark.parametrize(
    "case", ["k2-ompi4-np2", "k2-ompi5-np4-ts", "k3-ompi4-np4-v2", "pt-imagenet-ompi4-np4"]
)
def test_ranks_without_tags_are_noticed(case: str) -> None:
    """Real logs without their tags: the ranks contradict each other."""
    demultiplexer = Demultiplexer(events=True)
    demultiplexer.feed((DATA / case / "log.txt").read_bytes())
    demultiplexer.close()
    demultiplexer.take()
    mixed = b"".join(text for _, text in demultiplexer.take_events())
    found = several_ranks(mixed[: 1 << 18])
    assert found is not None
    assert found.places > 3
    assert found.why


def test_a_restart_and_folds_are_one_rank() -> None:
    """They go back to the start, once each."""
    run = b"".join(
        b"epoch %d step %d/40: loss=0.%d%d\n" % (epoch, step, epoch, step)
        for epoch in (1, 2, 3)
        for step in (10, 20, 30, 40)
    )
    resumed = run[run.index(b"epoch 2") :]
    for log in (run, run + resumed, run * 5, run + resumed.replace(b"0.", b"1.") + resumed):
        assert several_ranks(log) is None


def test_a_doubtful_log_is_told_of_in_the_summary_and_on_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """metrics.json counts the places and warns; so does the command."""
    log = tmp_path / "log"
    lines = training(lambda _: b"", [0, 1, 2], 9)
    log.write_bytes(lines.replace(b" loss", b" val_loss"))
    assert main([str(log), "--output", str(tmp_path / "out")]) == 0
    stage = json.loads((tmp_path / "out" / "metrics.json").read_text())["stages"]["train"]
    assert stage["ranks"]["0"]["account"]["ambiguous"] > 3
    assert stage["launcher"] == "none"
    assert stage["launcher_confidence"] == 0.5
    assert "told again" in stage["launcher_evidence"]
    assert "several ranks" in stage["warnings"][0]
    assert "warning: stage 'train': log: several ranks" in capsys.readouterr().err
    log.write_bytes(training(lambda rank: b"[%d] " % rank, [1, 2]))
    assert main([str(log), "--output", str(tmp_path / "out")]) == 0
    stage = json.loads((tmp_path / "out" / "metrics.json").read_text())["stages"]["train"]
    assert stage["warnings"] == []
    assert stage["launcher_confidence"] == 0.95
    assert "2 ranks (1 to 2)" in stage["launcher_evidence"]
    assert capsys.readouterr().err == ""
