"""What is counted beside the streams: fragments, times, doubts; and how far ahead it is looked."""

from __future__ import annotations

import pytest
from launcher_models import TIME, chunked, held_back, tags
from test_streams import decode

from sweepmake.logs.demux.streams import Demultiplexer, StreamId

ROUNDS = [(0, "stdout", b"a\n"), (1, "stdout", b"b\n")] * 4


@pytest.mark.parametrize("form", [form for form in tags() if form.endswith("timestamps")])
@pytest.mark.parametrize("walked", [False, True], ids=["at once", "tag by tag"])
def test_when_a_rank_was_heard_last_is_the_launcher_s_time(form: str, walked: bool) -> None:
    """Without the brackets around it; also where each tag has to be looked at."""
    model = held_back if form.startswith("openmpi5") else chunked
    # a tag that the program prints makes the block one that is decided tag by tag
    printed = tags()[form](1, "stdout", 30) if walked else b""
    writes = [*ROUNDS, (0, "stdout", printed + b"said\n"), (1, "stdout", b"end\n")]
    result = decode(model(writes, tags()[form]))
    assert result.account[0].heard_time == TIME.format(8)
    assert result.account[1].heard_time == TIME.format(9)


def test_without_times_nobody_knows_when_a_rank_was_heard() -> None:
    assert decode(chunked(ROUNDS, tags()["openmpi4"])).account[0].heard_time is None


def test_fragments_of_lines_are_counted_once_they_are_put_together() -> None:
    """The last segment of a stream is one only where something follows it."""
    log = b"[1,0]<stdout>:a\n[1,1]<stdout>:b\n[1,0]<stdout>:two [1,1]<stdout>:one\n"
    assert decode(log).account[0].joined == 0, "its line may yet be whole"
    log += b"[1,0]<stdout>:of three [1,1]<stdout>:two\n"
    assert decode(log).account[0].joined == 1
    log += b"[1,0]<stdout>:parts\n"
    assert [decode(log).account[rank].joined for rank in (0, 1)] == [2, 0]
    # the streams of a rank are counted apart, and then together
    log += b"[1,0]<stderr>:half [1,1]<stdout>:x\n[1,0]<stdout>:half"
    log += b"[1,0]<stderr>:whole\n[1,0]<stdout>:whole\n"
    assert decode(log).account[0].joined == 4


def test_ranks_that_only_spoke_inside_lines_are_known_by_their_tags() -> None:
    """Where tags cannot be a program's text; plain ones have to begin a line first."""
    log = b"[1,0]<stdout>:a\n" + b"".join(b"[1,%d]<stdout>:x" % rank for rank in range(8)) + b"\n"
    assert set(decode(log).account) == set(range(8))
    log = b"[0] a\n[1] b\n[0] see [2], [3] and [4]\n"
    assert set(decode(log, launcher="mpich").account) == {0, 1}


@pytest.mark.parametrize("block", [1 << 20, 128, 64, 61, 7])
def test_a_plain_tag_inside_the_launcher_s_own_text_is_none(block: int) -> None:
    """Wherever the log is cut; behind a line feed it is one again."""
    log = b"[0] a\n[1] b\n" + b"said by a wrapper, " * 40 + b"[1] not a tag\n[0] c\n[1] d\n"
    result = decode(log, block, "mpich", head=16)
    assert result.streams == {StreamId(0, "output"): b"a\nc\n", StreamId(1, "output"): b"b\nd\n"}
    assert result.launcher_text.size == 40 * 19 + len(b"[1] not a tag\n")


def test_who_spoke_can_be_asked_in_the_order_of_the_log() -> None:
    """Without asking for the streams first; what was asked for does not come again."""
    demultiplexer = Demultiplexer("openmpi4", events=True)
    said = [(StreamId(rank, "stdout"), b"%d\n" % at) for at in range(30_000) for rank in (1, 0)]
    log = b"".join(b"[1,%d]<stdout>:%b" % (stream.rank, text) for stream, text in said)
    demultiplexer.feed(log[:-10])
    first = demultiplexer.take_events()
    assert len(first) > 10_000
    demultiplexer.feed(log[-10:])
    demultiplexer.close()
    assert first + demultiplexer.take_events() == said


@pytest.mark.parametrize("form", ["openmpi5", "openmpi5 timestamps"])
@pytest.mark.parametrize("is_text", [True, False])
def test_a_speaker_is_waited_for_one_mebibyte_of_the_log(form: str, is_text: bool) -> None:
    """Who speaks again within it has printed the tag, wherever the log is cut into blocks."""
    tag = tags()[form]
    writes = [(0, b"a\n"), (1, b"b\n"), (0, b"see " + tag(1, "stdout", 3) + b"mine\n")]
    whole = 1 << 20
    line = b"x" * 999 + b"\n"
    between = len(tag(1, "stdout", 0)) + len(line)
    lines, rest = divmod(whole - len(b"mine\n") - len(tag(0, "stdout", 0)), between)
    rest += 0 if is_text else 1  # one byte more, and it is too late
    said = [b"x" * rest + line, *[line] * (lines - 1)]
    writes += [*((1, text) for text in said), (0, b"end\n")]
    log = held_back([(rank, "stdout", text) for rank, text in writes], tag)
    behind = log.index(b"mine")
    own, other = (writes[2][1], b"") if is_text else (b"see ", b"mine\n")
    for block in (
        1 << 16,
        1 << 22,
        behind + whole - between,
        *range(behind + whole - 1, behind + whole + 2),
    ):
        streams = decode(log, block).streams
        assert streams[StreamId(0, "stdout")] == b"a\n" + own + b"end\n"
        assert streams[StreamId(1, "stdout")] == b"b\n" + other + b"".join(said)


@pytest.mark.parametrize("tag", [r"\[(?P<rank>\d)\](?= )", r"(?<!\w)\[(?P<rank>\d)\]"])
def test_a_tag_of_the_user_s_may_look_around(tag: str) -> None:
    """Who speaks is told where the tag stands, not by the tag alone."""
    log = b"[0] a\n[1] b\n[0] see[1]c [1] d\n"
    ranks = decode(log, launcher=tag).streams
    assert ranks[StreamId(1, "output")].startswith(b" b\n")
    assert ranks[StreamId(0, "output")].startswith(b" a\n see")
