"""What logs and values hold reaches a terminal as marks, wherever it is printed."""

from __future__ import annotations

import logging
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweepmake.errors import InputError, SweepmakeError, in_words
from sweepmake.invocation import session
from sweepmake.logs.__main__ import main as read_logs
from sweepmake.visible import one_line, visible

# what a terminal obeys (Cc), what turns or hides the text around it (Cf), what ends a line (Zl,
# Zp), half of a pair (Cs)
HARMFUL = ("Cc", "Cf", "Zl", "Zp", "Cs")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é 漢 ✓ 1\xa0000", "plain é 漢 ✓ 1\xa0000"),
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("bell\a nul\0 del\x7f", r"bell\x07 nul\x00 del\x7f"),
        ("\x9b2J", r"\x9b2J"),  # the same as ESC [ 2 J in one character
        ("a\u202eb\u2066c\u061cd", r"a\u202eb\u2066c\u061cd"),
        ("a\u200bb\u200dc\ufeffd\u2060", r"a\u200bb\u200dc\ufeffd\u2060"),
        ("a\u2028b\u2029c\x85d\x0be", r"a\u2028b\u2029c\x85d\x0be"),
        ("\U000e0041", r"\U000e0041"),
        ("\ud800", r"\ud800"),
        ("a\n\tb\r", "a\n\tb\\x0d"),
    ],
)
def test_what_a_terminal_obeys_or_hides_is_a_mark(text: str, shown: str) -> None:
    """Everything else stays as it is, line feeds, tabs and blanks among it."""
    assert visible(text) == shown


@given(st.text())
def test_a_visible_text_holds_nothing_that_is_not_seen(text: str) -> None:
    """By the categories of Unicode; and what is visible stays so, word for word."""
    shown = visible(text)
    assert not [c for c in shown if unicodedata.category(c) in HARMFUL and c not in "\n\t"]
    assert visible(shown) == shown
    assert "\n" not in one_line(text)
    assert one_line(shown) == one_line(text)


def test_an_error_is_one_line_of_visible_text() -> None:
    """What it quotes, the place and the hint, may hold anything."""
    error = InputError("found 'a\nb\x1b]0;x\a'", file="p\u202e.yaml", line=3, hint="\u200b?")
    assert str(error) == r"p\u202e.yaml:3: found 'a\nb\x1b]0;x\x07' (\u200b?)"
    assert str(SweepmakeError("a\x00b")) == r"a\x00b"
    assert in_words(FileNotFoundError(2, "gone", "x\x1b[2J\n")) == r"'x\x1b[2J\n': gone"
    assert in_words(ValueError("\x1bc")) == r"\x1bc"


def test_the_first_and_last_words_are_visible(capfd: pytest.CaptureFixture[str]) -> None:
    """Names and folders of the user's stand in them; their own line feeds stay."""
    session.say("Runs: 1 failed\n  FAILED train: out\x1b[2J\u202e/x")
    assert capfd.readouterr().err == "Runs: 1 failed\n  FAILED train: out\\x1b[2J\\u202e/x\n"


def test_the_program_that_reads_logs_prints_visible_text(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The names of the user's files and folders, and what is wrong with a pattern."""
    log = tmp_path / "log"
    log.write_text("epoch=1 loss=2\n")
    assert read_logs([str(log), "--output", str(tmp_path / "a\x1b[2Jb")]) == 0
    assert read_logs([str(log), "--output", str(tmp_path), "--pattern", "\x1b\a("]) == 2
    said = capsys.readouterr()
    assert r"a\x1b[2Jb" in said.out
    assert r"\x1b" in said.err
    assert "\x1b" not in said.out + said.err


def test_the_lines_of_snakemake_are_visible() -> None:
    """It prints a command with its values (-p), and one that failed on a cluster."""
    from sweepmake.snakemake_internals import _Visible

    shown = _Visible(logging.Formatter("%(message)s"))
    record = logging.LogRecord("snakemake", logging.INFO, "", 0, "echo '\x1b[2J'\n", (), None)
    assert shown.format(record) == "echo '\\x1b[2J'\n"
