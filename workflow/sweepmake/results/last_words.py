"""The end of a log, rank by rank: what was said last, and how the launcher says it ended."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sweepmake.errors import InputError
from sweepmake.logs.demux.recognition import recognise
from sweepmake.logs.demux.streams import Demultiplexer, StreamId, open_log, read_blocks
from sweepmake.logs.reading import ESCAPE

__all__ = ["TAIL", "Ending", "LastWords", "own_lines", "read_last_words"]

TAIL = 1 << 16
"""So many bytes of a log's end are read."""

_LONGEST = 500
_BREAKS = re.compile(r"[\r\n\x08]+")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # a table's cell cannot hold them
# PyTorch itself puts `[rank2]: ` before each line of a traceback
_RANK = re.compile(r"\[rank(\d+)\]:(?: |$)")
_TORCHRUN = re.compile(rb"^\[(?!rank\d)\w*?\d+\]:", re.MULTILINE)
# a rule of Open MPI's may follow right behind a progress bar
_RULE = re.compile(r"(?:-{60,}|={60,}|\*{40,})$")
_BOX = 20
_LAUNCHER = re.compile(
    r"\bmpi(?:run|exec)\b|\bprterun\b|\borterun\b|MPI_ABORT|MPI_Abort|Primary job +terminated|"
    r"BAD TERMINATION|EXIT CODE: |ORTE |PRTE |Exit code: +\d|Root Cause \(first observed|"
    r"^Failures:$|^\S+ FAILED$|"
    r"APPLICATION TERMINATED|KILLED BY SIGNAL"
)
# what launchers write outside such boxes
_OWN = re.compile(
    r"\[(?:proxy:|mpiexec@|mpirun)|(?:srun|slurmstepd|sbatch|mpirun|mpiexec|prterun): |"
    r"In: PMI_Abort|Abort\(-?\d+\) on node \d+|application called MPI_Abort|"
    r"YOUR APPLICATION TERMINATED|This typically refers to a problem with your application|"
    r"Please see the FAQ page for debugging|(?:W|E|INFO|WARNING|ERROR)[\d: .TZ\[\]-]*.*\b"
    r"(?:torch[./]distributed[./]|closing signal SIG|failed \(exitcode: )|"
    r"\[[^\]\s]+:\d+\] (?:\d+ more processes? ha|Set MCA parameter|\*\*\* |\[ ?\d+\] )|"
    r"Exit code: |Process name: |Process \d+ exiting|\d+ total processes (?:killed|failed)"
)


@dataclass(frozen=True, slots=True)
class Ending:
    """How the launcher says a rank has ended: its exit code, or the signal that killed it."""

    rank: int | None
    code: int | None
    signal: int | None


@dataclass(frozen=True, slots=True)
class LastWords:
    """The end of a log.

    Attributes:
        ranks: rank → its last lines, oldest first, without blank ones; the stream that spoke last
            comes last. Redraws of a bar are lines.
        launcher: the lines of the launcher and the system.
        endings: the ends that the launcher reports, in its order.
        tagged: whether the log says who wrote what; otherwise all of it counts as rank 0's.
    """

    ranks: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    launcher: tuple[str, ...] = ()
    endings: tuple[Ending, ...] = ()
    tagged: bool = False


def read_last_words(log: str) -> LastWords:
    """Return the end of a log; nothing where it is not there or cannot be read."""
    try:
        head, tail = _ends(Path(log)) if log else (b"", b"")
    except (InputError, OSError):
        return LastWords()
    found = _tags(tail) or _tags(head, cut=len(head) == TAIL)
    demultiplexer = Demultiplexer(found or "none", events=True)
    demultiplexer.feed(tail)
    demultiplexer.close()
    streams: dict[StreamId, bytes] = {}
    for stream, text in demultiplexer.take_events():
        # the stream that speaks moves to the end
        streams[stream] = streams.pop(stream, b"") + text
    ranks: dict[int, list[str]] = {}
    for stream, text in streams.items():
        for rank, line in _lines(text, stream.rank):
            ranks.setdefault(rank, []).append(line)
    said = ranks.pop(-1, [])
    tagged = demultiplexer.launcher.tagged or len(ranks) > 1
    endings = tuple(Ending(end.rank, end.code, end.signal) for end in demultiplexer.exits)
    return LastWords({r: tuple(ranks[r]) for r in sorted(ranks)}, tuple(said), endings, tagged)


def _tags(part: bytes, *, cut: bool = False) -> str | None:
    """Return the launcher whose tags stand in a part of a log, None for none.

    What the launcher says at the end has no tags; of a short log it can be the greater part.

    Args:
        part: the bytes.
        cut: whether its last line may go on behind them.
    """
    part = "\n".join(own_lines(part.decode("latin-1").split("\n"))).encode("latin-1")
    form = recognise(part, cut=cut)
    if form is None or not form.tagged or form.inline:
        return None  # an exception names no rank where only the program's own lines do
    # in a long traceback PyTorch's own `[rank2]: ` looks like a tag of torchrun
    return None if form.name == "torchrun" and not _TORCHRUN.search(part) else form.name


def _ends(log: Path) -> tuple[bytes, bytes]:
    """Return a log's first and last bytes; what was cut off before a line's start is left out."""
    if not _is_packed(log):
        with open_log(log) as file:
            size = file.seek(0, 2)
            file.seek(0)
            head = file.read(TAIL)
            file.seek(max(0, size - TAIL))
            return head, _whole_lines(file.read(TAIL), cut=size > TAIL)
    head = tail = b""
    size = 0
    for block in read_blocks(log):
        head = head or block[:TAIL]
        tail = (tail + block)[-TAIL:]
        size += len(block)
    return head, _whole_lines(tail, cut=size > TAIL)


def _is_packed(log: Path) -> bool:
    with log.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def _whole_lines(text: bytes, *, cut: bool) -> bytes:
    return text[text.find(b"\n") + 1 :] if cut else text


def _lines(text: bytes, rank: int) -> Iterable[tuple[int, str]]:
    """Yield the lines of a stream, each with its rank: PyTorch may name another one."""
    words = ESCAPE.sub("", text.decode("utf-8", "replace"))
    for line in _BREAKS.split(words):
        own = _RANK.match(line)
        kept = (line[own.end() :] if own else line)[:_LONGEST]
        kept = _CONTROL.sub("", kept).rstrip()
        if kept:
            yield (int(own[1][:9]) if own and rank >= 0 else rank), kept


def own_lines(lines: Iterable[str]) -> list[str]:
    """Return lines without what launchers print at the end: boxes between rules, and reports."""
    kept: list[str] = []
    box: list[str] | None = None  # what follows a rule that may open a box
    for line in lines:
        rule = _RULE.search(line, max(0, len(line) - _LONGEST))
        if rule is None:
            (kept if box is None else box).append(line)
            if box is not None and len(box) > _BOX:
                kept, box = kept + box, None
            continue
        if box is not None and not any(map(_LAUNCHER.search, box)):
            kept += box
        if before := line[: rule.start()].rstrip():
            kept.append(before)
        box = []  # this rule may close one box and open the next
    if box and not any(map(_LAUNCHER.search, box)):
        kept += box
    return [line for line in kept if not _OWN.match(line.lstrip())]
