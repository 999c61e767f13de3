"""The user's own metrics: numbers that regular expressions read out of the ranks' streams.

    search = MetricSearch([MetricPattern("bleu", "test", r"BLEU4? = ([\\d.]+)")])
    for attempt in attempts:
        for stream, text in attempt:
            search.feed(stream, text)
        search.close()
    search.found["bleu"].value("last")

What is searched are the lines that one rank wrote to one stream, each on its own: a line ends at a
line feed, and where a redraw begins. Colour codes are taken out. Memory is that of the blocks fed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from sweepmake.errors import InputError
from sweepmake.logs.demux.account import Counts
from sweepmake.logs.demux.streams import StreamId
from sweepmake.logs.reading import ESCAPE
from sweepmake.logs.summary import Json, json_number
from sweepmake.patience import Patience, TooSlowError

if TYPE_CHECKING:
    from sweepmake.params.metrics import MetricPattern

__all__ = ["LONGEST", "Found", "MetricSearch", "user_metrics"]

LONGEST = 65_536
"""So many characters of a line are searched."""

_MOST_BYTES = 4 * LONGEST  # a character has at most four

_BREAK = re.compile(rb"[\r\n\x08]")
_BREAKS = re.compile(r"[\r\n\x08]+")
# of several streams of one rank the first counts that has a match
_ORDER = ("stdout", "output", "stddiag", "stderr")
_PREFIX = re.compile(r"(?:\^|\\b)*(?P<text>[\w :=,;/%@<>~'\"-]+)")
_THOUSANDS = re.compile(r"[-+]?\d{1,3}(?:,\d{3})+(?:\.\d*)?")


class Found(Counts):
    """The matches of one metric in one stream.

    Attributes:
        rank: of the stream.
        matches: how many there are, numbers or not.
        numbers: how many are numbers.
        odd: the last one that is no number.
        problem: why nothing is known of them, "" where something is.
    """

    def __init__(self, rank: int) -> None:
        self.rank = rank
        self.matches = self.numbers = 0
        self.odd = self.problem = ""
        self._sum = 0.0
        self._first = self._last = ""
        self._least: tuple[float, str] | None = None
        self._most: tuple[float, str] | None = None

    def add(self, text: str) -> None:
        """Take a match."""
        self.matches += 1
        plain = _plain(text)
        if plain is None:
            self.odd = text
            return
        value = float(plain)
        self.numbers += 1
        self._sum += value
        self._first = self._first or plain
        self._last = plain
        if value == value:  # nan is neither the least nor the most
            if self._least is None or value < self._least[0]:
                self._least = value, plain
            if self._most is None or value > self._most[0]:
                self._most = value, plain

    def value(self, take: str) -> Json:
        """Return the value that counts, in JSON ("nan" for what is not finite); None for none."""
        if not self.numbers:
            return None
        if take == "mean":
            return json_number(repr(self._sum / self.numbers))
        if take in ("max", "min"):
            best = self._most if take == "max" else self._least
            return json_number(best[1] if best else "nan")
        return json_number(self._first if take == "first" else self._last)

    @property
    def note(self) -> str:
        """What the user should know of the matches, "" for nothing."""
        if self.numbers == self.matches:
            return self.problem
        if not self.numbers:
            return f"not a number: {self.odd[:60]!r}"
        count = self.matches - self.numbers
        return f"{count} of {self.matches} matches not a number: {self.odd[:60]!r}"


def _plain(text: str) -> str | None:
    """Return a match as a number that `float` takes, None where it is none.

    What may stand behind it in a sentence, a percent sign and commas between thousands go.
    """
    text = text.strip().rstrip(".,;:").removesuffix("%").rstrip()
    if "," in text and _THOUSANDS.fullmatch(text):
        text = text.replace(",", "")
    try:
        float(text)
    except ValueError:
        return None
    return None if "_" in text else text


class _Search:
    """One metric's expression, and the time that it has left on the current log."""

    def __init__(self, metric: MetricPattern, seconds: int) -> None:
        self.name = metric.name
        self.too_long = f"'{metric.pattern}' took longer than {seconds} s (pattern_time_s)"
        self._seconds = seconds
        self.begin()
        try:
            compiled = re.compile(metric.pattern)
        except (re.error, OverflowError, RecursionError) as error:
            raise InputError(
                f"metric '{metric.name}': '{metric.pattern}' is not a regular expression: {error}"
            ) from error
        self.search, self.every = compiled.search, compiled.finditer
        self.named = "value" in compiled.groupindex
        self.literal = _literal(metric.pattern)

    def begin(self) -> None:
        """Begin with another log."""
        self.patience = Patience(self._seconds)
        self.stopped = False

    def text(self, match: re.Match[str]) -> str:
        """Return the number's text: the group `value`, else the first group that took part."""
        groups = (match["value"],) if self.named else match.groups()
        return next((text for text in groups if text is not None), match[0])


def _literal(pattern: str) -> str:
    """Return a text that every match begins with, "" where the expression does not tell.

    To look for it is a hundred times as fast as to try the expression on every line.
    """
    found = None if "|" in pattern else _PREFIX.match(pattern)
    if found is None:
        return ""
    quantified = pattern[found.end() : found.end() + 1] in ("?", "*", "+", "{")
    return found["text"][:-1] if quantified else found["text"]


class _Stream:
    """One stream of one rank, in blocks cut anywhere."""

    def __init__(self, searches: Sequence[_Search], rank: int) -> None:
        self.found = [Found(rank) for _ in searches]
        self._searches = searches
        self._tail = b""
        self._full = False  # of an overlong line, the rest is left out

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        cut = max(data.rfind(b"\n"), data.rfind(b"\r"), data.rfind(b"\x08"))
        if cut < 0:
            self._keep(data)
            return
        begin = 0
        if self._full:
            first = _BREAK.search(data)
            begin = first.start() if first else cut
        lines = self._tail + data[begin:cut]
        self._tail, self._full = b"", False
        self._keep(data[cut + 1 :])
        self._lines(lines)

    def close(self) -> None:
        """Take the stream's end."""
        self._lines(self._tail)
        self._tail = b""

    def _keep(self, data: bytes) -> None:
        """Keep the begin of a line whose end has not come yet."""
        if not self._full:
            self._tail = (self._tail + data)[:_MOST_BYTES]
            self._full = len(self._tail) == _MOST_BYTES

    def _lines(self, data: bytes) -> None:
        words = data.decode("utf-8", "replace")
        if "\x1b" in words or "\x00" in words:
            words = ESCAPE.sub("", words)
        every: list[str] | None = None
        for search, found in zip(self._searches, self.found, strict=True):
            if search.stopped:
                continue
            lines: Iterable[str]
            if search.literal:
                lines = _lines_with(search.literal, words)
            else:
                every = every or [line[:LONGEST].rstrip() for line in _BREAKS.split(words)]
                lines = every
            search.patience.grant(len(data))
            try:
                with search.patience:
                    for line in filter(search.search, lines):
                        for match in search.every(line):
                            found.add(search.text(match))
            except TooSlowError:
                search.stopped = True


def _lines_with(literal: str, words: str) -> Iterator[str]:
    """Yield the lines that hold a text, without cutting the others."""
    at = words.find(literal)
    if at < 0:
        return
    words = words.replace("\r", "\n").replace("\x08", "\n")
    while at >= 0:
        begin, end = words.rfind("\n", 0, at) + 1, words.find("\n", at)
        end = len(words) if end < 0 else end
        yield words[begin : min(end, begin + LONGEST)].rstrip()
        at = words.find(literal, end)


class MetricSearch:
    """Searches the logs of one stage, attempt after attempt; the newest with a match counts.

    Args:
        metrics: those of this stage.
        seconds: how long each may take on one log; see Patience. One that takes longer is searched
            for no further in this attempt, and has no value there.

    Raises:
        InputError: an expression that is not valid.
    """

    def __init__(self, metrics: Iterable[MetricPattern], *, seconds: int = 60) -> None:
        self.found: dict[str, Found] = {}
        self._searches = [_Search(metric, seconds) for metric in metrics]
        self._streams: dict[StreamId, _Stream] = {}

    def feed(self, stream: StreamId, data: bytes) -> None:
        """Take the next bytes of a stream of the current attempt."""
        if not self._searches:
            return
        if stream not in self._streams:
            self._streams[stream] = _Stream(self._searches, stream.rank)
        self._streams[stream].feed(data)

    def close(self, log: str = "") -> None:
        """End the attempt: of the ranks with a match the lowest counts.

        Args:
            log: the attempt's log, to be named where an expression took too long on it.
        """
        order = {name: at for at, name in enumerate(_ORDER)}
        streams = sorted(
            self._streams, key=lambda one: (one.rank, order.get(one.name, 9), one.name)
        )
        for stream in streams:
            self._streams[stream].close()
        for at, search in enumerate(self._searches):
            matching = (self._streams[stream].found[at] for stream in streams)
            found = next((one for one in matching if one.matches), None)
            if search.stopped:  # what it has found is not all that there is
                found = Found(0)
                found.problem = f"{search.too_long} on '{log}'"
            if found is not None:
                self.found[search.name] = found
            search.begin()
        self._streams.clear()


def user_metrics(
    metrics: Sequence[MetricPattern], stages: Mapping[str, Mapping[str, Found]]
) -> dict[str, Json]:
    """Return the `measured` part of metrics.json.

    Args:
        metrics: the user's metrics.
        stages: the stages whose logs were searched, in their order -> metric -> what was found.
    """
    described: dict[str, Json] = {}
    for metric in metrics:
        wanted = [stage for stage in stages if metric.stage in ("", stage)]
        having = [stage for stage in wanted if metric.name in stages[stage]]
        found = stages[having[-1]][metric.name] if having else None
        note = "no match" if wanted else "no log"
        described[metric.name] = {
            "value": found.value(metric.take) if found else None,
            "stage": having[-1] if having else metric.stage,
            "matches": found.matches if found else 0,
            "rank": found.rank if found and found.matches else None,
            "note": found.note if found else note,
        }
    return described
