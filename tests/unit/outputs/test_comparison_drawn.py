"""What the pages of comparison.pdf draw: points, curves, cells, their order and their axes."""

from __future__ import annotations

import gzip
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection, QuadMesh
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from sweeps_made_up import make_table, write_history

from sweepmake.outputs.comparison_pdf.compared import Comparison, compare, limits
from sweepmake.outputs.comparison_pdf.curves_page import curves_notes, draw_curves
from sweepmake.outputs.comparison_pdf.grid_page import draw_grid, grid_notes, kind_of_grid
from sweepmake.outputs.comparison_pdf.learning_curves import (
    Curves,
    LearningCurve,
    read_learning_curves,
)
from sweepmake.outputs.comparison_pdf.objective_page import draw_objective, objective_notes
from sweepmake.outputs.drawing.scale import value_scale
from sweepmake.outputs.drawing.style import ACCENT, COLOURS, GREY, HEIGHT, INK, WIDTH

HEAD = "stage,attempt,rank,epoch,step,steps_per_epoch,eta_s,time_per_step_s"
REST = "#8a8a8a"


def compared(folder: Path, grid: dict[str, list[Any]], **options: Any) -> Comparison:
    return compare(*make_table(folder, grid, **options))


def axes_of(draw: Callable[[Figure], None]) -> list[Axes]:
    """Draw a page; return its axes."""
    figure = Figure(figsize=(WIDTH, HEIGHT))
    draw(figure)
    return figure.axes


def panels(comparison: Comparison, *keys: str) -> list[Axes]:
    """Draw the page of the objective; return a panel for each of these parameters."""
    return axes_of(lambda figure: draw_objective(figure, comparison, keys))


def scatters(axes: Axes) -> list[PathCollection]:
    return [one for one in axes.collections if isinstance(one, PathCollection)]


def points(one: PathCollection) -> list[tuple[float, float]]:
    return sorted((round(x, 6), round(y, 6)) for x, y in np.asarray(one.get_offsets()).tolist())


def line_of(axes: Axes, marker: str) -> Any:
    (found,) = (line for line in axes.lines if line.get_marker() == marker)
    return found


def data(line: Any) -> list[tuple[float, float]]:
    pairs = zip(np.atleast_1d(line.get_xdata()), np.atleast_1d(line.get_ydata()), strict=True)
    return [(round(float(x), 6), round(float(y), 6)) for x, y in pairs]


def labels(ticks: Any) -> list[str]:
    return [label.get_text() for label in ticks]


def curves(*ys: list[float], metric: str = "val_acc") -> Curves:
    """Return curves by epoch, one for each row of the table."""
    listed = [
        LearningCurve(row, np.arange(1.0, len(y) + 1), np.array(y)) for row, y in enumerate(ys)
    ]
    return Curves(metric, "epoch", tuple(listed))


def drawn_curves(found: Curves, comparison: Comparison) -> Axes:
    (axes,) = axes_of(lambda figure: draw_curves(figure, found, comparison))
    return axes


def test_the_best_six_curves_have_colours_and_names(tmp_path: Path) -> None:
    """The best lies on top, is thicker and named first; the rest is grey and behind."""
    values = [0.5, 0.9, 0.6, 0.8, 0.7, 0.55, 0.95, 0.4]
    study, table = make_table(tmp_path, {"lr": list(range(8))}, values=values)
    for outcome in table.outcomes:
        value = values[int(outcome.experiment.parameters["lr"])]  # type: ignore[call-overload]
        write_history(study, outcome.experiment.name, last=value, ranks=1, epochs=4, steps=1)
    found, comparison = read_learning_curves(study, table), compare(study, table)
    axes = drawn_curves(found, comparison)
    order = [6, 1, 3, 4, 2, 5, 0, 7]
    legend = axes.get_legend()
    assert labels(legend.get_texts()) == [f"{at + 1}. lr {lr}" for at, lr in enumerate(order[:6])]
    assert legend.get_title().get_text() == "the best, by the objective:"
    assert [line.get_color() for line in legend.get_lines()] == list(COLOURS[:6])
    courses = [
        [(at, round(values[lr] * (1 - math.exp(-at)), 5)) for at in (1, 2, 3, 4)] for lr in order
    ]
    assert [data(line) for line in axes.lines] == courses[5::-1], "the best is drawn last"
    assert [line.get_linewidth() for line in axes.lines] == [1.3] * 5 + [1.8]
    (rest,) = axes.collections
    assert isinstance(rest, LineCollection)
    assert [segment.round(5).tolist() for segment in rest.get_segments()] == [
        [list(point) for point in course] for course in courses[6:]
    ]
    assert to_hex(rest.get_color()[0]) == REST
    assert rest.get_alpha() == 0.7
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("epoch", "val_acc")
    assert axes.get_xticks().tolist() == [1, 2, 3, 4]
    assert axes.get_xlim() == pytest.approx((0.94, 4.06))
    assert curves_notes(found, comparison) == [
        "8 of 8 experiments logged val_acc. Each curve is the mean of an experiment's ranks."
    ]


def test_without_an_objective_the_first_curves_are_named(tmp_path: Path) -> None:
    comparison = compared(tmp_path, {"lr": list(range(7))}, objective=None)
    axes = drawn_curves(curves(*([0.1, 0.2],) * 7), comparison)
    assert axes.get_legend().get_title().get_text() == "the first:"
    names = [f"{at + 1}. {comparison.name(at)}" for at in range(6)]
    assert labels(axes.get_legend().get_texts()) == names
    few = drawn_curves(curves([0.1, 0.2]), comparison)
    assert few.get_legend().get_title().get_text() == ""


def test_curves_of_experiments_without_a_result_are_not_named(tmp_path: Path) -> None:
    """The best are those that have the objective, whatever their curves."""
    comparison = compared(tmp_path, {"lr": [1, 2, 3]}, statuses={2: "failed"})
    axes = drawn_curves(curves([0.1, 0.2], [0.1, 0.3], [0.1, 0.9]), comparison)
    assert len(axes.lines) == 2
    assert len(axes.collections[0].get_segments()) == 1  # type: ignore[attr-defined]


def test_a_curve_that_diverged_leaves_the_axis_unless_it_is_named(tmp_path: Path) -> None:
    """Two spans of the middle 96 % beyond it; the page counts what is cut."""
    grid = {"lr": [float(at) for at in range(60)]}
    comparison = compared(tmp_path, grid, values=[1 - at / 100 for at in range(60)])
    usual = [[0.2, 0.4, 0.6]] * 59
    axes = drawn_curves(curves(*usual, [0.2, 0.4, 50.0]), comparison)
    low, high = 0.2, 0.6 + 2 * 0.4
    assert axes.get_ylim() == pytest.approx((low - 0.04 * 1.2, high + 0.04 * 1.2))
    notes = curves_notes(curves(*usual, [0.2, 0.4, 50.0]), comparison)
    assert "Curves that leave the axis: 1." in notes
    axes = drawn_curves(curves([0.2, 0.4, 50.0], *usual), comparison)
    assert axes.get_ylim()[1] > 50
    axes = drawn_curves(curves(*usual, [0.2, -50.0, 0.6]), comparison)
    assert axes.get_ylim() == pytest.approx((-0.6 - 0.04 * 1.2, 0.6 + 0.04 * 1.2))
    many = drawn_curves(curves(*usual[2:], *([50.0, 50.0],) * 3), comparison)
    assert many.get_ylim()[1] > 50, "more than 2 % of all points are no outliers"
    many = drawn_curves(curves(*usual[2:], *([-50.0, -50.0],) * 3), comparison)
    assert many.get_ylim()[0] < -50


def test_a_curve_that_touches_the_end_of_the_axis_has_not_left_it(tmp_path: Path) -> None:
    """Above and below."""
    grid = {"lr": [float(at) for at in range(60)]}
    comparison = compared(tmp_path, grid, values=[1 - at / 100 for at in range(60)])

    def notes(y: float) -> str:
        found = curves(*[[0.2, 0.4, 0.6]] * 59, [0.4, y])
        return " ".join(curves_notes(found, comparison))

    (low, _), (_, high) = (
        drawn_curves(curves(*[[0.2, 0.4, 0.6]] * 59, [0.4, y]), comparison).get_ylim()
        for y in (-50.0, 50.0)
    )
    assert "leave the axis" not in notes(high) + notes(low)
    assert "Curves that leave the axis: 1." in notes(math.nextafter(high, 99))
    assert "Curves that leave the axis: 1." in notes(math.nextafter(low, -99))


def test_a_metric_that_spans_decades_has_a_logarithmic_axis(tmp_path: Path) -> None:
    comparison = compared(tmp_path, {"lr": [1]}, objective="loss", mode="min")
    axes = drawn_curves(curves([100.0, 1.0, 0.01], metric="loss"), comparison)
    assert (axes.get_yscale(), axes.get_ylabel()) == ("log", "loss, log scale")
    assert axes.get_ylim() == pytest.approx((10**-2.16, 10**2.16))
    axes = drawn_curves(curves([1.0, 0.5, 0.01], metric="loss"), comparison)
    assert (axes.get_yscale(), axes.get_ylabel()) == ("linear", "loss")


def test_a_curve_of_one_point_is_a_point(tmp_path: Path) -> None:
    comparison = compared(tmp_path, {"lr": list(range(7))}, values=[0.9 - n / 10 for n in range(7)])
    axes = drawn_curves(curves([0.9], *([0.1, 0.2],) * 5, [0.3, math.nan]), comparison)
    assert data(axes.lines[-1]) == [(1, 0.9)]
    assert axes.lines[-1].get_marker() == "o"
    assert axes.lines[-2].get_marker() == "None"
    assert axes.lines[0].get_color() == "#8A8A8A"
    assert axes.lines[0].get_marker() == "o"


def test_a_history_without_the_metric_or_damaged_leaves_the_others(tmp_path: Path) -> None:
    """Those that come after it in the table are drawn; the damaged one is named."""
    study, table = make_table(tmp_path, {"lr": [1, 2, 3, 4]}, values=[0.4, 0.3, 0.2, 0.1])
    names = [str(name) for name in table.values("experiment")]
    for at, name in enumerate(names):
        path = write_history(study, name, ranks=1, epochs=3, steps=1)
        if at == 0:
            path.write_bytes(gzip.compress(f"{HEAD},other\ntrain,1,0,1,,,,,4\n".encode()))
        if at == 1:
            path.write_bytes(path.read_bytes()[:-9])
    found = read_learning_curves(study, table)
    assert ([curve.row for curve in found.curves], found.unreadable) == ([2, 3], (names[1],))


def history(folder: Path, *rows: str) -> LearningCurve | tuple[str, LearningCurve]:
    """Return what is read of one experiment's history of a loss: what x is, and the curve."""
    study, table = make_table(folder, {"lr": [0.1]}, objective="loss", mode="min")
    path = Path(study.results) / table.outcomes[0].experiment.name / "history.csv.gz"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(gzip.compress("\n".join([f"{HEAD},loss", *rows, ""]).encode(), mtime=0))
    found = read_learning_curves(study, table)
    (curve,) = found.curves
    return found.axis, curve


def test_a_rank_without_epochs_leaves_the_curve_by_epoch(tmp_path: Path) -> None:
    """One rank that logged steps alone does not turn the axis of the others."""
    axis, curve = history(
        tmp_path, "train,1,0,1,5,,,,4", "train,1,0,2,10,,,,2", "train,1,1,,5,,,,9"
    )
    assert (axis, curve.x.tolist(), curve.y.tolist()) == ("epoch", [1, 2], [4, 2])


def test_a_mean_over_ranks_leaves_out_what_is_no_number(tmp_path: Path) -> None:
    """It is nan where no rank has one; a rank that ended early is missed later."""
    rows = ["train,1,0,1,,,,,4", "train,1,0,2,,,,,nan", "train,1,0,3,,,,,inf",
            "train,1,1,1,,,,,2", "train,1,1,2,,,,,3"]  # fmt: skip
    _, curve = history(tmp_path, *rows, "test,1,0,1,,,,,77")
    assert curve.x.tolist() == [1, 2, 3]
    assert curve.y.tolist()[:2] == [3, 3]
    assert math.isnan(curve.y[2]), "only the first stage is drawn, and a nan stays one"


def test_most_experiments_decide_what_x_is(tmp_path: Path) -> None:
    """Curves by the other axis are left out."""
    study, table = make_table(tmp_path, {"lr": [1, 2, 3]}, objective="loss", mode="min")
    for outcome, place in zip(table.outcomes, (",7", ",7", "1,7"), strict=True):
        path = Path(study.results) / outcome.experiment.name / "history.csv.gz"
        path.parent.mkdir()
        path.write_bytes(gzip.compress(f"{HEAD},loss\ntrain,1,0,{place},,,,4\n".encode()))
    found = read_learning_curves(study, table)
    assert (found.axis, [curve.row for curve in found.curves]) == ("step", [0, 1])


def test_the_objective_is_drawn_point_by_point_with_medians(tmp_path: Path) -> None:
    """Grey: every experiment. Blue: the median of the settings with a value. A star: the best."""
    values = [0.1, 0.2, 0.6, 0.4, 0.5, 0.9]
    comparison = compared(tmp_path, {"lr": [1, 2], "bs": [8, 16, 32]}, values=values)
    by_rate, by_size = panels(comparison, "lr", "bs")
    for axes, xs, medians, best in (
        (by_rate, [1, 1, 1, 2, 2, 2], [(1, 0.2), (2, 0.5)], (2, 0.9)),
        (by_size, [3, 4, 5, 3, 4, 5], [(3, 0.25), (4, 0.35), (5, 0.75)], (5, 0.9)),
    ):
        if axes is by_size:  # 8, 16, 32 lie evenly on a logarithmic axis
            base = math.log10(2)
            medians = [(round(x * base, 6), y) for x, y in medians]
            xs, best = [x * base for x in xs], (round(best[0] * base, 6), best[1])
        (cloud,) = scatters(axes)
        assert points(cloud) == sorted((round(x, 6), y) for x, y in zip(xs, values, strict=True))
        assert to_hex(cloud.get_facecolor()[0]) == GREY.lower()
        middle, star = line_of(axes, "o"), line_of(axes, "*")
        assert (data(middle), middle.get_color(), middle.get_linestyle()) == (
            medians, COLOURS[0], "-",
        )  # fmt: skip
        assert (data(star), star.get_color()) == ([best], ACCENT)
        assert axes.get_ylim() == pytest.approx((0.1 - 0.048, 0.9 + 0.048))
    assert (by_rate.get_title("left"), by_size.get_title("left")) == ("lr", "bs, log scale")
    assert (by_rate.get_ylabel(), by_size.get_ylabel()) == ("val_acc", "")
    assert labels(by_size.get_xticklabels()) == ["8", "16", "32"]
    assert by_rate.get_xlim() == pytest.approx((1 - 0.06, 2 + 0.06))
    assert labels(by_rate.get_yticklabels()) == ["0.2", "0.4", "0.6", "0.8"]


def test_where_less_is_better_the_star_is_the_least(tmp_path: Path) -> None:
    comparison = compared(tmp_path, {"lr": [1, 2, 3]}, values=[0.5, 0.1, 0.9], mode="min")
    assert data(line_of(panels(comparison, "lr")[0], "*")) == [(2, 0.1)]


def test_bars_are_the_spread_over_the_seeds(tmp_path: Path) -> None:
    """Pooled over the settings that share a value, with n - 1; the median is of their means."""
    grid = {"lr": [1, 2], "norm": ["a", "b"], "seed": [0, 1, 2]}
    table = np.array([[0.1, 0.2, 0.3], [0.5, 0.5, 0.8], [0.4, 0.6, 0.8], [0.9, 0.9, 0.9]])
    comparison = compared(tmp_path, grid, values=table.ravel().tolist())
    axes, by_name = panels(comparison, "lr", "norm")
    (bars,) = (one for one in axes.collections if isinstance(one, LineCollection))
    expected = []
    for x, rows in ((1, table[:2]), (2, table[2:])):
        middle = float(np.median(rows.mean(axis=1)))
        spread = float(np.sqrt(rows.var(axis=1, ddof=1).mean()))
        expected.append([[x, pytest.approx(middle - spread)], [x, pytest.approx(middle + spread)]])
    assert [segment.tolist() for segment in bars.get_segments()] == expected
    assert "the spread over seed, ±" in objective_notes(comparison)[1]
    for other in ({"lr": [1, 2], "seed": [0]}, {"lr": [1, 2]}):
        alone = objective_notes(compared(tmp_path, other))
        assert not [note for note in alone if "spread" in note], "there are no bars"
    assert line_of(by_name, "D").get_linestyle() == "None", "categories are no course"
    assert by_name.get_xlim() == (-0.5, 1.5)
    assert labels(by_name.get_xticklabels()) == ["a", "b"]


def test_points_of_one_value_stand_side_by_side_within_their_place(tmp_path: Path) -> None:
    """Many share a place: they are moved by less than a fifth of the way to the next one."""
    comparison = compared(tmp_path, {"norm": ["a", "b"], "seed": list(range(20))})
    (axes,) = panels(comparison, "norm")
    shifts = np.asarray(scatters(axes)[0].get_offsets())[:, 0]
    moved = shifts - shifts.round()
    assert len(set(moved.round(6).tolist())) > 20
    assert np.abs(moved).max() <= 0.18


def test_many_values_have_the_median_of_ten_parts(tmp_path: Path) -> None:
    """Of a hundred learning rates no two are alike: neighbours share a median."""
    values = [(at * 37 % 100) / 100 for at in range(100)]
    comparison = compared(tmp_path, {"x": [float(at) for at in range(100)]}, values=values)
    (axes,) = panels(comparison, "x")
    parts = np.array(values).reshape(10, 10)
    assert data(line_of(axes, "o")) == [
        (at * 10 + 4.5, round(float(np.median(part)), 6)) for at, part in enumerate(parts)
    ]


def test_the_axis_of_the_objective_ends_three_spans_beyond_nine_tenths(tmp_path: Path) -> None:
    """The best is always inside, outliers are counted and drawn on the edge."""
    values = [*(at / 100 for at in range(100)), 77.0]
    grid = {"x": [float(at) for at in range(101)]}
    first, last = np.percentile(values, (5, 95))
    worst = limits(compared(tmp_path, grid, values=values, mode="min"))
    high = last + 3 * (last - first)
    assert worst == (pytest.approx(-0.06 * high), pytest.approx(1.06 * high), 1)
    best = limits(compared(tmp_path, grid, values=values))
    assert best == (pytest.approx(-0.06 * 77), pytest.approx(1.06 * 77), 0)
    comparison = compared(tmp_path, grid, values=values, mode="min")
    (axes,) = panels(comparison, "x")
    assert max(y for _, y in points(scatters(axes)[0])) == pytest.approx(1.06 * high)
    assert "drawn on the edge: 1 experiment." in objective_notes(comparison)[-1]


CELLS = {"lr": [0.1, 0.01], "norm": ["a", "b", "c"], "seed": [1, 2]}
SEEDS = [0.10, 0.20, 0.30, 0.50, 0.60, 0.64, 0.15, 0.25, 0.90, 0.94, 0.40, 0.44]
# norm → lr 0.01, lr 0.1
MEANS = [[0.20, 0.92, 0.42], [0.15, 0.40, 0.62]]


def meshed(comparison: Comparison) -> tuple[Axes, QuadMesh, Axes]:
    """Draw the grid; return its axes, its cells and the axes of its colours."""
    axes, bar = axes_of(lambda figure: draw_grid(figure, comparison))
    (mesh,) = (one for one in axes.collections if isinstance(one, QuadMesh))
    return axes, mesh, bar


@pytest.mark.parametrize(("mode", "best"), [("max", (1, 0)), ("min", (0, 1))])
def test_cells_stand_at_their_values_and_the_best_is_framed(
    tmp_path: Path, mode: str, best: tuple[int, int]
) -> None:
    """x has the parameter of more values; colour and number are the mean over the seeds."""
    comparison = compared(tmp_path, CELLS, values=SEEDS, mode=mode)
    axes, mesh, bar = meshed(comparison)
    assert np.asarray(mesh.get_array()).round(6).tolist() == MEANS
    assert labels(axes.get_xticklabels()) == ["a", "b", "c"]
    assert labels(axes.get_yticklabels()) == ["0.01", "0.1"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("norm", "lr")
    assert {text.get_position(): text.get_text() for text in axes.texts} == {
        (x + 0.5, y + 0.5): f"{MEANS[y][x]:.4g}" for x in range(3) for y in range(2)
    }
    (frame,) = (one for one in axes.patches if isinstance(one, Rectangle))
    assert (frame.get_xy(), frame.get_width(), frame.get_height()) == (best, 1, 1)
    assert to_hex(frame.get_edgecolor()) == ACCENT.lower()
    # the better the darker
    assert mesh.get_cmap().name == ("viridis_r" if mode == "max" else "viridis")
    assert (mesh.norm.vmin, mesh.norm.vmax) == pytest.approx((0.10, 0.94))
    dark = min(MEANS[0]) if mode == "min" else max(MEANS[0])
    white = {text.get_text() for text in axes.texts if text.get_color() == "white"}
    assert f"{dark:.4g}" in white
    light = f"{0.92 if mode == 'min' else 0.15:.4g}"
    assert next(text for text in axes.texts if text.get_text() == light).get_color() == INK
    assert bar.get_title("right") == "val_acc"
    assert labels(bar.get_yticklabels()) == ["0.2", "0.4", "0.6", "0.8"]
    assert grid_notes(comparison) == [
        "Colour and number: val_acc (mean over seed). Framed: the best cell."
    ]


def test_a_cell_without_a_number_is_a_dash(tmp_path: Path) -> None:
    statuses = {4: "failed", 5: "failed", 0: "running"}
    comparison = compared(tmp_path, CELLS, values=SEEDS, statuses=statuses)
    axes, mesh, _ = meshed(comparison)
    assert np.ma.getmaskarray(mesh.get_array()).tolist() == [[False] * 3, [False, False, True]]
    texts = {text.get_position(): text.get_text() for text in axes.texts}
    assert texts[2.5, 1.5] == "\N{EN DASH}"
    assert texts[0.5, 1.5] == "0.2", "the mean of the seed that has finished"
    assert grid_notes(comparison)[1:] == [
        "A dash: no experiment with these values has a number.",
        "Not shown, for they have no number for val_acc: 3 of 12 experiments (2 failed, "
        "1 running).",
    ]


@pytest.mark.parametrize(
    ("grid", "kind"),
    [
        ({"x": [1, 2]}, "ranking"),
        ({"x": [1, 2], "seed": [1, 2]}, "ranking"),
        ({"x": list(range(40)), "y": [1, 2]}, "cells"),
        ({"x": list(range(41)), "y": [1, 2]}, "points"),
        ({"x": [1, 2], "y": [1, 2], "z": [1, 2]}, "parallel"),
    ],
)
def test_which_picture_shows_the_grid(
    tmp_path: Path, grid: dict[str, list[Any]], kind: str
) -> None:
    assert kind_of_grid(compared(tmp_path, grid)) == kind


def test_many_values_of_two_parameters_are_points_and_the_best_has_a_ring(tmp_path: Path) -> None:
    values = [at / 100 for at in range(82)]
    grid = {"x": [float(at) for at in range(41)], "y": [1, 2]}
    axes, _ = axes_of(lambda figure: draw_grid(figure, compared(tmp_path, grid, values=values)))
    (cloud,) = scatters(axes)
    assert points(cloud) == sorted((float(x), float(y)) for x in range(41) for y in (1, 2))
    shades = dict(zip(map(tuple, np.asarray(cloud.get_offsets()).tolist()),
                      np.asarray(cloud.get_array()).tolist(), strict=True))  # fmt: skip
    assert shades[0.0, 1.0] == 0.0
    assert shades[40.0, 2.0] == 0.81
    (ring,) = axes.lines
    assert (data(ring), ring.get_markeredgecolor()) == ([(40, 2)], ACCENT)
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("x", "y")


def test_parallel_lines_run_through_all_values_and_the_best_lies_on_top(tmp_path: Path) -> None:
    """Each experiment is a line through its parameters to its objective; the worst comes first."""
    grid = {"x": [1, 2, 3], "y": ["a", "b"], "z": [0.1, 0.001]}
    values = [at / 11 for at in (3, 7, 1, 11, 0, 5, 2, 9, 4, 10, 6, 8)]
    comparison = compared(tmp_path, grid, values=values)
    (axes,) = axes_of(lambda figure: draw_grid(figure, comparison))
    (lines,) = (one for one in axes.collections if isinstance(one, LineCollection))
    room = 0.06 * 1.0
    drawn = [segment[:, 1] for segment in lines.get_segments()]
    combinations = [(x, y, z) for x in (0, 0.5, 1) for y in (0, 1) for z in (1, 0)]
    order = sorted(range(12), key=lambda at: values[at])
    assert [line[-1] for line in drawn] == pytest.approx(
        [(values[at] + room) / (1 + 2 * room) for at in order]
    )
    for line, at in zip(drawn, order, strict=True):
        x, y, z = combinations[at]
        assert line[[0, 2]].tolist() == pytest.approx([x, z])
        assert line[1] == pytest.approx(y, abs=0.081), "equal categories lie side by side"
    best = next(line for line in axes.lines if line.get_color() == ACCENT)
    assert np.asarray(best.get_ydata()) == pytest.approx(drawn[-1])
    assert best.get_linewidth() == 2.4
    colours = matplotlib.colormaps["viridis_r"]([0.0, 1.0])
    assert lines.get_colors()[[0, -1], :3].tolist() == colours[:, :3].tolist()  # type: ignore[attr-defined]
    texts = {text.get_text(): text.get_position() for text in axes.texts}
    heads = {"x": 0, "y": 1, "z, log": 2, "val_acc": 3}
    assert {name: texts[name] for name in heads} == {name: (at, 1.1) for name, at in heads.items()}
    assert texts["b"] == (1 - 0.025, 1.0)
    assert texts["0.001"] == (2 - 0.025, 0.0)
    assert texts["objective"] == (3, -0.1)
    assert grid_notes(comparison) == ["Each line is an experiment. Orange: the best."]


def test_parallel_axes_have_the_ticks_that_lie_on_them(tmp_path: Path) -> None:
    """Where an outlier is beyond the objective's axis, the ticks on the way to it are left out."""
    grid = {"x": list(range(10)), "y": list(range(5)), "z": [1, 2]}
    comparison = compared(tmp_path, grid, values=[-50.0, *(0.5 + at / 250 for at in range(99))])
    (axes,) = axes_of(lambda figure: draw_grid(figure, comparison))
    ticks = [text for text in axes.texts if text.get_position()[0] == 3 - 0.025]
    assert [text.get_text() for text in ticks] == ["0"]
    assert all(0 <= text.get_position()[1] <= 1 for text in ticks)


def test_of_many_parameters_the_nine_that_tell_most_have_an_axis(tmp_path: Path) -> None:
    """Those whose values explain the objective, in the order of the file."""
    grid = {f"p{at}": [0.0, 1.0] for at in range(11)}
    bits = [[number >> (10 - at) & 1 for at in range(11)] for number in range(2048)]
    weights = [1, 9, 8, 0, 7, 6, 5, 4, 3, 2, 1.5]
    values = [float(np.dot(row, weights)) for row in bits]
    comparison = compared(tmp_path, grid, values=values)
    (axes,) = axes_of(lambda figure: draw_grid(figure, comparison))
    heads = [text.get_text() for text in axes.texts if text.get_position()[1] == 1.1]
    assert heads == [*(f"p{at}" for at in (1, 2, 4, 5, 6, 7, 8, 9, 10)), "val_acc"]
    assert "The 9 parameters that tell most about the objective, of 11." in grid_notes(comparison)


@pytest.mark.parametrize(("mode", "order"), [("max", [1, 2, 0]), ("min", [0, 2, 1])])
def test_the_ranking_has_the_best_above_in_orange(
    tmp_path: Path, mode: str, order: list[int]
) -> None:
    values = [0.2, 0.8, 0.5]
    comparison = compared(tmp_path, {"lr": [1, 2, 3]}, values=values, mode=mode)
    (axes,) = axes_of(lambda figure: draw_grid(figure, comparison))
    every, best = scatters(axes)
    assert points(every) == sorted((values[at], float(place)) for place, at in enumerate(order))
    assert points(best) == [(values[order[0]], 0)]
    assert to_hex(best.get_facecolor()[0]) == ACCENT.lower()
    assert labels(axes.get_yticklabels()) == [f"lr {at + 1}" for at in order]
    assert axes.get_ylim() == (5.5, -0.5)
    assert axes.get_xlabel() == "val_acc"
    assert labels(axes.get_xticklabels()) == ["0.2", "0.4", "0.6", "0.8"]


def test_the_ranking_ends_after_forty(tmp_path: Path) -> None:
    for count, note in ((40, []), (41, ["The best 40."])):
        comparison = compared(tmp_path, {"x": list(range(count))})
        (axes,) = axes_of(lambda figure: draw_grid(figure, comparison))  # noqa: B023
        assert len(axes.get_yticks()) == 40
        assert grid_notes(comparison) == note


def test_a_measured_axis_is_logarithmic_beyond_three_decades() -> None:
    """A loss between 0.1 and 10 stays on a plain axis."""
    assert not value_scale("loss", np.array([0.001, 1.0])).logarithmic
    scale = value_scale("loss", np.array([0.0009, 1.0]))
    assert scale.logarithmic
    assert scale.positions == pytest.approx(np.log10([0.0009, 1.0]))
    assert scale.labels == ("0.001", "0.01", "0.1", "1")
    assert not value_scale("loss", np.array([-1.0, 0.0009, 1.0])).logarithmic
