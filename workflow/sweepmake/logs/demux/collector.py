"""Where the decoders put what they find: the pieces of each stream and the account of each rank."""

from __future__ import annotations

import re
from typing import NamedTuple

from sweepmake.logs.demux.account import LAUNCHER_RANK, Account, LauncherText

__all__ = ["LAUNCHER_STREAM", "Collector", "Stream", "StreamId"]


class StreamId(NamedTuple):
    """One output stream of one rank.

    Args:
        rank: the rank, -1 for the launcher itself.
        name: "stdout", "stderr", "stddiag", or "output" where the launcher mixes them.
    """

    rank: int
    name: str


# [vm:20819] MCW rank 0 bound to socket 0[core 0[hwt 0]]: [B/.]
_BOUND = re.compile(
    rb"(?:\[[A-Za-z0-9._-]{1,255}:\d{1,9}\] (?:MCW )?[Rr]ank \d{1,9} (?:is not bound|bound to)"
    rb"[^\n]*\n)+"
)
LAUNCHER_STREAM = StreamId(LAUNCHER_RANK, "launcher")


class Stream:
    """The pieces of one stream that nobody took yet.

    A segment is what stands between one tag and the next. One that a block edge cuts comes in
    several pieces, of which only the first counts.
    """

    __slots__ = ("bound", "ends_line", "events", "id", "lines", "pieces", "segments", "tags")

    def __init__(self, stream: StreamId, events: list[tuple[StreamId, bytes]] | None) -> None:
        self.id = stream
        self.pieces: list[bytes] = []
        self.segments = 0
        self.tags = 0
        self.lines = 0
        self.ends_line = True
        self.bound: re.Match[bytes] | bool | None = None  # not looked for yet
        self.events = events

    def add(self, text: bytes, *, tag: int | None = None) -> None:
        """Append one piece; `tag`: bytes of the tag that begins it, None where one continues."""
        self.pieces.append(text)
        if tag is not None:
            self.segments += 1
            self.tags += tag
        self.lines += text.count(b"\n")
        if self.events is not None:
            self.events.append((self.id, text))

    def add_segments(self, text: bytes, segments: int, lines: int, tags: int) -> None:
        """Append many whole segments at once, already joined and counted."""
        self.pieces.append(text)
        self.segments += segments
        self.lines += lines
        self.tags += tags


class Collector:
    """All streams of a log, the account of each rank, and what the launcher said."""

    def __init__(self, *, events: bool) -> None:
        self.events: list[tuple[StreamId, bytes]] | None = [] if events else None
        self.streams: dict[StreamId, Stream] = {}
        self.account: dict[int, Account] = {}
        self.launcher_text = LauncherText()
        self.cut_tags = 0

    def stream(self, rank: int, name: str) -> Stream:
        """Return this stream, new if it was not seen before."""
        key = StreamId(rank, name)
        found = self.streams.get(key)
        if found is None:
            found = self.streams[key] = Stream(key, self.events)
            self.account.setdefault(rank, Account())
        return found

    def of(self, stream: Stream) -> Account:
        """Return the account of the rank that this stream belongs to."""
        return self.account[stream.id.rank]

    def launcher(self, text: bytes) -> None:
        """Put aside text of the launcher or the system."""
        if text:
            self.launcher_text.add(text)
            if self.events is not None:
                self.events.append((LAUNCHER_STREAM, text))

    def _without_bindings(self, stream: Stream, text: bytes) -> bytes:
        """Put aside the report of `mpirun --report-bindings` that begins a rank's stderr."""
        stream.bound = _BOUND.match(text) if stream.id.name == "stderr" else None
        if stream.bound is None:
            stream.bound = False
            return text
        self.launcher_text.add(stream.bound[0])
        lines = stream.bound[0].count(b"\n")
        stream.lines -= lines
        stream.segments -= lines
        return text[stream.bound.end() :]

    def take(self) -> dict[StreamId, bytes]:
        """Return what came since the last take, by stream, and book it in the accounts."""
        taken: dict[StreamId, bytes] = {}
        for key, stream in self.streams.items():
            if not stream.pieces:
                continue
            text = b"".join(stream.pieces)
            stream.pieces.clear()
            if stream.bound is None:
                text = self._without_bindings(stream, text)
            if text:
                taken[key] = text
                stream.ends_line = text.endswith(b"\n")
            self.account[key.rank].bytes += len(text)
        for rank, account in self.account.items():
            own = [stream for key, stream in self.streams.items() if key.rank == rank]
            account.lines = sum(stream.lines for stream in own)
            account.tag_bytes = sum(stream.tags for stream in own)
            # a segment without a line feed at its end is a fragment; the last may yet be whole
            account.joined = sum(
                max(0, stream.segments - stream.lines - (not stream.ends_line)) for stream in own
            )
        return taken
