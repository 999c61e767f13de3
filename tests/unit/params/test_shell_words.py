"""Which commands are one to a shell, by bash itself."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweepmake.params.shell_words import difference, split_words


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a --x 'b c'", 'a  --x "b c" '),
        ("a --x b\\ c", "a --x 'b c'"),
        ("a '' \"\"", "a \"\" ''"),
        ("a>b 2>&1;c", "a > b 2>& 1 ; c"),
        ('a "\\$x\\"\\\\"', "a '$x\"\\'"),
        ('a "$x"b', 'a "$x""b"'),
        ("a --x='b,c'", "a --x=b,c"),
        ('a "$(b "c")"  d', 'a  "$(b "c")"  d'),
    ],
)
def test_quotes_and_blanks_make_no_difference(one: str, other: str) -> None:
    """Nor which quotes, nor the blanks around operators."""
    assert split_words(one) == split_words(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a '$x'", 'a "$x"'),
        ('a "$x"', "a $x"),
        ("a ';' b", "a ; b"),
        ("a '*'", "a *"),
        ("a '~'", "a ~"),
        ("a \\&", "a &"),
        ("a 2>b", "a 2 >b"),
        ("a ''", "a"),
        ("a b", "ab"),
        ("a '# b'", "a # b"),
        ("a `b`", "a '`b`'"),
        ("a $(b)", "a '$(b)'"),
        ("a \"$(b 'c')\"", 'a "$(b "c d")"'),
        ("a $'\\n'", "a '\\n'"),
        ('a "b', "a b"),
        ("a 'b", "a b"),
    ],
)
def test_what_a_shell_takes_for_something_else_differs(one: str, other: str) -> None:
    """Variables, operators, patterns and comments that act, and such as are quoted."""
    assert split_words(one) != split_words(other)


@settings(max_examples=60)
@given(st.lists(st.text("ab '\"\\$;*#~x", max_size=8), min_size=2, max_size=2, unique=True))
def test_equal_words_are_equal_arguments_for_bash(commands: list[str]) -> None:
    """Whatever two commands are written: if their words are equal, bash hands on the same."""
    one, other = (f"printf '<%s>' {command}" for command in commands)
    if split_words(one) == split_words(other):
        assert said_by_bash(one) == said_by_bash(other)


def said_by_bash(command: str) -> tuple[int, bytes]:
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, check=False, cwd="/proc/self"
    )
    return done.returncode, done.stdout


def test_a_difference_is_shown_with_the_word_before_it() -> None:
    """Shortened, and without what a terminal would take for a command."""
    then, now = split_words("a --lr 0.1 --x 1 > b"), split_words("a --lr 0.2 --x 1 --wd '2 3' > b")
    assert difference(then, now) == ("--lr 0.1", "--lr 0.2 … --wd '2 3'")
    assert difference(split_words("a 1"), split_words("a --new 1")) == ("", "--new")
    shown, _ = difference(("a", "\x1b[2J" + "x" * 100), ("a", "b"))
    assert len(shown) == 60
    assert "\x1b" not in shown
