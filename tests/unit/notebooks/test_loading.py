"""load(): the table and the histories of a sweep as DataFrames, and the file between them."""

from __future__ import annotations

import gzip
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import sweepmake
from sweepmake.errors import InputError
from sweepmake.outputs.table_json import read_table_json, write_table_json
from sweepmake.params.naming import identity
from sweepmake.results.table import Cell, Column, Table

HEAD = "stage,attempt,rank,epoch,step,steps_per_epoch,eta_s,time_per_step_s"


def make_table(**values: list[Cell]) -> Table:
    """A table of these columns; group and name as in `parameter__lr`, `metric__val_acc`."""
    columns = [Column("experiment", "experiment", "experiment")]
    for name in values:
        group, _, key = name.partition("__")
        columns.append(Column(key, key.title(), group, "max", "s"))  # type: ignore[arg-type]
    length = len(next(iter(values.values())))
    names = [f"e{number}" for number in range(length)]
    return Table(
        columns=tuple(columns),
        rows=tuple(zip(names, *values.values(), strict=True)),
        outcomes=(),
    )


def write_history(results: Path, experiment: str, text: str) -> Path:
    """A history as the workflow writes it."""
    path = results / experiment / "history.csv.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode()))
    return path


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Three experiments: two with a history, one that has not started."""
    table = make_table(
        experiment__status=["finished", "failed", "not started"],
        objective__val_acc=[0.9, 0.8, None],
        parameter__lr=[0.1, 0.01, 1],
        parameter__rank=[4, 8, 16],
        parameter__norm=["batch", None, "new"],
    )
    table = Table(
        table.columns, table.rows, (), {"data": "digits", "status": 5}, "val_acc", "val_acc: max"
    )
    write_table_json(table, tmp_path / "experiments.json")
    write_history(
        tmp_path,
        "e0",
        f"{HEAD},loss,val_acc,lr\n"
        "train,1,0,1,5,5,0,0.25,1.5,,0.5\ntrain,1,0,2,5,5,0,0.25,0.12345,0.9,0.25\n",
    )
    write_history(tmp_path, "e1", f"{HEAD},grad,loss\n'a,1,3,,,,,,nan,inf\n".replace("'a", "test"))
    return tmp_path


def test_two_frames_come_in_one_call(results: Path) -> None:
    """One row per experiment with typed columns; all histories, with the experiment's name."""
    experiments, history = sweepmake.load(results)
    assert list(experiments.columns) == [
        *("experiment", "status", "val_acc", "lr", "rank", "norm"),
        *("data", "parameter.status"),  # constant; the name `status` is taken
    ]
    assert experiments["experiment"].tolist() == ["e0", "e1", "e2"]
    assert experiments.dtypes.astype("str").to_dict() | {"norm": "str"} == {
        **dict.fromkeys(("experiment", "status", "norm", "data"), "str"),
        **dict.fromkeys(("val_acc", "lr"), "float64"),
        **dict.fromkeys(("rank", "parameter.status"), "int64"),
    }
    assert experiments["val_acc"].isna().tolist() == [False, False, True]
    assert experiments.attrs == {
        "objective": "val_acc",
        "objective_text": "val_acc: max",
        "parameters": ["lr", "rank", "norm"],
    }
    assert list(history.columns) == [
        "experiment",
        *HEAD.split(","),
        "loss",
        "val_acc",
        "lr",
        "grad",
    ]
    assert history["experiment"].tolist() == ["e0", "e0", "e1"]
    assert history["experiment"].cat.categories.tolist() == ["e0", "e1"]
    assert history["loss"].tolist() == [1.5, 0.12345, math.inf]
    assert history["rank"].tolist() == [0, 0, 3]
    assert history["rank"].dtype == "int32"
    assert history["epoch"].isna().tolist() == [False, False, True]
    assert history["stage"].tolist() == ["train", "train", "test"]
    assert str(history["stage"].dtype) == "category"


def test_parameters_stand_beside_the_history_on_request(results: Path) -> None:
    """True: those that differ. A list: those, constant ones too. Never two columns of one name."""
    history = sweepmake.load(results, parameters=True).history
    assert list(history.columns)[:5] == ["experiment", "lr", "parameter.rank", "norm", "stage"]
    assert history["lr"].tolist() == [0.1, 0.1, 0.01]
    assert history["parameter.rank"].tolist() == [4, 4, 8]
    assert history["rank"].tolist() == [0, 0, 3]
    assert history["lr"].tolist() == [0.1, 0.1, 0.01], "what was set, not what was logged"
    assert history["metric.lr"].tolist()[:2] == [0.5, 0.25]
    assert sweepmake.load(results).history["lr"].tolist()[:2] == [0.5, 0.25]
    history = sweepmake.load(results, parameters=["status", "lr"]).history
    assert list(history.columns)[:4] == ["experiment", "parameter.status", "lr", "stage"]
    assert history["parameter.status"].tolist() == [5, 5, 5]
    with pytest.raises(
        InputError, match=r"parameters: no experiment has 'lrr' \(did you mean 'lr'"
    ):
        sweepmake.load(results, parameters=["lrr"])


def test_metrics_select_columns_of_the_history(results: Path) -> None:
    """In the order asked for; one that no experiment has is an error, with those that exist."""
    history = sweepmake.load(results, metrics=["grad", "loss"]).history
    assert list(history.columns) == ["experiment", *HEAD.split(","), "grad", "loss"]
    assert sweepmake.load(results, metrics=[]).history.shape == (3, 9)
    with pytest.raises(
        InputError, match=r"metrics: no experiment has 'accuracy' .*loss, val_acc, lr, g"
    ):
        sweepmake.load(results, metrics=["accuracy"])
    with pytest.raises(InputError, match=r"metrics=\['loss'\]"):
        sweepmake.load(results, metrics="loss")


def test_columns_keep_their_types(tmp_path: Path) -> None:
    """1, "1", True and 1.0 come back as they were; only what has to be is an object."""
    columns: dict[str, list[Cell]] = {
        "parameter__whole": [1, 2, 3],
        "parameter__gaps": [1, None, 3],
        "parameter__mixed": [1, 0.5, 2],
        "parameter__huge": [2**70, 1, 2],
        "parameter__inexact": [2**60 + 1, 0.5, 1],
        "parameter__flag": [True, False, True],
        "parameter__maybe": [True, None, False],
        "parameter__digits": ["1", "02", "nan"],
        "parameter__kinds": [1, "1", True],
        "parameter__formula": ["=1+1", "'x", "+a"],
        "metric__epochs": [1, 2, None],
        "metric__odd": [math.nan, math.inf, -math.inf],
        "metric__empty": [None, None, None],
        "training__text": [None, "x", None],
    }
    write_table_json(make_table(**columns), tmp_path / "experiments.json")
    frame = sweepmake.load(tmp_path).experiments
    assert {key: str(dtype) for key, dtype in frame.dtypes.items()} == {
        "experiment": "str",
        "whole": "int64",
        "gaps": "Int64",
        "mixed": "float64",
        "huge": "object",
        "inexact": "object",
        "flag": "bool",
        "maybe": "boolean",
        "digits": "str",
        "kinds": "object",
        "formula": "str",
        "epochs": "float64",
        "odd": "float64",
        "empty": "float64",
        "text": "str",
    }
    for name, cells in columns.items():
        found = frame[name.partition("__")[2]]
        for value, cell in zip(found, cells, strict=True):
            if cell is None or cell != cell:
                assert pd.isna(value)
            else:
                assert value == cell
    assert [type(value) for value in frame["kinds"]] == [int, str, bool]


def test_a_sweep_that_has_not_begun_loads(tmp_path: Path) -> None:
    """No history, no metric: frames without rows, with their columns and types."""
    write_table_json(make_table(parameter__lr=[0.1, 0.2]), tmp_path / "experiments.json")
    experiments, history = sweepmake.load(tmp_path, parameters=True)
    assert len(experiments) == 2
    assert len(history) == 0
    assert list(history.columns) == ["experiment", "lr", *HEAD.split(",")]
    assert history["epoch"].dtype == "float64"
    write_table_json(
        Table((Column("experiment", "experiment", "experiment"),), (), ()),
        tmp_path / "experiments.json",
    )
    assert sweepmake.load(tmp_path).experiments.shape == (0, 1)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not gzip",
        gzip.compress(b"a,b\n" * 3000, mtime=0)[:-12],
        gzip.compress(f"{HEAD},loss\ntrain,1,0,1,5,5,0,0.25,oops\n".encode(), mtime=0),
        gzip.compress(f"{HEAD},loss\ntrain,one,0,1,5,5,0,0.25,1\n".encode(), mtime=0),
        gzip.compress(b"\xff\xfe", mtime=0),
        gzip.compress(b"", mtime=0),
    ],
)
def test_a_broken_history_is_named(results: Path, content: bytes) -> None:
    """The experiment, the file, and how to get it again."""
    path = results / "e1" / "history.csv.gz"
    path.write_bytes(content)
    with pytest.raises(InputError, match="the history of e1 cannot be read") as caught:
        sweepmake.load(results)
    assert str(path) in str(caught.value)
    assert "delete the file" in str(caught.value)


def test_missing_results_are_said_clearly(results: Path, tmp_path: Path) -> None:
    """No folder, a file, no table yet, a broken one, one of another version."""
    with pytest.raises(InputError, match="there is no such folder"):
        sweepmake.load(tmp_path / "missing")
    with pytest.raises(InputError, match="found a file"):
        sweepmake.load(results / "experiments.json")
    with pytest.raises(InputError, match=r"no experiments\.json in it yet .*snakemake results"):
        sweepmake.load(results / "e0")
    table = results / "experiments.json"
    good = json.loads(table.read_text())
    bad: list[Any] = [
        [],
        {},
        {**good, "format": 2},
        {**good, "rows": [["e0"]]},
        {**good, "columns": [{"key": "x"}]},
        {**good, "rows": [[["list"]] * len(good["columns"])]},
    ]
    for content in ["", "{", "null", *map(json.dumps, bad)]:
        table.write_text(content)
        with pytest.raises(InputError, match=r"experiments\.json: .*`snakemake results`"):
            sweepmake.load(results)


def test_a_table_comes_back_from_its_file_as_it_was(tmp_path: Path) -> None:
    """Cells with their types, nan and infinities, every text; the file is strict JSON."""
    cells: list[Cell] = [
        *(
            1,
            1.0,
            True,
            "1",
            "nan",
            None,
            1e300,
            5e-324,
            2**80,
            -(2**20_000),
            -0.0,
            "",
            "\ud800",
            "é\n\t\u2028",
        ),
        *(math.inf, -math.inf, math.nan),
    ]
    table = make_table(metric__value=cells)
    table = Table(
        table.columns, table.rows, (), {"x": math.inf, "y": "="}, "value", "value", ("careful",)
    )
    path = tmp_path / "folder" / "experiments.json"
    write_table_json(table, path)
    read = read_table_json(path)
    assert read == replace(table, rows=read.rows, constant=read.constant)
    assert list(map(identity, read.values("value"))) == list(map(identity, cells))
    assert read.constant == table.constant
    assert [entry.name for entry in path.parent.iterdir()] == ["experiments.json"]

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    json.loads(path.read_text(), parse_constant=refuse)


def test_a_table_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    """The old file stays whole, and nothing is left beside it."""
    path = tmp_path / "experiments.json"
    table = make_table(metric__value=[1])
    write_table_json(table, path)
    before = path.read_bytes()
    broken = Table(table.columns, ((object(),),), ())  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        write_table_json(broken, path)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["experiments.json"]
