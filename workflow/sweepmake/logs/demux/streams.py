"""From the one stream that a launcher prints to the streams that its ranks wrote.

demultiplexer = Demultiplexer()
for block in read_blocks("log.train.20261121.172816"):
    demultiplexer.feed(block)
    for stream, text in demultiplexer.take().items():
        …
demultiplexer.close()
… take() once more
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from sweepmake.errors import InputError
from sweepmake.logs.demux.account import Account, Exit, LauncherText, exit_reports
from sweepmake.logs.demux.collector import LAUNCHER_STREAM, Collector, StreamId
from sweepmake.logs.demux.escapes import Escapes
from sweepmake.logs.demux.labels import LabelDecoder
from sweepmake.logs.demux.launchers import LAUNCHERS, Launcher, launcher_named
from sweepmake.logs.demux.named import NameDecoder
from sweepmake.logs.demux.recognition import Verdict, weigh
from sweepmake.logs.demux.tags import TagDecoder
from sweepmake.logs.demux.untagged import several_ranks

__all__ = [
    "BLOCK",
    "LAUNCHER_STREAM",
    "Account",
    "Demultiplexer",
    "StreamId",
    "demultiplex",
    "open_log",
    "read_blocks",
]

BLOCK = 1 << 20
# so much is looked at before the launcher is recognised, whatever the size of the blocks
_HEAD = 1 << 18
_NONE = LAUNCHERS[-1]


class _Decoder(Protocol):
    def decode(self, block: bytes, offset: int, *, final: bool) -> int: ...


class _PlainDecoder:
    """Decodes a log without tags: all of it is rank 0's."""

    def __init__(self, collector: Collector) -> None:
        self._stream = collector.stream(0, "output")
        self._account = collector.account[0]
        self.tail = b""

    def decode(self, block: bytes, offset: int, *, final: bool) -> int:
        if block:
            self._stream.add(block)
            self._account.heard_at = offset + len(block) - 1
            self.tail = (self.tail + block)[-_HEAD:] if len(block) < _HEAD else block[-_HEAD:]
        return len(block)


class Demultiplexer:
    """Takes a log apart, block by block.

    The result does not depend on how the log is cut into blocks. Memory is that of the blocks
    fed since the last `take`, plus at most about 1 MiB.

    Args:
        launcher: the launcher that the config names, or a regular expression of its tag with a
            group `rank`; None: recognised from the first 256 KiB of the log.
        events: keep also the order in which the streams spoke, for `take_events`.

    Attributes:
        launcher: the form whose tags are taken apart.
        verdict: how sure that is, and why.
        warnings: what to tell the user of it.

    Raises:
        InputError: for a launcher that is not known.
    """

    def __init__(self, launcher: str | None = None, *, events: bool = False) -> None:
        self._forms = LAUNCHERS if launcher is None else launcher_named(launcher)
        self._named = launcher is not None
        self._collector = Collector(events=events)
        self._decoder: _Decoder | None = None
        self._waiting: list[bytes] = []
        self._fed = False  # something came that was not looked at
        self._offset = 0
        self._closed = False
        self.launcher: Launcher = self._forms[0] if self._named else _NONE
        self.verdict = Verdict(None, 1.0, "the log is empty")
        self.warnings: tuple[str, ...] = ()
        self._escapes: dict[tuple[StreamId, int], Escapes] = {}

    @property
    def account(self) -> dict[int, Account]:
        """The account of each rank, as of the last `take`."""
        return self._collector.account

    @property
    def launcher_text(self) -> LauncherText:
        """What the launcher and the system wrote themselves."""
        return self._collector.launcher_text

    @property
    def accounted(self) -> int:
        """Bytes of the log that stand in some account: after the last `take`, all of them."""
        ranks = sum(account.bytes + account.tag_bytes for account in self.account.values())
        return ranks + self.launcher_text.size + self._collector.cut_tags

    @property
    def exits(self) -> list[Exit]:
        """The ends of ranks that the launcher reports: "rank 2 exited with code 17"."""
        if isinstance(self._decoder, _PlainDecoder):
            return exit_reports(self._decoder.tail)
        return exit_reports(bytes(self.launcher_text.text))

    def feed(self, block: bytes) -> None:
        """Add the next bytes of the log."""
        if self._closed:
            raise ValueError("the demultiplexer is closed")
        if block:
            self._waiting.append(bytes(block))
            self._fed = True
            if sum(map(len, self._waiting[:4])) >= _HEAD or len(self._waiting) >= 1024:
                self._decode(final=False)

    def close(self) -> None:
        """Say that the log ends here; `take` then gives the rest."""
        if not self._closed:
            self._closed = True
            self._decode(final=True)

    def take(self) -> dict[StreamId, bytes]:
        """Return what was decoded since the last take, by stream."""
        if self._fed and not self._closed:
            self._decode(final=False)
        taken = self._collector.take()
        if self.launcher.escaped:
            taken = self._turned_back(taken)
        if self.launcher.name == "torchrun":  # its threads share a buffer and print parts of it
            for stream, text in taken.items():
                self.account[stream.rank].ambiguous += text.count(b"\x00")
        return taken

    def take_events(self) -> list[tuple[StreamId, bytes]]:
        """Return who said what since the last call, in the order of the log.

        The launcher's own text has the rank -1. Pieces of one segment may come separately.
        """
        if self._fed and not self._closed:
            self._decode(final=False)
        events = self._collector.events or []
        taken = events[:]
        events.clear()
        if self.launcher.escaped:
            pairs = ((stream, self._escapes_of(stream, 1, text)) for stream, text in taken)
            taken = [(stream, text) for stream, text in pairs if text]
        return taken

    def _turned_back(self, taken: dict[StreamId, bytes]) -> dict[StreamId, bytes]:
        """Return what was taken with its control characters, the ends that are kept back too."""
        if self._closed:
            held = {stream: b"" for stream, kind in self._escapes if kind == 0}
            taken = held | taken
        turned = {stream: self._escapes_of(stream, 0, text) for stream, text in taken.items()}
        return {stream: text for stream, text in turned.items() if text}

    def _escapes_of(self, stream: StreamId, kind: int, text: bytes) -> bytes:
        """Turn back the escapes of a stream, apart for `take` (0) and for `take_events` (1)."""
        escapes = self._escapes.setdefault((stream, kind), Escapes())
        return escapes.turn_back(text, final=self._closed and kind == 0)

    def _decode(self, *, final: bool) -> None:
        self._fed = False
        block = self._waiting[0] if len(self._waiting) == 1 else b"".join(self._waiting)
        if self._decoder is None:
            if len(block) <= _HEAD and not final:  # one byte more tells whether the log goes on
                self._waiting = [block] if block else []
                return
            self._decoder = self._recognised(block[:_HEAD], cut=len(block) > _HEAD)
        done = self._decoder.decode(block, self._offset, final=final)
        self._offset += done
        rest = block[done:]
        self._waiting = [rest] if rest else []

    def _recognised(self, head: bytes, *, cut: bool) -> _Decoder:
        """Choose the decoder by the config or the first bytes of the log, which may be cut."""
        found = weigh(head, self._forms, cut=cut)
        self.launcher = found.form or (self._forms[0] if self._named else _NONE)
        self.verdict = Verdict(None, 1.0, "named by the user") if self._named else found
        if not self.launcher.tagged:
            decoder = _PlainDecoder(self._collector)
            self._mistrust(head)
            return decoder
        if self.launcher.inline:
            return NameDecoder(self.launcher, self._collector)
        if self.launcher.labels:
            return LabelDecoder(self.launcher, head, self._collector)
        return TagDecoder(self.launcher, head, self._collector)

    def _mistrust(self, head: bytes) -> None:
        """Count what several ranks without tags have mixed, and say so."""
        mixture = several_ranks(head)
        if mixture is None:
            return
        self._collector.account[0].ambiguous += mixture.places
        _, sure, why = self.verdict
        self.verdict = Verdict(None, min(sure, 0.5), f"{why}; {mixture.why}")
        self.warnings = (
            f"several ranks seem to have written without tags, their numbers are mixed in rank 0: "
            f"{mixture.why}",
        )


def demultiplex(log: bytes, launcher: str | None = None) -> dict[StreamId, bytes]:
    """Return the streams of a whole log that fits into memory."""
    demultiplexer = Demultiplexer(launcher)
    demultiplexer.feed(log)
    demultiplexer.close()
    return demultiplexer.take()


def open_log(path: str | Path) -> BinaryIO:
    """Return the log opened for reading; one that gzip wrote is unpacked on the way.

    Raises:
        InputError: if it cannot be opened.
    """
    try:
        file = Path(path).open("rb")  # noqa: SIM115
        magic = file.read(2)
        file.seek(0)
    except OSError as error:
        raise InputError(f"the log cannot be read: {error.strerror}", file=str(path)) from error
    if magic != b"\x1f\x8b":
        return file
    import gzip

    return cast(BinaryIO, gzip.GzipFile(fileobj=file))


def read_blocks(path: str | Path, size: int = BLOCK) -> Iterator[bytes]:
    """Yield a log's bytes in blocks of at most `size`; a gzip file that is cut ends where it is.

    Raises:
        InputError: if it cannot be read.
    """
    import zlib

    with open_log(path) as file:
        while True:
            try:
                block = file.read(size)
            except EOFError:
                return  # still being written, or cut
            except (OSError, zlib.error) as error:
                raise InputError(f"the log cannot be read: {error}", file=str(path)) from error
            if not block:
                return
            yield block
