r"""What logs and values hold, as text that a terminal shows and never obeys.

A log may hold escape sequences, and a value or a name letters that are not seen or that turn the
text around them. All that the terminal is shown of them goes through here. This module imports
nothing: the stage runner, which starts once per run, uses it.
"""

__all__ = ["one_line", "visible"]


def visible(text: str) -> str:
    r"""Return a text with marks for what a terminal obeys or does not show.

    Control characters, NUL and BEL among them, marks of direction (U+202E), what has no width
    (U+200B, U+FEFF), line separators and whatever else Python does not call printable are written
    as in a Python text: `\x1b`, `\u202e`, `\U000e0001`. Line feeds, tabs and blanks of any width
    stay. A visible text stays as it is.
    """
    if text.isprintable():
        return text
    return "".join(
        [char if char.isprintable() or _is_blank(char) else _mark(char) for char in text]
    )


def one_line(text: str) -> str:
    r"""Return a text as `visible` does, on one line: line feeds and tabs are marks, too."""
    return visible(text).replace("\n", "\\n").replace("\t", "\\t")


def _is_blank(char: str) -> bool:
    """Return whether a character is a blank, a tab or a line feed: space that does no harm.

    Other separators end a line for some programs and not for others.
    """
    return char in "\t\n" or (char.isspace() and char > "\x9f" and char not in "\u2028\u2029")


def _mark(char: str) -> str:
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
