"""The cleaned log: one line per event, in the order of time, with the rank that spoke.

[2] Epoch 3/9
[2] 13/13 [==============================] - 1s 85ms/step - loss: 0.8636 - dsc: 0.1364
[1 stderr] RuntimeError: CUDA error: an illegal memory access was encountered
[mpirun] mpirun detected that one or more processes exited with non-zero status
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, cast

from sweepmake.logs.demux.collector import LAUNCHER_STREAM, StreamId
from sweepmake.logs.demux.streams import Demultiplexer, read_blocks
from sweepmake.logs.terminal import ScreenLine, Terminal

__all__ = ["CleanLog", "clean_log"]

_MOST = 1 << 18
_OPEN_FILES = 256


class _Speaker:
    """One stream on its way to the cleaned log."""

    __slots__ = ("heard", "pieces", "prefix", "size", "terminal")

    def __init__(self, prefix: bytes) -> None:
        self.prefix = prefix
        self.pieces: list[bytes] = []
        self.size = 0
        self.heard = 0
        self.terminal = Terminal()


class CleanLog:
    """Writes the cleaned log while the log is being read.

    Args:
        path: the file to write.
        per_rank: the folder for a file of each rank, `rank<r>.log`, without the prefixes; or None.
        redraws: write every redraw of a progress bar, not only the last state of its line.
        speaker: what the launcher's own lines begin with; may be set until the first of them.
    """

    def __init__(
        self,
        path: Path,
        *,
        per_rank: Path | None = None,
        redraws: bool = False,
        speaker: str = "mpirun",
    ) -> None:
        self._stack = ExitStack()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: BinaryIO = self._stack.enter_context(path.open("wb"))
        self._folder = per_rank
        if per_rank is not None:
            per_rank.mkdir(parents=True, exist_ok=True)
        self._ranks: dict[int, BinaryIO] = {}
        self._written: set[int] = set()
        self._redraws = redraws
        self.speaker = speaker
        self._speakers: dict[StreamId, _Speaker] = {}
        self._events = 0

    def __enter__(self) -> CleanLog:
        return self

    def __exit__(self, *problem: object) -> None:
        self._stack.close()

    def write(self, events: Iterable[tuple[StreamId, bytes]]) -> None:
        """Write what is complete of these events."""
        for stream, text in events:
            speaker = self._speakers.get(stream)
            if speaker is None:
                speaker = self._speakers[stream] = _Speaker(self._prefix(stream))
            speaker.pieces.append(text)
            speaker.size += len(text)
            speaker.heard = self._events = self._events + 1
            if b"\n" in text or speaker.size > _MOST or self._redraws:
                self._flush(stream, speaker)

    def close(self) -> dict[StreamId, Terminal]:
        """Write the lines that never ended, with "…", and return each stream's terminal."""
        for stream, speaker in sorted(self._speakers.items(), key=lambda item: item[1].heard):
            self._flush(stream, speaker)
            self._lines(stream, speaker, speaker.terminal.close(), last=True)
        self._stack.close()
        return {stream: speaker.terminal for stream, speaker in self._speakers.items()}

    def _prefix(self, stream: StreamId) -> bytes:
        if stream == LAUNCHER_STREAM:
            return f"[{self.speaker}] ".encode()
        kind = f" {stream.name}" if stream.name in ("stderr", "stddiag") else ""
        return f"[{stream.rank}{kind}] ".encode()

    def _flush(self, stream: StreamId, speaker: _Speaker) -> None:
        text = b"".join(speaker.pieces)
        speaker.pieces.clear()
        speaker.size = 0
        self._lines(stream, speaker, speaker.terminal.feed(text))

    def _lines(
        self, stream: StreamId, speaker: _Speaker, seen: list[ScreenLine], *, last: bool = False
    ) -> None:
        """Write observations: the ended ones, and the others where redraws are wanted."""
        for one in seen:
            if not one.text or not (one.ended or last or self._redraws):
                continue
            line = one.text.encode() + (b" \xe2\x80\xa6\n" if last and not one.ended else b"\n")
            self._file.write(speaker.prefix + line)
            if self._folder is not None and stream.rank >= 0:
                self._rank_file(stream.rank).write(line)

    def _rank_file(self, rank: int) -> BinaryIO:
        """Return the rank's own file; with very many ranks not all are kept open."""
        file = self._ranks.get(rank)
        if file is None:
            assert self._folder is not None
            if len(self._ranks) >= _OPEN_FILES:
                for old in self._ranks.values():
                    old.close()
                self._ranks.clear()
            mode = "ab" if rank in self._written else "wb"
            path = self._folder / f"rank{rank}.log"
            file = self._ranks[rank] = cast(BinaryIO, path.open(mode))
            self._stack.callback(file.close)
            self._written.add(rank)
        return file


def clean_log(
    log: str | Path,
    output: Path,
    *,
    per_rank: Path | None = None,
    launcher: str | None = None,
    redraws: bool = False,
) -> Demultiplexer:
    """Write the cleaned log of a whole log file and return the demultiplexer with the accounts.

    Args:
        log: the raw log, plain or packed by gzip.
        output: the file to write.
        per_rank: the folder for one file per rank, or None.
        launcher: the launcher's name from the config, or None to recognise it.
        redraws: keep every redraw of a progress bar.

    Raises:
        InputError: if the log cannot be read or the launcher is not known.
    """
    demultiplexer = Demultiplexer(launcher, events=True)
    with CleanLog(output, per_rank=per_rank, redraws=redraws) as clean:
        for block in read_blocks(log):
            demultiplexer.feed(block)
            demultiplexer.take()
            clean.speaker = demultiplexer.launcher.speaker
            clean.write(demultiplexer.take_events())
        demultiplexer.close()
        demultiplexer.take()
        clean.speaker = demultiplexer.launcher.speaker
        clean.write(demultiplexer.take_events())
        clean.close()
    return demultiplexer
