"""What the pages of ranks.pdf draw: curves, bands, marks, legends, read by the pages' own axes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn_pages import DrawnPage, Line, Marks, Panel, drawn_ranks
from test_rank_plots import rows, write

from sweepmake.outputs.drawing.page import DASHED, DOTTED
from sweepmake.outputs.drawing.style import ACCENT, COLOURS, GREY, INK, look

BLUE, ORANGE = COLOURS[0].lower(), ACCENT.lower()
BAND, ALL = "#b4cfe3", "#e3e3e3"


def drawn(
    folder: Path, monkeypatch: pytest.MonkeyPatch, lines: list[str], metrics: str = "loss,val_loss",
    told: dict[str, Any] | None = None, **ranks: dict[str, Any],
) -> list[DrawnPage]:  # fmt: skip
    """Return the pages of these rows; `told` is the metrics' part of the summary."""
    history, summary = write(folder, lines, metrics, **ranks)
    found = json.loads(summary.read_text())
    for stage in found["stages"].values():
        stage["metrics"] = told or {}
    summary.write_text(json.dumps(found))
    return drawn_ranks(history, summary, monkeypatch)


def page(pages: list[DrawnPage], heading: str) -> DrawnPage:
    (found,) = (one for one in pages if one.heading.startswith(heading))
    return found


def course(line: Line | Marks) -> list[tuple[float, float]]:
    """Return the points of a line, nan left out."""
    points = line.points[np.isfinite(line.points).all(axis=1)]
    return [(round(x, 6), round(y, 6)) for x, y in points.tolist()]


def band(panel: Panel, colour: str) -> tuple[list[float], list[float], list[float]]:
    """Return x, the lower and the upper edge of the one band of a colour."""
    (shape,) = (one for one in panel.shapes if one.colour == colour)
    half = len(shape.points) // 2
    low, high = shape.points[:half], shape.points[half:][::-1]
    assert low[:, 0].tolist() == pytest.approx(high[:, 0].tolist())
    return low[:, 0].tolist(), low[:, 1].tolist(), high[:, 1].tolist()


def test_each_rank_has_a_line_through_its_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ends of epochs in front, every step behind, told apart by colour, sign and legend."""
    lines = [*rows(0, 5), *rows(1, 5, gain=2)]
    pages = drawn(tmp_path, monkeypatch, lines)
    overview = page(pages, "all metrics, 2 ranks")
    assert overview.notes == ["Each line is a rank."]
    assert [one.title for one in overview.panels()] == ["loss", "val_loss"]
    alone = page(pages, "loss, 2 ranks")
    (panel,) = alone.panels()
    assert (panel.title, panel.label, panel.x_ticks) == ("loss", "epoch", (0, 1, 2, 3, 4, 5))
    for rank, gain in ((0, 1), (1, 2)):
        ends = [(at, round(gain / at + rank * 0.001, 4)) for at in range(1, 6)]
        steps = [(at - back, value) for at, value in ends for back in (0.5, 0)]
        colour = COLOURS[rank].lower()
        assert course(panel.line(colour, width=1.4)) == ends
        assert course(panel.line(colour, width=0.45)) == steps
        assert course(overview.panel("loss").line(colour)) == ends
        marks = panel.mark("os"[rank])
        assert (course(marks), marks.colour, marks.face) == (ends, colour, colour)
        sign, mark = alone.legend()[f"rank {rank}"]
        assert (sign.colour, mark.colour) == (colour, colour)
        assert isinstance(mark, Marks)
        assert mark.marker == marks.marker
    assert [one.width for one in panel.lines] == [0.45, 0.45, 1.4, 1.4], "steps lie behind"
    assert list(alone.legend())[2:] == ["thick: the ends of epochs", "thin: every step logged"]
    assert not overview.panel("loss").marks


def test_many_ranks_are_drawn_as_all_of_them_eight_of_ten_and_their_median(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From 17 ranks on; the grey band is under the blue one, the median over both."""
    lines = [row for rank in range(21) for row in rows(rank, 4)]
    pages = drawn(tmp_path, monkeypatch, lines)
    x = np.arange(1.0, 5)
    values = np.array([[round(1 / at + rank * 0.001, 4) for at in x] for rank in range(21)])
    for one in (page(pages, "loss, 21 ranks"), page(pages, "all metrics, 21 ranks")):
        panel = one.panel("loss")
        assert [shape.colour for shape in panel.shapes] == [ALL, BAND]
        for colour, parts in ((ALL, (0, 1)), (BAND, (0.1, 0.9))):
            at, low, high = band(panel, colour)
            assert at == pytest.approx(x)
            assert low == pytest.approx(np.quantile(values, parts[0], axis=0), abs=1e-7)
            assert high == pytest.approx(np.quantile(values, parts[1], axis=0), abs=1e-7)
        (line,) = panel.lines
        assert (line.colour, line.width) == (BLUE, 1.6)
        assert line.points[:, 1] == pytest.approx(np.median(values, axis=0), abs=1e-7)
    legend = page(pages, "loss, 21 ranks").legend()
    assert {text: [sign.colour for sign in signs] for text, signs in legend.items()} == {
        "median of the ranks": [BLUE], "8 of 10 ranks": [BAND], "all ranks": [ALL],
        "no rank is far from the others": [],
    }  # fmt: skip
    assert "grey: all; further lines: outliers" in page(pages, "all metrics").notes[0]


@pytest.mark.parametrize(("ranks", "bands"), [(16, 0), (17, 2)])
def test_sixteen_ranks_have_a_line_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ranks: int, bands: int
) -> None:
    lines = [row for rank in range(ranks) for row in rows(rank, 4)]
    (panel,) = page(drawn(tmp_path, monkeypatch, lines), f"loss, {ranks} ranks").panels()
    assert (len(panel.shapes), len(panel.lines)) == (bands, 1 if bands else 16)


def test_the_ranks_that_leave_the_band_are_drawn_the_worst_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eight of them at most; line, legend and finding have one order."""
    far = {rank: 3.0 + rank for rank in (20, 5, 11, 7, 16, 2, 13, 9, 4)}
    lines = [row for rank in range(30) for row in rows(rank, 6, gain=far.get(rank, 1))]
    pages = drawn(tmp_path, monkeypatch, lines)
    one = page(pages, "loss, 30 ranks")
    named = sorted(far, reverse=True)[:8]
    legend = {text: signs[0].colour for text, signs in one.legend().items() if text[-1].isdigit()}
    assert list(legend) == [f"rank {rank}" for rank in named]
    assert list(legend.values()) == [look(at + 1).colour.lower() for at in range(8)]
    (panel,) = one.panels()
    drawn_lines = [line for line in panel.lines if line.width == 1.4]
    assert [course(line)[0][1] for line in drawn_lines] == [
        pytest.approx(far[rank] + rank * 0.001) for rank in named
    ]
    assert [line.colour for line in drawn_lines] == list(legend.values())


def test_the_summary_draws_mean_spread_and_the_best(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a loss the least mean has the star, of an accuracy the greatest."""
    values = np.array([[0.5, 0.3, 0.1, 0.4], [0.6, 0.4, 0.4, 0.5], [1.0, 0.8, 0.1, 0.6]])
    lines = [
        f"train,1,{rank},{at + 1},10,10,0,,{value},{1 - value}"
        for rank, row in enumerate(values.tolist())
        for at, value in enumerate(row)
    ]
    pages = drawn(tmp_path, monkeypatch, lines, "val_loss,val_acc")
    first = pages[0]
    assert first.heading == "summary of the validation metrics, mean over 3 ranks"
    assert first.notes == [
        "Blue: mean and one standard deviation, grey: least and greatest rank; star: the best "
        "value of the mean."
    ]
    for name, table in (("val_loss", values), ("val_acc", 1 - values)):
        panel = first.panel(name)
        middle, wide = table.mean(axis=0), table.std(axis=0, ddof=1)
        assert panel.line(BLUE).points[:, 1] == pytest.approx(middle)
        assert [shape.colour for shape in panel.shapes] == [ALL, BAND]
        _, low, high = band(panel, ALL)
        assert (low, high) == (pytest.approx(table.min(axis=0)), pytest.approx(table.max(axis=0)))
        _, low, high = band(panel, BAND)
        assert low == pytest.approx(np.maximum(middle - wide, table.min(axis=0)))
        assert high == pytest.approx(np.minimum(middle + wide, table.max(axis=0)))
        star = panel.mark("*")
        assert (star.colour, star.face, star.size) == ("#ffffff", ORANGE, pytest.approx(13))
        best = middle.min() if name == "val_loss" else middle.max()
        assert course(star) == [(3.0, pytest.approx(best))]


def test_stops_attempts_and_the_best_are_marked_with_what_they_mean(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An early stop is dashed, a new attempt dotted, what it repeats pale, the best has a star."""
    lines = [*rows(0, 4), *rows(0, 3, attempt=2, first=3, gain=0.8)]
    told = {"loss": {"mean": 0.16, "std": 0.0, "best": 0.16, "best_epoch": 5, "best_rank": 0}}
    stop = {"early_stop_epoch": 5, "last_epoch": 5, "last_step": 10, "steps_per_epoch": 10}
    pages = drawn(tmp_path, monkeypatch, lines, told=told, r0=stop)
    for one, title in ((pages[0], "val_loss"), (pages[1], "loss"), (pages[2], "loss")):
        uprights = {
            tuple(round(part, 3) for part in line.dashes): {round(x, 6) for x, _ in course(line)}
            for line in one.panel(title).lines
            if line.clip is None
        }
        dashed, dotted = ([round(width * part, 3) for part in dashes] for width, dashes in
                          ((0.9, DASHED), (1.1, DOTTED)))  # fmt: skip
        assert uprights == {tuple(dashed): {5.0}, tuple(dotted): {2.5}}
    (panel,) = pages[2].panels()
    pale = [line for line in panel.lines if line.alpha == 0.35]
    assert [course(line) for line in pale if line.width > 1] == [[(3, 0.3333), (4, 0.25)]]
    whole = panel.line(BLUE, width=1.4)
    assert course(whole) == [(1, 1), (2, 0.5), (3, 0.2667), (4, 0.2), (5, 0.16)]
    assert np.isnan(whole.points[:5]).any(), "the line is broken where an attempt begins"
    assert course(panel.mark("*")) == [(5, 0.16)]
    assert panel.caption == "last 0.16; best 0.16 in epoch 5"
    legend = pages[2].legend()
    assert list(legend)[-4:] == [
        "best 0.16", "in epoch 5", "early stop, epoch 5", "a new attempt begins"
    ]  # fmt: skip
    star, stopped, began = (
        legend[text][0] for text in ("best 0.16", "early stop, epoch 5", "a new attempt begins")
    )
    assert isinstance(star, Marks)
    assert (star.marker, star.face) == ("*", ORANGE)
    assert (stopped.colour, began.colour) == (GREY, ORANGE)
    assert " ".join(pages[0].notes) == (
        "Star: the best value; dashed line: early stop in epoch 5; dotted line: a new attempt (of "
        "repeated epochs the newest counts)."
    )


def test_early_stops_in_several_epochs_are_marked_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In fainter lines; the words name the first and the last."""
    lines = [row for rank in range(3) for row in rows(rank, 6)]
    stops = {f"r{rank}": {"early_stop_epoch": at} for rank, at in ((0, 6), (1, 3), (2, 4))}
    pages = drawn(tmp_path, monkeypatch, lines, **stops)
    (panel,) = page(pages, "loss, 3 ranks").panels()
    upright = [line for line in panel.lines if line.clip is None and line.dashes]
    assert [round(float(line.points[0, 0]), 6) for line in upright] == [3, 4, 6]
    assert {(line.width, line.colour) for line in upright} == {(0.4, "#a0a0a0")}
    assert "early stop, epoch 3 to 6" in page(pages, "loss, 3 ranks").legend()
    assert "early stop in epoch 3 to 6" in " ".join(pages[0].notes)


def test_an_early_stop_has_no_line_where_x_is_not_the_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`Iter 4: loss=…` and `Epoch 4: early stopping`: then nothing speaks of a line either."""
    lines = [f"train,1,0,,{at},,,,{1 / at}" for at in range(1, 5)]
    pages = drawn(tmp_path, monkeypatch, lines, "loss", r0={"early_stop_epoch": 4})
    alone = page(pages, "loss, rank 0")
    (panel,) = alone.panels()
    assert panel.label == "step"
    assert not [line for line in panel.lines if line.clip is None and line.dashes]
    assert not alone.legend()["early stop, epoch 4"], "words without a sign"
    assert " ".join(pages[0].notes) == "Star: the best value; early stop in epoch 4."


def test_a_metric_that_has_no_better_has_no_star(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor one without any number."""
    lines = [f"train,1,0,{at},1,1,,,{at / 10},nan" for at in range(1, 5)]
    pages = drawn(tmp_path, monkeypatch, lines, "lr,val_loss")
    assert not pages[0].marks
    lines = [f"train,1,0,{at},1,1,,,{at / 10}" for at in range(1, 5)]
    (panel,) = drawn(tmp_path, monkeypatch, lines, "lr")[0].panels()
    assert [mark.marker for mark in panel.marks] == ["o"]


def test_steps_far_from_their_epochs_ends_are_within_the_axis(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the page where they are drawn; where they are not, they take no room."""
    lines = [f"train,1,0,{at},{step},2,,,{90 if step == 1 else 1 / at},{1 / at}"
             for at in range(1, 5) for step in (1, 2)]  # fmt: skip
    pages = drawn(tmp_path, monkeypatch, lines)
    assert page(pages, "loss, rank 0").panel("loss").y_span[1] > 90
    assert page(pages, "all metrics").panel("loss").y_span[1] < 2


def test_captions_tell_last_and_best_over_the_ranks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With several ranks the spread and whose the best is; a step where there are no epochs."""
    told = {
        "loss": {"mean": 0.25, "std": 0.0125, "best": 0.2, "best_epoch": 4, "best_rank": 1},
        "val_loss": {"mean": 0.5, "best": 0.5, "best_step": 40, "best_rank": 0},
    }
    pages = drawn(tmp_path, monkeypatch, [*rows(0, 4), *rows(1, 4)], told=told)
    captions = {one.title: one.caption for one in page(pages, "all metrics").panels()}
    assert captions == {
        "loss": "last 0.25 ± 0.0125; best 0.2 in epoch 4, rank 1",
        "val_loss": "last 0.5; best 0.5 at step 40, rank 0",
    }


def test_what_is_no_number_is_a_cross_at_the_foot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the rank's colour, where the value would be; the line has a gap there."""
    lines = [*rows(0, 5), *rows(1, 5)]
    lines = [row.replace("0.3343,0.3678", "nan,inf") for row in lines]
    pages = drawn(tmp_path, monkeypatch, lines)
    (panel,) = page(pages, "loss, 2 ranks").panels()
    cross = panel.mark("x")
    assert course(cross) == [(3, pytest.approx(panel.y_span[0]))]
    assert (cross.colour, cross.face) == (COLOURS[1].lower(), None)
    assert 3 not in [x for x, _ in course(panel.line(COLOURS[1], width=1.4))]
    (sign,) = page(pages, "loss, 2 ranks").legend()["nan or infinite: rank 1"]
    assert isinstance(sign, Marks)
    assert (sign.marker, sign.face) == ("x", None)
    assert "nan and infinite values are left out" in " ".join(pages[0].notes)


def fared(ranks: int, **odd: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what metrics.json tells of ranks that are alike, but for some."""
    usual = {"last_epoch": 6, "last_step": 10, "steps_per_epoch": 10, "time_per_step_s": 0.02}
    return {f"r{rank}": {**usual, **odd.get(f"r{rank}", {})} for rank in range(ranks)}


def test_how_the_ranks_fared_is_drawn_rank_by_rank(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Time, end and last loss of each; who stands out is a diamond with its name."""
    told = fared(8, r2={"time_per_step_s": 0.05}, r5={"last_epoch": 3}, r6={"last_epoch": 4})
    lines = [row for rank in range(8) for row in rows(rank, 6, gain=9 if rank == 7 else 1)]
    health = drawn(tmp_path, monkeypatch, lines, **told)[-1]
    assert health.heading == "how the ranks fared"
    titles = ["time per step (ms)", "how far each rank came (epoch)", "last loss"]
    assert [panel.title for panel in health.panels()] == titles
    times, ends, losses = health.panels()
    last = [round((9 if rank == 7 else 1) / 6 + rank * 0.001, 4) for rank in range(8)]
    middle = float(np.median(last))
    expected = [
        (times, [20, 20, 50, 20, 20, 20, 20, 20], {2}, 0),
        (ends, [6, 6, 6, 6, 6, 3, 4, 6], {5, 6}, 0),
        (losses, last, {7}, middle),
    ]
    for panel, values, marked, zero in expected:
        assert (panel.label, panel.x_ticks, panel.grid[0]) == ("rank", tuple(range(8)), 0)
        usual = [(rank, value) for rank, value in enumerate(values) if rank not in marked]
        odd = [(rank, values[rank]) for rank in sorted(marked)]
        for marker, colour, points in (("o", BLUE, usual), ("D", ORANGE, odd)):
            marks = panel.mark(marker)
            assert course(marks) == [pytest.approx(point) for point in points]
            assert (marks.colour, marks.face) == (colour, colour)
            sticks = panel.line(colour)
            assert course(sticks)[1::2] == [pytest.approx(point) for point in points]
            assert {y for _, y in course(sticks)[::2]} == {round(zero, 6)}
            assert sticks.alpha == 0.45
        assert [(round(x), text) for x, _, text in panel.names] == [
            (rank, f"rank {rank}") for rank in sorted(marked)
        ]
        assert [y for _, y, _ in panel.names] == [pytest.approx(y) for _, y in odd]
    assert {y for _, y in course(times.line(INK))} == {20}
    assert {y for _, y in course(losses.line(INK))} == {round(middle, 6)}
    assert times.caption == "mean of each rank; line: the median, 20 ms"
    assert ends.caption == (
        "where it logged its last metric; diamonds: fell silent before the others"
    )
    assert losses.caption == "the last of each rank; line: the median, 0.1702"
    assert (times.y_span[0], ends.y_span[0]) == (0, 0)


def test_the_findings_are_written_the_worst_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Silence, then losses, slowness, ends, and what was lost; each begins with a dot."""
    told = fared(
        8, r2={"time_per_step_s": 0.05, "account": {"lost": 1}}, r5={"last_epoch": 3, "died": True}
    )
    lines = [row for rank in range(8) for row in rows(rank, 6, gain=9 if rank == 7 else 1)]
    health = drawn(tmp_path, monkeypatch, lines, **told)[-1]
    findings = " ".join(health.written(8)).split("\N{MIDDLE DOT} ")[1:]
    begins = ["Rank 5 fell silent", "Rank 7: loss leaves", "Rank 7: val_loss leaves",
              "Rank 2 is the straggler", "Rank 5 died", "1 lines or parts"]  # fmt: skip
    assert len(findings) == len(begins)
    for finding, begin in zip(findings, begins, strict=True):
        assert finding.startswith(begin)


CALM = "No straggler, no rank fell silent, no loss left the others'."


@pytest.mark.parametrize(
    ("odd", "gain", "begins"),
    [
        ({}, 1, [CALM]),
        ({"r2": {"time_per_step_s": 0.0229}}, 1, [CALM]),
        ({"r2": {"time_per_step_s": 0.0231}}, 1, ["Rank 2 is the straggler: 23.1 ms per step"]),
        ({"r5": {"last_epoch": 5}}, 1, [CALM]),
        ({"r5": {"last_epoch": 4}}, 1, ["Rank 5 fell silent in epoch 4, step 10 of 10"]),
        ({}, 9, ["Rank 7: loss leaves the others': it ends", "Rank 7: val_loss leaves"]),
    ],
)
def test_all_is_well_is_said_only_where_nothing_stands_out(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    odd: dict[str, dict[str, Any]],
    gain: float,
    begins: list[str],
) -> None:
    """Slower by 15 %, silent for more than an epoch, or far from the others: each is enough."""
    lines = [row for rank in range(8) for row in rows(rank, 6, gain=gain if rank == 7 else 1)]
    health = drawn(tmp_path, monkeypatch, lines, **fared(8, **odd))[-1]
    found = " ".join(health.written(8)).split("\N{MIDDLE DOT} ")[1:]
    assert found[-1].startswith("No line was lost, ambiguous or unreadable.")
    assert len(found) == len(begins) + 1
    for finding, begin in zip(found, begins, strict=False):
        assert finding.startswith(begin)


def test_the_first_to_fall_silent_is_named_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what it said last, if that tells why it died, and how far the others came."""
    words = ["  File 'Error.py'", "ValueError: bad", "KeyError: after it", "bye"]
    died = {"last_epoch": 2, "died": True, "last_lines": words, "total_epochs": 9}
    told = fared(3, r0={"last_epoch": 3}, r1=died)
    lines = [row for rank in range(3) for row in rows(rank, 6)]
    findings = " ".join(drawn(tmp_path, monkeypatch, lines, **told)[-1].written(8))
    assert [" ".join(part.split()) for part in findings.split("\N{MIDDLE DOT} ")[1:5]] == [
        "Rank 1 fell silent in epoch 2, step 10 of 10, while rank 2 came to epoch 6, step 10 of "
        "10; it said last: ValueError: bad.",
        "Rank 0 fell silent in epoch 3, step 10 of 10, while rank 2 came to epoch 6, step 10 of "
        "10.",
        "Rank 1 died: the output ends without an orderly end.",
        "6 of 9 epochs were reached.",
    ]


def test_a_last_loss_that_is_no_number_is_a_named_cross(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [row for rank in range(4) for row in rows(rank, 3)]
    lines += [f"train,1,{rank},4,10,10,0,,{'nan' if rank == 2 else 0.25},0.5" for rank in range(4)]
    losses = drawn(tmp_path, monkeypatch, lines)[-1].panel("last loss")
    cross = losses.mark("x")
    assert course(cross) == [(2, pytest.approx(losses.y_span[0]))]
    assert (cross.colour, cross.face) == (ORANGE, None)
    assert course(losses.mark("o")) == [(0, 0.25), (1, 0.25), (3, 0.25)]
    assert [text for _, _, text in losses.names] == ["rank 2: nan"]


def test_one_rank_shows_the_course_of_its_time_per_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [f"train,1,0,{at},10,10,0,{at / 100},{1 / at},{2 / at}" for at in range(1, 5)]
    (panel,) = drawn(tmp_path, monkeypatch, lines, r0={"time_per_step_s": 0.025})[-1].panels()
    assert (panel.title, panel.caption, panel.label) == (
        "time per step (ms)",
        "mean 25 ms",
        "epoch",
    )
    assert course(panel.line(BLUE)) == [(1, 10), (2, 20), (3, 30), (4, 40)]
    assert panel.y_span[0] == 0


def test_seconds_stay_seconds_from_one_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = {f"r{rank}": {"time_per_step_s": time} for rank, time in enumerate((1.0, 1.5))}
    lines = [row.replace(",0.02,", ",,") for rank in range(2) for row in rows(rank, 4)]
    times = drawn(tmp_path, monkeypatch, lines, **told)[-1].panels()[0]
    assert (times.title, course(times.mark("o"))) == ("time per step (s)", [(0, 1.0)])
    assert course(times.mark("D")) == [(1, 1.5)]


def test_a_page_of_words_tells_each_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """How many ranks, which launcher and reader, and how much of the log was other text."""
    history, summary = write(tmp_path, [], "")
    other = {"0": {"segments_other": 3}, "1": {"segments_other": 4}, "2": {}}
    stages = {"train": {"ranks": other, "launcher": "mpirun", "reader": "keras"}}
    stages["avg"] = {"ranks": {}, "launcher": None, "reader": None}
    summary.write_text(json.dumps({"stages": stages}))
    (one,) = drawn_ranks(history, summary, monkeypatch)
    assert one.heading == "no metrics were logged"
    assert one.written(10)[1:] == [
        "Nothing that reads as a metric stands in the logs.",
        "train: 3 ranks, launcher mpirun, reader keras, 7 pieces of other text.",
        "avg: 0 ranks, launcher None, reader None, 0 pieces of other text.",
    ]
    summary.write_text(json.dumps({"stages": {}}))
    (one,) = drawn_ranks(history, summary, monkeypatch)
    assert one.written(10)[-1] == "No stage has a log yet."


def test_the_numbers_of_stages_without_curves_stand_at_the_foot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line a stage, in the order of the file; with the spread of several ranks."""
    history, summary = write(tmp_path, [*rows(0, 4), "avg,1,0,,,,,,0.5,", "test,1,0,,,,,,0.5,0.25"])
    stages = {
        "train": {"ranks": {}, "metrics": {"loss": {"mean": 9}}},
        "avg": {"ranks": {}, "metrics": {"loss": {"mean": 0.5, "std": 0.125, "ranks": 2}}},
        "test": {
            "ranks": {},
            "metrics": {"no": {"mean": None}, "loss": {"mean": 0.5, "std": 0.0, "ranks": 1},
                        "val_loss": {"mean": 0.25}},
        },
    }  # fmt: skip
    summary.write_text(json.dumps({"stages": stages}))
    pages = drawn_ranks(history, summary, monkeypatch)
    assert pages[0].notes[:2] == ["avg: loss 0.5 ± 0.125", "test: loss 0.5, val_loss 0.25"]
    assert pages[0].heading == "train: summary of the validation metrics, rank 0"
    assert not pages[1].notes[1:]
