"""The sheets beside the experiments: settings over seeds, and ranks."""

from __future__ import annotations

import math
import statistics
from typing import Any

import pytest
from made_studies import metric, outcome, study, summary

from sweepmake.outputs.workbook.averages import build_averages
from sweepmake.outputs.workbook.failure_rows import build_failures
from sweepmake.outputs.workbook.rank_rows import build_ranks
from sweepmake.params.metrics import MetricOptions, Objective
from sweepmake.results.columns import Cell, Sheet
from sweepmake.results.outcomes import Outcome
from sweepmake.results.table import build_table


def settings(outcomes: list[Outcome], **options: Any) -> Sheet:
    made = study(outcomes, MetricOptions(**options))
    return build_averages(made, build_table(made, outcomes))


def records(grid: Sheet) -> list[dict[str, Cell]]:
    keys = [column.key for column in grid.columns]
    return [dict(zip(keys, row, strict=True)) for row in grid.rows]


def trained(value: Any, *, status: str = "finished", **parameters: Any) -> Outcome:
    name = "-".join(f"{k}_{v!r}" for k, v in parameters.items())
    return outcome(name, parameters, summary({"train": {"val_acc": value}}), status=status)


def test_settings_have_the_statistics_of_their_seeds() -> None:
    values = {0.1: [0.5, 0.7, 0.9], 0.01: [0.8, 0.8, 0.95]}
    outcomes = [
        trained(value, lr=lr, seed=seed)
        for lr, listed in values.items()
        for seed, value in enumerate(listed)
    ]
    rows = records(settings(outcomes))
    assert [row["lr"] for row in rows] == [0.01, 0.1]
    for row in rows:
        expected = values[row["lr"]]  # type: ignore[index]
        assert row["val_acc.mean"] == pytest.approx(statistics.fmean(expected))
        assert row["val_acc.std"] == pytest.approx(statistics.stdev(expected))
        assert (row["val_acc.n"], row["val_acc.min"], row["val_acc.max"]) == (
            3, min(expected), max(expected),
        )  # fmt: skip
    assert "seed" not in rows[0]
    assert "missing" not in rows[0]


def test_settings_are_ordered_by_the_mean_of_a_loss_too() -> None:
    """The least first where less is better, and the mean's column says so."""
    losses = {1: 0.5, 2: 0.25, 3: 0.75}
    grid = settings([
        outcome(f"e{lr}", {"lr": lr}, summary({"train": {"val_loss": loss}}))
        for lr, loss in losses.items()
    ])  # fmt: skip
    assert [row["lr"] for row in records(grid)] == [2, 1, 3]
    rules = {column.key: column.rule for column in grid.columns if column.rule}
    assert rules == {"val_loss.mean": "min"}


def test_settings_have_the_varied_parameters_and_metrics_alone() -> None:
    """Not what is equal everywhere, what a run took, or Training Log Wizard's counts."""
    found = summary({"train": {"val_acc": 0.5}}, total_epochs=3)
    made = [
        outcome(f"e{lr}", {"lr": lr, "data": "digits", "seed": 1}, found, wall_time_s=9.0)
        for lr in (1, 2)
    ]
    statistics_of = [f"val_acc.{kind}" for kind in ("mean", "std", "n", "min", "max")]
    keys = [column.key for column in settings(made).columns]
    assert keys == ["lr", "finished", "planned", *statistics_of]


def test_of_many_missing_seeds_some_are_named() -> None:
    """Ten, and how many more there are."""
    whole = [trained(0.5, lr=1, seed=seed) for seed in range(13)]
    for most, told in ((12, "; and 2 more"), (10, "seed 10 (not in the sweep)")):
        outcomes = [*whole[: most + 1], trained(0.5, lr=2, seed=0)]
        missing = {row["lr"]: row["missing"] for row in records(settings(outcomes))}
        assert missing[1] is None
        assert str(missing[2]).endswith(told)
        assert str(missing[2]).count("not in the sweep") == 10


def test_settings_leave_out_the_epochs_of_best_values_alone() -> None:
    """Lightning logs a metric `train_loss_epoch`: that is no epoch."""
    found = {"val_acc": metric("val_acc", 0.5, 0.7, 3), "train_loss_epoch": 0.25}
    made = [outcome("a", {"lr": 1, "seed": 1}, summary({"train": found}))]
    (row,) = records(settings(made))
    assert row["train_loss_epoch.mean"] == 0.25
    assert row["best_val_acc.mean"] == 0.7
    assert "best_val_acc_epoch.mean" not in row


def test_a_parameter_is_no_detail_of_the_settings_whatever_its_name() -> None:
    """Details can be folded away; `clip.max` is what tells the settings apart."""
    found = summary({"train": {"val_acc": 0.5, "loss": 1.0}})
    parameters = [{"clip.max": clip, "x.n": clip, "seed": 1} for clip in (1, 2)]
    details = settings([outcome(f"e{n}", one, found) for n, one in enumerate(parameters)]).details
    assert "loss.max" in details
    assert not {"clip.max", "x.n", "val_acc.max"} & details


def test_one_seed_has_no_standard_deviation() -> None:
    (row,) = records(settings([trained(0.5, lr=1, seed=0)]))
    assert (row["val_acc.mean"], row["val_acc.std"], row["val_acc.n"]) == (0.5, None, 1)
    (row,) = records(settings([trained("inf", lr=1, seed=0)]))
    assert (row["val_acc.mean"], row["val_acc.std"], row["val_acc.n"]) == (math.inf, None, 1)


def test_missing_seeds_are_named_with_what_became_of_them() -> None:
    """Seed 2 of lr 1 failed, and lr 2 was never to run with it; a failed run's value counts not."""
    outcomes = [
        trained(0.5, lr=1, seed=1), trained(0.9, lr=1, seed=2, status="failed"),
        trained(0.4, lr=2, seed=1), trained(0.4, lr=3, seed=1), trained(0.4, lr=3, seed=2),
    ]  # fmt: skip
    rows = {row["lr"]: row for row in records(settings(outcomes))}
    assert rows[1]["missing"] == "seed 2 (failed)"
    assert (rows[1]["finished"], rows[1]["planned"], rows[1]["val_acc.mean"]) == (1, 2, 0.5)
    assert rows[2]["missing"] == "seed 2 (not in the sweep)"
    assert rows[3]["missing"] is None


def test_over_can_name_other_parameters() -> None:
    outcomes = [
        trained(0.5, lr=lr, fold=f, seed=s) for lr in (1, 2) for f in (1, 2) for s in (1, 2)
    ]
    assert len(settings(outcomes, over=("fold", "seed")).rows) == 2
    assert len(settings(outcomes, over=("fold",)).rows) == 4
    assert len(settings(outcomes, over=()).rows) == 8
    assert len(settings(outcomes, over=("no such parameter",)).rows) == 8


def test_values_of_different_types_are_different_settings() -> None:
    outcomes = [trained(0.5, x=x, seed=s) for x in (1, 1.0, True, "1") for s in (1, 2)]
    assert len(settings(outcomes).rows) == 4


def test_a_diverged_seed_makes_the_mean_no_number_and_the_setting_last() -> None:
    outcomes = [
        trained("nan", lr=1, seed=1), trained(0.9, lr=1, seed=2),
        trained(0.1, lr=2, seed=1), trained(0.2, lr=2, seed=2),
    ]  # fmt: skip
    best, worst = records(settings(outcomes))
    assert best["lr"] == 2
    mean = worst["val_acc.mean"]
    assert isinstance(mean, float)
    assert math.isnan(mean)
    assert (worst["val_acc.n"], worst["val_acc.min"], worst["val_acc.max"]) == (2, 0.9, 0.9)
    assert math.isnan(worst["val_acc.std"]), "not 0, and not empty: there are two values"  # type: ignore[arg-type]


def test_of_numbers_and_none_the_least_and_greatest_are_numbers() -> None:
    """In whatever order they stand; infinite values of both signs have no mean."""
    losses = {1: ("nan", 0.5, 0.25), 2: ("inf", "-inf", 1)}
    outcomes = [
        outcome(f"e{lr}-{seed}", {"lr": lr, "seed": seed}, summary({"train": {"loss": loss}}))
        for lr, listed in losses.items() for seed, loss in enumerate(listed)
    ]  # fmt: skip
    grid = settings(outcomes, objective=Objective("seed", "min"))
    rows = {row["lr"]: row for row in records(grid)}
    assert [(rows[lr]["loss.min"], rows[lr]["loss.max"]) for lr in (1, 2)] == [
        (0.25, 0.5), (-math.inf, math.inf)
    ]  # fmt: skip
    for row in rows.values():
        assert row["loss.n"] == 3
        assert math.isnan(row["loss.mean"])  # type: ignore[arg-type]
        assert math.isnan(row["loss.std"])  # type: ignore[arg-type]


def test_settings_without_any_number_have_no_statistics() -> None:
    """n is 0, and all else is empty; where all values are nan, so are least and greatest."""
    outcomes = [outcome(f"e{n}", {"lr": n}, summary({"train": {"val_acc": value}}))
                for n, value in enumerate((0.5, None, "nan"))]  # fmt: skip
    kinds = ("mean", "std", "n", "min", "max")
    rows = {row["lr"]: [row[f"val_acc.{kind}"] for kind in kinds] for row in
            records(settings(outcomes))}  # fmt: skip
    assert rows[1] == [None, None, 0, None, None]
    assert [rows[2][1], rows[2][2]] == [None, 1]
    assert all(math.isnan(rows[2][at]) for at in (0, 3, 4))  # type: ignore[arg-type]


def test_settings_stand_best_first_with_the_objective_before_other_metrics() -> None:
    """Without an objective they stand in the order of the table; equal ones do, too."""
    found = {1: (0.5, 0.3), 2: (0.7, 0.1), 3: (0.5, 0.2)}
    outcomes = [
        outcome(f"e{lr}", {"lr": lr}, summary({"train": {"acc": acc, "val_acc": val}}))
        for lr, (acc, val) in found.items()
    ]
    grid = settings(outcomes, objective=Objective("acc", "max"))
    assert [row["lr"] for row in records(grid)] == [2, 1, 3]
    assert [column.key for column in grid.columns if column.key.endswith("mean")] == [
        "acc.mean", "val_acc.mean"
    ]  # fmt: skip
    assert grid.details == {"val_acc.n", "val_acc.min", "val_acc.max"}
    assert [column.rule for column in grid.columns if column.key.startswith("acc.")] == [
        "max", None, None, None, None
    ]  # fmt: skip
    less = settings(outcomes, objective=Objective("acc", "min"))
    assert [row["lr"] for row in records(less)] == [1, 3, 2]


def test_missing_values_of_two_parameters_are_named_in_the_order_of_the_file() -> None:
    outcomes = [
        trained(0.5, lr=1, fold=2, seed=None), trained(0.9, lr=2, fold=2, seed=None),
        trained(0.7, lr=1, fold=1, seed=None, ), trained(0.4, lr=1, fold=1, seed=3),
    ]  # fmt: skip
    rows = {row["lr"]: row["missing"] for row in records(settings(outcomes, over=("fold", "seed")))}
    assert rows == {
        1: None,
        2: "fold 1, seed none (not in the sweep); fold 1, seed 3 (not in the sweep)",
    }


def test_huge_numbers_do_not_overflow() -> None:
    outcomes = [trained(value, lr=1, seed=n) for n, value in enumerate((1e308, -1e308, 1.7e308))]
    (row,) = records(settings(outcomes))
    assert isinstance(row["val_acc.std"], float)
    assert math.isfinite(row["val_acc.std"])


def test_no_experiments_make_no_settings() -> None:
    assert settings([]).rows == ()


def ranked() -> Outcome:
    """Return an experiment of four ranks: rank 2 is slow, rank 3 died, rank 1 lost bytes."""
    ranks = {
        str(n): {
            "last": {"loss": 0.5 + n, "val_acc": "nan" if n == 3 else 0.9},
            "time_per_step_s": 0.3 if n == 2 else 0.1,
            "last_epoch": 9,
            "segments_unparsed": n,
            "died": n == 3,
            "account": {"lost": int(n == 1), "ambiguous": 0},
        }
        for n in range(4)
    }
    lone = {"0": {"last": {}, "died": False, "account": {"lost": 0, "ambiguous": 0}}}
    found = {"stages": {"train": {"metrics": {}, "ranks": ranks}, "avg": {"ranks": lone}}}
    return outcome("a", {}, found, stages=("train", "avg"))


def test_each_rank_has_a_row_with_its_lag_and_its_losses() -> None:
    made = study([ranked()])
    rows = records(build_ranks(made, build_table(made, [ranked()])))
    assert [(row["stage"], row["rank"]) for row in rows] == [("train", n) for n in range(4)]
    assert [row["lag"] for row in rows] == [1, 1, pytest.approx(3), 1]
    assert [row["lost"] for row in rows] == [0, 1, 0, 0]
    assert [row["segments_unparsed"] for row in rows] == [0, 1, 2, 3]
    assert [row["died"] for row in rows] == [None, None, None, "died"]
    assert [row["metric.loss"] for row in rows] == [0.5, 1.5, 2.5, 3.5]


def test_a_stage_of_one_process_that_said_nothing_has_no_row_unless_something_was_lost() -> None:
    found = ranked()
    assert "avg" not in [row["stage"] for row in records(_ranks(found))]
    found.summary["stages"]["avg"]["ranks"]["0"]["account"]["lost"] = 2
    assert "avg" in [row["stage"] for row in records(_ranks(found))]


def _ranks(found: Outcome) -> Sheet:
    made = study([found])
    return build_ranks(made, build_table(made, [found]))


def test_ranks_stand_in_the_order_of_the_table_stage_by_stage() -> None:
    """The best experiment first; places, metrics, times, the lag, and what was lost."""

    def made(name: str, acc: float) -> Outcome:
        ranks = {
            str(rank): {
                "last": {"val_acc": acc, "loss": 1}, "last_epoch": 9, "early_stop_epoch": None,
                "total_training_time_s": 5.0, "time_per_step_s": time, "restarts": 1,
            }
            for rank, time in ((0, 0.0), (1, 0.4), (2, 0.2))
        }  # fmt: skip
        part = {"metrics": {"val_acc": metric("val_acc", acc)}, "ranks": ranks}
        stages = {"test": {"ranks": {"1": {"last": {"bleu": 2}}}}, "train": part}
        return outcome(name, {"x": acc}, {"stages": stages}, stages=("train", "test"))

    outcomes = [made("low", 0.5), made("high", 0.9)]
    whole = study(outcomes)
    grid = build_ranks(whole, build_table(whole, outcomes))
    rows = records(grid)
    assert [(row["experiment"], row["stage"], row["rank"]) for row in rows] == [
        (name, *place)
        for name in ("high", "low")
        for place in (("train", 0), ("train", 1), ("train", 2), ("test", 1))
    ]
    assert [row["lag"] for row in rows[:4]] == [0, 2, 1, None], "the fastest that took any time"
    assert [(column.key, column.heading) for column in grid.columns] == [
        ("experiment", "experiment"), ("stage", "stage"), ("rank", "rank"), ("died", "died"),
        ("last_epoch", "last epoch"), ("metric.val_acc", "val_acc"), ("metric.loss", "loss"),
        ("metric.bleu", "bleu"), ("total_training_time_s", "training time (s)"),
        ("time_per_step_s", "time per step (s)"), ("lag", "time per step / fastest"),
        ("lost", "places lost"), ("ambiguous", "places ambiguous"), ("restarts", "restarts"),
        ("segments_unparsed", "lines not read"), ("segments_overlong", "lines too long"),
    ]  # fmt: skip
    rules = {column.heading: column.rule for column in grid.columns if column.rule}
    assert rules == {"val_acc": "max", "loss": "min", "bleu": "max"}


def test_ranks_beyond_the_limit_of_a_sheet_are_counted() -> None:
    made = study([ranked()])
    grid = build_ranks(made, build_table(made, [ranked()]), most=3)
    assert (len(grid.rows), grid.left_out) == (3, 1)


def test_failures_are_listed_in_the_order_of_the_file() -> None:
    outcomes = [
        outcome("fine", {"lr": 1}, summary({"train": {"val_acc": 0.5}})),
        outcome("bad", {"lr": 2}, status="failed", exit_code=137, attempt=3, log=""),
        outcome("gone", {"lr": 3}, status="lost", log=""),
        outcome("empty", {"lr": 4}, status="unreadable", problem="empty log", log=""),
        outcome("to come", {"lr": 5}, status="not started", log=""),
    ]
    made = study(outcomes)
    rows = records(build_failures(made, build_table(made, outcomes)))
    assert [row["experiment"] for row in rows] == ["bad", "gone", "empty"]
    assert (rows[0]["stage"], rows[0]["exit_code"], rows[0]["attempts"]) == ("train", 137, 3)
    assert rows[0]["kind"] == "killed"
    assert rows[2]["kind"] == "empty log"
    assert [row["status"] for row in rows] == ["failed", "lost", "unreadable"]


def test_failures_stand_in_the_order_of_the_file_not_of_their_numbers() -> None:
    """The table has them best first."""
    outcomes = [
        outcome(name, {"lr": acc}, summary({"train": {"val_acc": acc}}), status="failed",
                exit_code=code, host=f"node{code}", attempt=0, log=f"results/{name}.log")
        for name, acc, code in (("b", 0.5, 1), ("c", 0.9, 2), ("a", 0.7, 3))
    ]  # fmt: skip
    made = study(outcomes)
    table = build_table(made, outcomes)
    assert table.values("experiment") == ["c", "a", "b"]
    rows = records(build_failures(made, table))
    assert [(row["experiment"], row["exit_code"], row["host"], row["log"]) for row in rows] == [
        ("b", 1, "node1", "b.log"), ("c", 2, "node2", "c.log"), ("a", 3, "node3", "a.log"),
    ]  # fmt: skip
    assert [row["attempts"] for row in rows] == [None] * 3
