"""From one stream of one rank, in blocks cut anywhere, to observations.

A stream is cut into segments at line ends, carriage returns and runs of backspaces. Readers are
offered them one by one, until one has learned to read whole blocks; both ways give the same rows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from sweepmake.logs.readers import Block, Observation, Reader
from sweepmake.logs.rows import RowStream

__all__ = ["ESCAPE", "StreamReader"]

_SEGMENTS = re.compile(r"[\r\n\x08]+")
ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])?|\x00+")
_DIGIT = re.compile(r"[0-9]|\b(?:nan|inf|infinity)\b", re.IGNORECASE)
# a line that seems to say how training goes
_LOOKS = re.compile(
    r"(?:loss|acc(?:uracy)?|ppl|perplexity|error|mAP|psnr|rmse|reward)(?:[_@./][\w@./]{0,20})?"
    r"['\"]?(?:\s{0,20}[:=]\s{0,20}|\s{1,20})['\"]?-?[0-9.]"
    r"|(?<![0-9])[0-9]{1,18}/[0-9]{1,18} \[[=>.]|- ETA: |[0-9]it/s|s/it\b",
    re.ASCII | re.IGNORECASE,
)
_EARLY = re.compile(r"Epoch (\d+): early stopping\s*", re.ASCII)
_TIME = re.compile(r"Total time elapsed for training = (\d+(?:\.\d+)?)(?: seconds)?", re.ASCII)
_STOPPED = re.compile(r"early stop since valid performance|Signaling Trainer to stop")
_TROUBLE = re.compile(
    r"Traceback \(most recent call last\)|Segmentation fault|CUDA error|MPI_ABORT|\bKilled\b"
    r"|core dumped"
)
# text right behind a tqdm bar that was not cleared: `… 283.63it/s]{'loss': 4.1609, …}`
_GLUED = re.compile(r"\[\d[\d:]*<[\d?][^\]\[]*\](?=\s*[^\s\]])", re.ASCII)
# a number at the end, which may go on, with its name and what stands before that
_UNSURE = re.compile(
    r"[\s,;|-]*(?:[\w./@%()-]+\s*[:=]?\s*)?[+-]?(?:[0-9][0-9.,]*|\.)(?:[eE][+-]?[0-9]*)?[A-Za-z]{0,2}\Z",
    re.ASCII,
)
# a program that was started again writes its first header behind the line that the kill has cut
_RESTARTED = re.compile(r"(?<=\S)Epoch \d{1,9}/\d{1,9}\Z", re.ASCII)
_LONGEST_NUMBER = 200  # with its name
_LONGEST = 65_536
_PIECE, _LARGEST = 4_096, 1 << 18


class StreamReader:
    """Reads one stream; rows go to its RowStream, counts to its tally.

    Args:
        rows: takes the rows.
        readers: those that a segment is offered to, in this order at first.
        bulk: whether readers may read whole blocks.
    """

    def __init__(self, rows: RowStream, readers: Sequence[Reader], *, bulk: bool = True) -> None:
        self.rows = rows
        self._tally = rows.tally
        self._counts = rows.tally.counts
        self._readers = list(readers)
        self._bulk = bulk
        self._tail = "\n"
        self._overlong = False
        self._piece = _PIECE

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the stream."""
        text = data.decode("latin-1")
        cut = max(text.rfind("\n"), text.rfind("\r"), text.rfind("\x08"))
        if cut < 0:
            self._tail += text
            if len(self._tail) > _LONGEST + 1:
                self._overlong, self._tail = True, "\n"
            return
        region, self._tail = self._tail + text[:cut], text[cut:]
        if self._overlong:
            rest = _SEGMENTS.search(region, 1)
            region = region[rest.start() :] if rest else ""
            self._overlong = False
            self._counts.overlong += 1
            self._counts.unparsed += 1
        if len(self._tail) > _LONGEST + 1:
            self._overlong, self._tail = True, "\n"
        self._region(region)

    def close(self, *, whole: bool = True) -> None:
        """Take the stream's end: what stands behind the last line end counts too.

        Args:
            whole: whether the program has come to its end. Else its last number may have been cut,
                and is left out with its name.
        """
        self._tally.cut = not whole and len(self._tail) > 1
        if self._overlong:
            self._counts.overlong += 1
            self._counts.unparsed += 1
        else:
            self._region(self._tail if whole else _without_last_number(self._tail))
        for reader in self._readers:
            for seen in reader.finish():
                self._take(reader, seen)
        self.rows.close()
        self._counts.rows += self.rows.rows

    def _region(self, region: str) -> None:
        """Read whole segments, in pieces: small ones until a reader has learned to read blocks."""
        begin = 0
        while begin < len(region):
            cut = _SEGMENTS.search(region, begin + self._piece)
            end = cut.start() if cut else len(region)
            at_once = self._bulk and self._block(region[begin:end])
            if not at_once:
                self._one_by_one(region[begin:end])
            self._piece = min(self._piece * 2, _LARGEST) if at_once else _PIECE
            begin = end

    def _block(self, region: str) -> bool:
        """Let the first reader that can read whole segments at once; return whether one could."""
        for reader in self._readers:
            parts = reader.read_block(region)
            if parts is not None:
                for part in parts:
                    if isinstance(part, str):
                        self._segment(part)
                    else:
                        self._take(reader, part)
                return True
        return False

    def _one_by_one(self, region: str) -> None:
        """Offer whole segments to the readers one by one."""
        for segment in _SEGMENTS.split(region):
            if segment:
                self._segment(segment)

    def _segment(self, segment: str) -> None:
        """Offer one segment to the readers."""
        if len(segment) > _LONGEST:
            self._counts.overlong += 1
            self._counts.unparsed += 1
            return
        if not segment.isascii():
            segment = segment.encode("latin-1").decode("utf-8", "replace")
        if "\x1b" in segment or "\x00" in segment:
            segment = ESCAPE.sub("", segment)
        segment = segment.rstrip()
        if not segment:
            return
        if "<" in segment and (match := _GLUED.search(segment)):
            self._plain(segment[: match.end()])
            segment = segment[match.end() :].strip()
        self._plain(segment)

    def _plain(self, segment: str) -> None:
        """Offer a text without control characters to the readers."""
        if _DIGIT.search(segment):
            for at, reader in enumerate(self._readers):
                seen = reader.read(segment)
                if seen is not None:
                    for one in [seen] if isinstance(seen, Observation) else seen:
                        self._take(reader, one)
                    if at and reader.name not in ("pairs", "regex"):
                        self._readers.insert(0, self._readers.pop(at))
                    return
            if "Epoch " in segment[1:] and (match := _RESTARTED.search(segment)):
                self._plain(_without_last_number(segment[: match.start()]))
                self._plain(match[0])
                return
        else:
            for reader in self._readers:
                for one in reader.heading(segment):
                    self._take(reader, one)
        self._other(segment)

    def _take(self, reader: Reader, seen: Observation | Block) -> None:
        """Count what a reader has seen; its rows go to the stream's."""
        if isinstance(seen, Block):
            observations, places = seen.observations, seen.places
            self.rows.add_block(seen)
        else:
            observations, places = (1, 0) if seen.values else (0, 1)
            self.rows.add(seen)
        self._counts.observations += observations
        self._counts.places += places
        if observations:
            readers = self._tally.readers
            readers[reader.name] = readers.get(reader.name, 0) + observations

    def _other(self, text: str) -> None:
        """Take a text that holds no metrics: events, last words, or a metric line that is
        broken."""
        self._tally.say(text)
        match = _EARLY.match(text)
        if match:
            self._tally.early_stop_epoch = int(match.group(1)[:18])
        elif found := _TIME.search(text):
            self._tally.total_training_time_s = float(found.group(1))
        elif _STOPPED.search(text):
            epoch = self.rows.epoch
            self._tally.early_stop_epoch = int(epoch[:18]) if epoch.isdecimal() else None
        elif _LOOKS.search(text):
            self._counts.unparsed += 1
            return
        elif _TROUBLE.search(text):
            self._tally.trouble = True
        self._counts.other += 1


def _without_last_number(text: str) -> str:
    """Return a text that the end of a log may have cut, without a number at its end."""
    return text[:-_LONGEST_NUMBER] + _UNSURE.sub("", text[-_LONGEST_NUMBER:])
