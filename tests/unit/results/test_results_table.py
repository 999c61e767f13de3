"""The table of all experiments: its rows, its columns, its order, what it warns of."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from made_studies import metric, outcome, study, summary

from sweepmake.errors import InputError
from sweepmake.params.metrics import HEADINGS, MetricOptions, MetricPattern, Objective
from sweepmake.results.outcomes import STATUSES, Outcome
from sweepmake.results.table import Table, build_table


def table(outcomes: list[Outcome], options: MetricOptions | None = None) -> Table:
    return build_table(study(outcomes, options), outcomes)


def trained(name: str, value: Any, **parameters: Any) -> Outcome:
    return outcome(name, parameters, summary({"train": {"val_acc": value}}))


def test_every_experiment_has_a_row_whatever_became_of_it() -> None:
    """Each status, with a summary or without one, gives exactly one row."""
    outcomes = [
        outcome(f"{status}-{made}", {"lr": number}, {} if made else summary({}), status=status)
        for number, status in enumerate(STATUSES)
        for made in (True, False)
    ]
    made = table(outcomes)
    assert sorted(map(str, made.values("experiment"))) == sorted(
        o.experiment.name for o in outcomes
    )
    assert [o.experiment.name for o in made.outcomes] == made.values("experiment")
    assert {len(row) for row in made.rows} == {len(made.columns)}


def test_rows_stand_best_first_and_those_without_a_number_last_in_file_order() -> None:
    outcomes = [
        trained("nan", "nan", lr=1),
        outcome("none", {"lr": 2}, status="not started"),
        trained("low", 0.5, lr=3),
        trained("high", 0.9, lr=4),
        trained("same", 0.9, lr=5),
    ]
    assert table(outcomes).values("experiment") == ["high", "same", "low", "nan", "none"]
    less = MetricOptions(objective=Objective("val_acc", "min"))
    assert table(outcomes, less).values("experiment") == ["low", "high", "same", "nan", "none"]


def test_what_has_finished_stands_before_what_may_change() -> None:
    """The first row is the one that won: one that failed has a number, but not its last."""
    outcomes = [
        replace(trained("failed", 0.95, lr=1), status="failed"),
        trained("won", 0.9, lr=2),
        replace(trained("running", 0.99, lr=3), status="running"),
        trained("other", 0.5, lr=4),
        trained("diverged", "nan", lr=5),
    ]
    assert table(outcomes).values("experiment") == ["won", "other", "running", "failed", "diverged"]


def test_an_expression_of_metrics_is_a_column_and_orders() -> None:
    """Training Log Wizard's val_dsc / val_loss; dividing by zero gives an empty cell."""
    outcomes = [
        outcome("a", {"lr": 1}, summary({"train": {"val_dsc": 0.5, "val_loss": 0.5}})),
        outcome("b", {"lr": 2}, summary({"train": {"val_dsc": 0.5, "val_loss": 0}})),
        outcome("c", {"lr": 3}, summary({"train": {"val_dsc": 0.9, "val_loss": 0.3}})),
    ]
    made = table(outcomes, MetricOptions(objective=Objective("val_dsc / val_loss", "max")))
    assert made.objective == "val_dsc / val_loss"
    assert made.values("val_dsc / val_loss") == [pytest.approx(3), 1.0, None]
    assert made.values("experiment") == ["c", "a", "b"]
    assert made.columns[made.position("val_dsc / val_loss")].rule == "max"


def test_an_objective_may_name_what_has_no_column_of_its_own() -> None:
    """best_loss tells nothing beside an equal loss; named in the objective, it is shown."""
    outcomes = [
        outcome("a", {"lr": 1}, summary({"train": {"loss": 0.5}})),
        outcome("b", {"lr": 2}, summary({"train": {"loss": 0.25}})),
    ]
    assert "best_loss" not in [column.key for column in table(outcomes).columns]
    made = table(outcomes, MetricOptions(objective=Objective("best_loss", "min")))
    assert made.values("best_loss") == [0.25, 0.5]


def test_an_objective_may_be_called_by_its_heading() -> None:
    """Keras' val_accuracy is val_acc to Training Log Wizard: both names work."""
    outcomes = [
        outcome(name, {"lr": value}, summary({"train": {"val_accuracy": value}}))
        for name, value in (("a", 0.1), ("b", 0.2))
    ]
    for name in ("val_acc", "val_accuracy"):
        made = table(outcomes, MetricOptions(objective=Objective(name, "max")))
        assert made.objective == "val_accuracy"
        assert made.values("experiment") == ["b", "a"]


def test_an_objective_that_no_experiment_has_is_a_warning_with_the_names_that_exist() -> None:
    outcomes = [trained("a", 0.5, lr=1), trained("b", 0.6, lr=2)]
    made = table(outcomes, MetricOptions(objective=Objective("val_ac", "max")))
    assert made.values("experiment") == ["a", "b"]
    assert made.objective is None
    assert made.warnings == (
        "objective 'val_ac': no experiment has 'val_ac' (did you mean 'val_acc'?)",
    )


def test_an_objective_is_not_missed_before_anything_was_measured() -> None:
    outcomes = [outcome("a", {"lr": 1}, status="running"), outcome("b", {"lr": 2})]
    assert table(outcomes, MetricOptions(objective=Objective("val_acc", "max"))).warnings == ()


def test_an_objective_of_numbers_alone_orders_nothing() -> None:
    made = table([trained("a", 0.5)], MetricOptions(objective=Objective("1 + 2", "max")))
    assert made.objective is None
    assert len(made.warnings) == 1


def test_parameters_beyond_all_floats_can_be_ordered_by() -> None:
    outcomes = [trained("a", 0.5, x=1), trained("b", 0.5, x=10**400)]
    made = table(outcomes, MetricOptions(objective=Objective("x", "max")))
    assert made.values("experiment") == ["b", "a"]


def test_an_unreadable_objective_is_an_error() -> None:
    with pytest.raises(InputError):
        table([trained("a", 0.5)], MetricOptions(objective=Objective("val_acc /", "max")))


@pytest.mark.parametrize(
    ("metrics", "expected"),
    [
        ({"loss": 1, "acc": 1, "val_loss": 1, "val_acc": 1}, "val_acc"),
        ({"loss": 1, "acc": 1, "val_loss": 1}, "val_loss"),
        ({"loss": 1, "acc": 1}, "acc"),
        ({"loss": 1, "step_size": 1}, "loss"),
        ({"step_size": 1}, None),
    ],
)
def test_without_an_objective_the_most_telling_metric_is_chosen(
    metrics: dict[str, float], expected: str | None
) -> None:
    made = table([outcome("a", {}, summary({"train": metrics}))])
    assert made.objective == expected
    assert (expected or "") in made.objective_text


def test_a_chosen_loss_orders_by_the_least() -> None:
    losses = [0.5, 0.25, 0.75]
    made = table([
        outcome(f"e{n}", {"lr": n}, summary({"train": {"val_loss": loss}}))
        for n, loss in enumerate(losses)
    ])  # fmt: skip
    assert made.values("val_loss") == sorted(losses)
    assert made.objective_text.startswith("val_loss, less is better")


def test_the_users_own_metric_is_preferred_as_objective() -> None:
    found = summary({"train": {"val_acc": 0.5}}, measured={"bleu": {"value": 30.5}})
    options = MetricOptions(metrics=(MetricPattern("bleu", "train", "x"),))
    made = table([outcome("a", {}, found)], options)
    assert made.objective == "bleu"
    assert made.rows[0][made.position("bleu")] == 30.5


def test_the_users_own_metric_may_be_called_best() -> None:
    """The best values of other metrics are never chosen; this is none of them."""
    found = summary({"train": {"val_acc": metric("val_acc", "nan", 0.7, 3)}},
                    measured={"best acc": {"value": 0.25}})  # fmt: skip
    options = MetricOptions(metrics=(MetricPattern("best acc", "train", "x"),))
    made = table([outcome("a", {}, found)], options)
    assert made.objective == "best acc"
    assert table([outcome("a", {}, found)]).objective is None


@pytest.mark.parametrize(("name", "group"), [("val_acc", "objective"), ("lr", "parameter")])
def test_a_parameter_that_is_the_objective_stays_a_parameter(name: str, group: str) -> None:
    """A metric stands before the parameters; a parameter keeps its place among them."""
    outcomes = [trained(f"e{lr}", lr / 10, bs=8 * lr, lr=lr) for lr in (1, 2)]
    made = table(outcomes, MetricOptions(objective=Objective(name, "max")))
    keys = [column.key for column in made.columns if column.group in ("objective", "parameter")]
    assert keys == (["val_acc", "bs", "lr"] if name == "val_acc" else ["bs", "lr"])
    assert made.columns[made.position(name)].group == group


@pytest.mark.parametrize("mode", ["max", "min"])
def test_an_infinite_value_is_never_the_best(mode: Any) -> None:
    """It belongs to a run that diverged, and stands after all numbers, whatever its sign."""
    values = ["inf", 0.5, "-inf", 0.25]
    outcomes = [trained(str(value), value, lr=n) for n, value in enumerate(values)]
    made = table(outcomes, MetricOptions(objective=Objective("val_acc", mode)))
    numbers = ["0.5", "0.25"] if mode == "max" else ["0.25", "0.5"]
    assert made.values("experiment") == [*numbers, "inf", "-inf"]


def test_only_parameters_that_differ_are_columns_with_their_types() -> None:
    """1, 1.0, "1" and true differ; what is equal everywhere goes to `constant`."""
    values: list[Any] = [1, 1.0, "1", True, None]
    outcomes = [outcome(f"e{n}", {"x": v, "y": "z"}) for n, v in enumerate(values)]
    made = table(outcomes)
    assert [(type(v), v) for v in made.values("x")] == [(type(v), v) for v in values]
    assert made.constant == {"y": "z"}
    assert "y" not in [column.key for column in made.columns]


def test_a_single_experiment_shows_all_its_parameters() -> None:
    made = table([outcome("a", {"x": 1, "y": 2})])
    assert (made.values("x"), made.values("y"), made.constant) == ([1], [2], {})


def test_short_parameter_names_get_their_headings_which_can_be_changed() -> None:
    outcomes = [outcome("a", {"lr": 1, "bs": 1}), outcome("b", {"lr": 2, "bs": 2})]
    assert [c.heading for c in table(outcomes).columns][2:4] == ["learning rate", "batch size"]
    own = MetricOptions(headings={"lr": "rate"})
    assert [c.heading for c in table(outcomes, own).columns][2:4] == ["rate", "bs"]


def test_no_two_columns_have_one_key_or_heading() -> None:
    """A log that prints lr beside the parameter lr, a parameter called status, two stages."""
    found = summary(
        {"train": {"lr": 1, "loss": 1, "val_loss": 1}, "test": {"loss": 2, "val_loss": 3}}
    )
    outcomes = [
        outcome(
            f"e{n}", {"lr": n, "status": n, "learning-rate": n}, found, stages=("train", "test")
        )
        for n in range(2)
    ]
    options = MetricOptions(headings={"lr": "learning rate", "learning-rate": "learning rate"})
    made = table(outcomes, options)
    keys = [column.key for column in made.columns]
    headings = [column.heading for column in made.columns]
    assert len(set(keys)) == len(keys)
    assert len(set(headings)) == len(headings)
    assert {"lr", "train.lr", "parameter.status", "train.loss", "test.loss"} <= set(keys)
    assert made.values("val_loss") == [1, 1]
    assert made.values("test.val_loss") == [3, 3]


def test_training_log_wizards_minus_one_is_an_empty_cell() -> None:
    flat = {"total_job_ranks": 4, "total_epochs": 10, "steps_x_epoch": -1, "val_dsc": -1}
    outcomes = [
        outcome("a", {"lr": 1}, summary({"train": {"val_loss": 0.5}}, **flat)),
        outcome("b", {"lr": 2}, summary({"train": {}}, **{**flat, "total_epochs": -1})),
    ]
    made = table(outcomes)
    headings = [column.heading for column in made.columns]
    assert made.values("total_epochs") == [10, None]
    assert made.values("total_job_ranks") == [4, 4]
    assert "total processes" in headings
    assert "steps per epoch" not in headings  # nobody knows it
    assert "val_dsc" not in headings


def test_a_metric_that_is_minus_one_stays() -> None:
    """-1 means "not known" in Training Log Wizard's keys alone; a reward can be -1."""
    made = table([outcome("a", {}, summary({"train": {"val_reward": -1}}, val_reward=-1))])
    assert made.values("val_reward") == [-1]


def test_numbers_that_are_not_finite_become_floats() -> None:
    made = table([outcome("a", {}, summary({"train": {"loss": "nan", "x": "-inf"}}))])
    value = made.values("loss")[0]
    assert isinstance(value, float)
    assert math.isnan(value)
    assert made.values("x") == [-math.inf]


def test_the_best_value_is_shown_where_it_differs_from_the_last() -> None:
    found = summary({"train": {"val_acc": metric("val_acc", 0.8, 0.9, 7), "acc": 0.7}})
    made = table([outcome("a", {}, found)])
    assert (made.values("best_val_acc"), made.values("best_val_acc_epoch")) == ([0.9], [7])
    assert "best_acc" not in [column.key for column in made.columns]


def test_a_metric_that_matched_nowhere_or_not_everywhere_is_named() -> None:
    options = MetricOptions(
        metrics=(MetricPattern("bleu", "train", "x"), MetricPattern("wer", "train", "y"))
    )
    outcomes = [
        outcome(
            f"e{n}",
            {"lr": n},
            summary(
                {"train": {}},
                measured={"bleu": {"value": None}, "wer": {"value": wer, "note": note}},
            ),
        )
        for n, (wer, note) in enumerate(((5.0, ""), (None, "not a number: 'abc'")))
    ]
    made = table(outcomes, options)
    assert made.values("bleu") == [None, None]
    assert [w for w in made.warnings if "'bleu'" in w and "none of the 2" in w]
    assert [
        w
        for w in made.warnings
        if "'wer'" in w and "only 1 of the 2" in w and "not a number: 'abc'" in w
    ]


def test_what_each_stage_took_is_told() -> None:
    outcomes = [
        outcome("a", {}, wall_time_s=10.0, cpu_time_s=35.5, gpus=2, max_memory_mb=100.0, attempt=2),
    ]
    made = table(outcomes)
    assert made.values("train.wall_time_s") == [10.0]
    assert made.values("train.cpu_time_s") == [35.5]
    assert made.values("train.gpu_time_s") == [20.0]
    assert made.values("train.max_memory_mb") == [100.0]
    assert made.values("train.attempts") == [2]


def test_links_are_paths_from_the_folder_of_results() -> None:
    made = table([outcome("a b", {}, summary({"train": {"loss": 1}}))])
    assert made.values("log") == ["../output/a b/log.train.20261121.214150"]
    assert made.values("folder") == ["../output/a b"]
    assert made.values("pdf") == ["a b/ranks.pdf"]


def test_a_note_tells_what_is_wrong_at_a_glance() -> None:
    outcomes = [
        outcome("bad", {"lr": 1}, status="failed", exit_code=3),
        outcome("empty", {"lr": 2}, status="unreadable", problem="empty log"),
        outcome("silent", {"lr": 3}, summary({"train": {}})),
        outcome("fine", {"lr": 4}, summary({"train": {"loss": 1}})),
    ]
    made = table(outcomes)
    notes = dict(zip(made.values("experiment"), made.values("note"), strict=True))
    assert notes == {
        "bad": "train: failed, exit code 3",
        "empty": "empty log",
        "silent": "no metric in its logs",
        "fine": None,
    }


def test_a_summary_of_another_version_does_no_harm() -> None:
    """What is not where it should be counts as not there."""
    strange: list[dict[str, Any]] = [
        {"stages": []}, {"stages": {"train": None}}, {"stages": {"train": {"metrics": []}}},
        {"measured": 3, "total_epochs": "many", "stages": {"train": {"metrics": {"a": {}}}}},
    ]  # fmt: skip
    outcomes = [outcome(f"e{n}", {"lr": n}, found) for n, found in enumerate(strange)]
    assert len(table(outcomes).rows) == 4


def test_no_experiments_make_an_empty_table() -> None:
    assert table([]).rows == ()


def test_a_failed_experiment_is_no_reason_to_doubt_a_pattern() -> None:
    """It ended before the line was printed; where a finished one lacks it too, that is said."""
    options = MetricOptions(metrics=(MetricPattern("bleu", "", "BLEU = (.*)"),))
    found = summary({"train": {"loss": 0.5}}, measured={"bleu": {"value": 27.5}})
    lost = summary({"train": {"loss": 0.5}}, measured={"bleu": {"value": None}})
    failed = outcome("failed", {"lr": 1}, lost, status="failed")
    assert table([failed, outcome("good", {"lr": 2}, found)], options).warnings == ()
    assert (
        "only 1 of the 2"
        in table(
            [failed, outcome("a", {"lr": 2}, found), outcome("b", {"lr": 3}, lost)], options
        ).warnings[0]
    )
    assert "none of the 1" in table([failed], options).warnings[0]


def test_a_note_tells_what_an_experiment_waits_for() -> None:
    """The first stage that has not finished; every one that runs, with its attempt; a cut log."""
    stages = ("train", "avg", "test")
    states = {
        "unfinished": ["finished", "not started", "not started"],
        "running": ["running", "finished", "running"],
        "outdated": ["finished", "outdated", "outdated"],
        "failed": ["finished", "failed", "lost"],
    }
    outcomes = []
    for status, listed in states.items():
        made = outcome(status, {"lr": status}, status=status, stages=stages, attempt=1, log="")
        runs = zip(made.stages, listed, (1, 1, 2), strict=True)
        runs_of = tuple(replace(run, status=one, attempt=n) for run, one, n in runs)
        outcomes.append(replace(made, stages=runs_of))
    made = table(outcomes)
    assert dict(zip(made.values("experiment"), made.values("note"), strict=True)) == {
        "unfinished": "avg: not started",
        "running": "train; test, attempt 2",
        "outdated": "avg, test: of an older command, to be run again",
        "failed": "avg: failed",
    }


def test_a_note_is_no_longer_than_a_line(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("x" * 500 + "\n")
    made = table([outcome("a", {}, status="failed", exit_code=3, log=str(log))])
    note = str(made.values("note")[0])
    assert note.startswith("train: failed, exit code 3: xxx")
    assert len(note) == 160


def test_columns_stand_in_the_order_that_the_documentation_tells() -> None:
    """Experiment, objective, parameters, the training as a whole, val_loss before val_acc before
    other validation metrics, the user's own, all others stage by stage, costs, links."""
    best = metric("val_acc", 0.8, 0.9, 7)
    train = {"val_dsc": 0, "val_f1": 1, "val_acc": best, "loss": 1, "val_loss": 2}
    logged = {"train": train, "test": {"bleu": 3, "loss": 4}}
    found = summary(logged, total_epochs=3, total_job_ranks=2, measured={"wer": {"value": 5}})
    options = MetricOptions(
        metrics=(MetricPattern("wer", "train", "x"),), objective=Objective("val_f1", "max")
    )
    spent = {"wall_time_s": 9.0, "gpus": 1, "max_memory_mb": 7.0, "attempt": 2}
    outcomes = [
        outcome(f"e{n}", {"lr": n, "bs": n}, found, stages=("train", "test"), **spent)
        for n in (1, 2)
    ]
    costs = ["wall_time_s", "gpu_time_s", "max_memory_mb", "attempts"]
    assert [column.key for column in table(outcomes, options).columns] == [
        *("experiment", "status", "val_f1", "lr", "bs", "total_job_ranks", "total_epochs"),
        *("val_loss", "val_acc", "val_dsc", "wer"),
        *("best_val_acc", "best_val_acc_epoch", "train.loss", "bleu", "test.loss"),
        *(f"{stage}.{cost}" for stage in ("train", "test") for cost in costs),
        *("log", "pdf", "folder"),
    ]  # fmt: skip
    headings = {column.key: column.heading for column in table(outcomes, options).columns}
    assert headings["train.wall_time_s"] == "train wall time (s)"
    assert headings["best_val_acc_epoch"] == "best val_acc epoch"
    assert headings["pdf"] == "PDF"


def test_attempts_are_told_where_any_run_had_a_second_one() -> None:
    outcomes = [outcome(f"e{n}", {"lr": n}, attempt=1) for n in (1, 2)]
    assert "train.attempts" not in [column.key for column in table(outcomes).columns]
    second = outcome("e3", {"lr": 3}, attempt=2)
    assert table([*outcomes, second]).values("train.attempts") == [1, 1, 2]


def test_the_log_to_look_at_is_of_the_stage_that_failed_else_of_the_last() -> None:
    def log(*runs: tuple[str, str]) -> Any:
        made = outcome("a", {}, stages=("train", "avg", "test"), log="")
        stages = tuple(
            replace(stage, status=status, log=path)
            for stage, (status, path) in zip(made.stages, runs, strict=True)
        )
        fields = table([replace(made, stages=stages)])
        return fields.values("log")[0] if "log" in [c.key for c in fields.columns] else None

    done, none = ("finished", "results/1"), ("not started", "")
    assert log(done, ("finished", "results/2"), none) == "2"
    assert log(done, ("failed", "results/2"), ("finished", "results/3")) == "2"
    assert log(none, none, none) is None


def test_headings_are_those_of_training_log_wizard() -> None:
    """As config/README.md lists them, and no others."""
    text = (Path(__file__).parents[3] / "config" / "README.md").read_text(encoding="utf-8")
    listed = " ".join(text.partition("Wizard's short names are there already:")[2].split())
    names = ["ppn", "cps", "intra", "inter", "bt", "img", "lr", "mom", "bs", "dpout"]
    assert list(HEADINGS) == names
    for name in names:
        assert f"`{name}`" in listed
        made = table([outcome(f"e{n}", {name: n}) for n in (1, 2)])
        assert made.columns[made.position(name)].heading == HEADINGS[name]
    assert HEADINGS["ppn"] == "processes per socket"
    assert "`ppn` processes per socket" in listed


def test_of_equally_telling_metrics_the_first_is_chosen() -> None:
    found = summary({"train": {"val_f1": 0.5, "val_dice_score": 0.5, "f1": 1}})
    assert table([outcome("a", {}, found)]).objective == "val_f1"
    both = {"bleu": {"value": 1}, "acc": {"value": 2}}
    options = MetricOptions(metrics=(MetricPattern("acc", "", "x"), MetricPattern("bleu", "", "x")))
    assert table([outcome("a", {}, summary({}, measured=both))], options).objective == "acc"


def test_doubtful_logs_have_a_column_and_a_warning_and_others_none() -> None:
    """Several ranks without tags: said beside the experiment, and once for all of a stage."""
    found = summary({"train": {"acc": 1}})
    bad = summary({"train": {"acc": 1}})
    bad["stages"]["train"]["warnings"] = ["log: several ranks seem to have written"]
    clear = table([outcome("a", {"lr": 1}, found)])
    assert "doubtful" not in [column.heading for column in clear.columns]
    assert clear.warnings == ()
    outcomes = [outcome(name, {"lr": name}, bad) for name in ("b", "c", "d", "e")]
    made = table([outcome("a", {"lr": 1}, found), *outcomes])
    assert made.values("doubtful")[0] is None
    assert made.values("doubtful")[1] == "train: log: several ranks seem to have written"
    assert made.warnings == (
        "logs of 'train', 4 experiments (b, c, d, …): log: several ranks seem to have written",
    )


def test_warnings_name_each_metric_that_is_missing() -> None:
    """The objective's first, then the patterns', in the order of the file."""
    options = MetricOptions(
        metrics=(MetricPattern("a", "train", "x"), MetricPattern("b", "", "x")),
        objective=Objective("acc1 + loss2", "max"),
    )
    found = summary({"train": {"acc": 1, "loss": 2}}, measured={})
    warnings = table([outcome("e", {}, found)], options).warnings
    assert [warning.partition(":")[0] for warning in warnings] == [
        "objective 'acc1 + loss2'", "objective 'acc1 + loss2'", "metric 'a'", "metric 'b'",
    ]  # fmt: skip
    assert "logs of 'train' that were read" in warnings[2]
    assert "experiments" in warnings[3]
