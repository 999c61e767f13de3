"""The sweep at a glance: results/comparison.pdf, and its pages as pictures for the report."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from sweepmake.outputs.comparison_pdf.compared import Comparison, compare, count
from sweepmake.outputs.comparison_pdf.curves_page import curves_notes, curves_problem, draw_curves
from sweepmake.outputs.comparison_pdf.grid_page import draw_grid, grid_notes, kind_of_grid
from sweepmake.outputs.comparison_pdf.learning_curves import read_learning_curves
from sweepmake.outputs.comparison_pdf.objective_page import draw_objective, objective_notes
from sweepmake.outputs.drawing.layout import MOST_PANELS
from sweepmake.outputs.drawing.style import GREY, INK, WIDTH, Book, plain, wrapped
from sweepmake.results.study import Study
from sweepmake.results.table import Table

__all__ = ["plot_comparison"]

_LARGEST_SVG = 2_000_000  # bytes; a browser takes long over more
_PNG_DPI = 130
_AXES: Mapping[str, object] = {
    "axes.axisbelow": True,
    "axes.edgecolor": GREY,
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.labelsize": 8,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.size": 8,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.5,
    "lines.markersize": 3.2,
    "svg.hashsalt": "sweepmake",  # the same results give the same file
    "text.color": INK,
    "text.parse_math": False,  # a $ in a name is a $
    "xtick.color": GREY,
    "xtick.labelsize": 7.5,
    "xtick.major.size": 2.5,
    "xtick.major.width": 0.6,
    "ytick.color": GREY,
    "ytick.labelsize": 7.5,
    "ytick.major.size": 2.5,
    "ytick.major.width": 0.6,
}


def plot_comparison(study: Study, table: Table, folder: Path) -> tuple[Path, ...]:
    """Write the comparison of all experiments.

    There is always a page for the objective by each parameter, one for the learning curves and one
    for the grid; where one has nothing to show yet, it says why.

    Args:
        study: says where the histories are, and what is averaged over.
        table: the experiments, the best first.
        folder: the folder of results: the files are `comparison.pdf`, `comparison/objective.svg`,
            `comparison/curves.svg` and `comparison/grid.svg` (`.png` where an SVG would be large;
            `comparison/objective-2.svg`, … where more than twelve parameters vary).

    Returns:
        The files, the PDF first.

    Raises:
        OSError: they cannot be written.
    """
    comparison = compare(study, table)
    pictures: list[Path] = []
    book = Book(
        folder / "comparison.pdf",
        title=f"Comparison of {count(len(table.rows))}: {study.source}",
        parameters=table.constant,
        subject="objective by parameter, learning curves, and the grid",
    )
    with book, matplotlib.rc_context(dict(_AXES)):  # type: ignore[arg-type]

        def add(
            name: str, heading: str, notes: list[str], draw: Callable[[Figure], None] | None
        ) -> None:
            if draw is None:
                notes, text = [], notes
            figure = book.figure(plain(heading), notes)
            if draw is None:
                _write_words(figure, text)
            else:
                draw(figure)
            pictures.append(_save_picture(figure, folder / "comparison", name))
            book.add_figure(figure)

        _add_objective(add, comparison)
        _add_curves(add, comparison, study)
        _add_grid(add, comparison)
    for old in (folder / "comparison").iterdir():
        if old.suffix in (".svg", ".png") and old not in pictures:
            old.unlink(missing_ok=True)  # of a sweep that had more parameters
    return (folder / "comparison.pdf", *pictures)


_Add = Callable[[str, str, list[str], Callable[[Figure], None] | None], None]


def _add_objective(add: _Add, comparison: Comparison) -> None:
    heading = f"The objective by each parameter: {comparison.table.objective_text}"
    if problem := comparison.problem():
        add("objective", "The objective by each parameter", [problem], None)
        return
    keys = tuple(comparison.scales)
    if not keys:
        sentence = "All experiments have the same parameters, so there is nothing to compare by."
        add("objective", heading, [sentence], None)
    for at in range(0, len(keys), MOST_PANELS):
        some = keys[at : at + MOST_PANELS]
        add(
            f"objective-{at // MOST_PANELS + 1}" if at else "objective",
            heading,
            objective_notes(comparison),
            lambda figure, some=some: draw_objective(figure, comparison, some),  # type: ignore[misc]
        )


def _add_curves(add: _Add, comparison: Comparison, study: Study) -> None:
    curves = read_learning_curves(study, comparison.table)
    if problem := curves_problem(curves, comparison):
        add("curves", "Learning curves", [problem], None)
        return
    add(
        "curves",
        f"Learning curves: {curves.metric} by {curves.axis}",
        curves_notes(curves, comparison),
        lambda figure: draw_curves(figure, curves, comparison),
    )


def _add_grid(add: _Add, comparison: Comparison) -> None:
    if problem := comparison.problem():
        add("grid", "The grid", [problem], None)
        return
    heading = {
        "cells": "The grid: the objective by both parameters",
        "points": "The grid: the objective by both parameters",
        "parallel": "The grid: every experiment through all its parameters to its objective",
        "ranking": "The experiments, the best first",
    }[kind_of_grid(comparison)]
    text = f"{heading} ({comparison.table.objective_text})"
    add("grid", text, grid_notes(comparison), lambda figure: draw_grid(figure, comparison))


def _write_words(figure: Figure, sentences: list[str]) -> None:
    """Write a page of words, for what cannot be drawn."""
    for at, sentence in enumerate(sentences):
        lines, _ = wrapped(sentence.split(), 0.75 * WIDTH, 11, 8)
        figure.text(0.5, 0.55 - 0.15 * at, "\n".join(lines), size=11, ha="center", va="center")


def _save_picture(figure: Figure, folder: Path, name: str) -> Path:
    """Write a figure as SVG, or as PNG where that would be large; whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f".{name}.{os.getpid()}"
    try:
        figure.savefig(partial, format="svg", metadata={"Date": None, "Creator": "Sweepmake"})
        kind = "svg"
        if partial.stat().st_size > _LARGEST_SVG:
            figure.savefig(partial, format="png", dpi=_PNG_DPI)
            kind = "png"
        return partial.replace(folder / f"{name}.{kind}")
    finally:
        partial.unlink(missing_ok=True)
