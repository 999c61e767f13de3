"""From one stream of one rank, in blocks cut anywhere, to observations.

A stream is cut into segments at line ends, carriage returns and runs of backspaces; each segment is
offered to the readers. Blocks of Keras bars take the fast way (readers/bulk.py); both ways give the
same rows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import compress, count, pairwise, repeat

from sweepmake.logs.history_file import RowStream
from sweepmake.logs.readers import Observation, Reader
from sweepmake.logs.readers.bulk import (
    Columns,
    Epochs,
    Layout,
    finished,
    layout_for,
    rows_text,
    whole_epochs,
)
from sweepmake.logs.readers.keras import Bar, KerasEpochs

__all__ = ["ESCAPE", "StreamReader"]

_SEGMENTS = re.compile(r"[\r\n\x08]+")
ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])?|\x00+")
_DIGIT = re.compile(r"[0-9]|\bnan\b", re.IGNORECASE)
_LOOKS = re.compile(
    r"\b(?:val_)?(?:loss|acc|accuracy)\b['\"]?[:= ]+-?[0-9.]"
    r"|[0-9]+/[0-9]+ \[[=>.]|- ETA: |[0-9]it/s|s/it\b",
    re.ASCII,
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
_LONGEST = 65_536
_PIECE, _LARGEST = 4_096, 1 << 18


class StreamReader:
    """Reads one stream; rows go to its RowStream, counts to its tally."""

    def __init__(
        self, rows: RowStream, readers: Sequence[Reader], epochs: KerasEpochs, *, bulk: bool = True
    ) -> None:
        self.rows = rows
        self._tally = rows.tally
        self._counts = rows.tally.counts
        self._readers = list(readers)
        self._epochs = epochs
        self._bulk = bulk
        self._layout: Layout | None = None
        self._names: tuple[str, ...] = ()
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

    def close(self) -> None:
        """Take the stream's end: what stands behind the last line end counts too."""
        if self._overlong:
            self._counts.overlong += 1
            self._counts.unparsed += 1
        else:
            self._region(self._tail)
        self._tail, self._overlong = "\n", False
        for reader in self._readers:
            self._take(reader, reader.finish())
        self.rows.close()
        self._counts.rows += self.rows.rows

    def _region(self, region: str) -> None:
        """Read whole segments, in pieces: small ones while the layout of the bars is being
        learned."""
        begin = 0
        while begin < len(region):
            cut = _SEGMENTS.search(region, begin + self._piece)
            end = cut.start() if cut else len(region)
            before = self._layout
            if before is None:
                self._general(region[begin:end])
            else:
                self._bulk_region(region[begin:end], before)
            self._piece = _PIECE if self._layout is not before else min(self._piece * 2, _LARGEST)
            begin = end

    def _general(self, region: str) -> None:
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
                    self._take(reader, [seen] if isinstance(seen, Observation) else seen)
                    if at and reader.name not in ("pairs", "regex"):
                        self._readers.insert(0, self._readers.pop(at))
                    self._learn(reader)
                    return
        self._other(segment)

    def _take(self, reader: Reader, seen: Sequence[Observation]) -> None:
        for one in seen:
            if one.values:
                self._counts.observations += 1
                self._tally.readers[reader.name] = self._tally.readers.get(reader.name, 0) + 1
            else:
                self._counts.places += 1
            self.rows.add(one)

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
            self._tally.early_stop_epoch = int(epoch) if epoch.isdecimal() else None
        elif _LOOKS.search(text):
            self._counts.unparsed += 1
            return
        elif _TROUBLE.search(text):
            self._tally.trouble = True
        self._counts.other += 1

    def _learn(self, reader: Reader) -> None:
        """Make a layout out of what the general way has read last, for the fast way."""
        row = self.rows.pending
        if not self._bulk or row is None or reader.name not in ("keras2", "keras3"):
            return
        names = tuple(row.values)
        late = tuple(
            name for name in names if name.startswith("val_") or name in ("lr", "learning_rate")
        )
        first = names[: len(names) - len(late)]
        layout = self._layout
        if not first or names != first + late or any(": " in name for name in names):
            return
        if layout is not None and (layout.reader, layout.names) == (reader.name, first):
            if not late or layout.late == late:
                return
        elif names == self._names:
            return
        self._names = names
        self.rows.learn(names)
        if tuple(self.rows.columns[: len(names)]) == names:  # else the readers go on by themselves
            self._layout = layout_for(reader.name, first, late)

    def _bulk_region(self, region: str, layout: Layout) -> None:
        """Read whole segments in blocks of bars and headers; other texts go to the readers one by
        one."""
        columns = layout.find(region)
        if columns is None:
            self._general(region)
            return
        begin = 0
        for at in compress(count(), columns[-1]):
            self._block(columns, begin, at, layout)
            self._segment(columns[-1][at])
            begin = at + 1
        self._block(columns, begin, len(columns[0]), layout)

    def _block(self, columns: Columns, begin: int, end: int, layout: Layout) -> None:
        """Read bars and headers: whole epochs at once, the bars before and behind them in runs."""
        heads = list(compress(range(begin, end), columns[-2][begin:end]))
        if len(heads) > 2 and self._epochs.plain:
            whole = whole_epochs(columns, heads, layout, len(self.rows.columns))
            if whole is not None:
                self._run(columns, begin, heads[0], layout)
                self._header(columns[-2][heads[0]])
                self._whole(whole, layout.bar(columns, heads[-1] - 1), layout)
                begin, heads = heads[-1], heads[-1:]
        for at, until in pairwise([begin, *heads, end]):
            if at < until and columns[-2][at]:
                self._header(columns[-2][at])
                at += 1
            self._run(columns, at, until, layout)

    def _header(self, place: str) -> None:
        seen = self._epochs.header(f"Epoch {place}")
        if seen is not None:
            self._counts.places += 1
            self.rows.add(seen)

    def _whole(self, found: Epochs, last: Bar, layout: Layout) -> None:
        """Take whole epochs; their first header went the general way, which notices restarts."""
        self._count(layout.reader, found.bars)
        self._counts.places += len(found.numbers) - 1
        self._epochs.passed_epochs(found.numbers[-1], found.total)
        self.rows.add_epochs(
            found, Observation(last.values, None, last.step, last.steps, "0", last.time_per_step_s)
        )
        self._tally.epochs(found, layout.columns)

    def _run(self, columns: Columns, begin: int, end: int, layout: Layout) -> None:
        """Take consecutive bars between two headers."""
        if begin == end:
            return
        epochs, rows = self._epochs, self.rows
        self._count(layout.reader, end - begin)
        if end - begin < 4 or not self._regular(columns, begin, end, layout):
            for at in range(begin, end):
                rows.add(epochs.place(layout.bar(columns, at)))
            return
        rows.add(epochs.place(layout.bar(columns, begin)))
        rows.flush_pending()
        middle = [column[begin + 1 : end - 2] for column in columns]
        lines = rows_text(repeat(rows.epoch), middle, layout, middle[0])
        rows.write(finished(lines, layout, len(rows.columns)), len(lines))
        last = layout.bar(columns, end - 3)
        self._tally.row(rows.epoch, last.step, last.steps, last.time_per_step_s or "", last.values)
        epochs.passed(len(lines), last.step)
        for at in range(end - 2, end):
            rows.add(epochs.place(layout.bar(columns, at)))

    def _count(self, reader: str, bars: int) -> None:
        self._counts.observations += bars
        names = self._tally.readers
        names[reader] = names.get(reader, 0) + bars

    def _regular(self, columns: Columns, begin: int, end: int, layout: Layout) -> bool:
        """Return whether the run lies in one open epoch, closed at most by its last two bars."""
        epochs = self._epochs
        if not epochs.open or epochs.validating or epochs.epoch != self.rows.epoch:
            return False
        steps = [int(place.partition("/")[0][:18]) for place in columns[0][begin : end - 1]]
        totals = {place.partition("/")[2] for place in columns[0][begin:end]}
        if len(totals) != 1 or any(map(int.__ge__, steps, steps[1:])):
            return False
        if not epochs.rises(steps[0], totals.pop()):
            return False
        return not any(layout.bar(columns, at).final for at in range(begin, end - 2))
