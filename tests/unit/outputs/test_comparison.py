"""The comparison of all experiments: its pages, their labels, and that nothing makes it fail."""

from __future__ import annotations

import gzip
import math
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pypdf import PdfReader
from sweeps_made_up import make_table, write_history

from sweepmake.outputs.comparison_pdf.comparison import plot_comparison
from sweepmake.outputs.comparison_pdf.learning_curves import read_learning_curves
from sweepmake.outputs.drawing.scale import parameter_scale, value_scale

RATES = {"lr": [0.1, 0.01, 0.001]}
GRID = {"lr": [0.1, 0.03, 0.01, 0.003, 0.001], "norm": ["batch", "layer"], "seed": [0, 1, 2]}
LARGE = {
    "lr": [10 ** (-5 + step * 0.04) for step in range(100)],
    "bs": [16, 32, 64, 128, 256],
    "norm": ["batch", "layer", "group", "none"],
    "aug": [True, False],
    "seed": [0, 1, 2],
}


def pages(folder: Path) -> list[str]:
    """The text of each page of the comparison."""
    return [page.extract_text() for page in PdfReader(folder / "comparison.pdf").pages]


def plot(folder: Path, grid: dict[str, list[Any]], **options: Any) -> list[str]:
    """Plot a sweep with histories of those that have a value; return the text of its pages."""
    study, table = make_table(folder, grid, **options)
    for outcome in table.outcomes[:40]:
        if outcome.status == "finished":
            write_history(study, outcome.experiment.name, epochs=5)
    plot_comparison(study, table, folder)
    return pages(folder)


def test_three_experiments(tmp_path: Path) -> None:
    """Every experiment is named; the parameter is the x axis, and its values stand there."""
    by_parameter, curves, grid = plot(tmp_path, RATES)
    assert "Comparison of 3 experiments: params.yaml" in by_parameter
    assert "val_acc, more is better" in by_parameter
    assert "lr, log scale" in by_parameter
    assert {"0.001", "0.01", "0.1"} <= set(by_parameter.split())
    for name in ("1. lr 0.01", "2. lr 0.", "3. lr 0."):
        assert name in curves
    assert "epoch" in curves
    assert "the best first" in grid


def test_a_picture_that_would_be_large_is_drawn_in_pixels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A browser takes long over a large SVG; the SVG of before goes."""
    study, table = make_table(tmp_path, RATES)
    small = plot_comparison(study, table, tmp_path)
    assert [path.name for path in small[1:]] == ["objective.svg", "curves.svg", "grid.svg"]
    assert all(path.read_bytes().startswith(b"<?xml") for path in small[1:])
    sizes = sorted(path.stat().st_size for path in small[1:])
    monkeypatch.setattr("sweepmake.outputs.comparison_pdf.comparison._LARGEST_SVG", sizes[1])
    large = plot_comparison(study, table, tmp_path)
    (picture,) = (path for path in large if path.suffix == ".png")
    assert picture.read_bytes().startswith(b"\x89PNG")
    width, height = (int.from_bytes(picture.read_bytes()[at : at + 4]) for at in (16, 20))
    assert (width, height) == (int(11.69 * 130), int(8.27 * 130))
    names = {path.name for path in large[1:]}
    assert {path.name for path in (tmp_path / "comparison").iterdir()} == names


def test_two_parameters_make_a_heat_map_of_the_mean_over_seeds(tmp_path: Path) -> None:
    """Each cell holds the mean of its seeds, and the spread over seeds is explained."""
    values = [0.5 + at / 100 for at in range(30)]
    by_parameter, curves, grid = plot(tmp_path, GRID, values=values)
    assert "spread over seed" in by_parameter
    assert "seed" not in grid.replace("mean over seed", "")
    for first in range(0, 30, 3):
        assert f"{np.mean(values[first : first + 3]):.4g}" in grid
    assert "30 of 30 experiments logged val_acc" in curves
    assert "6. lr" in curves
    assert "7. lr" not in curves


def test_a_thousand_experiments(tmp_path: Path) -> None:
    """All parameters have an axis; pictures stay small; the page says what is left out."""
    study, table = make_table(tmp_path, LARGE, most=1000, statuses={5: "failed", 9: "failed"})
    begun = time.process_time()
    files = plot_comparison(study, table, tmp_path)
    assert time.process_time() - begun < 30
    names = ["comparison.pdf", "objective.svg", "curves.svg", "grid.svg"]
    assert [file.name for file in files] == names
    assert all(file.stat().st_size < 2_000_000 for file in files)
    by_parameter, curves, grid = pages(tmp_path)
    for name in ("lr", "bs", "norm", "aug"):
        assert name in by_parameter.split() or f"{name}," in by_parameter.split()
        assert name in grid.split() or f"{name}," in grid.split()
    assert "2 of 1000 experiments (2 failed)" in by_parameter
    assert "998 finished, 2 failed" in curves


@pytest.mark.parametrize(
    ("grid", "options", "said"),
    [
        (RATES, {"objective": None}, "There is no objective"),
        (RATES, {"statuses": {0: "running", 1: "failed", 2: "not started"}}, "1 running, 1 failed"),
        (RATES, {"values": [math.nan, math.inf, -math.inf]}, "No experiment has a number"),
        ({}, {}, "All experiments have the same parameters"),
        ({"lr": [0.1]}, {}, "All experiments have the same parameters"),
        ({"seed": [1, 2, 3]}, {}, "seed"),
        ({"lr": [0.1, 0.2], "bs": [1, 2]}, {"values": [0.5] * 4}, "0.5"),
        (RATES, {"values": [0.5, math.nan, 1e300]}, "2 of 3 experiments (2 finished)"),
        ({"name": ["$x_{", "=1+1", "", "日本語", "a\nb", "<b>"], "x": [None, 1, "a"]}, {}, "$x_{"),
        ({"lr": [math.nan, 1.0, math.inf]}, {}, "nan"),
        ({"id": [10**400, 1, 2]}, {"values": [1, 2, 3]}, "id"),
        ({"wd": [0, 1e-5, 1e-3]}, {}, "1e-05"),
        ({"lr": [0.1, 0.2]}, {"values": [1e-300, 1e99], "mode": "min"}, "log scale"),
        (RATES, {"most": 0}, "none"),
    ],
)
def test_odd_sweeps_have_pages_all_the_same(
    tmp_path: Path, grid: dict[str, list[Any]], options: dict[str, Any], said: str
) -> None:
    """What cannot be drawn is said in words, and nothing that can be drawn is missing."""
    study, table = make_table(tmp_path, grid, **options)
    files = plot_comparison(study, table, tmp_path)
    assert len(files) == 4
    assert said in pages(tmp_path)[0]


def test_an_objective_without_values_is_not_called_missing(tmp_path: Path) -> None:
    """Who has named an objective reads what is wrong with it, not that none is named."""
    study, table = make_table(tmp_path, RATES, objective=None)
    wrong = "objective 'val_acc / zero': no experiment has a value of it"
    told = replace(table, warnings=(wrong,), objective_text="val_acc / zero, more is better")
    plot_comparison(study, told, tmp_path)
    for page in (pages(tmp_path)[0], pages(tmp_path)[-1]):
        assert wrong in " ".join(page.split())
        assert "There is no objective" not in page


def test_more_than_twelve_parameters_get_more_pages_and_old_ones_go(tmp_path: Path) -> None:
    """A page has twelve panels; pictures of a former sweep do not stay in the report."""
    grid = {f"p{at}": [1, 2] for at in range(13)}
    study, table = make_table(tmp_path, grid, most=50)
    files = plot_comparison(study, table, tmp_path)
    assert [file.name for file in files[1:3]] == ["objective.svg", "objective-2.svg"]
    assert "p12" in pages(tmp_path)[1].split()
    study, table = make_table(tmp_path, RATES)
    plot_comparison(study, table, tmp_path)
    left = sorted(file.name for file in (tmp_path / "comparison").iterdir())
    assert left == ["curves.svg", "grid.svg", "objective.svg"]


def test_the_same_results_give_the_same_files(tmp_path: Path) -> None:
    """Nothing in a file depends on when or where it was made."""
    study, table = make_table(tmp_path, GRID)
    first = [file.read_bytes() for file in plot_comparison(study, table, tmp_path)]
    again = [file.read_bytes() for file in plot_comparison(study, table, tmp_path)]
    assert first == again


def test_a_diverged_run_does_not_flatten_the_others(tmp_path: Path) -> None:
    """The axis leaves outliers out, and the page says so."""
    values = [0.5 + at / 100 for at in range(29)] + [-1e9]
    by_parameter = plot(tmp_path, {"lr": [float(at) for at in range(1, 31)]}, values=values)[0]
    assert "drawn on the edge: 1 experiment." in by_parameter
    assert "-1e+09" not in by_parameter


def test_a_curve_is_the_mean_over_ranks_of_each_epochs_last_value(tmp_path: Path) -> None:
    """The objective's metric is read, not the loss that stands before it."""
    study, table = make_table(tmp_path, {"lr": [0.1]})
    write_history(study, table.outcomes[0].experiment.name, last=0.9, ranks=2, epochs=4)
    curves = read_learning_curves(study, table)
    assert (curves.metric, curves.axis) == ("val_acc", "epoch")
    (curve,) = curves.curves
    assert curve.x.tolist() == [1, 2, 3, 4]
    expected = [0.9 * (1 - math.exp(-epoch)) + 0.001 for epoch in (1, 2, 3, 4)]
    assert curve.y.tolist() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("metrics", "objective", "chosen"),
    [
        (("loss", "val_acc", "val_loss"), "val_loss", "val_loss"),
        (("loss", "val_acc", "val_loss"), "train.val_loss", "val_loss"),
        (("loss", "lr", "val_f1"), "bleu", "val_f1"),
        (("loss", "dev/acc"), None, "dev/acc"),
        (("acc", "loss"), None, "loss"),
        (("wps", "ppl"), "bleu", "wps"),
    ],
)
def test_which_metric_is_drawn(
    tmp_path: Path, metrics: tuple[str, ...], objective: str | None, chosen: str
) -> None:
    """The objective's, else the first of the validation, else the loss, else the first."""
    study, table = make_table(tmp_path, {"lr": [0.1]}, objective=objective)
    write_history(study, table.outcomes[0].experiment.name, metrics=metrics)
    assert read_learning_curves(study, table).metric == chosen


def test_long_histories_cost_no_more_than_their_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a long history the first ranks are read, and a rank that has begun to its end."""
    monkeypatch.setattr("sweepmake.outputs.comparison_pdf.learning_curves._ALL_BYTES", 0)
    monkeypatch.setattr("sweepmake.outputs.comparison_pdf.learning_curves._LEAST_BYTES", 1000)
    study, table = make_table(tmp_path, {"lr": [0.1]})
    write_history(study, table.outcomes[0].experiment.name, last=0.9, ranks=9, epochs=30, steps=1)
    (curve,) = read_learning_curves(study, table).curves
    assert (curve.cut, curve.partial) == (False, True)
    assert len(curve.x) == 30
    assert curve.y[-1] == pytest.approx(0.9 * (1 - math.exp(-4)), abs=1e-5)  # rank 0 alone
    monkeypatch.setattr("sweepmake.outputs.comparison_pdf.learning_curves._LEAST_BYTES", 50)
    (curve,) = read_learning_curves(study, table).curves
    assert curve.cut
    assert 0 < len(curve.x) < 30


def test_damaged_histories_are_named(tmp_path: Path) -> None:
    """One unreadable history leaves the other curves, and the page names it."""
    study, table = make_table(tmp_path, RATES)
    names = [outcome.experiment.name for outcome in table.outcomes]
    for name in names:
        path = write_history(study, name, epochs=300, ranks=8)
    path.write_bytes(path.read_bytes()[:5000])
    plot_comparison(study, table, tmp_path)
    curves = pages(tmp_path)[1]
    assert f"Damaged history.csv.gz: 1 experiment ({names[2]})" in curves
    assert "2 of 3 experiments logged val_acc" in curves


def test_steps_stand_in_for_epochs(tmp_path: Path) -> None:
    """A log without epochs has a curve by step, of bounded length."""
    study, table = make_table(tmp_path, {"lr": [0.1]}, objective="loss", mode="min")
    path = Path(study.results) / table.outcomes[0].experiment.name / "history.csv.gz"
    path.parent.mkdir()
    header = "stage,attempt,rank,epoch,step,steps_per_epoch,eta_s,time_per_step_s,loss\n"
    lines = "".join(f"train,1,0,,{step},,,,{1 / step:.6f}\n" for step in range(1, 20001))
    path.write_bytes(gzip.compress((header + lines).encode()))
    curves = read_learning_curves(study, table)
    assert curves.axis == "step"
    (curve,) = curves.curves
    assert 100 < len(curve.x) <= 800
    assert curve.y == pytest.approx(1 / curve.x, abs=1e-6)
    assert curve.x[-1] > 19000


@pytest.mark.parametrize(
    ("cells", "categories", "logarithmic", "labels"),
    [
        ([0.1, 0.001, 0.01], False, True, ("0.001", "0.01", "0.1")),
        ([16, 32, 64, 128], False, True, ("16", "32", "64", "128")),
        ([1, 2, 3], False, False, ("1", "2", "3")),
        ([0.0, 0.1, 0.5], False, False, ("0", "0.1", "0.5")),
        ([0, 1e-5, 1e-3], True, False, ("0", "1e-05", "0.001")),
        (["b", "a", 2, 10], True, False, ("2", "10", "a", "b")),
        ([True, False, 1], True, False, ("1", "false", "true")),
        ([None, 0.1], True, False, ("0.1", "none")),
        (["", "a"], True, False, ("''", "a")),
    ],
)
def test_scales(
    cells: list[Any], categories: bool, logarithmic: bool, labels: tuple[str, ...]
) -> None:
    """Numbers that span decades or double lie on a logarithmic axis; all else is a category."""
    scale = parameter_scale("p", cells)
    assert (scale.categories, scale.logarithmic) == (categories, logarithmic)
    assert scale.labels == labels
    assert np.isfinite(scale.positions).all()
    for tick, label in zip(scale.ticks, scale.labels, strict=True):
        assert (scale.positions == tick).any(), label


def test_long_names_differ_on_their_axis() -> None:
    """Of names that are equal at both ends the part between is shown."""
    names = [f"a/very/long/path/of/a/model/{at}/checkpoint/of/the/last/epoch.pt" for at in "xyz"]
    labels = parameter_scale("model", names).labels
    assert labels == ("…x…", "…y…", "…z…")


def test_a_measured_axis_has_round_numbers() -> None:
    """Ticks of the objective are round, and logarithmic where it spans decades."""
    plain = value_scale("acc", np.array([0.613, 0.93, np.nan]))
    assert plain.labels == ("0.7", "0.8", "0.9")
    wide = value_scale("loss", np.array([0.002, 1.0, 5e4]))
    assert wide.logarithmic
    assert {"0.01", "1", "1e+04"} & set(wide.labels)
