"""Bytes become the lines that a terminal would have shown."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from launcher_models import DATA

from sweepmake.logs.terminal import Terminal, screen_lines


def shown(stream: bytes) -> list[tuple[str, bool]]:
    return [(seen.text, seen.ended) for seen in screen_lines(stream)]


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (b"a\nb\n", [("a", True), ("b", True)]),
        (b"a\r\n", [("a", True)]),
        (b"1/2 0.9\r2/2 0.8\n", [("1/2 0.9", False), ("2/2 0.8", True)]),
        (b"1/2\b\b\b2/2\n", [("1/2", False), ("2/2", True)]),
        (b"long line\rab\n", [("long line", False), ("abng line", True)]),
        (b"long line\rab\x1b[K\n", [("long line", False), ("abng line", False), ("ab", True)]),
        (b"x\x1b[2K\ry\n", [("x", False), ("y", True)]),
        (b"\x1b[1m 4/13\x1b[0m \x1b[32mok\x1b[0m\n", [(" 4/13 ok", True)]),
        (b"a\x1b[3Cb\x1b[2Dc\n", [("a   b", False), ("a  cb", True)]),
        (b"0%\x1b[1A\x1b[2Kdone\n", [("0%", False), ("  done", True)]),
        (b"abcdef\r\x1b[2Pgh\n", [("abcdef", False), ("ghef", True)]),
        (b"abcd\r\x1b[P\n", [("abcd", False), ("bcd", True)]),
        (b"abcd\r\x1b[2X\n", [("abcd", False), ("  cd", True)]),
        (b"abcdefgh\r\x1b[2C\x1b[2X\n", [("abcdefgh", False), ("ab  efgh", True)]),
        (b"abcd\x1b[3D\x1b[1K\n", [("abcd", False), ("  cd", True)]),
        (b"abcd\x1b[2D\x1b[J\n", [("abcd", False), ("ab", True)]),
        (b"ab\x1b[s123\x1b[ucd\n", [("ab123", False), ("abcd3", True)]),
        (b"ab\x1b[1Gc\x1b[4`d\n", [("ab", False), ("cb d", True)]),
        (b"ab\x1b[Ecd\n", [("ab", False), ("cd", True)]),
        (b"ab\x1b[Hcd\n", [("ab", False), ("cd", True)]),
        (b"\x1b]0;title\x07a\n", [("a", True)]),
        (b"a\tb\n", [("a       b", True)]),
        (b"a\x00\x00b\n", [("ab", True)]),
        (b"a\xff\xe2\x94b\n", [("a\ufffd\ufffdb", True)]),
        (b"not ended", [("not ended", False)]),
        (b"", []),
    ],
)
def test_terminal_control_is_resolved(stream: bytes, expected: list[tuple[str, bool]]) -> None:
    """Each control code does what it does on a screen, and each redraw is one observation."""
    assert shown(stream) == expected


def test_each_update_of_a_keras_bar_is_one_observation() -> None:
    """The bars of a real run: as many observations as updates, none of them torn."""
    stream = (DATA / "k2-ompi4-np2" / "streams" / "rank0.stdout").read_bytes()
    bars = [seen.text for seen in screen_lines(stream) if "/13 [" in seen.text]
    assert all(bar.lstrip()[0].isdigit() and "loss: " in bar for bar in bars)
    assert len(bars) == stream.count(b"/13 [")


def test_invalid_bytes_and_nul_are_counted() -> None:
    """What is no UTF-8 shows as U+FFFD and is counted; a printed U+FFFD is not."""
    terminal = Terminal()
    terminal.feed(b"\xff \xef\xbf\xbd \x00\x00")
    assert (terminal.invalid, terminal.nul) == (1, 2)


@given(
    stream=st.lists(
        st.sampled_from([b"ab", b"\r", b"\b", b"\n", b"\x1b[", b"2K", b"1m", b"\x1b]0;", b"\x07"])
        | st.binary(max_size=4),
        max_size=40,
    ).map(b"".join),
    size=st.integers(1, 9),
)
@example(stream=b"\x1b[\nab", size=1)  # a line feed after a cut code is not the end of the text
def test_block_edges_do_not_matter(stream: bytes, size: int) -> None:
    """Codes and characters that a block edge cuts are put together again."""
    terminal = Terminal()
    seen = [
        one
        for start in range(0, len(stream), size)
        for one in terminal.feed(stream[start : start + size])
    ]
    assert seen + terminal.close() == screen_lines(stream)


def test_endless_line_is_shown_in_parts() -> None:
    """A line of 5 MB does not stay in memory as one."""
    seen = screen_lines(b"x" * 5_000_000)
    assert len(seen) > 1 or len(seen[0].text) == 5_000_000
    assert sum(len(one.text) for one in seen) == 5_000_000
