"""The exception that ended a program, out of its last lines."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sweepmake.results.failure_signs import HANDLED, kind_of_exception

__all__ = ["RECENT", "Raised", "find_exception", "is_second_hand", "without_second_hand"]

RECENT = 60
"""So many lines of a rank's end count as evidence; redraws of a progress bar are lines."""

_BARE = 20  # so many of them for an exception without a traceback
_MESSAGE = 40  # so many lines may belong to a message that ends with a colon
_TRACEBACK = re.compile(r"Traceback \(most recent call last\)")
_FRAME = re.compile(r'\s+File ".*", line \d+(?:, in .*)?$')
_INDENTED = (" ", "\t", "│", "|", "╰", "❱")
_EXCEPTION = re.compile(r"(?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*(?::(?: .*)?)?$")
_SURELY = re.compile(
    r"(?:[A-Za-z_]\w*\.)*(?:[A-Z]\w*(?:Error|Exception|Interrupt|Exit|Exhausted)|"
    r"MisconfigurationException)\b"
)
# without a traceback: at the start of a line, or behind what a logger writes before an error
_ALONE = re.compile(
    r"(?!ERROR: LoadError: )"  # Julia's
    r"(?:.{0,100}\b(?i:error|critical|fatal|uncaught|unhandled|caught|exception|failed)\b\W+"
    r"(?:[\w./-]+\W+){0,4}?|[EF]\d{4} \S+ +\d+ \S+\] )?"
    r"(?P<text>(?:(?:[A-Za-z_]\w*\.)*(?:[A-Z]\w*(?:Error|Exception|Interrupt|Exhausted)|Exception|"
    r"StopIteration|BadZipFile)|\w+\.[Ee]rror|queue\.(?:Empty|Full))"
    r"(?:: .*|:?$|\(['\"].*\)$| \(see above for traceback\): .*))"
)
# what stands before each line of a worker's: Ray and vLLM, exception groups
_PREFIX = re.compile(
    r"\((?:[\w.:]+(?:\(\w+\))? )?pid=\d+(?:, ip=[\d.]+)?\) (?:ERROR [^\]]{0,80}\] ?)?|"
    r"  (?:  )*(?:[|+](?:-\+)?) ?"
)
_LAST_ERROR = "Last error:"
_IGNORED = "Exception ignored in"
# what launchers that are Python programs raise once a rank has failed, and what the other ranks
# raise when the one that failed is gone
_SECOND_HAND = re.compile(
    r"(?:\w+\.)*(?:ChildFailedError|CalledProcessError|ProcessExitedException|SignalException|"
    r"ProcessRaisedException)\b|"
    r"RuntimeError: Horovod detected|.*Horovod has been shut down|"
    r".*(?:remote process exited|Connection (?:closed|reset) by peer|ncclRemoteError|"
    r"Broken pipe)|RuntimeError: DataLoader worker \(pid\(s\) [\d, ]+\) exited unexpectedly|"
    r"(?:\w+\.)*(?:EOFError|BrokenPipeError|ConnectionResetError)\b"
)
_CHAINED = re.compile(r"the above exception", re.IGNORECASE)
_CAUSE = re.compile(r"direct cause", re.IGNORECASE)
# kinds that count also where the exception was only being handled when the last one was raised
_STRONG = ("out of GPU memory", "out of memory", "disk full", "diverged (nan)", "interrupted",
           "CUDA error", "NCCL")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Raised:
    """An exception.

    Attributes:
        line: its last line, with its name and message.
        kind: the kind of failure that it tells, "" where it is just an exception.
        decides: the line that tells this kind: of it, of its long message, or of its cause.
        after: how many lines follow it.
    """

    line: str
    kind: str
    decides: str
    after: int


def is_second_hand(line: str) -> bool:
    """Return whether an exception only reports that another process has failed."""
    return _SECOND_HAND.match(line) is not None


def find_exception(lines: Sequence[str]) -> Raised | None:
    """Return the exception that ended a program, None where its last lines show none.

    The last one counts; one that was ignored or survived does not, and one that only reports
    another's failure counts where there is no other.

    Args:
        lines: the program's lines, oldest first; the last RECENT are looked at.
    """
    lines = _without_ignored([_without_prefix(line) for line in lines[-RECENT:]])
    found, chained = _with_tracebacks(lines)
    if all(map(is_second_hand, (line for _, line in found))):
        found += _alone(lines)
    if not found:
        return None
    at, line = ([one for one in found if not is_second_hand(one[1])] or found)[-1]
    kind, decides = _told(lines, at, line)
    for before, text in reversed(found):
        links = [place for place in chained if before < place < at]
        if not links:
            continue
        told = _told(lines, before, text)
        counts = told[0] in _STRONG or any(_CAUSE.search(lines[place]) for place in links)
        if counts and told[0] and kind in ("", told[0]):
            kind, decides = told
    return Raised(line, kind, decides, len(lines) - 1 - at)


def without_second_hand(lines: Sequence[str]) -> list[str]:
    """Return lines without the tracebacks of launchers; what these raise stays."""
    kept: list[str] = []
    begin = None
    for line in lines:
        if _TRACEBACK.search(line):
            begin = len(kept)
        kept.append(line)
        if begin is not None and not line.startswith(_INDENTED) and _EXCEPTION.match(line):
            if is_second_hand(line):
                kept[begin:] = [line]
            begin = None
    return kept


def _without_prefix(line: str) -> str:
    prefix = _PREFIX.match(line)
    return line[prefix.end() :] if prefix else line


def _without_ignored(lines: list[str]) -> list[str]:
    """Return lines, of which those are empty in which Python reports what it has ignored."""
    for at, line in enumerate(lines[:-1]):
        if line.startswith(_IGNORED) and _TRACEBACK.search(lines[at + 1]):
            end = _end_of_traceback(lines, at + 2)
            begin, end = at, at + 1 if end is None else end
            lines[begin : end + 1] = [""] * (end + 1 - begin)
    return lines


def _with_tracebacks(lines: Sequence[str]) -> tuple[list[tuple[int, str]], list[int]]:
    """Return the (place, last line) of each traceback that ends, and where two are chained."""
    found: list[tuple[int, str]] = []
    chained: list[int] = []
    for at, line in enumerate(lines):
        if _TRACEBACK.search(line):
            end = _end_of_traceback(lines, at + 1)
            exit_ = end is not None and lines[end].startswith("SystemExit")
            if end is not None and not exit_ and not _survived(lines, end):
                found.append((end, lines[end]))
        elif _CHAINED.search(line):
            chained.append(at)
        elif line.startswith(("SyntaxError: ", "IndentationError: ", "TabError: ")):
            found.append((at, line))
    return found, chained


def _end_of_traceback(lines: Sequence[str], begin: int) -> int | None:
    """Return where a traceback names its exception: its first line that is not indented.

    Where ranks without tags have written into each other, the first that surely is one.
    """
    for at in range(begin, min(begin + RECENT, len(lines))):
        if not lines[at].startswith(_INDENTED):
            if _EXCEPTION.match(lines[at]):
                return at
            break
    for at in range(begin, min(begin + RECENT, len(lines))):
        if _SURELY.match(lines[at]):
            return at
    return None


def _alone(lines: Sequence[str]) -> list[tuple[int, str]]:
    """Return the (place, text) of exceptions near the end without a traceback, or its tail."""
    found: list[tuple[int, str]] = []
    for at in range(max(0, len(lines) - _BARE), len(lines)):
        line = lines[at]
        alone = _ALONE.match(line)
        before = lines[max(0, at - 3) : at]  # a frame is its place, its text, and what marks it
        tail = not line.startswith((*_INDENTED, "SystemExit")) and any(map(_FRAME.match, before))
        tail = tail and before[-1].startswith(_INDENTED)
        if (alone or (tail and _EXCEPTION.match(line))) and not _survived(lines, at, own=True):
            found.append((at, alone["text"] if alone else line))
    return found


def _survived(lines: Sequence[str], at: int, *, own: bool = False) -> bool:
    """Whether the next lines (or its own, of one that is alone) say that the program goes on."""
    return any(map(HANDLED.search, lines[at + (not own) : at + 3]))


def _told(lines: Sequence[str], at: int, line: str) -> tuple[str, str]:
    """Return the kind that an exception tells, and the line of its message that does."""
    kind = kind_of_exception(line)
    if kind and not line.endswith(":"):
        # NCCL names its error in a line of its own
        last = [more for more in lines[at + 1 : at + 5] if kind == "NCCL" and more == _LAST_ERROR]
        after = lines.index(last[0], at + 1) + 1 if last else len(lines)
        return kind, lines[after] if after < len(lines) else line
    if line.endswith(":"):
        for more in lines[at + 1 : at + 1 + _MESSAGE]:
            if _TRACEBACK.search(more):
                break
            told = kind_of_exception(more.strip())
            if told and kind in ("", told):
                return told, more
    return kind, line
