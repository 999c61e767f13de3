"""Pages and sheets look as they did when somebody last looked at them.

What they show is tested elsewhere; here all that nobody writes a test for: widths, sizes, colours,
places, what lies above what.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from made_studies import metric, outcome, study, summary
from matplotlib.figure import Figure
from recorded_looks import compare_look, look_of_page, look_of_workbook
from sweeps_made_up import make_table, write_history
from test_rank_pages_drawn import fared
from test_rank_plots import rows, write

from sweepmake.outputs.comparison_pdf import comparison
from sweepmake.outputs.drawing import style
from sweepmake.outputs.ranks_pdf import ranks
from sweepmake.outputs.workbook import about
from sweepmake.outputs.workbook.tables import write_workbook
from sweepmake.params.metrics import MetricOptions, Objective
from sweepmake.results.table import build_table

NOW = datetime(2026, 11, 21, 22, 30)


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The looks of all pages that are written to a PDF, in its place."""
    found: list[list[str]] = []

    class Printed:
        def __init__(self, path: Path, metadata: dict[str, Any]) -> None:
            path.touch()
            found.append([f"{key}: {metadata[key]}" for key in sorted(metadata)])

        def savefig(self, figure: Figure) -> None:
            figure.set_dpi(72)
            found.append(look_of_page(figure))

        def close(self) -> None:
            """Nothing is open."""

    def save(figure: Figure, folder: Path, name: str) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        return folder / name

    monkeypatch.setattr(style, "PdfPages", Printed)
    monkeypatch.setattr(comparison, "_save_picture", save)
    return found


def chosen(pages: list[list[str]], numbers: list[int]) -> Iterator[str]:
    """Yield the metadata, and the pages of these numbers."""
    for number in [0, *numbers]:
        yield from (f"page {number}", *(f"  {line}" for line in pages[number]))


def draw_ranks(folder: Path, lines: list[str], **told: dict[str, Any]) -> None:
    history, metrics = write(folder, lines, **told)
    stages = json.loads(metrics.read_text())["stages"]
    best = {"mean": 0.16, "std": 0.01, "best": 0.16, "best_epoch": 5, "best_rank": 0}
    stages["train"]["metrics"] = {"loss": best}
    metrics.write_text(json.dumps({"stages": stages}))
    parameters = {"lr": 0.1, "norm": "batch"}
    ranks.plot_ranks(history, metrics, folder / "x.pdf", title="Lr_0.1", parameters=parameters)


def test_few_ranks(tmp_path: Path, pages: list[list[str]]) -> None:
    """Lines and their marks, stops, attempts, what is no number, and who fared how."""
    lines = [row for rank in range(3) for row in rows(rank, 4)]
    lines += [row for rank in range(3) for row in rows(rank, 3, attempt=2, first=3, gain=0.8)]
    lines = [row.replace("0.1620,0.1782", "nan,inf") for row in lines]
    told = fared(3, r1={"early_stop_epoch": 4, "last_epoch": 4}, r2={"time_per_step_s": 0.05})
    draw_ranks(tmp_path, lines, **told)
    compare_look("ranks-few", chosen(pages, [1, 2, 3, 5]))


def test_many_ranks(tmp_path: Path, pages: list[list[str]]) -> None:
    """Bands, and over them those that leave the others; by decades."""
    far = {3: 9.0, 11: 30.0}
    lines = [
        f"train,1,{rank},{epoch},9,9,,0.02,{far.get(rank, 1) * 10.0 ** (-epoch / 2 - rank / 99)}"
        for rank in range(70)
        for epoch in range(1, 9)
    ]
    told = fared(70, r5={"last_epoch": 3, "died": True}, r9={"time_per_step_s": 0.05})
    history, metrics = write(tmp_path, lines, "loss", **told)
    ranks.plot_ranks(history, metrics, tmp_path / "x.pdf", title="many", parameters={})
    compare_look("ranks-many", chosen(pages, [1, 3, 4]))


def test_one_rank_with_many_steps(tmp_path: Path, pages: list[list[str]]) -> None:
    """By steps where there are no epochs; its own times."""
    lines = [f"train,1,0,,{step},,,{0.01 + step / 1e5},{1 / step}" for step in range(1, 400)]
    history, metrics = write(tmp_path, lines, "loss", r0={"time_per_step_s": 0.012})
    ranks.plot_ranks(history, metrics, tmp_path / "x.pdf", title="steps", parameters={})
    compare_look("ranks-steps", chosen(pages, [1, 3, 4]))


def test_a_page_of_words(tmp_path: Path, pages: list[list[str]]) -> None:
    history, metrics = write(tmp_path, [], "", r0={"segments_other": 3})
    ranks.plot_ranks(history, metrics, tmp_path / "x.pdf", title="words", parameters={})
    compare_look("ranks-words", chosen(pages, [1]))


GRIDS: dict[str, dict[str, Any]] = {
    "cells": {
        "grid": {"lr": [0.1, 0.01, 0.001], "norm": ["none", "batch"], "seed": [1, 2]},
        "statuses": {3: "failed", 4: "failed", 5: "failed"},
    },
    "many-cells": {"grid": {"lr": [at / 7 for at in range(1, 28)], "norm": list("abcde")}},
    "points": {"grid": {"lr": [10.0**-at for at in range(41)], "bs": [1, 2]}},
    "many-points": {"grid": {"x": list(range(41)), "y": list(range(5))}},
    "lines": {"grid": {"lr": [0.1, 0.01], "norm": ["a", "b"], "bs": [8, 16, 32]}},
    "many-lines": {"grid": {"x": list(range(5)), "y": list(range(4)), "z": ["a", "b", "c"]}},
    "very-many-lines": {"grid": {"x": list(range(9)), "y": list(range(9)), "z": list("abcd")}},
    "ranking": {"grid": {"norm": ["none", "batch", "a very long name of a norm" * 3]}},
    "decades": {
        "grid": {"lr": [1, 2, 3, 4]}, "values": [1e-5, 1e-3, 0.1, 2.0], "mode": "min",
        "objective": "loss",
    },
    "decades-cells": {
        "grid": {"lr": [1, 2], "bs": [3, 4]}, "values": [1e-5, 1e-3, 0.1, 2.0], "mode": "min",
        "objective": "loss",
    },
}  # fmt: skip


@pytest.mark.parametrize("name", GRIDS)
def test_the_comparison(tmp_path: Path, pages: list[list[str]], name: str) -> None:
    """The objective by each parameter, and the grid in each of its pictures."""
    study, table = make_table(tmp_path, **GRIDS[name])
    comparison.plot_comparison(study, table, tmp_path)
    compare_look(f"comparison-{name}", chosen(pages, [1, 3]))


def test_learning_curves(tmp_path: Path, pages: list[list[str]]) -> None:
    """The best in colours, the others grey; a curve of one point."""
    study, table = make_table(tmp_path, {"lr": [at / 10 for at in range(1, 10)]})
    for at, name in enumerate(table.values("experiment")):
        write_history(study, str(name), last=0.9 - at / 20, epochs=1 if at == 2 else 6, steps=1)
    comparison.plot_comparison(study, table, tmp_path)
    compare_look("comparison-curves", chosen(pages, [2]))


def test_nothing_to_compare(tmp_path: Path, pages: list[list[str]]) -> None:
    """Each page says why it is empty."""
    study, table = make_table(tmp_path, {"lr": [1]}, statuses={0: "running"})
    comparison.plot_comparison(study, table, tmp_path)
    compare_look("comparison-empty", chosen(pages, [1, 2, 3]))


def test_the_workbook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All sheets of a sweep with an objective, seeds, failures and links."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(about, "_versions", lambda: [("sweepmake", "1.0")])
    found = [
        outcome(
            f"Lr_{lr}-Seed_{seed}",
            {"lr": lr, "seed": seed, "norm": "=batch", "deep": seed == 1},
            summary({"train": {"val_loss": lr * seed, "loss": metric("loss", 1e-7 * seed)}}),
            wall_time_s=123.5 * seed,
            max_memory_mb=1500.25,
            gpus=1,
            attempt=seed,
            host="node-1",
            commit="abc1234",
        )
        for lr in (0.1, 0.01)
        for seed in (1, 2)
    ]
    found.append(outcome("bad", {"lr": 1.0, "seed": 1}, status="failed", exit_code=137))
    found.append(outcome("next", {"lr": 1.0, "seed": 2}, status="not started", log=""))
    made = study(found, MetricOptions(objective=Objective("val_loss", "min")))
    Path("params.yaml").write_text("a: 1\nb: [2, 3]\n")
    made = replace(made, params="params.yaml")
    write_workbook(made, build_table(made, found), now=NOW, command="snakemake --cores 2")
    look = look_of_workbook(Path("results/experiments.xlsx"))
    compare_look("workbook", look)
