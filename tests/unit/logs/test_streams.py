"""The streams of the ranks come back from the log byte for byte."""

from __future__ import annotations

import gzip
import os
import random
import tracemalloc
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from launcher_models import DATA, Write, chunked, held_back, labelled, tags

import sweepmake.logs.demux.streams as streams_module
from sweepmake.errors import InputError
from sweepmake.logs.demux.streams import Demultiplexer, StreamId, demultiplex, read_blocks

SHARED = Path(os.environ.get("SWEEPMAKE_SHARED_LOGS", DATA.parents[3] / "shared" / "logs"))
# torchrun's threads write into one buffer: garbage and lost lines (see the account)
TORCHRUN_RACES = {"k2-torchrun-np4", "k3-torchrun-np4"}


def cases(root: Path) -> list[Path]:
    return sorted(path.parent for path in root.glob("*/log.txt"))


class Decoded(Demultiplexer):
    """A demultiplexer with all that was taken from it."""

    def __init__(self, launcher: str | None) -> None:
        super().__init__(launcher)
        self.streams: dict[StreamId, bytes] = {}

    def gather(self) -> None:
        for key, text in self.take().items():
            self.streams[key] = self.streams.get(key, b"") + text


def decode(
    log: bytes, block: int = 1 << 20, launcher: str | None = None, *, head: int = 1 << 18
) -> Decoded:
    """Feed a log in blocks of this size, deciding on the launcher after `head` bytes."""
    with mock.patch.object(streams_module, "_HEAD", head):
        result = Decoded(launcher)
        for start in range(0, len(log), block):
            result.feed(log[start : start + block])
            result.gather()
        result.close()
        result.gather()
    return result


def written(case: Path) -> dict[StreamId, bytes]:
    """What the ranks wrote, without the streams that stayed empty."""
    found = {}
    for file in (case / "streams").iterdir():
        rank, name = file.name[4:].split(".")
        if text := file.read_bytes():
            found[StreamId(int(rank), name)] = text
    return found


def same(case: Path, streams: dict[StreamId, bytes]) -> list[str]:
    """Compare a case with the truth and return what differs.

    Where the launcher mixes stdout and stderr, their bytes are compared as a multiset; where it
    changes bytes, what it changes is left out: srun adds line feeds, torchrun makes `\\r` `\\n`
    and bytes that are no UTF-8 U+FFFD, Open MPI 4 drops what exceeds 8,192 bytes.
    """
    wrong = []
    truth = written(case)
    log = (case / "log.txt").read_bytes()
    if case.name.endswith("untagged"):
        return [] if streams == {StreamId(0, "output"): log} else ["untagged"]
    for rank in sorted({key.rank for key in truth}):
        mixed = streams.get(StreamId(rank, "output"))
        if mixed is None:
            for name in ("stdout", "stderr"):
                got, real = streams.get((rank, name), b""), truth.get((rank, name), b"")  # type: ignore[call-overload]
                if got != real and not (case.name == "probe-ompi4-np2" and name == "stdout"):
                    wrong.append(f"rank {rank} {name}")
            continue
        real = truth.get((rank, "stdout"), b"") + truth.get((rank, "stderr"), b"")  # type: ignore[call-overload]
        if "srun" in case.name:
            mixed, real = mixed.replace(b"\n", b""), real.replace(b"\n", b"")
        if "torchrun" in case.name:
            mixed, real = (
                bytes(text).decode("utf-8", "replace").replace("\ufffd", "").replace("\r\n", "\n")
                .replace("\r", "\n").replace("\u2501", "").encode()
                for text in (mixed, real)
            )  # fmt: skip
        if sorted(mixed) != sorted(real) or (len(truth) == 1 and mixed != real):
            wrong.append(f"rank {rank} output")
    return wrong


@pytest.mark.parametrize("case", cases(DATA), ids=lambda path: path.name)
@pytest.mark.parametrize("block", [1 << 20, 997])
def test_streams_of_real_logs_are_exact(case: Path, block: int) -> None:
    """Every stream equals what the rank wrote, wherever the launcher kept the bytes."""
    log = (case / "log.txt").read_bytes()
    result = decode(log, block)
    if case.name not in TORCHRUN_RACES:
        assert same(case, result.streams) == []
    assert result.accounted == len(log)


@pytest.mark.optional_data
@pytest.mark.skipif(not SHARED.is_dir(), reason="the large collection of logs is not here")
def test_streams_of_all_shared_logs_are_exact() -> None:
    """The same for every log of the large collection."""
    wrong = {}
    for case in cases(SHARED):
        if case.name not in TORCHRUN_RACES:
            result = decode((case / "log.txt").read_bytes())
            wrong[case.name] = same(case, result.streams)
    assert {name: found for name, found in wrong.items() if found} == {}


def test_text_of_mpirun_is_kept_apart_even_inside_a_line() -> None:
    """mpirun's report cuts into rank 0's bar; the bar stays whole and the report is read."""
    log = (DATA / "k27-ompi4-np4-die" / "log.txt").read_bytes()
    result = decode(log)
    assert bytes(result.launcher_text.text).startswith(b"-" * 74 + b"\nPrimary job")
    assert [(end.rank, end.code) for end in result.exits] == [(1, 1)]
    assert result.account[0].ambiguous == 0


def test_open_mpi_4_overflow_is_counted_as_lost() -> None:
    """Many short lines in one write exceed Open MPI's 8,192 bytes: lost, and said so."""
    result = decode((DATA / "probe-ompi4-np2" / "log.txt").read_bytes())
    assert result.account[0].lost >= 2
    assert result.account[1].lost >= 2
    truth = written(DATA / "probe-ompi4-np2")[StreamId(0, "stdout")]
    got = result.streams[StreamId(0, "stdout")]
    assert got[:10000] == truth[:10000]


def test_tag_printed_by_the_program_at_the_start_of_a_line_is_text() -> None:
    """No chunk is empty, so a tag right after a tag is the program's."""
    log = b"[1,0]<stdout>:a\n[1,1]<stdout>:b\n[1,0]<stdout>:[1,1]<stdout>:mine\n"
    streams = demultiplex(log)
    assert streams[StreamId(0, "stdout")] == b"a\n[1,1]<stdout>:mine\n"


def test_tag_printed_inside_a_line_is_text_where_lines_are_held_back() -> None:
    """Open MPI 5 tags whole lines only: rank 0 speaks again, so the tag inside was its own."""
    log = (
        b"[1,0]<stdout>: a\n[1,1]<stdout>: b\n[1,0]<stdout>: see [1,1]<stdout>: mine\n"
        b"[1,0]<stdout>: end[1,1]<stdout>: end"
    )
    streams = demultiplex(log)
    assert streams[StreamId(0, "stdout")] == b"a\nsee [1,1]<stdout>: mine\nend"
    assert streams[StreamId(1, "stdout")] == b"b\nend"


def test_tag_of_an_impossible_rank_is_text_and_counted() -> None:
    """Rank 99 of job 7 never began a line, so its tag inside a line is rank 0's text."""
    log = b"[1,0]<stdout>:a\n[1,1]<stdout>:b\n[1,0]<stdout>:see [7,99]<stdout>:x\n"
    result = decode(log)
    assert result.streams[StreamId(0, "stdout")] == b"a\nsee [7,99]<stdout>:x\n"
    assert result.account[0].ambiguous == 1
    assert set(result.account) == {0, 1}


def test_tag_cut_by_the_end_of_the_log_is_no_text() -> None:
    """A kill cuts the last tag: what is left of it is nobody's text."""
    log = b"[1,0]<stdout>:a\n[1,1]<stdout>:b\n[1,0]<std"
    assert demultiplex(log) == {
        StreamId(0, "stdout"): b"a\n",
        StreamId(1, "stdout"): b"b\n",
    }
    assert demultiplex(b"0: a\n1: b\n0: c\n1")[StreamId(0, "output")] == b"a\nc\n"


@pytest.mark.parametrize("length", range(0, 400, 9))
def test_untagged_lines_are_the_launcher_s_wherever_blocks_end(length: int) -> None:
    """What follows a line feed without a tag is not the rank's, also across block edges."""
    rank = b"[1,0]<stdout>:start\n[1,0]<stdout>:" + b"x" * length + b"\n"
    log = rank + b"said by a wrapper script, " * 20
    for block in (1 << 20, 64, 61):
        result = decode(log, block, head=16)
        assert result.streams == {StreamId(0, "stdout"): b"start\n" + b"x" * length + b"\n"}
        assert result.launcher_text.size == 520
        assert result.account[0].ambiguous == 1


def test_custom_tag_by_regular_expression() -> None:
    """A tag that nobody knows is described by the user."""
    log = b"<r0> a <r1> b <r0> c\n<r1> d\n"
    assert demultiplex(log, r"<r(?P<rank>\d+)> ")[StreamId(0, "output")] == b"a c\n"


@pytest.mark.parametrize("block", [1, 59, 1 << 20])
def test_a_line_that_is_cut_does_not_tell_the_launcher(block: int) -> None:
    """Where the first part ends behind `[1,1]<stdout>:`, that is no tag of Open MPI 4."""
    line = b"[1,1]<stdout>: b\n"
    log = b"[1,0]<stdout>: a\n" + 3 * line
    head = len(log) - len(b" b\n")
    result = decode(log, block, head=head)
    assert result.launcher.title == "openmpi5 (tag)"
    assert result.streams[StreamId(1, "stdout")] == b"b\n" * 3
    # a log that ends there is looked at to its end, however it comes
    ended = decode(log[:head], block, head=head)
    assert ended.launcher.title == "openmpi5 (tag)"
    assert ended.streams[StreamId(1, "stdout")] == b"b\n" * 2
    assert ended.accounted == head


def test_a_cut_line_tells_the_launcher_where_enough_of_it_is_there() -> None:
    """Progress bars may fill the first part with one line."""
    log = b"said before\n[1,0]<stdout>:" + b"1/9 loss: 0.5\r" * 40
    assert decode(log, head=500).launcher.title == "openmpi4 (tag)"
    assert decode(log[:200] + b"\n", head=100).launcher.title == "none"
    assert decode(log[12:], head=100).launcher.title == "openmpi4 (tag)"


def test_empty_log_and_packed_log(tmp_path: Path) -> None:
    """An empty log has no text; one packed by gzip is read as if it were plain, also if cut."""
    empty = Demultiplexer()
    empty.close()
    assert empty.take() == {}
    log = (DATA / "k2-ompi4-np2" / "log.txt").read_bytes()
    packed = tmp_path / "log.gz"
    packed.write_bytes(gzip.compress(log))
    assert b"".join(read_blocks(packed, 1000)) == log
    packed.write_bytes(gzip.compress(log)[:-20])
    assert log.startswith(b"".join(read_blocks(packed, 1000)))
    with pytest.raises(InputError, match="cannot be read"):
        list(read_blocks(tmp_path / "absent"))


WORDS = st.sampled_from(
    [
        *(b"a", b"\r", b"\b\b", b"\n", b"\n\n", b" ", b"[", b"]", b"]<", b">:", b"[1,", b"\x00"),
        *(b"\xe2", b"\x94\x81", b"\xff", b"-" * 74, b"1/3 [=>.]", b"x" * 600, b"\x1b[1m", b": "),
        b"Epoch 1/2\n",
    ]
)
TEXT = st.lists(WORDS, min_size=1, max_size=8).map(b"".join)
WRITES = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from(["stdout", "stderr"]), TEXT), max_size=30
)
# Every rank begins with a line of its own. Without it the launcher would not lose anything, but
# a plain tag such as `[3] ` that only ever stands inside lines cannot be told from text.
START: list[Write] = [
    (rank, name, b"start\n") for rank in range(4) for name in ("stdout", "stderr")
]


def joined(writes: list[Write], *, mixed: bool) -> dict[StreamId, bytes]:
    streams: dict[StreamId, bytes] = {}
    for rank, name, text in writes:
        key = StreamId(rank, "output" if mixed else name)
        streams[key] = streams.get(key, b"") + text
    return streams


def expect(log: bytes, writes: list[Write], launcher: str, block: int, *, mixed: bool) -> None:
    """The streams come back, by recognition and by name, and every byte is accounted for."""
    for named in (None, launcher):
        result = decode(log, block, named, head=1000)
        assert result.streams == joined(writes, mixed=mixed)
        assert result.accounted == len(log)


def unique(writes: list[Write], form: str) -> bool:
    """Whether no rank prints what looks like this launcher's tag inside a line.

    Such text in the middle of a chunk is where these launchers truly lose information.
    """
    import re

    from sweepmake.logs.demux.launchers import LAUNCHERS

    whole = b"".join(b"\0" + text for _, _, text in writes)
    return not any(
        re.search(each.tag, whole) for each in LAUNCHERS if each.name == form and each.tag
    )


@pytest.mark.parametrize("form", ["openmpi4", "openmpi4 timestamps", "mpich", "mpich pattern"])
@given(writes=WRITES, block=st.integers(1, 3000))
@settings(deadline=None, max_examples=60)
def test_chunks_of_any_ranks_in_any_order_come_back(
    form: str, writes: list[Write], block: int
) -> None:
    """Open MPI 4 and hydra: whatever is written, cut and interleaved comes back exactly."""
    name = form.split()[0]
    log = chunked(START + writes, tags()[form])
    if unique(writes, name):
        expect(log, START + writes, name, block, mixed=name == "mpich")


@pytest.mark.parametrize("form", [form for form in tags() if form.startswith(("openmpi5", "hor"))])
@given(writes=WRITES, block=st.integers(1, 3000))
@settings(deadline=None, max_examples=40)
def test_lines_held_back_come_back(form: str, writes: list[Write], block: int) -> None:
    """Open MPI 5 and Horovod: the same, with partial lines at the end of streams."""
    name = form.split()[0]
    ends = b"\r\n" if name == "horovod" else b"\n"
    expect(held_back(START + writes, tags()[form], ends), START + writes, name, block, mixed=False)


@given(writes=WRITES, block=st.integers(1, 3000))
@settings(deadline=None, max_examples=60)
def test_torchrun_comes_back_but_for_carriage_returns(writes: list[Write], block: int) -> None:
    """torchrun reads text with universal line ends: `\\r` is lost before it tags anything."""
    writes = [
        (rank, name, text.replace(b"\r", b"").replace(b"\xe2", b"").replace(b"\xff", b""))
        for rank, name, text in writes
    ]
    writes = START + [write for write in writes if write[2]]
    expect(chunked(writes, tags()["torchrun"]), writes, "torchrun", block, mixed=True)


@given(writes=WRITES, block=st.integers(1, 3000))
@settings(deadline=None, max_examples=60)
def test_lines_labelled_by_srun_come_back(writes: list[Write], block: int) -> None:
    """srun: all but the line feed that it adds to a task's unfinished last line comes back."""
    writes = START + writes + [(rank, "stdout", b"\n") for rank in range(4)]
    log = labelled(writes, 1)
    for launcher in (None, "srun"):
        result = decode(log, block, launcher, head=1000)
        assert result.streams == joined(writes, mixed=True)


PRINTED = {"openmpi4": "[1,1]<stdout>:", "openmpi5": "[1,1]<stdout>: ", "mpich": "[1] "}


@pytest.mark.parametrize("form", PRINTED)
@given(writes=WRITES, printed=st.lists(st.booleans(), min_size=30, max_size=30))
@settings(deadline=None, max_examples=40)
def test_tags_printed_at_the_start_of_writes_stay_text(
    form: str, writes: list[Write], printed: list[bool]
) -> None:
    """A program that prints another rank's tag at the start of its lines keeps it."""
    lines = [
        (rank, name, (PRINTED[form].encode() if fake else b"") + text.replace(b"\n", b"") + b"\n")
        for (rank, name, text), fake in zip(writes, printed, strict=False)
    ]
    model = held_back if form == "openmpi5" else chunked
    streams = decode(model(START + lines, tags()[form]), 500, head=1000).streams
    assert streams == joined(START + lines, mixed=form == "mpich")


@given(text=st.binary(max_size=3000), block=st.integers(1, 700))
@settings(deadline=None, max_examples=60)
def test_untagged_log_is_rank_0_s(text: bytes, block: int) -> None:
    """A log without tags comes back as it is."""
    result = decode(text, block, "none")
    assert result.streams == ({StreamId(0, "output"): text} if text else {})


def mutated(log: bytes, chance: random.Random) -> bytes:
    """Cut, swap, flip, double or truncate at one to five places."""
    for _ in range(chance.randint(1, 5)):
        a, b = sorted(chance.randrange(len(log) + 1) for _ in range(2))
        kind = chance.randrange(6)
        if kind == 0:
            log = log[:a] + log[a + chance.randrange(40) :]
        elif kind == 1:
            log = log[:a] + log[b : b + 50] + log[a + 50 : b] + log[a : a + 50] + log[b + 50 :]
        elif kind == 2 and log:
            log = log[:a] + bytes([chance.randrange(256)]) + log[a + 1 :]
        elif kind == 3:
            log = log[:a] + log[a : a + 200] + log[a:]
        elif kind == 4 and a > 100:
            log = log[:a]
        else:
            log = log[:a] + chance.choice([b"\n", b"[1,0]<stdout>:", b"[0] ", b"\x00"]) + log[a:]
    return log


def test_mutated_logs_raise_nothing() -> None:
    """Whatever happened to a log, it decodes, every byte is accounted for, in any blocks."""
    logs = [(case / "log.txt").read_bytes() for case in cases(DATA)]
    chance = random.Random(os.environ.get("SWEEPMAKE_SEED", "0"))
    for _ in range(int(os.environ.get("SWEEPMAKE_MUTATIONS", "2000"))):
        log = chance.choice(logs)
        start = chance.randrange(max(1, len(log) - 6000))
        log = mutated(log[start : start + 6000], chance)
        result = decode(log, head=700)
        other = decode(log, chance.choice([64, 333, 1000]), head=700)
        assert result.accounted == len(log)
        assert result.streams == other.streams
        assert result.account == other.account


@pytest.mark.parametrize("form", ["openmpi4", "openmpi5", "mpich", "none", "srun"])
def test_memory_stays_that_of_the_blocks(form: str) -> None:
    """A line of 24 MB passes through in blocks; nothing of it is kept."""
    head = {"none": b"", "srun": b"0: "}.get(form) if form in ("none", "srun") else None
    mark = head if head is not None else tags()[form](0, "stdout", 0)
    tracemalloc.start()
    demultiplexer = Demultiplexer(form)
    demultiplexer.feed(mark + b"start\n" + mark)
    total = 0
    for _ in range(96):
        demultiplexer.feed(b"x" * (1 << 18))
        total += sum(map(len, demultiplexer.take().values()))
    demultiplexer.close()
    total += sum(map(len, demultiplexer.take().values()))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total >= 96 << 18
    assert peak < 6 << 20
