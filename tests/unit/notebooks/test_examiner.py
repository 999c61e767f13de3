"""The Examiner: mlrunner's interface and results, and what becomes of parsers' errors."""

from __future__ import annotations

import os
import pickle
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from sweepmake import Examiner, latest_log
from sweepmake.errors import InputError
from sweepmake.natural_order import natural_key

MLRUNNER_OUTPUT = Path(__file__).parents[2] / "data" / "mlrunner-output"
ACCURACIES = {
    (0.1, 2): 0.9296,
    (0.01, 2): 0.9011,
    (0.1, 1): 0.9242,
    (0.1, 0): 0.9290,
    (0.01, 0): 0.9039,
    (0.01, 1): 0.9021,
}
both_ways = pytest.mark.parametrize("workers", [-1, 2])


def add_accuracy(output_dir: Path, experiment: Any, caches: dict[str, Any]) -> None:
    """A parser as mlrunner's README has it."""
    latest_train_log = latest_log("train", output_dir)
    found = re.findall(r"test_acc=([\d.]+)", latest_train_log.read_text())
    experiment.metric["test_acc"] = float(found[-1])


def make_experiment(output: Path, name: str, **parameters: object) -> Path:
    """A folder as mlrunner and Sweepmake leave it."""
    folder = output / name
    folder.mkdir(parents=True)
    lines = [f"_name: {name}", *(f"{key}: {value}" for key, value in parameters.items())]
    (folder / "param").write_text("\n".join(lines) + "\n")
    return folder


def examined(output: Path, *parsers: Callable[..., object], **options: Any) -> Examiner:
    """An Examiner after its exam."""
    examiner = Examiner()
    for parser in parsers:
        examiner.add(parser)
    examiner.exam(output, **options)
    return examiner


@both_ways
def test_the_accuracies_of_real_logs_of_mlrunner_are_found(workers: int) -> None:
    """The six accuracies at the ends of the logs, in the natural order of the folders' names."""
    table = examined(MLRUNNER_OUTPUT, add_accuracy, workers=workers).table()
    found = {(row.lr, row.seed): row.test_acc for row in table.itertuples()}
    assert found == ACCURACIES
    assert list(table.columns) == ["lr", "seed", "test_acc"]
    assert [name.removeprefix("Data_CIFAR10-Loss_CE-") for name in table.index] == [
        f"Lr_{lr}-Seed_{seed}" for lr in (0.01, 0.1) for seed in (0, 1, 2)
    ]


@pytest.mark.parametrize(("workers", "is_here"), [(-1, True), (0, True), (1, False), (2, False)])
def test_in_which_process_parsers_run(tmp_path: Path, workers: int, is_here: bool) -> None:
    """In this one unless others are asked for."""

    def parser(output_dir: Path, experiment: Any, caches: dict[str, Any]) -> None:
        experiment.metric["process"] = os.getpid()

    make_experiment(tmp_path, "a", lr=1)
    examiner = examined(tmp_path, parser, workers=workers)
    assert (examiner.experiments["a"].metric["process"] == os.getpid()) == is_here


@pytest.mark.parametrize("concise", [True, False])
@both_ways
def test_table_and_tsv_are_those_of_mlrunner(
    concise: bool, workers: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same parser in mlrunner's own Examiner: same columns, values, types; same TSV lines."""
    theirs = pytest.importorskip("mlrunner.examine").Examiner()
    theirs.add(add_accuracy)
    theirs.exam(output=str(MLRUNNER_OUTPUT), regex=".*")
    expected = theirs.table(concise=concise, print_tsv=True)
    expected_tsv = capsys.readouterr().out
    ours = examined(MLRUNNER_OUTPUT, add_accuracy, workers=workers)
    table = ours.table(concise=concise, print_tsv=True)
    tsv = capsys.readouterr().out
    order = ["lr", "seed"]
    pd.testing.assert_frame_equal(
        table.sort_values(order).reset_index(drop=True),
        expected.sort_values(order).reset_index(drop=True),
    )
    assert tsv.splitlines()[0] == expected_tsv.splitlines()[0]
    assert sorted(tsv.splitlines()) == sorted(expected_tsv.splitlines())
    assert len(tsv.splitlines()) == 7
    assert set(ours.experiments) == set(theirs.experiments)
    for name, experiment in theirs.experiments.items():
        assert ours.experiments[name] == tuple(experiment)  # cache, metric, param, with types
        assert list(map(type, ours.experiments[name].param.values())) == list(
            map(type, experiment.param.values())
        )


@both_ways
def test_a_parser_that_raises_names_its_experiment_and_the_others_come(
    workers: int, capfd: pytest.CaptureFixture[str]
) -> None:
    """One message at the end, and the error kept with its traceback."""

    def add_or_raise(path: Path, experiment: Any, caches: dict[str, Any]) -> None:
        add_accuracy(path, experiment, caches)
        experiment.metric["before"] = 1
        if experiment.param["lr"] == 0.1 and experiment.param["seed"] == 1:
            raise ValueError("no BLEU here")

    def after(path: Path, experiment: Any, caches: dict[str, Any]) -> None:
        experiment.metric["after"] = 2

    examiner = examined(MLRUNNER_OUTPUT, add_or_raise, after, workers=workers)
    (error,) = examiner.errors
    assert error.experiment == "Data_CIFAR10-Loss_CE-Lr_0.1-Seed_1"
    assert "add_or_raise" in error.parser
    assert error.problem == "ValueError: no BLEU here"
    assert 'raise ValueError("no BLEU here")' in error.traceback
    said = capfd.readouterr().err
    assert "errors in 1 of 6 experiments" in said
    assert said.count(error.experiment) == 1
    table = examiner.table()
    assert len(table) == 6
    assert table.notna().all(axis=None), "what was written before the error stays"
    assert (table["after"] == 2).all(), "the next parsers run all the same"


@both_ways
def test_sys_exit_in_a_parser_is_an_error_of_one_experiment(workers: int) -> None:
    """A parser that was a program ends neither the notebook nor the worker."""
    examiner = examined(MLRUNNER_OUTPUT, lambda *_: sys.exit("usage"), workers=workers)
    assert [error.problem for error in examiner.errors] == ["SystemExit: usage"] * 6
    assert len(examiner.table()) == 6


@both_ways
def test_parsers_run_in_the_order_added_and_once(workers: int) -> None:
    """A parser may rely on what an earlier one has found; adding one twice changes nothing."""
    examiner = Examiner()
    order = [f"parser{number}" for number in range(20)]
    parsers = [
        lambda _, experiment, __, name=name: experiment.cache.setdefault("order", []).append(name)
        for name in order
    ]
    for parser in [*parsers, parsers[0]]:
        examiner.add(parser)
    examiner.exam(MLRUNNER_OUTPUT, workers=workers)
    assert [one.cache["order"] for one in examiner.experiments.values()] == [order] * 6


def test_add_works_as_a_decorator() -> None:
    """It returns the function; in mlrunner it returns nothing."""
    examiner = Examiner()

    @examiner.add
    def parser(path: Path, experiment: Any, caches: dict[str, Any]) -> None:
        experiment.metric["name"] = path.name

    examiner.exam(MLRUNNER_OUTPUT)
    assert parser is examiner.exams[0]
    assert list(examiner.table()["name"]) == list(examiner.experiments)


def test_caches_are_merged_as_mlrunner_merges_them() -> None:
    """Serial: shared by all. In processes: each experiment's over those of the ones before it."""

    def note(path: Path, experiment: Any, caches: dict[str, Any]) -> None:
        caches[path.name] = experiment.param["seed"]
        caches["last"] = path.name
        caches["count"] = caches.get("count", 0) + 1

    serial = examined(MLRUNNER_OUTPUT, note).caches
    parallel = examined(MLRUNNER_OUTPUT, note, workers=3).caches
    assert serial.pop("count") == 6
    assert parallel.pop("count") == 1
    assert parallel == serial
    assert serial["last"] == "Data_CIFAR10-Loss_CE-Lr_0.1-Seed_2"
    assert len(serial) == 7


@both_ways
def test_a_second_exam_adds_to_the_first(tmp_path: Path, workers: int) -> None:
    """Same names: updated, with what is known of them; new names: new rows; errors made good go."""
    make_experiment(tmp_path / "one", "a", lr=1)
    make_experiment(tmp_path / "two", "a", lr=2, new="x")
    make_experiment(tmp_path / "two", "b", lr=3)

    def count(path: Path, experiment: Any, caches: dict[str, Any]) -> None:
        experiment.metric["exams"] = experiment.metric.get("exams", 0) + 1
        experiment.metric[path.parent.name] = 1
        if path.parent.name == "one":
            raise RuntimeError

    examiner = examined(tmp_path / "one", count, workers=workers)
    assert len(examiner.errors) == 1
    examiner.exam(tmp_path / "two", workers=workers)
    assert examiner.experiments["a"].param == {"_name": "a", "lr": 2, "new": "x"}
    assert examiner.experiments["a"].metric == {"exams": 2, "one": 1, "two": 1}
    assert examiner.experiments["b"].metric == {"exams": 1, "two": 1}
    assert examiner.errors == []


def test_what_cannot_be_pickled_is_said_and_the_others_come(tmp_path: Path) -> None:
    """A lock in the cache of one experiment costs that experiment, with the reason."""
    make_experiment(tmp_path, "a", lr=1)
    make_experiment(tmp_path, "b", lr=2)

    def keep_a_lock(path: Path, experiment: Any, caches: dict[str, Any]) -> None:
        experiment.metric["fine"] = 1
        caches["shared"] = path.name
        if path.name == "a":
            experiment.cache["lock"] = threading.Lock()

    examiner = examined(tmp_path, keep_a_lock, workers=2)
    (error,) = examiner.errors
    assert error.experiment == "a"
    assert "cannot be sent back" in error.problem
    assert "lock" in error.problem
    assert list(examiner.experiments) == ["b"]
    assert list(examiner.table()["fine"]) == [1]
    assert examiner.caches == {"shared": "b"}
    assert len(examined(tmp_path, keep_a_lock).experiments["a"].cache) == 1, "serial: no such limit"


class CannotBeRead:
    """Pickles well, and cannot be read back."""

    def __reduce__(self) -> tuple[Any, ...]:
        return int, ("no number",)


def test_what_cannot_be_read_back_is_named(tmp_path: Path) -> None:
    """The error of unpickling belongs to its experiment, too."""
    make_experiment(tmp_path, "a", lr=1)
    make_experiment(tmp_path, "b", lr=2)

    def parser(path: Path, experiment: Any, caches: dict[str, Any]) -> None:
        experiment.cache["x"] = CannotBeRead() if path.name == "a" else 1

    with pytest.raises(ValueError, match="no number"):
        pickle.loads(pickle.dumps(CannotBeRead()))
    examiner = examined(tmp_path, parser, workers=2)
    assert [error.experiment for error in examiner.errors] == ["a"]
    assert list(examiner.experiments) == ["b"]


def test_a_process_that_dies_costs_its_own_experiment_only() -> None:
    """mlrunner's pool waits for ever."""

    def crash(path: Path, experiment: Any, caches: dict[str, Any]) -> None:
        if path.name.endswith("Lr_0.01-Seed_1"):
            os._exit(9)
        time.sleep(0.1)  # so that others are under way or wait when it dies
        add_accuracy(path, experiment, caches)

    examiner = examined(MLRUNNER_OUTPUT, crash, workers=2)
    (error,) = examiner.errors
    assert error.experiment.endswith("Lr_0.01-Seed_1")
    assert "died" in error.problem
    assert examiner.table()["test_acc"].tolist() == [0.9039, 0.9011, 0.9290, 0.9242, 0.9296]


def test_what_forks_in_a_program_with_threads_is_quiet() -> None:
    """Every notebook has threads, and Python 3.12 warns of forks beside them."""
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    try:
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("error")
            examiner = examined(MLRUNNER_OUTPUT, add_accuracy, workers=2)
    finally:
        stop.set()
        thread.join()
    assert len(examiner.experiments) == 6


def test_concise_tells_values_of_different_types_apart(tmp_path: Path) -> None:
    """1, 1.0 and true are three values; lists and nan are values like others."""
    values = ["1", "true", "1.0"]
    for number, value in enumerate(values):
        make_experiment(
            tmp_path, f"e{number}", flag=value, same="[1, 2]", other=f"[{number}]", gap=".nan"
        )
    table = examined(tmp_path).table()
    assert list(table.columns) == ["flag", "other"]
    assert table["flag"].tolist() == [1, True, 1.0]
    assert list(map(type, table["flag"])) == [int, bool, float]
    assert table["other"].tolist() == [[0], [1], [2]]
    assert list(examined(tmp_path).table(concise=False).columns) == ["flag", "gap", "other", "same"]


def test_a_tsv_cell_never_ends_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Tabs and line ends in a value become spaces; what is missing is None, as in mlrunner."""
    make_experiment(tmp_path, "a", text='"x\\ty\\nz"')
    make_experiment(tmp_path, "b", text="plain", lr=1)
    examined(tmp_path).table(concise=False, print_tsv=True)
    assert capsys.readouterr().out == "lr\ttext\nNone\tx y z\n1\tplain\n"


def test_an_empty_exam_gives_an_empty_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No experiment, no column: and a message that says what was looked for."""
    table = examined(tmp_path, regex="nothing").table()
    assert table.empty
    assert table.shape == (0, 0)
    assert "no experiment found whose name matches 'nothing'" in capsys.readouterr().err
    assert Examiner().table().shape == (0, 0)
    make_experiment(tmp_path, "a")
    assert examined(tmp_path).table().shape == (1, 0)


@both_ways
def test_folders_without_parameters_are_skipped(
    tmp_path: Path, workers: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """They are named, but for hidden ones; a file among the folders is nothing."""
    make_experiment(tmp_path, "good", lr=1)
    (tmp_path / "bare").mkdir()
    (tmp_path / ".ipynb_checkpoints").mkdir()
    (tmp_path / "params.yaml").write_text("")
    assert list(examined(tmp_path, workers=workers).experiments) == ["good"]
    said = capsys.readouterr().err
    assert "no file 'param' in: bare\n" in said


@both_ways
@pytest.mark.parametrize("text", ["lr: [", "just a text", "x: !!python/object/apply:os.getcwd []"])
def test_broken_parameters_are_an_error_of_one_experiment(
    tmp_path: Path, workers: int, text: str
) -> None:
    """The file is named, nothing in it is executed, and the others come."""
    make_experiment(tmp_path, "good", lr=1)
    (make_experiment(tmp_path, "bad") / "param").write_text(text)
    examiner = examined(tmp_path, add_accuracy, regex="good|bad", workers=workers)
    assert list(examiner.experiments) == ["good"]
    bad = [error for error in examiner.errors if error.experiment == "bad"]
    assert len(bad) == 1
    assert str(tmp_path / "bad" / "param") in bad[0].problem


def test_of_many_troubles_the_first_ten_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the order of the names, and how many more there are."""
    for number in range(12):
        make_experiment(tmp_path, f"e{number}", lr=number)
        (tmp_path / f"bare{number}").mkdir()

    def fail(path: Path, experiment: Any, caches: dict[str, Any]) -> None:
        raise ValueError(path.name)

    examiner = examined(tmp_path, fail)
    assert [error.experiment for error in examiner.errors] == [f"e{at}" for at in range(12)]
    skipped, errors, *listed, last = capsys.readouterr().err.splitlines()
    names = ", ".join(f"bare{at}" for at in range(10))
    assert skipped == f"{tmp_path}: skipped, no file 'param' in: {names} and 2 more"
    assert errors == f"{tmp_path}: errors in 12 of 24 experiments, the first 10 are:"
    assert [line.partition(":")[0] for line in listed] == [f"  e{at}" for at in range(10)]
    assert all("ValueError: e" in line and ", line " in line for line in listed)
    assert last == "The Examiner's `errors` holds them all, with their tracebacks."
    examined(tmp_path, fail, regex="^e[0-9]$")
    assert "errors in 10 of 10 experiments:" in capsys.readouterr().err


def test_parameters_stand_before_metrics_each_sorted(tmp_path: Path) -> None:
    """Names that cannot be compared are sorted as texts; those that begin with _ are left out."""
    make_experiment(tmp_path, "a", b=1, _time=1, **{"2": 1})
    make_experiment(tmp_path, "b", b=2, _time=2, **{"2": 2, "a": 3})

    def parser(path: Path, experiment: Any, caches: dict[str, Any]) -> None:
        experiment.metric.update(z=1, acc=2)

    table = examined(tmp_path, parser).table()
    assert list(table.columns) == [2, "b", "acc", "z"]
    assert list(examined(tmp_path, parser).table(concise=False).columns) == [
        2, "a", "b", "acc", "z"
    ]  # fmt: skip


def test_bad_input_is_said_clearly(tmp_path: Path) -> None:
    """A missing folder, a file, a pattern of the shell: what was found, and what to do."""
    examiner = Examiner()
    with pytest.raises(InputError, match="there is no such folder"):
        examiner.exam(tmp_path / "missing")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="found a file"):
        examiner.exam(tmp_path / "file")
    with pytest.raises(InputError, match=r"regex='\*' is not a regular expression.*'\.\*' finds"):
        examiner.exam(tmp_path, "*")
    with pytest.raises(InputError, match="expected a function"):
        examiner.add("add_bleu")  # type: ignore[type-var]


def test_the_folder_of_one_experiment_is_recognised(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The hint says where to look instead."""
    examined(make_experiment(tmp_path, "only", lr=1))
    assert "examine the folder above it" in capsys.readouterr().err


def test_verbose_prints_the_names(capsys: pytest.CaptureFixture[str]) -> None:
    """One line each, in the order of the table, also with workers."""
    for workers in (-1, 2):
        examiner = examined(MLRUNNER_OUTPUT, regex="Lr_0.1-", verbose=True, workers=workers)
        assert capsys.readouterr().out.splitlines() == list(examiner.experiments)
        assert len(examiner.experiments) == 3


def test_latest_log_takes_the_newest_of_its_own_stage(tmp_path: Path) -> None:
    """index counts as in a list; a stage whose name begins alike has other logs; None for none."""
    times = ["20220316.030151", "20220316.030152", "20230101.000000"]
    for when in reversed(times):
        (tmp_path / f"log.test.{when}").touch()
        (tmp_path / f"log.test.long.{when}").touch()
        (tmp_path / f"log.testing.{when}").touch()
    names = [f"log.test.{time}" for time in times]
    assert [latest_log("test", tmp_path, index).name for index in (0, 1, 2, -1, -3)] == [  # type: ignore[union-attr]
        names[0],
        names[1],
        names[2],
        names[2],
        names[0],
    ]
    assert latest_log("test.long", str(tmp_path)) == tmp_path / f"log.test.long.{times[2]}"
    assert latest_log("test", tmp_path, 3) is None
    assert latest_log("test", tmp_path, -4) is None
    assert latest_log("train", tmp_path) is None
    assert latest_log("train", tmp_path / "missing") is None
    (tmp_path / "log.eval.mine.txt").touch()
    assert latest_log("eval", tmp_path) == tmp_path / "log.eval.mine.txt"


def test_names_sort_as_people_count() -> None:
    """Numbers by their size, whole and broken ones and those with exponents."""
    names = ["a", "lr_1e-05", "lr_0.01", "lr_0.1", "lr_2", "lr_10", "lr_10-seed_2", "lr_10-seed_10",
             "lr_1e+06", "norm_x"]  # fmt: skip
    assert sorted(set(names), key=natural_key) == names


def test_the_package_offers_it_without_importing_it() -> None:
    """`import sweepmake` imports nothing; the names are there, and a wrong one is an error."""
    program = (
        "import sys, sweepmake\n"
        "assert not [m for m in sys.modules if m.startswith('sweepmake.')], sys.modules\n"
        "assert {'Examiner', 'latest_log', 'load'} <= set(dir(sweepmake))\n"
        "from sweepmake import Examiner, latest_log\n"
        "assert 'pandas' not in sys.modules\n"
        "assert all(getattr(sweepmake, name) for name in sweepmake.__all__)\n"
        "try:\n"
        "    sweepmake.nothing\n"
        "except AttributeError as error:\n"
        "    assert 'nothing' in str(error)\n"
        "else:\n"
        "    raise SystemExit('no error')\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
