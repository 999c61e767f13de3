"""Where the decoders put what they find: the pieces of each stream and the account of each rank."""

from __future__ import annotations

from typing import NamedTuple

from .account import LAUNCHER_RANK, Account, LauncherText

__all__ = ["LAUNCHER_STREAM", "Collector", "Stream", "StreamId"]


class StreamId(NamedTuple):
    """One output stream of one rank.

    Args:
        rank: the rank, -1 for the launcher itself.
        name: "stdout", "stderr", "stddiag", or "output" where the launcher mixes them.
    """

    rank: int
    name: str


LAUNCHER_STREAM = StreamId(LAUNCHER_RANK, "launcher")


class Stream:
    """The pieces of one stream that nobody took yet.

    A segment is what stands between one tag and the next. A segment that a block edge cuts comes
    in several pieces; `continued` counts those that are not the first.
    """

    __slots__ = (
        "continued", "ends_line", "events", "id", "joined", "lines", "pieces", "segments",
        "tag_length",
    )  # fmt: skip

    def __init__(self, stream: StreamId, events: list[tuple[StreamId, bytes]] | None) -> None:
        self.id = stream
        self.pieces: list[bytes] = []
        self.continued = 0
        self.segments = 0
        self.lines = 0
        self.joined = 0
        self.tag_length = 0
        self.ends_line = True
        self.events = events

    def add(self, text: bytes, *, continued: bool = False) -> None:
        """Append one piece; say whether it continues a segment that already has one."""
        self.pieces.append(text)
        self.continued += continued
        if self.events is not None:
            self.events.append((self.id, text))


class Collector:
    """All streams of a log, the account of each rank, and what the launcher said."""

    def __init__(self, *, events: bool) -> None:
        self.events: list[tuple[StreamId, bytes]] | None = [] if events else None
        self.streams: dict[StreamId, Stream] = {}
        self.account: dict[int, Account] = {}
        self.launcher_text = LauncherText()

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

    def take(self) -> dict[StreamId, bytes]:
        """Return what came since the last take, by stream, and book it in the accounts."""
        taken: dict[StreamId, bytes] = {}
        for key, stream in self.streams.items():
            if not stream.pieces:
                continue
            text = b"".join(stream.pieces)
            segments = len(stream.pieces) - stream.continued
            stream.pieces.clear()
            stream.continued = 0
            account = self.account[key.rank]
            lines = text.count(b"\n")
            account.bytes += len(text)
            account.lines += lines
            account.tag_bytes += segments * stream.tag_length
            stream.segments += segments
            if text:
                taken[key] = text
            # a segment without a line feed at its end is a fragment; the last may yet be whole
            stream.lines += lines
            stream.ends_line = text.endswith(b"\n")
            joined = max(0, stream.segments - stream.lines - (not stream.ends_line))
            account.joined += joined - stream.joined
            stream.joined = joined
        return taken
