"""ranks.pdf: its pages, what stands on them, and what becomes of odd histories."""

from __future__ import annotations

import gzip
import json
import math
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pypdf import PdfReader

from sweepmake.errors import InputError
from sweepmake.logs.parse import StageLogs, parse_logs
from sweepmake.outputs.ranks_pdf.health import examine, outliers, rank_list
from sweepmake.outputs.ranks_pdf.history import read_stages
from sweepmake.outputs.ranks_pdf.panels import label_of
from sweepmake.outputs.ranks_pdf.points import EMPTY, EPOCH, STEP, VALUE, Points
from sweepmake.outputs.ranks_pdf.ranks import plot_ranks, validation_metrics

LOGS = Path(__file__).parents[2] / "data" / "logs"
HEADER = "stage,attempt,rank,epoch,step,steps_per_epoch,eta_s,time_per_step_s"
PARAMETERS = {"lr": 0.1, "norm": "batch", "seed": 1}


def write(
    folder: Path, rows: Iterable[str], metrics: str = "loss,val_loss", **ranks: dict[str, Any]
) -> tuple[Path, Path]:
    """Write a history and a summary; `ranks` are metrics.json's, as r0={...}."""
    history, summary = folder / "history.csv.gz", folder / "metrics.json"
    text = "\n".join([f"{HEADER},{metrics}" if metrics else HEADER, *rows]) + "\n"
    history.write_bytes(gzip.compress(text.encode()))
    told = {name[1:]: facts for name, facts in ranks.items()}
    stages = {"train": {"metrics": {}, "ranks": told}} if text.count("\n") > 1 or told else {}
    summary.write_text(json.dumps({"stages": stages}), encoding="utf-8")
    return history, summary


def plot(folder: Path, files: tuple[Path, Path], **parameters: Any) -> list[str]:
    """Plot; return each page's text on one line."""
    output = folder / "ranks.pdf"
    count = plot_ranks(*files, output, title="Lr_0.1", parameters=parameters or PARAMETERS)
    pages = [" ".join(page.extract_text().split()) for page in PdfReader(output).pages]
    assert len(pages) == count
    assert not list(folder.glob(".*")), "a temporary file was left"
    return pages


def of_log(folder: Path, case: str) -> tuple[Path, Path]:
    """Parse a real log."""
    parse_logs([StageLogs("train", (LOGS / case / "log.txt",))], folder)
    return folder / "history.csv.gz", folder / "metrics.json"


def rows(
    rank: int, epochs: int, *, attempt: int = 1, first: int = 1, gain: float = 1.0
) -> list[str]:
    """Return rows of one rank: two steps an epoch, the second with validation."""
    found = []
    for epoch in range(first, first + epochs):
        loss = gain / epoch + rank * 0.001
        found.append(f"train,{attempt},{rank},{epoch},5,10,0,,{loss:.4f},")
        found.append(f"train,{attempt},{rank},{epoch},10,10,0,0.02,{loss:.4f},{loss * 1.1:.4f}")
    return found


def test_pages_of_a_real_log_with_validation_and_early_stop(tmp_path: Path) -> None:
    """Summary, overview, a page per metric, health; names, parameters and marks stand on them."""
    pages = plot(tmp_path, of_log(tmp_path, "k2-ompi4-np2"))
    metrics = ["loss", "accuracy", "dsc", "val_loss", "val_accuracy", "val_dsc"]
    assert len(pages) == 2 + len(metrics) + 1
    assert all("Lr_0.1" in page and "lr=0.1, norm=batch, seed=1" in page for page in pages)
    assert "summary of the validation metrics, mean over 2 ranks" in pages[0]
    assert "early stop" in pages[0]
    assert "all metrics, 2 ranks" in pages[1]
    assert all(metric in pages[1] for metric in metrics)
    for metric, page in zip(metrics, pages[2:], strict=False):
        assert f"{metric}, 2 ranks" in page
        assert "rank 0" in page
        assert "rank 1" in page
        assert "epoch" in page
    assert "time per step (ms)" in pages[-1]
    assert "stopped early in epoch" in pages[-1]


@pytest.mark.parametrize(
    "case",
    ["k27-ompi4-np1", "hf4-direct", "pl-direct", "pt-dict-ompi4-np4", "pt-jsonl-torchrun-np4"],
)
def test_every_kind_of_log_is_plotted(tmp_path: Path, case: str) -> None:
    """One rank, no early stop, fractional epochs, other metrics: nothing is assumed."""
    files = of_log(tmp_path, case)
    pages = plot(tmp_path, files)
    stage = read_stages(files[0], 4)[0]
    for metric in stage.metrics:
        assert any(f": {metric}" in page or f" {label_of(metric)}" in page for page in pages)


def test_the_rank_that_died_is_named(tmp_path: Path) -> None:
    """In the log rank 1 raises in epoch 3; the page says where, and its last words."""
    pages = plot(tmp_path, of_log(tmp_path, "k27-ompi4-np4-die"))
    assert "Rank 1 fell silent in epoch 3, step 6 of 13, while rank 0 came to epoch 6" in pages[-1]
    assert "CUDA error: an illegal memory access" in pages[-1]


def test_no_validation_metrics_summarise_all(tmp_path: Path) -> None:
    """Without validation the summary shows what there is, and says so."""
    lines = [f"train,1,0,{epoch},10,10,0,0.02,{1 / epoch}" for epoch in range(1, 6)]
    pages = plot(tmp_path, write(tmp_path, lines, "loss"))
    assert "summary of all metrics (none is a validation metric)" in pages[0]


def test_many_ranks_are_a_band_and_the_outlier_is_named(tmp_path: Path) -> None:
    """With 64 ranks no legend of 64 lines: median, spread, and rank 7, whose loss grows."""
    lines = [row for rank in range(64) for row in rows(rank, 6, gain=9 if rank == 7 else 1)]
    pages = plot(tmp_path, write(tmp_path, lines))
    page = next(page for page in pages if "loss, 64 ranks" in page)
    assert "median of the ranks" in page
    assert "rank 7" in page
    assert "rank 8" not in page
    assert "Rank 7: loss leaves the others'" in pages[-1]


def test_nan_is_a_gap_with_a_mark_and_a_word(tmp_path: Path) -> None:
    """nan and inf are no points; the ranks that logged them are named."""
    lines = [*rows(0, 5), *rows(1, 3)]
    lines += ["train,1,1,4,10,10,0,,nan,inf", "train,1,1,5,10,10,0,,nan,-inf"]
    pages = plot(tmp_path, write(tmp_path, lines))
    assert "nan or infinite: rank 1" in pages[2]
    assert "Rank 1: loss is not a number at the end, from epoch 4 on" in pages[-1]


def test_later_attempts_repeat_epochs_palely(tmp_path: Path) -> None:
    """x goes on; what the second attempt logged again is pale, and its begin is marked."""
    lines = [*rows(0, 4), *rows(0, 3, attempt=2, first=3)]
    files = write(tmp_path, lines)
    stage = read_stages(files[0], 1)[0]
    curve = stage.of("loss", ends=True)[0]
    assert list(curve.x) == [1, 2, 3, 4, 3, 4, 5]
    assert list(curve.pale) == [False, False, True, True, False, False, False]
    assert curve.breaks == (4,)
    assert stage.starts == (2.5,)
    assert "a new attempt begins" in plot(tmp_path, files)[2]


def test_a_restart_inside_a_log_is_a_break(tmp_path: Path) -> None:
    """Epochs that begin again in one attempt break the line too."""
    files = write(tmp_path, [*rows(0, 3), *rows(0, 2)])
    assert read_stages(files[0], 1)[0].of("loss", ends=True)[0].breaks == (3,)


def test_no_metric_gives_one_page_in_words(tmp_path: Path) -> None:
    """A history without rows: one page that says it."""
    pages = plot(tmp_path, write(tmp_path, [], ""))
    assert len(pages) == 1
    assert "no metrics were logged" in pages[0]


def test_a_stage_of_one_row_is_numbers(tmp_path: Path) -> None:
    """test logged one row: its numbers stand at the foot of the first page, without curves."""
    history, summary = write(tmp_path, [*rows(0, 4), "test,1,0,,,,,,,0.33"])
    told = json.loads(summary.read_text())
    told["stages"]["test"] = {"metrics": {"val_loss": {"mean": 0.33, "std": 0, "ranks": 1}}}
    summary.write_text(json.dumps(told))
    pages = plot(tmp_path, (history, summary))
    assert "test: val_loss 0.33" in pages[0]
    assert not any("test: how the ranks fared" in page for page in pages)
    assert "train: how the ranks fared" in pages[-1]


def test_eighty_metrics_are_bounded_and_said(tmp_path: Path) -> None:
    """Sixty metrics get a page each; how many do not is said."""
    names = [f"m{at}" for at in range(80)]
    values = ",".join("0.5" for _ in names)
    lines = [f"train,1,0,{epoch},,,,,{values}" for epoch in range(1, 4)]
    pages = plot(tmp_path, write(tmp_path, lines, ",".join(names)))
    assert len(pages) == 1 + 5 + 60 + 1
    assert "68 more metrics follow" in pages[0]
    assert "20 metrics have no page" in pages[1]


def test_forty_parameters_are_cut_politely(tmp_path: Path) -> None:
    """The header has three lines of parameters and says how many more there are; metadata all."""
    parameters = {f"a_parameter_with_a_name_{at}": "value " * 5 for at in range(40)}
    pages = plot(tmp_path, write(tmp_path, rows(0, 3)), **parameters)
    assert "more" in pages[0]
    assert "a_parameter_with_a_name_39" not in pages[0]
    facts = PdfReader(tmp_path / "ranks.pdf").metadata
    assert facts is not None
    assert facts["/Title"] == "Lr_0.1"
    assert "a_parameter_with_a_name_39=value" in facts["/Keywords"]
    assert "/CreationDate" not in facts


def test_names_are_text_not_mathematics(tmp_path: Path) -> None:
    """Dollars, control characters, surrogates and other scripts in names break nothing."""
    files = write(tmp_path, rows(0, 3), "$lo_ss^,val_loss")
    pages = plot(tmp_path, files, path="$HOME/{x}", odd="a\x07\n\udcffb 中文")
    assert "$lo_ss^" in pages[1]
    assert "path=$HOME/{x}" in pages[0]


def test_text_can_be_searched_and_the_font_is_embedded(tmp_path: Path) -> None:
    """One TrueType font is in the file, once: ligatures would add a second."""
    plot(tmp_path, write(tmp_path, rows(0, 3), "fine_loss,val_loss"))
    reader = PdfReader(tmp_path / "ranks.pdf")
    fonts = reader.pages[0]["/Resources"]["/Font"]
    assert len(fonts) == 1
    font = next(iter(fonts.values())).get_object()["/DescendantFonts"][0].get_object()
    assert font["/Subtype"] == "/CIDFontType2"
    assert "/FontFile2" in font["/FontDescriptor"].get_object()
    assert any("fine_loss" in page.extract_text() for page in reader.pages)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"no gzip", "cannot be read as a history"),
        (
            gzip.compress(b"a,b,c\n1,2,3\n", mtime=0),
            "expected a history that begins with stage,attempt",
        ),
        (gzip.compress(f"{HEADER},loss\ntrain,1,0,1,1\n".encode(), mtime=0), "cannot be read"),
        (gzip.compress(f"{HEADER},loss\ntrain,1,0,1,1,,,,x\n".encode(), mtime=0), "cannot be read"),
        (gzip.compress(f"{HEADER},loss\nrubbish\n".encode(), mtime=0), "cannot be read"),
        (gzip.compress(f"{HEADER},loss\n".encode() + b"x" * 9999, mtime=0)[:-20], "cannot be read"),
    ],
)
def test_bad_histories_are_named_and_leave_the_old_file(
    tmp_path: Path, content: bytes, told: str
) -> None:
    """The message names the file; the PDF that was there stays, and no half one is left."""
    history, summary = write(tmp_path, rows(0, 2))
    history.write_bytes(content)
    output = tmp_path / "ranks.pdf"
    output.write_bytes(b"old")
    with pytest.raises(InputError, match=told) as raised:
        plot_ranks(history, summary, output, title="t", parameters={})
    assert str(history) in str(raised.value)
    assert output.read_bytes() == b"old"
    assert not list(tmp_path.glob(".*"))


def test_a_failure_while_drawing_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever fails between the pages: no half PDF."""
    files = write(tmp_path, rows(0, 3))
    output = tmp_path / "ranks.pdf"
    output.write_bytes(b"old")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("sweepmake.outputs.ranks_pdf.ranks.draw_health", fail)
    with pytest.raises(OSError, match="No space left"):
        plot_ranks(*files, output, title="t", parameters={})
    assert output.read_bytes() == b"old"
    assert not list(tmp_path.glob(".*"))


def test_a_bad_summary_is_named(tmp_path: Path) -> None:
    """metrics.json that is no JSON."""
    history, summary = write(tmp_path, rows(0, 2))
    summary.write_text("{")
    with pytest.raises(InputError, match="expected a summary"):
        plot_ranks(history, summary, tmp_path / "ranks.pdf", title="t", parameters={})


def test_the_callers_matplotlib_settings_stay(tmp_path: Path) -> None:
    """No global state: rc parameters are as before, and pyplot is not imported."""
    history, summary = write(tmp_path, rows(0, 2))
    program = f"""
import sys, matplotlib
from pathlib import Path
def settings():  # reading the key "backend" imports pyplot
    return {{key: matplotlib.rcParams[key] for key in matplotlib.rcParams if key != "backend"}}
before = settings()
from sweepmake.outputs.ranks_pdf.ranks import plot_ranks
plot_ranks(Path({str(history)!r}), Path({str(summary)!r}), Path("x.pdf"), title="", parameters={{}})
assert settings() == before
assert not {{"matplotlib.pyplot", "pandas"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)


@pytest.mark.parametrize("size", [7, 1000, 100_000])
def test_thinning_keeps_extremes_order_and_gaps(size: int) -> None:
    """Of 100,000 points few are left, evenly: the least, the greatest and the nan among them."""
    block = np.ones((100_000, 5))
    block[:, STEP] = np.arange(len(block))
    block[:, VALUE] = np.sin(block[:, STEP] / 99)
    block[40_404, VALUE], block[50_505, VALUE], block[60_606, VALUE] = 99, -99, math.nan
    points = Points(1000)
    for begin in range(0, len(block), size):
        points.add(block[begin : begin + size])
    kept = points.rows()
    assert points.count == len(block)
    assert len(kept) < 4000
    assert {40_404.0, 50_505.0, 60_606.0, 0.0, 99_999.0} <= set(kept[:, STEP])
    assert (np.diff(kept[:, STEP]) > 0).all()
    assert np.diff(kept[:, STEP]).max() < 1000, "the beginning is thinned as much as the end"
    assert list(points.ends()[:, STEP]) == [99_999]


def test_the_end_of_an_epoch_is_found_where_blocks_cut_it() -> None:
    """Each epoch's last row is kept, whatever blocks it comes in."""
    points = Points(100)
    for begin in range(0, 10_000, 7):
        rows = np.arange(begin, min(begin + 7, 10_000))
        block = np.ones((len(rows), 5))
        block[:, EPOCH], block[:, VALUE] = rows // 500, rows
        points.add(block)
    assert list(points.ends()[:, VALUE]) == [500 * at + 499 for at in range(20)]
    assert len(points.rows()) < 500


def test_places_of_rows(tmp_path: Path) -> None:
    """x is epoch - 1 + step / steps; else what the log has: inferred steps, steps, rows."""

    def places(*lines: str) -> tuple[str, list[float]]:
        stage = read_stages(write(tmp_path, lines, "loss")[0], 1)[0]
        return stage.axis.label, list(stage.of("loss")[0].x)

    assert places("t,1,0,1,5,10,,,1", "t,1,0,2,10,10,,,1") == ("epoch", [0.5, 2.0])
    assert places("t,1,0,1,5,,,,1", "t,1,0,1,10,,,,1", "t,1,0,2,5,,,,1")[1] == [0.5, 1.0, 1.5]
    counted_on = ("t,1,0,1,10,,,,1", "t,1,0,2,15,,,,1", "t,1,0,2,20,,,,1")
    assert places(*counted_on)[1] == [1.0, 1.5, 2.0]
    assert places("t,1,0,0.33,,,,,1", "t,1,0,0.67,,,,,1")[1] == [0.33, 0.67]
    assert places("t,1,0,,100,,,,1", "t,1,0,,200,,,,1") == ("step", [100.0, 200.0])
    assert places("t,1,0,,,,,,1", "t,1,0,,,,,,2") == ("row of the log", [1.0, 2.0])
    label, zero_based = places("t,1,0,0,10,10,,,1", "t,1,0,1,10,10,,,1")
    assert zero_based == [1.0, 2.0]
    assert "counts from 0" in label


def test_a_quoted_stage_and_an_evaluation_after_the_end(tmp_path: Path) -> None:
    """A stage's name may hold a comma; a row outside the epochs has no place on the axis."""
    lines = ['"a,b",1,0,1,10,10,0,,0.5', '"a,b",1,0,2,10,10,0,,0.4', '"a,b",1,0,,,,,,0.3']
    stage = read_stages(write(tmp_path, lines, "loss")[0], 1)[0]
    assert stage.name == "a,b"
    assert list(stage.of("loss")[0].x) == [1.0, 2.0]


def test_straggler_lost_lines_and_quiet_ranks_are_reported(tmp_path: Path) -> None:
    """The slowest of the ranks is named with its times; so are losses and ranks without metrics."""
    fast = {"last_epoch": 4, "last_step": 10, "steps_per_epoch": 10, "time_per_step_s": 0.02}
    slow = {**fast, "time_per_step_s": 0.05, "account": {"lost": 3, "ambiguous": 2}}
    lines = [row for rank in range(3) for row in rows(rank, 4)]
    files = write(tmp_path, lines, r0=fast, r1=slow, r2=fast, r3={})
    summary = json.loads(files[1].read_text())["stages"]["train"]
    health = examine(read_stages(files[0], 4)[0], summary)
    assert health.straggler == 1
    assert health.silent == ()
    text = " ".join(health.findings)
    assert "Rank 1 is the straggler: 50 ms per step, 2.50 times the median of 20 ms" in text
    assert "3 lines or parts of lines were lost: rank 1" in text
    assert "2 lines or parts of lines could belong to another rank: rank 1" in text
    assert "Rank 3 logged no metrics" in text


def test_an_early_stop_is_no_silence(tmp_path: Path) -> None:
    """A rank that stopped early did not fall silent; one that is two epochs behind did."""
    end = {"last_step": 10, "steps_per_epoch": 10}
    lines = [*rows(0, 6), *rows(1, 3), *rows(2, 3)]
    files = write(
        tmp_path,
        lines,
        r0={**end, "last_epoch": 6},
        r1={**end, "last_epoch": 3, "early_stop_epoch": 3},
        r2={**end, "last_epoch": 3},
    )
    summary = json.loads(files[1].read_text())["stages"]["train"]
    health = examine(read_stages(files[0], 3)[0], summary)
    assert health.silent == (2,)
    assert any("Rank 1 stopped early in epoch 3" in text for text in health.findings)


def test_ranks_that_agree_have_no_outliers(tmp_path: Path) -> None:
    """Equal ranks have no spread: a last digit's difference is no outlier."""
    lines = []
    for rank in range(8):
        gain = 1.0003 if rank == 3 else 1.0
        lines += [row.replace("train,1,0", f"train,1,{rank}") for row in rows(0, 5, gain=gain)]
    stage = read_stages(write(tmp_path, lines)[0], 8)[0]
    assert len(stage.ranks) == 8
    assert outliers(stage.of("loss", ends=True)) == {}


def test_units_names_and_lists() -> None:
    """Labels get units, validation metrics are found by name, lists of ranks are short."""
    assert label_of("eval_runtime") == "eval_runtime (s)"
    assert label_of("train_steps_per_second") == "train_steps_per_second (1/s)"
    assert label_of("loss") == "loss"
    names = ["loss", "val_loss", "eval_runtime", "valid/acc", "value"]
    assert validation_metrics(names) == ["val_loss", "valid/acc"]
    assert validation_metrics(["eval_x", "loss"]) == ["eval_x"]
    assert rank_list([0, 1, 2, 5, 7, 8]) == "0-2, 5, 7, 8"
    assert EMPTY > 1e300


def test_one_rank_is_told_in_words(tmp_path: Path) -> None:
    """One rank is compared with nobody: its time per step and the findings, no axis of ranks."""
    page = plot(tmp_path, write(tmp_path, rows(0, 4)))[-1]
    assert "time per step (ms)" in page
    assert "There is one rank" in page
    assert "last loss" not in page
    assert "how far each rank came" not in page
    lines = [row.replace(",0.02,", ",,") for row in rows(0, 4)]
    page = plot(tmp_path, write(tmp_path, lines, r0={"time_per_step_s": 0.02}))[-1]
    assert "time per step mean 20 ms" in page


@pytest.mark.parametrize(("value", "ticks"), [(0.0, {"-1.0", "1.0"}), (0.1, {"0.090", "0.100"})])
def test_a_constant_metric_has_round_ticks(tmp_path: Path, value: float, ticks: set[str]) -> None:
    """A learning rate that stays is a flat line between ticks that can be read."""
    lines = [f"train,1,0,{epoch},,,,,{value + value * epoch * 1e-15}" for epoch in range(1, 6)]
    page = plot(tmp_path, write(tmp_path, lines, "lr"))[1].replace("\N{MINUS SIGN}", "-")
    assert ticks <= set(page.split())
    assert "e-" not in page
