"""Taking a tagged log apart: text belongs to the tag before it, where that is a real tag.

Open MPI 4, hydra and torchrun tag each chunk that they read and after each line feed in it, so
tags stand anywhere: `[1,0]<stdout>:A bar 1/3[1,1]<stdout>:B bar 1/3[1,0]<stdout>:…`. Open MPI 5
and Horovod hold a line back until it is whole, so a tag inside a line is the program's own text,
or the end of a stream that closed without a line feed. Three facts tell real tags from printed
ones: a chunk is never empty, so a tag right after a tag is text; after a line feed a tag must
follow, and what follows instead is the launcher's own text; ranks count from 0.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Callable, Sequence
from itertools import repeat
from typing import NamedTuple

from sweepmake.logs.demux.collector import Collector, Stream
from sweepmake.logs.demux.judge import (
    DENSE,
    DOUBTFUL,
    REAL,
    SUSPECT,
    TAGGED_MAX,
    UNDECIDED,
    TagJudge,
)
from sweepmake.logs.demux.launchers import Launcher

__all__ = ["TagDecoder"]

# mpirun's own text lands in the middle of a rank's line: `dsc: 0.1506-----…`
_SPOKEN = re.compile(
    rb"-{74}\n|={75,120}\n"
    rb"|(?:mpirun|mpiexec|orterun|prterun|prte|horovodrun)(?:\.[a-z]{1,12})?"
    rb"(?:: | noticed that | detected that | has exited )"
    rb"|\[[A-Za-z0-9._-]{1,255}:\d{1,9}\] (?:\d+ more process|Set MCA parameter|\*\*\* |\[ ?\d)"
)
_HOLD = 4096
_OVERFLOW = re.compile(b"\n{%d}[^\n]" % (DENSE // 2))


def _splitter(form: Launcher) -> Callable[[bytes], list[bytes]]:
    """Return what cuts bytes into text, (time,) tag, text, (time,) tag, text, …"""
    bare = re.sub(rb"\(\?P<\w+>", b"(?:", form.tag)
    time = b"(" + form.time + b")" if form.time else b""
    split: Callable[[bytes], list[bytes]] = re.compile(time + b"(" + bare + b")").split
    return split


def _time(stamp: bytes) -> str:
    return stamp.decode("ascii").strip("[]")


def _is_loose(body: list[bytes], text: bytes) -> bool:
    """Whether text of a segment follows a line feed: then it is the launcher's own."""
    return text.find(b"\n", 0, len(text) - 1) >= 0 or (bool(body) and body[-1].endswith(b"\n"))


class _Cut(NamedTuple):
    """A block cut at its tags, all of them known.

    Args:
        first: what stands before the first tag: the rest of the current segment.
        tags: the tags.
        texts: what stands between the tags, one fewer.
        last: what stands behind the last tag.
        times: the launcher's timestamp of each tag; empty where its tags have none.
    """

    first: bytes
    tags: Sequence[bytes]
    texts: Sequence[bytes]
    last: bytes
    times: Sequence[bytes]


class _Share(NamedTuple):
    """The whole segments of one stream in a block: how many, their text, its line feeds."""

    tag: bytes
    segments: int
    text: bytes
    lines: int


class TagDecoder(TagJudge):
    """Decodes the output of launchers that tag chunks or lines.

    Args:
        form: the launcher and its tag.
        head: the first bytes of the log; the ranks that begin a line in it are known to exist.
        collector: takes what is decoded.
    """

    def __init__(self, form: Launcher, head: bytes, collector: Collector) -> None:
        super().__init__(form, head, collector)
        self._find = re.compile(form.tag).finditer
        self._split = self._split_custom if form.name == "custom" else _splitter(form)
        self._time = re.compile(form.time).fullmatch
        self._keep = form.max_tag + 160
        self._tag_bytes = 0
        self._retry = 0

    def _split_custom(self, block: bytes) -> list[bytes]:
        """Do what `_splitter` does for a user's expression, which may have groups of its own."""
        parts: list[bytes] = []
        end = 0
        self._seen = {}
        for match in self._find(block):
            if match.end() > match.start():
                parts += (block[end : match.start()], match[0])
                self._seen[match[0]] = match.groupdict()
                end = match.end()
        parts.append(block[end:])
        return parts

    def decode(self, block: bytes, offset: int, *, final: bool) -> int:
        """Decode a block and return how many of its bytes are done with.

        Args:
            block: what was left of the last block, and what came since.
            offset: where in the log it begins.
            final: nothing follows.
        """
        if self._retry and len(block) < self._retry and not final:
            return 0
        self._retry = 0
        done = self._decode(block, offset, final=final)
        if self._form.name == "openmpi4":
            self._past = (self._past + block[max(0, done - TAGGED_MAX) : done])[-TAGGED_MAX:]
        return done

    def _decode(self, block: bytes, offset: int, *, final: bool) -> int:
        """Decode a block the fastest way that is right for it."""
        if self._separator:
            cut = self._cut(block)
            shares = self._shares(cut) if cut else None
            if cut and shares:
                return self._commit(block, offset, cut, shares, final=final)
        parts = self._split(block)
        stride = self._stride
        longer = self._form.blank or not self._separator
        if not final and longer and not parts[-1] and len(parts) > 1:
            # with its last byte the tag could be longer than it seems here
            block = block[: -sum(map(len, parts[-stride:]))]
            del parts[-stride:]
        first, tags, texts = parts[0], parts[stride - 1 :: stride], parts[stride::stride]
        if not tags:
            return len(block) - self._open(first, final=final)
        if self._full.keys() >= set(tags):
            cut = _Cut(first, tags, texts[:-1], texts[-1], parts[1::3] if stride == 3 else [])
            shares = self._shares(cut)
            if shares:
                return self._commit(block, offset, cut, shares, final=final)
        return self._walk(block, offset, parts, final=final)

    def _cut(self, block: bytes) -> _Cut | None:
        """Cut a block without regular expressions, or return None where one must look.

        What stands between the ends of two tags is the text of one segment and, after its last
        bracket, the next tag: `text[1,2]<stdout`.
        """
        pieces = block.split(self._separator)
        last = pieces.pop()
        if not pieces:
            return None
        collecting = gc.isenabled()
        gc.disable()  # thousands of small tuples, all gone in a moment: a third of the time
        texts: tuple[bytes, ...]
        texts, brackets, tags = zip(*map(bytes.rpartition, pieces, repeat(b"[")), strict=True)
        if collecting:
            gc.enable()
        if b"" in brackets or not self._full.keys() >= set(tags):
            return None
        times: list[bytes] = []
        stamp = self._time_length
        if stamp:
            times = [text[-stamp:] for text in texts]
            if not all(map(self._time, set(times))):
                return None
            texts = tuple([text[:-stamp] for text in texts])
        return _Cut(texts[0], tags, texts[1:], last, times)

    def _shares(self, cut: _Cut) -> list[_Share] | None:
        """Return what each stream gets of a block, None unless every tag is surely a real one.

        No segment is empty, and each line feed is the last byte of its segment. Where the launcher
        holds lines back, each segment ends a line.
        """
        form, first = self._form, cut.first
        if b"" in cut.texts or (self._fresh and not first and self._current is not None):
            return None
        at_break = first.endswith(b"\n") if first else self._at_break
        if self._current is None and form.weak and not at_break:
            return None
        ends = bytes([text[-1] for text in cut.texts])
        if form.name == "openmpi4" and (
            self._past.count(b"\n[") >= DENSE // 2 or _OVERFLOW.search(ends)
        ):
            return None
        distinct = set(cut.tags)
        if len({self._streams[tag].id for tag in distinct}) < len(distinct):
            return None  # two tags of one stream: their order counts
        segments: dict[bytes, list[bytes]] = {tag: [] for tag in distinct}
        adders = {tag: found.append for tag, found in segments.items()}
        for tag, text in zip(cut.tags, cut.texts, strict=False):
            adders[tag](text)
        joined = [(tag, len(found), b"".join(found)) for tag, found in segments.items()]
        shares = [_Share(*one, one[2].count(b"\n")) for one in joined]
        if sum(share.lines for share in shares) != ends.count(10):
            return None
        if self._current is not None and first:
            ends += first[-1:]
            if first.count(b"\n") != first.endswith(b"\n"):
                return None
        if not form.midline and ((not first and not at_break) or not set(ends) <= set(form.breaks)):
            return None
        return shares

    def _commit(
        self, block: bytes, offset: int, cut: _Cut, shares: list[_Share], *, final: bool
    ) -> int:
        """Hand on a block, to each stream its share; return how many bytes are done with."""
        if self._form.midline and self._form.weak:
            self._suspect(cut)
        self._hand_on(cut.first)
        for tag, segments, text, lines in shares:
            marks = segments * (len(self._full[tag]) + self._time_length)
            self._streams[tag].add_segments(text, segments, lines, marks)
        self._hear(block, offset, cut)
        if self._collector.events is not None:
            ids = {share.tag: self._streams[share.tag].id for share in shares}
            pairs = zip(cut.tags, cut.texts, strict=False)
            self._collector.events.extend((ids[tag], text) for tag, text in pairs)
        last = cut.tags[-1]
        self._begin(self._streams[last], self._full[last])
        return len(block) - self._open(cut.last, final=final)

    def _hear(self, block: bytes, offset: int, cut: _Cut) -> None:
        """Note where, and when, each rank of a block spoke last."""
        stamps = dict(zip(cut.tags, cut.times, strict=True)) if cut.times else {}
        for tag in set(cut.tags):
            account = self._collector.of(self._streams[tag])
            mark = stamps.get(tag, b"") + self._full[tag]
            place = offset + block.rfind(mark) + len(mark) - len(self._full[tag])
            if place > account.heard_at:
                account.heard_at = place
                if cut.times:
                    account.heard_time = _time(stamps[tag])

    def _suspect(self, cut: _Cut) -> None:
        """Count plain tags that stand where a program's own text could have them: `fold [1] of`."""
        if SUSPECT.isdisjoint(text[-1] for text in (cut.first, *cut.texts) if text):
            return
        current = self._current
        for tag, text in zip([b"", *cut.tags], [cut.first, *cut.texts], strict=False):
            current = self._streams[tag] if tag else current
            if text and text[-1] in SUSPECT and current is not None:
                self._collector.of(current).ambiguous += 1

    def _walk(self, block: bytes, offset: int, parts: list[bytes], *, final: bool) -> int:
        """Decode tag by tag, deciding about each; slower, and equal to the plain way."""
        stride = self._stride
        body = [parts[0]] if parts[0] else []
        doubts: list[int] = []
        begin, position, loose = 0, len(parts[0]), _is_loose([], parts[0])
        for index in range(stride - 1, len(parts), stride):
            time = parts[index - 1] if stride == 3 else b""
            tag, text = parts[index], parts[index + 1]
            if tag in self._streams and self._current and body and body[-1].endswith(b"\n"):
                verdict = REAL
            else:
                verdict = self._judge(parts, index, body, block, position, loose=loose, final=final)
            if verdict == REAL:
                self._doubt(self._current, doubts, position - begin)
                self._segment(body[0] if len(body) == 1 else b"".join(body))
                stream = self._stream(tag)
                self._begin(stream, tag)
                body, doubts, begin = [], [], position + len(time) + len(tag)
                loose = False
                account = self._collector.of(stream)
                account.heard_at = offset + position + len(time)
                if time:
                    account.heard_time = _time(time)
            elif verdict != UNDECIDED:
                body += (time, tag)
                if verdict == DOUBTFUL:
                    doubts.append(position - begin)
            else:
                speaker, wait = self._current, self._open(b"".join(body), final=False)
                self._doubt(speaker, doubts, position - begin - wait)
                self._retry = 2 * (len(block) - position + wait)
                return position - wait
            if text:
                loose = loose or _is_loose(body, text)
                body.append(text)
            position += len(time) + len(tag) + len(text)
        speaker, wait = self._current, self._open(b"".join(body), final=final)
        self._doubt(speaker, doubts, position - begin - wait)
        return len(block) - wait

    def _doubt(self, speaker: Stream | None, doubts: list[int], stop: int) -> None:
        """Count the doubtful tags in what was handed on of a segment."""
        if doubts and speaker is not None:
            self._collector.of(speaker).ambiguous += sum(place < stop for place in doubts)

    def _begin(self, stream: Stream, tag: bytes) -> None:
        self._count_empty()
        self._current, self._current_tag = stream, tag
        self._tag_bytes = len(tag) + self._time_length
        self._fresh, self._at_break = True, False

    def _count_empty(self) -> None:
        """Count the tag of a segment that had no text, at the end or where bytes were lost."""
        if self._fresh and self._current is not None:
            self._current.tags += self._tag_bytes

    def _hand_on(self, text: bytes) -> None:
        """Give text to the current stream or to the launcher."""
        if not text:
            return
        if self._current is None:
            self._collector.launcher(text)
        else:
            self._current.add(text, tag=self._tag_bytes if self._fresh else None)
        self._fresh, self._at_break = False, text.endswith(b"\n")

    def _segment(self, text: bytes, *, complete: bool = True) -> None:
        """Hand on a segment's text; what follows a line feed in it is the launcher's own.

        Args:
            complete: a tag or the end of the log follows, otherwise more text.
        """
        stop = text.find(b"\n") if self._current is not None else -1
        if stop < 0 or (complete and stop == len(text) - 1):
            self._hand_on(text)
            return
        assert self._current is not None
        rest = text[stop + 1 :]
        if complete and any(tag.startswith(rest) for tag in set(self._full.values())):
            self._hand_on(text[: stop + 1])
            self._collector.of(self._current).lost += 1
            self._current.tags += len(rest)
            return
        spoken = _SPOKEN.search(text, 0, stop + 1)
        start = spoken.start() if spoken else stop + 1
        if not spoken:
            self._collector.of(self._current).ambiguous += 1
        self._hand_on(text[:start])
        self._current = None
        self._hand_on(text[start:])

    def _open(self, text: bytes, *, final: bool) -> int:
        """Hand on what is sure of the last segment; return how many bytes must wait."""
        if final:
            self._segment(text)
            self._count_empty()
            self._fresh = False
            return 0
        wait = min(len(text), self._keep)
        if self._current is None:
            self._hand_on(text[: len(text) - wait])
            return wait
        stop = text.find(b"\n")
        if 0 <= stop < len(text) - self._keep:
            self._segment(text[: len(text) - wait], complete=False)
            return wait
        if self._form.midline:
            tail = max(0, len(text) - _HOLD)
            spoken = _SPOKEN.search(text, tail)
            if spoken:
                wait = max(wait, len(text) - spoken.start())
        self._hand_on(text[: len(text) - wait])
        return wait
