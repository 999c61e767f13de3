"""Which ranks stand out: the limits from which one is slow, silent or far from the others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_rank_plots import write

from sweepmake.outputs.ranks_pdf.bands import band_of, mean, quantiles, spread
from sweepmake.outputs.ranks_pdf.health import (
    Health,
    examine,
    loss_metrics,
    outliers,
    rank_list,
    time_text,
)
from sweepmake.outputs.ranks_pdf.history import Curve, read_stages


def curve(rank: int, y: list[float], x: list[float] | None = None) -> Curve:
    places = np.arange(1.0, len(y) + 1) if x is None else np.array(x)
    return Curve(rank, places, np.array(y), np.zeros(len(y), dtype=bool), ())


def examined(folder: Path, lines: list[str], **summary: Any) -> Health:
    stage = read_stages(write(folder, lines, "loss")[0], 4)[0]
    return examine(stage, summary)


def test_far_is_more_than_five_robust_deviations_over_the_last_quarter() -> None:
    """1.4826 times the median distance from the median; the worst first, below is negative."""
    usual = [1.0, 1.1, 1.2, 1.3, 1.4]
    middle = 1.2

    def found(*far: float) -> dict[int, float]:
        curves = [curve(rank, [value] * 8) for rank, value in enumerate((*usual, *far))]
        return outliers(curves)

    both = found(middle + 9, middle - 4)
    assert list(both) == [5, 6]
    wide = 1.4826 * 0.2  # 0.2 is the median of 0, 0.1, 0.1, 0.2, 0.2, 4, 9
    assert both == {5: pytest.approx(9 / wide), 6: pytest.approx(-4 / wide)}
    assert found(middle + 5.1 * wide, middle - 4.9 * wide) == {5: pytest.approx(5.1)}
    # once far, at the end near: nothing is said; the other way round it is
    base = [curve(rank, [value] * 8) for rank, value in enumerate(usual)]
    assert outliers([*base, curve(5, [9.0] * 6 + [1.2, 1.2])]) == {}
    assert list(outliers([*base, curve(5, [1.2] * 6 + [9.0, 9.0])])) == [5]
    assert outliers([*base[:2], curve(5, [99.0] * 8)]) == {}, "three ranks have no others"
    assert list(outliers([*base[:3], curve(5, [99.0] * 8)])) == [5]


def test_by_steps_a_rank_is_silent_beyond_a_twentieth_of_the_way(tmp_path: Path) -> None:
    """And beyond two of the steps between two lines, where these are further apart."""

    def silent(last: int, every: int) -> tuple[int, ...]:
        lines = [f"t,1,0,,{step},,,,1" for step in range(every, 1001, every)]
        lines += [f"t,1,1,,{step},,,,1" for step in range(every, last + 1, every)]
        return examined(tmp_path, lines).silent

    assert silent(940, 10) == (1,)
    assert silent(950, 10) == ()
    assert silent(700, 100) == (1,)
    assert silent(800, 100) == ()


def test_of_short_trainings_a_tenth_of_an_epoch_is_silence(tmp_path: Path) -> None:
    def silent(step: int) -> tuple[int, ...]:
        lines = [f"t,1,{rank},1,{at},100,,,1" for rank, last in ((0, 100), (1, step))
                 for at in range(10, last + 1, 5)]  # fmt: skip
        return examined(tmp_path, lines).silent

    assert silent(85) == (1,)
    assert silent(90) == ()


def test_findings_of_ends_are_grouped(tmp_path: Path) -> None:
    """By the epoch of the stop; all ranks in one word; what was lost, kind by kind."""
    lines = [f"t,1,{rank},{at},1,1,,0.02,{1 / at}" for rank in range(4) for at in (1, 2, 3)]
    stop, died = {"early_stop_epoch": 3}, {"died": True, "restarts": 1, "segments_overlong": 2}
    told = {
        "0": stop, "1": {**stop, "account": {"ambiguous": 2}, "segments_unparsed": 1},
        "2": {"early_stop_epoch": 2, **died, "account": {"lost": 1}}, "3": died,
    }  # fmt: skip
    assert examined(tmp_path, lines, ranks=told).findings[1:] == (
        "Rank 2 stopped early in epoch 2.",
        "Ranks 0, 1 stopped early in epoch 3.",
        "Ranks 2, 3 died: the output ends without an orderly end.",
        "Ranks 2, 3 began again inside the log.",
        "5 lines or parts of lines were lost: ranks 2, 3.",
        "2 lines or parts of lines could belong to another rank: rank 1.",
        "1 lines or parts of lines looked like metrics and could not be read: rank 1.",
    )
    every = examined(tmp_path, lines, ranks={str(rank): {**stop, **died} for rank in range(4)})
    assert every.findings[1:3] == (
        "All ranks stopped early in epoch 3.",
        "All ranks died: the output ends without an orderly end.",
    )


def test_of_many_silent_ranks_the_first_eight_are_told_and_all_are_counted(tmp_path: Path) -> None:
    """The first to fall silent first; up to eight need no count."""
    for many in (8, 9):
        lines = [f"t,1,{rank},,{step},,,,1" for rank in range(many + 2) for step in range(
                 10, 1001 if rank >= many else 500 - 10 * rank, 10)]  # fmt: skip
        found = [one for one in examined(tmp_path, lines).findings if "fell silent" in one]
        ranks = [*range(many - 1, many - 9, -1)]
        assert [one.split(" fell")[0] for one in found[:8]] == [f"Rank {rank}" for rank in ranks]
        assert found[8:] == (["In all, 9 ranks fell silent: 0-8."] if many == 9 else [])


def test_ranks_are_compared_by_losses_else_by_what_has_a_better_and_a_worse() -> None:
    assert loss_metrics(["acc", "val_Loss", "lr", "loss"]) == ["val_Loss", "loss"]
    assert loss_metrics(["lr", "val_acc", "acc", "f1"]) == ["val_acc", "acc"]
    assert loss_metrics(["lr"]) == []


def test_times_and_lists_of_ranks_are_short() -> None:
    assert [time_text(s) for s in (1.0, 0.9999, 0.001, 0.00099, 12.345)] == [
        "1 s", "1e+03 ms", "1 ms", "990 µs", "12.3 s"
    ]  # fmt: skip
    assert rank_list([5, 4]) == "4, 5"
    assert rank_list(range(0, 20, 2)) == "0, 2, 4, 6, 8, 10, 12, 14 and 2 more"
    assert rank_list(range(64)) == "0-63"


def test_ranks_side_by_side_have_common_places() -> None:
    """Their own where they are few; between its points a curve is straight, beyond it is nan."""
    band = band_of([curve(3, [1, 3, 5]), curve(1, [10, 20], [2, 3])])
    assert (band.ranks, band.x.tolist()) == ((3, 1), [1, 2, 3])
    assert np.array_equal(band.table, [[1, 3, 5], [np.nan, 10, 20]], equal_nan=True)
    apart = band_of([curve(0, [0, 2], [0, 2]), curve(1, [1, 1, 1], [0.3, 1, 2])])
    assert apart.x.tolist() == [0, 0.3, 1, 2]
    assert apart.table[0].tolist() == [0, 0.3, 1, 2]
    long = band_of([curve(0, [1.0] * 500), curve(1, [1.0] * 500)])
    assert (len(long.x), long.x[0], long.x[-1]) == (400, 1, 500)
    low, middle, high = quantiles(band.table, (0, 0.5, 0.9))
    assert [low.tolist(), middle.tolist()] == [[1, 3, 5], [1, 6.5, 12.5]]
    assert high.tolist() == pytest.approx([1, 9.3, 18.5])
    assert mean(band.table).tolist() == [1, 6.5, 12.5]
    wide = spread(band.table, mean(band.table))
    assert wide.tolist() == pytest.approx([0, np.sqrt(24.5), np.sqrt(112.5)])
