"""Pages and their panels: headers, places, limits of axes, ticks and their numbers."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn_pages import Panel, read_page

from sweepmake.outputs.drawing.page import Page
from sweepmake.outputs.drawing.style import GREY, HEIGHT, INK, WIDTH, Book
from sweepmake.outputs.drawing.ticks import tick_labels
from sweepmake.outputs.ranks_pdf.panels import Panel as BarePanel
from sweepmake.outputs.ranks_pdf.panels import panel_boxes


def test_a_page_has_its_experiment_heading_and_number(tmp_path: Path) -> None:
    """Title, heading and parameters above, notes and the page's number below."""
    parameters = {"lr": 0.1, "one": "x" * 55, "two": "y" * 55, "three": "z" * 55, "bs": 8}
    lines = [f"lr=0.1, one={'x' * 55}, two={'y' * 55},", f"three={'z' * 55}, bs=8"]
    book = Book(tmp_path / "x.pdf", title="Lr_0.1", parameters=parameters, subject="")
    for number in (1, 2):
        one = read_page(book.page("what it shows", ["first", "second"]))
        assert [(text.text, text.size, text.colour) for text in one.texts] == [
            ("Lr_0.1", 13, INK), ("what it shows", 10, INK), *((line, 7.5, GREY) for line in lines),
            ("second", 7.5, GREY), ("first", 7.5, GREY), (f"page {number}", 7.5, GREY),
        ]  # fmt: skip
        heights = [text.y / 72 for text in one.texts]
        assert heights == pytest.approx([7.82, 7.57, 7.37, 7.23, 0.28, 0.42, 0.28])
        assert one.texts[-1].right == pytest.approx((WIDTH - 0.45) * 72, abs=0.6)


def test_what_is_too_long_for_a_page_is_cut_in_its_middle(tmp_path: Path) -> None:
    """Title, heading and notes, those left of the page's number."""
    book = Book(tmp_path / "x.pdf", title="W" * 300, parameters={}, subject="")
    page = read_page(book.page("M" * 300, ["n" * 400, "short"]))
    title, heading, short, note, number = page.texts
    width = WIDTH - 0.9
    for text, size, inches in ((title, 13, width), (heading, 10, width), (note, 7.5, width - 0.8)):
        assert len(text.text) == int(inches * 72 / (size * 0.57))
        assert "..." in text.text
        assert text.left == pytest.approx(0.45 * 72)
    assert (short.text, number.text) == ("short", "page 1")


@pytest.mark.parametrize(
    ("count", "columns"),
    [(1, 1), (2, 2), (4, 2), (5, 3), (9, 3), (10, 4), (12, 4)],
)
def test_panels_stand_row_by_row_and_keep_apart(count: int, columns: int) -> None:
    places = panel_boxes(count)
    assert len(places) == count
    lefts = sorted({round(left, 6) for left, _, _, _ in places})
    bottoms = sorted({round(bottom, 6) for _, bottom, _, _ in places}, reverse=True)
    assert (len(lefts), len(bottoms)) == (columns, -(-count // columns))
    for at, (left, bottom, width, height) in enumerate(places):
        assert left == pytest.approx(lefts[at % columns])
        assert bottom == pytest.approx(bottoms[at // columns])
        assert bottom >= 0.98 - 1e-9
        assert bottom + height <= HEIGHT - 1.68 + 1e-9
        assert left + width <= WIDTH - 0.35 + 1e-9
    if count > 1:
        assert lefts[1] - lefts[0] - places[0][2] == pytest.approx(0.75)
    assert panel_boxes(1, right=2.2)[0][2] == pytest.approx(places[0][2] - 2.2 if count == 1 else
                                                     panel_boxes(1)[0][2] - 2.2)  # fmt: skip


def scaled(values: list[float], x: tuple[float, float] = (0.0, 10.0), **options: Any) -> Panel:
    """Return an empty panel with the scale of these values."""
    page = Page()
    panel = BarePanel(page, panel_boxes(1)[0], "loss")
    panel.scale(x, [np.array(values)], label="epoch", **options)
    return read_page(page).panels()[0]


def test_axes_hold_all_values_with_room_around_them() -> None:
    """A twentieth of the span in y, a fiftieth in x; y begins at 0 where that is asked for."""
    panel = scaled([1.0, 3.0, float("nan")])
    assert panel.y_span == pytest.approx((0.9, 3.1))
    assert panel.x_span == pytest.approx((-0.2, 10.2))
    assert panel.x_ticks == tuple(range(11))
    assert panel.y_ticks == (1.0, 1.5, 2.0, 2.5, 3.0)
    assert panel.grid == (len(panel.x_ticks), len(panel.y_ticks))
    assert scaled([1.0, 3.0], zero=True).y_span == pytest.approx((0, 3.15))
    assert scaled([1.0, 3.0], lines=False).grid[0] == 0
    assert scaled([]).y_span == pytest.approx((-0.05, 1.05))
    assert scaled([5.0, 5.0]).y_span == pytest.approx((4.45, 5.55))


def test_a_wide_span_has_a_logarithmic_axis() -> None:
    """From a factor of 300 on, of positive values alone; the page says so."""
    assert scaled([0.01, 2.9]).y_ticks == (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0)
    panel = scaled([0.01, 3.1])
    assert panel.y_ticks == (0.01, 0.1, 1.0)
    factor = (3.1 / 0.01) ** 0.05
    assert panel.y_span == pytest.approx((0.01 / factor, 3.1 * factor))
    assert 0.0 in scaled([0.0, 3.1]).y_ticks


def test_what_a_logarithm_does_not_have_is_a_gap() -> None:
    """Zero and less, without a warning."""
    panel = BarePanel(Page(), panel_boxes(1)[0], "loss")
    panel.scale((0, 3), [np.array([0.001, 1000.0])], label="epoch")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        places = panel.at_y([1.0, 0.0, -1.0, 1000.0])
    assert np.isnan(places).tolist() == [False, True, True, False]


def test_upright_lines_stand_within_the_axis_its_ends_included() -> None:
    drawn = []
    for x in (-0.2, 0.0, 10.2, -0.21, 10.21):
        page = Page()
        panel = BarePanel(page, panel_boxes(1)[0], "loss")
        panel.scale((0.0, 10.0), [np.array([1.0, 2.0])], label="epoch")
        before = len(read_page(page).lines)
        panel.upright(x, colour=INK, width=1, dashes=())
        drawn.append(len(read_page(page).lines) - before)
    assert drawn == [1, 1, 1, 0, 0]


def test_one_tick_has_a_number_of_its_own() -> None:
    assert tick_labels([0.123456789]) == ["0.123457"]
    assert tick_labels([]) == []
    assert tick_labels([0.1, 0.2]) == ["0.1", "0.2"]
    assert tick_labels([1e6, 2e6]) == ["1e6", "2e6"]


def test_counts_have_whole_ticks() -> None:
    assert scaled([1.0, 2.0], (0, 2), whole=True).x_ticks == (0, 1, 2)
    assert scaled([1.0, 2.0], (0, 2)).x_ticks[:3] == (0, 0.2, 0.4)
    assert scaled([1.0, 2.0], (3, 3)).x_span == pytest.approx((2.48, 3.52))


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([1e-5, 5e-5], ["1e-5", "2e-5", "3e-5"]),
        ([0.0, 4e6], ["0", "1e6", "2e6"]),
        ([100.0, 101.0], ["100.0", "100.2", "100.4"]),
    ],
)
def test_ticks_have_the_digits_that_tell_them_apart(values: list[float], texts: list[str]) -> None:
    page = Page()
    BarePanel(page, panel_boxes(1)[0], "loss").scale((0, 10), [np.array(values)], label="epoch")
    written = [one.text for one in read_page(page).texts if one.right < 0.95 * 72]
    assert written[:3] == texts
