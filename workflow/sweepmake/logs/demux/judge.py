"""Deciding whether what looks like a tag is the launcher's or the program's own text."""

from __future__ import annotations

import re

from sweepmake.logs.demux.collector import Collector, Stream
from sweepmake.logs.demux.launchers import Launcher

__all__ = ["DENSE", "DOUBTFUL", "REAL", "SUSPECT", "TAGGED_MAX", "TEXT", "UNDECIDED", "TagJudge"]

# what a tag can be; DOUBTFUL: taken as text and counted
REAL, TEXT, DOUBTFUL, UNDECIDED = 1, 2, 3, 4
# Open MPI 4: ORTE_IOF_BASE_TAGGED_OUT_MAX. A chunk of 4,096 bytes needs some 290 tags to pass it
TAGGED_MAX = 8192
DENSE = 145
# before a plain tag such as `[1] ` these let it look like a program's own text
SUSPECT = frozenset(b" \t(=,:;\"'")
_WAIT = 1 << 20


class TagJudge:
    """Knows which ranks there are and where the current segment stands.

    Args:
        form: the launcher and its tag.
        head: the first bytes of the log; the ranks that begin a line in it are known to exist.
        collector: takes what is decoded.
    """

    def __init__(self, form: Launcher, head: bytes, collector: Collector) -> None:
        self._form = form
        self._collector = collector
        self._parse = re.compile(form.tag).fullmatch
        # of the tags last found; the user's expression may look around, then it fits no tag alone
        self._seen: dict[bytes, dict[str, bytes | None]] = {}
        self._separator = form.separator
        self._stride = 3 if form.time else 2  # text, (time,) tag, text, (time,) tag, …
        self._time_length = (24 + 2 * form.time.startswith(rb"\[")) if form.time else 0
        self._streams: dict[bytes, Stream] = {}  # by tag, and by tag without its brackets
        self._full: dict[bytes, bytes] = {}
        self._jobs: set[bytes] = set()
        self._ranks = 0
        self._current: Stream | None = None  # None: the launcher itself
        self._current_tag = b""
        self._fresh = True  # nothing of the current segment was handed on yet
        self._at_break = True  # what was handed on last ended in a line feed
        self._past = b""  # what came right before the block
        self._learn(head, form.time + b"(?:" + form.tag + b")")

    def _learn(self, head: bytes, whole: bytes) -> None:
        """Note the jobs and the ranks that stand at the start of a line."""
        tags: dict[bytes, None] = {}
        for match in re.finditer(b"(?m)^" + whole, head):
            tag = match[0][self._time_length :]
            groups = self._seen[tag] = match.groupdict()
            self._jobs.add(groups.get("job") or b"")
            self._ranks = max(self._ranks, int(match["rank"]) + 1)
            tags[tag] = None
        if not self._form.weak:  # ranks that so far only spoke inside the lines of others
            inside = {int(m["rank"]) for m in re.finditer(self._form.tag, head)}
            while self._ranks in inside:
                self._ranks += 1
        for tag in tags:
            self._stream(tag)

    def _judge(
        self, parts: list[bytes], index: int, body: list[bytes], block: bytes, position: int,
        *, loose: bool, final: bool,
    ) -> int:  # fmt: skip
        """Decide whether the tag at this place is the launcher's or the program's text."""
        tag = parts[index]
        last = body[-1][-1:] if body else b"\n" if self._at_break else b""
        at_break = bool(last) and last in self._form.breaks
        if self._form.blank and not at_break and not tag.endswith(b" "):
            return TEXT
        if self._current is None or loose:  # in the launcher's own text
            if not self._form.weak or at_break:
                return self._accept(tag, at_break=at_break)
            return TEXT
        if not body and self._fresh:
            if self._overflown(block, position):
                self._collector.of(self._current).lost += 1
                return self._accept(tag, at_break=True)
            return TEXT
        if at_break:
            return self._accept(tag, at_break=True)
        if self._form.midline:
            verdict = self._accept(tag, at_break=False)
            if verdict == TEXT:
                return DOUBTFUL
            if self._form.weak and last and last[0] in SUSPECT:
                self._collector.of(self._current).ambiguous += 1
            elif self._overflown(block, position):
                self._collector.of(self._current).lost += 1
            return verdict
        ahead = len(block) - position - self._time_length - len(tag)
        return self._closed(parts, index, ahead, final=final)

    def _accept(self, tag: bytes, *, at_break: bool) -> int:
        """Whether a tag at a possible place names a rank that there can be."""
        if tag in self._streams:
            return REAL
        groups = self._groups(tag)
        job, rank = groups.get("job") or b"", int(groups["rank"] or 0)
        if at_break:
            self._jobs.add(job)
            self._ranks = max(self._ranks, rank + 1)
        elif job not in self._jobs or rank >= (1 if self._form.weak else 2) * self._ranks:
            return TEXT
        return REAL

    def _closed(self, parts: list[bytes], index: int, ahead: int, *, final: bool) -> int:
        """Decide about a tag inside a line of a launcher that writes whole lines.

        It is real if the stream whose line it ends never speaks again: then that stream was
        closed without a line feed. What comes within the next MiB decides.

        Args:
            ahead: how many bytes of the block follow the tag.
        """
        stride = self._stride
        seen = 0
        for place in range(index + stride, len(parts), stride):
            before = parts[place - stride + 1]
            seen += sum(map(len, parts[place - stride + 1 : place + 1]))
            if seen > _WAIT:
                break
            if parts[place] == self._current_tag and before[-1:] in (b"\n", b"\r"):
                return TEXT
        if not final and ahead <= _WAIT:
            return UNDECIDED
        return self._accept(parts[index], at_break=False)

    def _overflown(self, block: bytes, position: int) -> bool:
        """Whether Open MPI 4 ran out of room here and dropped the rest of a chunk."""
        if self._form.name != "openmpi4":
            return False
        window = block[max(0, position - TAGGED_MAX) : position]
        if len(window) < TAGGED_MAX:
            window = self._past[len(window) - TAGGED_MAX :] + window
        return window.count(self._current_tag) >= DENSE

    def _groups(self, tag: bytes) -> dict[str, bytes | None]:
        """Return the named groups of a tag."""
        if tag in self._seen:
            return self._seen[tag]
        match = self._parse(tag)
        assert match, "what was no user's expression found is a tag by itself"
        return match.groupdict()

    def _stream(self, tag: bytes) -> Stream:
        """Return the stream of a tag."""
        found = self._streams.get(tag)
        if found is None:
            groups = self._groups(tag)
            name = (groups.get("stream") or b"output").decode("utf-8", "replace")
            found = self._collector.stream(int(groups.get("rank") or 0), name)
            self._streams[tag], self._full[tag] = found, tag
            if self._separator and tag.endswith(self._separator):
                key = tag[1 : -len(self._separator)]
                self._streams[key], self._full[key] = found, tag
        return found
