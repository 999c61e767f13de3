"""Taking a log apart whose lines name their rank themselves: `rank 1 | epoch 2 | loss 0.8`.

No launcher wrote these: the program did, as in `[rank 3]`, `GPU 1: …` or, behind a logger's
words, `INFO rank=1 epoch 2`. The name is no metric, so it is taken out of the line, with the
separator on one side of it. Lines that name nobody are nobody's: they are put aside with the
launcher's text. Only where all lines of the training name their rank is this done.
"""

from __future__ import annotations

import re

from sweepmake.logs.demux.collector import Collector, Stream
from sweepmake.logs.demux.launchers import NAME_WITHIN, Launcher

__all__ = ["NameDecoder"]

_LONGEST = 1 << 16


class NameDecoder:
    """Decodes lines that name their rank.

    Args:
        form: how a line names its rank.
        collector: takes what is decoded.
    """

    def __init__(self, form: Launcher, collector: Collector) -> None:
        self._collector = collector
        self._name = re.compile(form.tag).search
        self._streams: dict[int, Stream] = {}
        self._current: Stream | None = None  # whose line was handed on in part
        self._inside = False  # of a line that was handed on in part

    def decode(self, block: bytes, offset: int, *, final: bool) -> int:
        """Decode a block and return how many of its bytes are done with.

        Args:
            block: what was left of the last block, and what came since.
            offset: where in the log it begins.
            final: nothing follows.
        """
        end = len(block) if final else block.rfind(b"\n") + 1
        if not end and len(block) > _LONGEST:
            end = len(block)
        position = 0
        for line in re.findall(rb"[^\n]*\n|[^\n]+", block[:end]):
            self._line(line, offset + position)
            position += len(line)
        return end

    def _line(self, line: bytes, position: int) -> None:
        """Hand on one line, or a part of a long one."""
        named = None if self._inside else self._name(line, 0, NAME_WITHIN)
        if named:
            stream = self._stream(int(named["rank"]))
            self._current = stream
            stream.add(line[: named.start()] + line[named.end() :], tag=len(named[0]))
            self._collector.of(stream).heard_at = position
        elif self._inside and self._current is not None:
            self._current.add(line)
        else:
            self._current = None
            self._collector.launcher(line)
        self._inside = not line.endswith(b"\n")

    def _stream(self, rank: int) -> Stream:
        found = self._streams.get(rank)
        if found is None:
            found = self._streams[rank] = self._collector.stream(rank, "output")
        return found
