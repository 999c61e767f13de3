"""From one stream of one rank, in blocks cut anywhere, to observations.

A stream is cut into segments at line ends, carriage returns and runs of backspaces; each segment is offered
to the readers. Blocks of Keras bars take the fast way (readers/bulk.py); both ways give the same rows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from .history import Row, RowStream
from .readers import Observation, Reader
from .readers.bulk import PER_STEP, SECONDS, Cells, Layout, layout_for
from .readers.keras import KerasEpochs

__all__ = ["StreamReader"]

_SEGMENTS = re.compile(r"[\r\n\x08]+")
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])?|\x00+")
_DIGIT = re.compile(r"[0-9]|\bnan\b", re.IGNORECASE)
_LOOKS = re.compile(
    r"\b(?:val_)?(?:loss|acc|accuracy)\b['\"]?[:= ]+-?[0-9.]|[0-9]+/[0-9]+ \[[=>.]|- ETA: |[0-9]it/s|s/it\b",
    re.ASCII,
)
_EARLY = re.compile(r"Epoch (\d+): early stopping\s*", re.ASCII)
_TIME = re.compile(r"Total time elapsed for training = (\d+(?:\.\d+)?)(?: seconds)?", re.ASCII)
_STOPPED = re.compile(r"early stop since valid performance|Signaling Trainer to stop")
_TROUBLE = re.compile(
    r"Traceback \(most recent call last\)|Segmentation fault|CUDA error|MPI_ABORT|\bKilled\b|core dumped"
)
_LONGEST = 65_536


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
            region = region[_SEGMENTS.search(region, 1).start() :] if _SEGMENTS.search(region, 1) else ""
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
        """Read whole segments."""
        if self._layout is not None:
            self._bulk_region(region, self._layout)
            return
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
            segment = _ESCAPE.sub("", segment)
        segment = segment.rstrip()
        if not segment:
            return
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
        """Take a text that holds no metrics: events, last words, or a metric line that is broken."""
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
        late = tuple(name for name in names if name.startswith("val_") or name in ("lr", "learning_rate"))
        first = names[: len(names) - len(late)]
        layout = self._layout
        if not first or names != first + late:
            return
        if layout is not None and (layout.reader, layout.names) == (reader.name, first):
            if not late or layout.late == late:
                return
        elif names == self._names:
            return
        self._names = names
        self.rows.learn(names)
        self._layout = layout_for(reader.name, first, late)

    def _bulk_region(self, region: str, layout: Layout) -> None:
        """Read whole segments in runs of bars; everything else goes to the readers one by one."""
        found = layout.pattern.findall(region)
        begin = 0
        for at, cells in enumerate(found):
            if not cells[0]:
                if at > begin:
                    self._run(found[begin:at], layout)
                begin = at + 1
                if cells[-1]:
                    self._segment(cells[-1])
        if len(found) > begin:
            self._run(found[begin:], layout)

    def _run(self, bars: list[Cells], layout: Layout) -> None:
        """Take consecutive bars of one layout."""
        epochs = self._epochs
        names = self._tally.readers
        names[layout.reader] = names.get(layout.reader, 0) + len(bars)
        rows = self.rows
        if len(bars) < 4 or not self._regular(bars, layout):
            self._counts.observations += len(bars)
            for cells in bars:
                rows.add(epochs.place(layout.bar(cells)))
            return
        self._counts.observations += len(bars)
        rows.add(epochs.place(layout.bar(bars[0])))
        rows.flush_pending()
        self._write(bars[1:-2], layout)
        epochs.passed(len(bars) - 3)
        for cells in bars[-2:]:
            rows.add(epochs.place(layout.bar(cells)))

    def _regular(self, bars: list[Cells], layout: Layout) -> bool:
        """Return whether the run lies in one open epoch, closed at most by its last two bars."""
        epochs = self._epochs
        if not epochs.open or epochs.validating or epochs.epoch != self.rows.epoch:
            return False
        steps = [cells[0] for cells in bars[:-1]]
        if len(set(steps)) != len(steps):
            return False
        return not any(layout.is_final(cells) for cells in bars[:-2])

    def _write(self, bars: list[Cells], layout: Layout) -> None:
        """Write bars as rows without making a record of each."""
        if not bars:
            return
        step, steps, eta, time, *columns = zip(*bars, strict=True)
        columns.pop()
        known = self.rows.columns
        by_name = dict(zip(layout.columns, columns, strict=True))
        empty = ("",) * len(bars)
        cells = zip(
            step,
            steps,
            map(SECONDS.__getitem__, eta),
            map(PER_STEP.__getitem__, time),
            *[by_name.get(name, empty) for name in known],
            strict=True,
        )
        prefix = self.rows.epoch + ","
        text = prefix + ("\n" + prefix).join(map(",".join, cells)) + "\n"
        self.rows.write(text, len(bars))
        last = Row(self.rows.epoch, self._last(bars[-1], layout))
        self._tally.row(last.epoch, last.step, last.steps, last.time_per_step_s, last.values)

    def _last(self, cells: Cells, layout: Layout) -> Observation:
        bar = layout.bar(cells)
        return Observation(
            bar.values,
            step=bar.step,
            steps_per_epoch=bar.steps,
            eta_s=bar.eta_s,
            time_per_step_s=bar.time_per_step_s,
        )
