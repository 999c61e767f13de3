"""The fast way for Keras bars: whole epochs and runs of bars become rows at once.

What is read here, the readers take too, one by one, with the same result: the tests compare both
ways.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, compress, islice, pairwise, repeat
from operator import ge, lt, sub

from sweepmake.logs.readers.base import Block, Ends, Observation, Part
from sweepmake.logs.readers.keras import KerasEpochs
from sweepmake.logs.readers.keras_layout import Layout, Segments, layout_for, step_of, where

__all__ = ["BulkBars"]


class BulkBars:
    """The fast way of one stream.

    Args:
        reader: "keras2" or "keras3".
        epochs: the epoch that the stream is in.
    """

    def __init__(self, reader: str, epochs: KerasEpochs) -> None:
        self._reader = reader
        self._epochs = epochs
        self._layout: Layout | None = None

    def learn(self, seen: Observation) -> None:
        """Make a layout out of a bar that was read by itself, if it is a row.

        The first bars show the metrics of every bar, the first epoch's final bar those that come
        late; each makes a layout.
        """
        names, layout = tuple(seen.values), self._layout
        if seen.kind != "progress":
            return
        if layout is not None and names in (layout.names, layout.columns):
            return
        late = tuple(
            name for name in names if name.startswith("val_") or name in ("lr", "learning_rate")
        )
        first = names[: len(names) - len(late)]
        if first and names == first + late and not any(": " in name for name in names):
            self._layout = layout_for(self._reader, first, late)

    def read(self, text: str) -> Iterable[Part] | None:
        """Return what the segments of a block say, None where they are to be read one by one."""
        layout = self._layout
        found = layout.find(text) if layout is not None else None
        return None if layout is None or found is None else self._parts(found, layout)

    def _parts(self, found: Segments, layout: Layout) -> Iterator[Part]:
        """Yield stretches of bars and headers, and the texts between them."""
        begin = 0
        for at in where(found.others):
            yield from self._stretch(found.part(begin, at), layout)
            yield found.others[at]
            begin = at + 1
        yield from self._stretch(found.part(begin, len(found.places)), layout)

    def _stretch(self, found: Segments, layout: Layout) -> Iterator[Part]:
        """Yield bars and headers: whole epochs at once, those before and behind them in runs."""
        heads = where(found.headers)
        begin = 0
        if len(heads) > 2 and self._epochs.plain:
            block = whole_epochs(found.part(heads[0], heads[-1]), heads, layout)
            if block is not None:
                yield from self._run(found.part(0, heads[0]), layout)
                yield from self._header(found.headers[heads[0]])
                yield block
                self._epochs.start(*found.headers[heads[-2]].split("/"))
                yield self._epochs.place(layout.bar(found, heads[-1] - 1))
                begin, heads = heads[-1], heads[-1:]
        for at, until in pairwise([begin, *heads, len(found.places)]):
            if at < until and found.headers[at]:
                yield from self._header(found.headers[at])
                at += 1
            yield from self._run(found.part(at, until), layout)

    def _header(self, place: str) -> Iterator[Observation]:
        seen = self._epochs.header(f"Epoch {place}")
        if seen is not None:
            yield seen

    def _run(self, bars: Segments, layout: Layout) -> Iterator[Part]:
        """Yield the bars between two headers, those in the middle as a block.

        The first one by itself: it may tell of another epoch than the row before. The last two,
        because they may be one row, which may close its epoch and still get values. These three
        are all that the epoch needs to know of.
        """
        epochs, size = self._epochs, len(bars.places)
        if size < 4 or not self._regular(bars, layout):
            for at in range(size):
                yield epochs.place(layout.bar(bars, at))
            return
        yield epochs.place(layout.bar(bars, 0))
        middle, last = bars.part(1, size - 2), bars.part(size - 3, size - 2)
        lines, rows = layout.lines(repeat(epochs.epoch), middle, middle.places)
        yield Block(
            layout.columns, lines, rows, rows, 0, _ends([epochs.epoch], last, layout)
        )  # fmt: skip
        for at in (size - 2, size - 1):
            yield epochs.place(layout.bar(bars, at))

    def _regular(self, bars: Segments, layout: Layout) -> bool:
        """Return whether the open epoch goes on with these bars, closed at most by the last two."""
        steps = list(map(step_of, bars.places[:-1]))
        totals = {place.partition("/")[2] for place in set(bars.places)}
        if len(totals) != 1 or not all(map(lt, steps, steps[1:])):
            return False
        finals = layout.finals(bars)
        if finals and finals[0] < len(bars.places) - 2:
            return False
        return self._epochs.goes_on(steps[0], totals.pop())


def whole_epochs(found: Segments, heads: list[int], layout: Layout) -> Block | None:
    """Return whole epochs as rows, without the very last one, which may still get values.

    None unless each epoch is a header and bars whose steps rise to a final one; of its last step
    there may be two. Epochs rise too, and all have as many steps.

    Args:
        found: headers and bars, from the header of the first epoch to the last bar of the last.
        heads: where the headers are, counted from anywhere; the last one stands behind all of it.
        layout: their layout.
    """
    stops = [head - heads[0] - 1 for head in heads[1:]]
    numbers = _rising_epochs("/".join(filter(None, found.headers)).split("/"))
    twice = _drawn_twice(list(map(step_of, found.places)), stops)
    if numbers is None or twice is None:
        return None
    # Keras 3 draws the full bar twice; of Keras 2 only the second of two has a time per step
    finals = sorted(stops + twice) if layout.reader == "keras3" else stops
    if layout.finals(found) != finals:
        return None
    if len({place.partition("/")[2] for place in set(found.places) if place}) != 1:
        return None  # another bar, drawn inside an epoch
    kept = list(found.places)  # no row: a header, the first of two bars of a step, the very last
    for at in (*twice, stops[-1]):
        kept[at] = ""
    epochs = chain.from_iterable(map(repeat, numbers, map(sub, heads[1:], heads)))
    lines, rows = layout.lines(epochs, found, kept)
    closed = Segments(*[list(map(column.__getitem__, stops[:-1])) for column in found])
    observations = len(found.places) - len(stops) - 1
    ends = _ends(numbers[:-1], closed, layout)
    return Block(layout.columns, lines, rows, observations, len(stops) - 1, ends)


def _rising_epochs(marks: list[str]) -> list[str] | None:
    """Return the numbers of epochs, "1", "12", "2", "12" -> "1", "2"; None unless they rise."""
    numbers, totals = marks[::2], marks[1::2]
    if len(set(totals)) != 1 or max(map(len, numbers)) > 18:
        return None
    as_int = list(map(int, numbers))
    return numbers if all(map(lt, as_int, as_int[1:])) else None


def _drawn_twice(steps: list[int], stops: list[int]) -> list[int] | None:
    """Return where the first of two bars of an epoch's last step are.

    Steps fall at each epoch's end, and stand still at such a bar, right before the end. None where
    they do so anywhere else, or an epoch has no bar.

    Args:
        steps: of each segment; 0 of a header.
        stops: where the epochs' last bars are.
    """
    behind = [*islice(steps, 1, None), 0, 0]  # the step behind each; an end is followed by a 0
    falls = where(map(ge, steps, behind))
    twice = list(compress(falls, map(behind.__getitem__, falls)))
    second = [at + 1 for at in twice]
    alike = list(map(steps.__getitem__, twice)) == list(map(steps.__getitem__, second))
    if not alike or any(map(behind.__getitem__, second)) or 0 in map(steps.__getitem__, stops):
        return None
    return twice if len(falls) == len(twice) + len(stops) else None


def _ends(epochs: list[str], found: Segments, layout: Layout) -> Ends:
    """Return the last rows of epochs."""
    places = " ".join(found.places).replace("/", ",").split(" ")
    return Ends(epochs, places, found.times, layout.by_metric(found))
