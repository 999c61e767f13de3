"""ranks.pdf: what every rank of one experiment logged.

Pages of each stage that has curves: the validation metrics (mean and spread over the ranks), all
metrics with all ranks behind them, one page per metric, and how the ranks fared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from sweepmake.errors import InputError
from sweepmake.metric_names import direction, is_evaluation
from sweepmake.outputs.drawing.layout import MOST_PANELS
from sweepmake.outputs.drawing.page import DASHED, DOTTED
from sweepmake.outputs.drawing.style import (
    ACCENT,
    COLOURS,
    GREY,
    WIDTH,
    Book,
    Look,
    look,
    plain,
    wrapped,
)
from sweepmake.outputs.ranks_pdf.bands import Band, band_of, mean, quantiles, spread
from sweepmake.outputs.ranks_pdf.health import Health, examine, outliers, rank_list
from sweepmake.outputs.ranks_pdf.health_page import draw_health
from sweepmake.outputs.ranks_pdf.history import Curve, Stage, read_stages
from sweepmake.outputs.ranks_pdf.panels import (
    Entry,
    Panel,
    draw_band,
    draw_curve,
    draw_legend,
    label_of,
    number_text,
    panel_boxes,
)
from sweepmake.outputs.ranks_pdf.words_page import NOTE_WIDTH, draw_words, numbers_notes
from sweepmake.params.naming import Value
from sweepmake.results.summary_file import read_summary

__all__ = ["plot_ranks", "validation_metrics"]

_BLUE = COLOURS[0]
_MOST_LINES = 16  # ranks that get a line and a colour each
_MOST_STEP_LINES = 8  # ranks whose steps are drawn behind their epochs
_DENSE = 300  # points from which a line of steps covers what is drawn before it
_MOST_MARKERS = 60  # points on a line that get a marker
_MOST_NAMED = 8  # outliers with a line of their own in a band
_MOST_PAGES = 60  # metrics with a page of their own
_FEW_EPOCHS = 3  # from which the ends of epochs tell more than the steps
_LEGEND = 2.2  # inches
_MOST_NOTES = 3  # lines at the foot of a page
_BAND_NOTE = "Line: median of the ranks; blue: 8 of 10 ranks; grey: all; further lines: outliers."


def plot_ranks(
    history: Path, metrics: Path, output: Path, *, title: str, parameters: Mapping[str, Value]
) -> int:
    """Draw one experiment's ranks.pdf; return how many pages it has.

    Args:
        history: its history.csv.gz.
        metrics: its metrics.json.
        output: the PDF; replaced in one step, or left as it was.
        title: the experiment's name.
        parameters: its parameters, for the pages' headers and the document's metadata.

    Raises:
        InputError: one of the files cannot be read.
        OSError: the PDF cannot be written.
    """
    summary = read_summary(metrics)
    told = summary.get("stages")
    if not isinstance(told, dict):
        raise InputError(
            "expected a summary with the key 'stages'",
            file=str(metrics),
            hint="remove it, and the workflow makes it again",
        )
    count = max((len(stage.get("ranks", {})) for stage in told.values()), default=1)
    stages = [stage for stage in read_stages(history, count) if stage.metrics]
    curved = [stage for stage in stages if stage.most_rows > 1]
    subject = f"What each rank logged; stages: {', '.join(told) or 'none'}"
    with Book(output, title=title, parameters=parameters, subject=subject) as book:
        numbers = numbers_notes(told, {stage.name for stage in curved})
        for at, stage in enumerate(curved):
            prefix = f"{plain(stage.name)}: " if len(told) > 1 else ""
            notes = numbers if at == 0 else []
            _StagePages(book, stage, told.get(stage.name, {}), prefix).draw(notes)
        if not curved:
            draw_words(book, told, numbers)
        return book.pages


def validation_metrics(metrics: Sequence[str]) -> list[str]:
    """Return the names that begin with val, eval, …; of these the ones with a better and worse."""
    found = [name for name in metrics if is_evaluation(name)]
    return [name for name in found if direction(name) is not None] or found


class _StagePages:
    """The pages of one stage.

    Args:
        book: where they go.
        stage: the history.
        summary: the stage's part of metrics.json.
        prefix: what their headings begin with.
    """

    def __init__(self, book: Book, stage: Stage, summary: Mapping[str, Any], prefix: str) -> None:
        self.book = book
        self.stage = stage
        self.summary = summary
        self.prefix = prefix
        self.health: Health = examine(stage, summary)
        stops = {facts.early_stop_epoch for facts in self.health.ranks}
        self.stops = sorted(epoch for epoch in stops if epoch is not None)
        self._shows_stops = stage.axis.kind == "epoch"  # elsewhere an epoch has no place
        self._bands: dict[str, tuple[Band, list[int]]] = {}
        self._stop_width = 0.9 if len(self.stops) == 1 else 0.4
        self._stop_colour = GREY if len(self.stops) == 1 else "#A0A0A0"
        self.many = len(stage.ranks) > _MOST_LINES
        spans = [curve.x for curve in stage.curves.values() if len(curve.x)]
        self.span = (min(float(x.min()) for x in spans), max(float(x.max()) for x in spans))
        if stage.axis.kind == "epoch":
            self.span = (0.0, self.span[1])
        self.looks = {rank: look(at) for at, rank in enumerate(stage.ranks)}

    def draw(self, notes: Sequence[str]) -> None:
        """Draw all pages; `notes` stand at the foot of the first."""
        chosen = validation_metrics(self.stage.metrics)
        self._draw_summary(chosen, notes)
        for begin in range(0, min(len(self.stage.metrics), _MOST_PAGES), MOST_PANELS):
            end = min(begin + MOST_PANELS, _MOST_PAGES)
            self._draw_overview(self.stage.metrics[begin:end])
        for metric in self.stage.metrics[:_MOST_PAGES]:
            self._draw_metric(metric)
        page = self.book.page(f"{self.prefix}how the ranks fared")
        draw_health(page, self.stage, self.health, self.span)
        self.book.add(page)

    def _who(self) -> str:
        count = len(self.stage.ranks)
        return f"{count} ranks" if count > 1 else f"rank {self.stage.ranks[0]}"

    def _draw_summary(self, chosen: Sequence[str], notes: Sequence[str]) -> None:
        what = "summary of the validation metrics"
        if not chosen:
            what = "summary of all metrics (none is a validation metric)"
            chosen = self.stage.metrics
        several = len(self.stage.ranks) > 1
        over = f", mean over {self._who()}" if several else f", {self._who()}"
        marks = self._mark_notes(several)
        lines = [*notes[: _MOST_NOTES - len(marks)], *marks]
        if len(chosen) > MOST_PANELS:
            lines[-1] += f" {len(chosen) - MOST_PANELS} more metrics follow on the next pages."
        page = self.book.page(self.prefix + what + over, lines)
        chosen = chosen[:MOST_PANELS]
        for metric, place in zip(chosen, panel_boxes(len(chosen)), strict=True):
            panel = Panel(page, place, label_of(plain(metric)), self._caption(metric))
            self._draw_mean(panel, metric)
        self.book.add(page)

    def _draw_mean(self, panel: Panel, metric: str) -> None:
        """Draw a metric's mean over the ranks, its standard deviation, least and greatest."""
        band = band_of(self._main(metric))
        x, middle = band.x, mean(band.table)
        self._scale(panel, [band.table])
        self._marks(panel)
        if len(self.stage.ranks) > 1 and x.size:
            least, most = quantiles(band.table, (0, 1))
            wide = spread(band.table, middle)
            panel.fill(x, least, most, colour="#E3E3E3")
            low, high = np.fmax(middle - wide, least), np.fmin(middle + wide, most)
            panel.fill(x, low, high, colour="#B4CFE3")
        panel.line(x, middle, colour=_BLUE, width=1.5)
        if x.size <= _MOST_MARKERS:
            panel.marks(x, middle, marker="o", colour=_BLUE)
        rule = direction(metric)
        if rule is not None and np.isfinite(middle).any():
            at = int(np.nanargmin(middle) if rule == "min" else np.nanargmax(middle))
            panel.marks([x[at]], [middle[at]], marker="*", colour="white", face=ACCENT, size=13)

    def _mark_notes(self, several: bool) -> list[str]:
        """Return what the signs on the summary page mean."""
        words = ["star: the best value" + (" of the mean" if several else "")]
        if several:
            words.insert(0, "blue: mean and one standard deviation, grey: least and greatest rank")
        if self.stops:
            line = "dashed line: " if self._shows_stops else ""
            words.append(f"{line}early stop in epoch {_span(self.stops)}")
        if self.stage.starts:
            words.append("dotted line: a new attempt (of repeated epochs the newest counts)")
        finite = all(np.isfinite(curve.y).all() for curve in self.stage.ends.values())
        if not finite:
            words.append("nan and infinite values are left out")
        text = "; ".join(words).capitalize() + "."
        return wrapped(text.split(" "), NOTE_WIDTH, 7.5, 2)[0]

    def _main(self, metric: str) -> list[Curve]:
        """Return the curves that tell most: the ends of epochs if there are some, else the rows."""
        ends = self.stage.of(metric, ends=True)
        enough = max((len(curve.x) for curve in ends), default=0) >= _FEW_EPOCHS
        return ends if enough else self.stage.of(metric)

    def _scale(self, panel: Panel, values: Sequence[Any]) -> None:
        axis = self.stage.axis
        panel.scale(
            self.span, values, label=axis.label, whole=axis.kind != "epoch" or self.span[1] >= 2
        )

    def _marks(self, panel: Panel) -> None:
        """Mark early stops and the beginnings of attempts."""
        for epoch in self.stops[:_MOST_NAMED] if self._shows_stops else ():
            place = self.stage.axis.place(epoch, None, None)
            panel.upright(place, colour=self._stop_colour, width=self._stop_width, dashes=DASHED)
        for start in self.stage.starts:
            panel.upright(start, colour=ACCENT, width=1.1, dashes=DOTTED)

    def _caption(self, metric: str) -> str:
        """Return the numbers of a metric: its last, and its best with where it was."""
        told = self.summary.get("metrics", {}).get(metric, {})
        words = []
        if isinstance(told.get("mean"), int | float):
            text = f"last {number_text(told['mean'])}"
            if len(self.stage.ranks) > 1 and isinstance(told.get("std"), int | float):
                text += f" ± {number_text(told['std'])}"
            words.append(text)
        best = self._best_text(told)
        return "; ".join([*words, best] if best else words)

    def _best_text(self, told: Mapping[str, Any]) -> str:
        if not isinstance(told.get("best"), int | float):
            return ""
        text = f"best {number_text(told['best'])}"
        if told.get("best_epoch") is not None:
            text += f" in epoch {told['best_epoch']:g}"
        elif told.get("best_step") is not None:
            text += f" at step {told['best_step']:g}"
        return text + (f", rank {told['best_rank']}" if len(self.stage.ranks) > 1 else "")

    def _draw_overview(self, metrics: Sequence[str]) -> None:
        note = "Each line is a rank." if not self.many else _BAND_NOTE
        more = len(self.stage.metrics) > len(metrics)
        left = len(self.stage.metrics) - _MOST_PAGES
        if left > 0:
            note += f" {left} metrics have no page; they stand in history.csv.gz."
        what = f"all metrics, {self._who()}" + (f": {metrics[0]} ... {metrics[-1]}" if more else "")
        page = self.book.page(self.prefix + what, [note])
        for metric, place in zip(metrics, panel_boxes(len(metrics)), strict=True):
            panel = Panel(page, place, label_of(plain(metric)), self._caption(metric))
            self._draw_curves(panel, metric, width=0.9, steps=False)
        self.book.add(page)

    def _draw_curves(self, panel: Panel, metric: str, *, width: float, steps: bool) -> list[int]:
        """Draw a metric of all ranks, as lines or a band; return the ranks that got a line."""
        curves = self._main(metric)
        rows = self.stage.of(metric)
        behind = steps and len(rows) <= _MOST_STEP_LINES and len(rows[0].x) > len(curves[0].x)
        values = [curve.y for curve in (*curves, *(rows if behind else ()))]
        self._scale(panel, values)
        self._marks(panel)
        if len(curves) > _MOST_LINES:
            return self._draw_many(panel, metric, curves, width)
        for curve in rows if behind else ():
            alpha = 1.0 if len(curve.x) < _DENSE else 0.3
            draw_curve(panel, curve, self.looks[curve.rank], width=0.45, alpha=alpha)
        for curve in curves:
            few = len(curve.x) <= _MOST_MARKERS and steps
            draw_curve(panel, curve, self.looks[curve.rank], width=width, markers=few)
        return [curve.rank for curve in curves]

    def _draw_many(
        self, panel: Panel, metric: str, curves: Sequence[Curve], width: float
    ) -> list[int]:
        """Draw a band, and over it the ranks that are far from the others."""
        if metric not in self._bands:
            self._bands[metric] = (band_of(curves), list(outliers(curves))[:_MOST_NAMED])
        band, named = self._bands[metric]
        if band.x.size:
            draw_band(panel, band)
        for at, rank in enumerate(named):
            curve = next(curve for curve in curves if curve.rank == rank)
            draw_curve(panel, curve, look(at + 1), width=width)
        return named

    def _draw_metric(self, metric: str) -> None:
        """Draw the page of one metric, every rank in it."""
        name = label_of(plain(metric))
        page = self.book.page(f"{self.prefix}{name}, {self._who()}")
        panel = Panel(page, panel_boxes(1, right=_LEGEND)[0], name, self._caption(metric))
        shown = self._draw_curves(panel, metric, width=1.4, steps=True)
        rows = self.stage.of(metric)
        entries = self._rank_entries(shown, band=len(rows) > _MOST_LINES)
        if len(rows) <= _MOST_STEP_LINES and len(rows[0].x) > len(self._main(metric)[0].x):
            entries.append(Entry("thick: the ends of epochs", "text"))
            entries.append(Entry("thin: every step logged", "text"))
        told = self.summary.get("metrics", {}).get(metric, {})
        if self._mark_best(panel, told):
            first, _, place = self._best_text(told).partition(" in ")
            entries.append(Entry(first, "mark", colour="white", marker="*", size=11, face=ACCENT))
            entries.append(Entry(f"in {place}" if place else "", "mark"))
        if self.stops:
            text = f"early stop, epoch {_span(self.stops)}"
            width = self._stop_width
            colour = self._stop_colour
            kind: Literal["line", "text"] = "line" if self._shows_stops else "text"
            entries.append(Entry(text, kind, colour=colour, dashes=DASHED, width=width))
        if self.stage.starts:
            text = "a new attempt begins"
            entries.append(Entry(text, colour=ACCENT, dashes=DOTTED, width=1.1))
        entries += self._gaps(panel, metric)
        draw_legend(page, WIDTH - _LEGEND - 0.1, 1.7, entries)
        self.book.add(page)

    def _rank_entries(self, shown: Sequence[int], *, band: bool) -> list[Entry]:
        if not band:
            return [_entry(f"rank {rank}", self.looks[rank]) for rank in shown]
        entries = [
            Entry("median of the ranks", colour=_BLUE, width=1.6),
            Entry("8 of 10 ranks", "band", colour="#B4CFE3"),
            Entry("all ranks", "band", colour="#E3E3E3"),
        ]
        for at, rank in enumerate(shown):
            how = look(at + 1)
            entries.append(Entry(f"rank {rank}", colour=how.colour, width=1.4, dashes=how.dashes))
        if not shown:
            entries.append(Entry("no rank is far from the others", "text"))
        return entries

    def _mark_best(self, panel: Panel, told: Mapping[str, Any]) -> bool:
        """Put a star on the best value; return whether there is one."""
        best, rank = told.get("best"), told.get("best_rank")
        if not isinstance(best, int | float):
            return False
        steps = self.summary.get("ranks", {}).get(str(rank), {}).get("steps_per_epoch")
        x = self.stage.axis.place(told.get("best_epoch"), told.get("best_step"), steps)
        if np.isfinite(x):
            panel.marks([x], [best], marker="*", colour="white", face=ACCENT, size=13)
        return bool(np.isfinite(x))

    def _gaps(self, panel: Panel, metric: str) -> list[Entry]:
        """Mark values that are not finite at the foot of the panel; return the legend's entry."""
        holes = {c.rank: c.x[~np.isfinite(c.y)] for c in self.stage.of(metric)}
        holes = {rank: x for rank, x in holes.items() if x.size}
        if not holes:
            return []
        for rank, x in holes.items():
            thin = x[:: max(1, len(x) // 40)]
            colour = ACCENT if self.many else self.looks[rank].colour
            foot = np.full(len(thin), panel.foot)
            panel.marks(thin, foot, marker="x", colour=colour, size=5, face=None)
        text = f"nan or infinite: rank {rank_list(list(holes))}"
        return [Entry(text, "mark", marker="x", size=5, face=None)]


def _entry(text: str, how: Look) -> Entry:
    face = "" if how.filled else "white"
    return Entry(text, colour=how.colour, dashes=how.dashes, marker=how.marker, face=face)


def _span(numbers: Sequence[float]) -> str:
    low, high = min(numbers), max(numbers)
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"
