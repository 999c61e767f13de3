"""What is written for all experiments together, and what the user is told of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from made_studies import outcome, study, summary

from sweepmake.outputs import TABLES
from sweepmake.outputs.write_outputs import describe, write_tables
from sweepmake.params.metrics import MetricOptions, Objective
from sweepmake.results.outcomes import Outcome
from sweepmake.results.table import build_table


def trained(name: str, value: Any, status: str = "finished") -> Outcome:
    return outcome(name, {"lr": name}, summary({"train": {"val_acc": value}}), status=status)


def described(outcomes: list[Outcome], options: MetricOptions | None = None) -> str:
    return describe(build_table(study(outcomes, options), outcomes))


def test_all_tables_are_written_and_the_user_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every file of the table; the workbook names the command that made it; warnings on stderr."""
    outcomes = [trained("a", 0.5), trained("b", 0.75)]
    objective = MetricOptions(objective=Objective("bleu", "max"))
    results = tmp_path / "results"
    made = study(outcomes, objective, str(results))
    monkeypatch.setenv("SWEEPMAKE_COMMAND", "snakemake --cores 3 'a b'")
    monkeypatch.delenv("SWEEPMAKE_QUIET", raising=False)
    table = build_table(made, outcomes)
    write_tables(made, table)
    told = capsys.readouterr()
    assert told.out == f"Workbook: {results}/experiments.xlsx: 2 experiments: 2 finished\n"
    assert told.err == "".join(f"warning: {warning}\n" for warning in table.warnings)
    assert "no experiment has 'bleu'" in told.err
    assert {path.name for path in results.iterdir()} == set(TABLES)
    about = openpyxl.load_workbook(results / "experiments.xlsx")["about"]
    facts = {row[0]: row[1] for row in about.iter_rows(values_only=True) if row[0]}
    assert facts["command"] == "snakemake --cores 3 'a b'"
    assert facts["date"][:2] == "20"
    rows = json.loads((results / "experiments.json").read_text())["rows"]
    assert [row[0] for row in rows] == table.values("experiment")
    assert "Experiments of params.yaml" in (results / "experiments.html").read_text()
    monkeypatch.setenv("SWEEPMAKE_QUIET", "1")
    write_tables(made, table)
    assert capsys.readouterr().out == ""


def test_the_best_that_is_told_has_finished() -> None:
    """The counts stand in the order of the statuses, not of their size."""
    outcomes = [
        trained("low", 0.5), trained("running", 0.99, "running"), trained("failed", 0.9, "failed"),
        trained("also failed", 0.8, "failed"), trained("best", 0.87654321), trained("nan", "nan"),
    ]  # fmt: skip
    assert described(outcomes) == (
        "6 experiments: 3 finished, 1 running, 2 failed; best: best (val_acc 0.876543)"
    )
    less = MetricOptions(objective=Objective("val_acc", "min"))
    assert described(outcomes, less).endswith("; best: low (val_acc 0.5)")
    assert described([trained("a", "nan")]) == "1 experiment: 1 finished"
    assert described([replace(outcomes[1])]) == "1 experiment: 1 running"
    assert described([]) == "0 experiments: none"
