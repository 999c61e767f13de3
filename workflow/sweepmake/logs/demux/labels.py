"""Taking srun's output apart: every line has its label, and srun ends every line.

Slurm 22.05, `srun --label`: `0: text` (` 0: text` from 11 tasks on). slurmstepd hands on at most
1,024 bytes at once; srun writes what has no line feed with one of its own. So content of exactly
1,024 bytes continues in the task's next line, and that line feed is not the program's. Under
`--unbuffered` every chunk gets a line feed, which cannot be told from the program's own: such
lines stay lines and are counted as ambiguous where they begin with a backspace. A bar of Keras
and the numbers behind it are one line.
"""

from __future__ import annotations

import re

from sweepmake.logs.demux.collector import Collector, Stream
from sweepmake.logs.demux.launchers import Launcher
from sweepmake.logs.demux.recognition import label_width

__all__ = ["LabelDecoder"]

_LONGEST = 1 << 16
# Keras writes ` 5/13 [=====>....]` and ` - ETA: 0s - loss: 0.5` one after the other
_BAR = re.compile(rb"(?:^|[\r\b])[ \d]{0,9}\d/\d{1,9} \[[=>.]+\]\Z")
_NUMBERS = b" - "


class LabelDecoder:
    """Decodes `srun --label`.

    Args:
        form: the launcher.
        head: the first bytes of the log, from which the width of the labels is taken.
        collector: takes what is decoded.
    """

    def __init__(self, form: Launcher, head: bytes, collector: Collector) -> None:
        self._form = form
        self._collector = collector
        found = [len(label) for label in re.findall(rb"(?m)^( {0,7}\d{1,7}): ", head)]
        width = label_width(found) if found else 1
        label = b"|".join(b" {%d}\\d{%d}" % (width - n, n) for n in range(1, width + 1))
        self._split = re.compile(b"\n(" + label + b"): ").split
        self._label = re.compile(b"(?:" + label + b"): ").match
        self._width = width
        self._streams: dict[bytes, Stream] = {}
        self._started = False
        self._current: Stream | None = None  # a line of it was handed on in part
        self._bars: set[Stream] = set()  # whose last line is a bar without its numbers

    def decode(self, block: bytes, offset: int, *, final: bool) -> int:
        """Decode a block and return how many of its bytes are done with.

        Args:
            block: what was left of the last block, and what came since; it begins with the line
                feed before a label, but for the log's first.
            offset: where in the log it begins.
            final: nothing follows.
        """
        virtual = 0 if self._started else 1
        parts = self._split(b"\n" + block if virtual else block)
        first, labels, texts = parts[0], parts[1::2], parts[2::2]
        waiting = 0
        if not final:
            if len(parts[-1]) < _LONGEST:
                waiting = len(parts[-1]) + (len(labels[-1]) + 3 if labels else 0)
                if waiting >= len(block):
                    return 0
                labels, texts = labels[:-1], texts[:-1]
                first = first if labels or parts[1:] else b""
            self._started = True
        position = offset - virtual + len(first)
        if first or self._current is not None:
            self._rest(first[virtual:], more=bool(labels) or waiting > 0)
        for index, (label, text) in enumerate(zip(labels, texts, strict=True)):
            whole = waiting > 0 or index < len(labels) - 1
            self._record(label, text, position, whole=whole)
            position += len(label) + 3 + len(text)
        if final:
            for stream in sorted(self._bars, key=lambda one: one.id):
                self._finish_bar(stream, b"")
            for stream in self._collector.streams.values():
                self._collector.of(stream).ambiguous += 1  # whose is the last line feed?
        return len(block) - waiting

    def _record(self, label: bytes, text: bytes, position: int, *, whole: bool) -> None:
        """Hand on the text between one label and the next.

        Args:
            whole: another label follows, so a line feed stood at the end.
        """
        stream = self._streams.get(label)
        if stream is None:
            stream = self._streams[label] = self._collector.stream(int(label), "output")
        account = self._collector.of(stream)
        account.heard_at = max(0, position)
        content, line_feed, rest = text.partition(b"\n")
        if content.startswith(b"\b"):
            account.ambiguous += 1
        ended = whole or bool(line_feed)
        if self._bars and stream in self._bars:
            self._finish_bar(stream, content)
        if content[-1:] == b"]" and ended and _BAR.search(content):
            stream.add(content, tag=len(label) + 2)
            self._bars.add(stream)
        elif len(content) == self._form.cut and ended:
            stream.add(content, tag=len(label) + 2)
            stream.tags += 1
        else:
            stream.add(content + b"\n" if ended else content, tag=len(label) + 2)
        self._current = None if ended else stream
        if line_feed and (rest or whole):
            self._own(rest + b"\n" if whole else rest)

    def _finish_bar(self, stream: Stream, content: bytes) -> None:
        """Hand on the line feed behind a bar, unless its numbers follow: then it is srun's."""
        self._bars.discard(stream)
        if content.startswith(_NUMBERS):
            stream.tags += 1
        else:
            stream.lines += 1
            stream.pieces.append(b"\n")
            if stream.events is not None:
                stream.events.append((stream.id, b"\n"))

    def _rest(self, text: bytes, *, more: bool) -> None:
        """Hand on what stands before the first label of a block."""
        if self._current is None:
            self._own(text + b"\n" if more else text)
            return
        content, line_feed, rest = text.partition(b"\n")
        ended = more or bool(line_feed)
        self._current.add(content + b"\n" if ended else content)
        if ended:
            self._current = None
        if line_feed and (rest or more):
            self._own(rest + b"\n" if more else rest)

    def _own(self, text: bytes) -> None:
        """Put aside srun's own text; a label that the end of the log cuts is no text."""
        start = text.rfind(b"\n") + 1
        tail = text[start:]
        missing = self._width + 2 - len(tail)
        if tail and missing > 0 and self._label(tail + (b"0" * self._width + b": ")[-missing:]):
            self._collector.cut_tags += len(tail)
            text = text[:start]
        self._collector.launcher(text)
