"""The errors that Sweepmake shows its users: one base, and messages that say what to do."""

from __future__ import annotations

import errno

from sweepmake.visible import one_line, visible

__all__ = ["InputError", "SweepmakeError", "in_words", "suggestion"]

_MOST_LISTED = 20


class SweepmakeError(Exception):
    """Base of every error that Sweepmake raises on purpose; its text, one line, is for the user.

    Args:
        text: what is wrong; what it quotes may hold anything, and is shown as `visible` says.
    """

    def __init__(self, text: str) -> None:
        super().__init__(one_line(text))


class InputError(SweepmakeError):
    """Something in the user's files or on the command line that cannot be used.

    Args:
        problem: what was found and what was expected, one sentence or two, no final stop needed.
        file: the file that holds it, as the user named it.
        line: its line, counted from 1.
        hint: what to do about it ("did you mean 'norm'?").
    """

    def __init__(
        self,
        problem: str,
        *,
        file: str | None = None,
        line: int | None = None,
        hint: str | None = None,
    ) -> None:
        self.problem = problem
        self.file = file
        self.line = line
        self.hint = hint
        place = "" if file is None else f"{file}: " if line is None else f"{file}:{line}: "
        super().__init__(place + problem + (f" ({hint})" if hint else ""))


def suggestion(word: object, known: list[str] | tuple[str, ...]) -> str | None:
    """Return "did you mean …?" for the nearest known word, or the list of them, or None.

    Args:
        word: what the user wrote.
        known: what could have stood there.
    """
    import difflib

    near = difflib.get_close_matches(str(word), list(known), n=1, cutoff=0.6)
    near = near or [name for name in known if name.casefold() == str(word).casefold()]
    if near:
        return f"did you mean '{near[0]}'?"
    if known:
        more = len(known) - _MOST_LISTED
        return "one of: " + ", ".join(known[:_MOST_LISTED]) + (f" and {more} more" * (more > 0))
    return None


def in_words(error: Exception) -> str:
    """Return what a user reads of an error: of the operating system's without its number."""
    if not isinstance(error, OSError) or not error.strerror:
        return visible(str(error))
    place = one_line(f"'{error.filename}': ") if error.filename else ""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return f"{place}{error.strerror}" + (
        " (free some space in the folder of results and in /tmp)" if full else ""
    )
