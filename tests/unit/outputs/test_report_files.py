"""What `snakemake --report` is given: existing files, and labels that Snakemake's page can show."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from sweeps_made_up import make_table

from sweepmake.outputs.report import ReportFile, report_files

CAPTIONS = Path(__file__).resolve().parents[3] / "workflow" / "report"


def make_files(folder: Path, grid: dict[str, list[Any]], **options: Any) -> list[ReportFile]:
    """Return the report's files of a sweep of which every experiment has a PDF."""
    study, table = make_table(folder, grid, **options)
    for outcome in table.outcomes:
        path = study.result(outcome.experiment, "ranks.pdf")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"%PDF")
    return list(report_files(study, table))


def test_only_existing_files_are_listed(tmp_path: Path) -> None:
    """A report can be made of a sweep of which little is there."""
    study, table = make_table(tmp_path, {"lr": [0.1, 0.2]})
    assert report_files(study, table) == ()
    for name in ("experiments.html", "experiments.xlsx", "comparison.pdf"):
        (tmp_path / name).touch()
    (tmp_path / "comparison").mkdir()
    for name in ("curves.svg", "objective.svg", "objective-2.png", ".grid.77", "mine.svg"):
        (tmp_path / "comparison" / name).touch()
    found = report_files(study, table)
    assert [(Path(file.path).name, file.category, file.labels["file"]) for file in found] == [
        ("experiments.html", "Table", "the table of experiments"),
        ("experiments.xlsx", "Workbook", "Excel workbook"),
        ("comparison.pdf", "Comparison", "all pages as PDF"),
        ("curves.svg", "Comparison", "learning curves"),
        ("objective-2.png", "Comparison", "objective by parameter 2"),
        ("objective.svg", "Comparison", "objective by parameter"),
    ]
    assert all((CAPTIONS / file.caption).is_file() for file in found)


def test_experiments_stand_under_their_parameters_the_best_first(tmp_path: Path) -> None:
    """The labels are the place, the varied parameters and the status."""
    files = make_files(tmp_path, {"lr": [0.1, 0.01, 0.001], "use": [True, None, "x"]})
    study, table = make_table(tmp_path, {"lr": [0.1, 0.01, 0.001], "use": [True, None, "x"]})
    uses = {True: "true", None: "none", "x": "x"}
    for file, outcome in zip(files, table.outcomes, strict=True):
        rate, use = outcome.experiment.parameters.values()
        shown = {"lr": f"{rate}", "use": uses[use], "status": "finished"}  # type: ignore[index]
        assert {key: text for key, text in file.labels.items() if key != "place"} == shown
        assert list(file.labels) == ["place", "lr", "use", "status"]
        assert file.path == str(study.result(outcome.experiment, "ranks.pdf"))
    assert [file.labels["place"] for file in files] == [str(at) for at in range(1, 10)]
    assert {file.caption for file in files} == {"ranks.rst"}
    assert (CAPTIONS / "ranks.rst").is_file()


def test_places_sort_as_text(tmp_path: Path) -> None:
    """The page sorts labels as text, so the places have leading zeros."""
    files = make_files(tmp_path, {"lr": list(range(1, 13))})
    assert [file.labels["place"] for file in files][::11] == ["01", "12"]


def test_a_long_label_is_cut_in_its_middle(tmp_path: Path) -> None:
    """Sixty characters; the ends tell names apart."""
    texts = ["a" * 40 + "b" * 40, "c" * 60, "d", "e"]
    shown = {file.labels["text"] for file in make_files(tmp_path, {"text": texts})}
    assert shown == {"a" * 30 + "…" + "b" * 29, "c" * 60, "d", "e"}


def test_labels_cannot_break_the_page(tmp_path: Path) -> None:
    """No label is a wildcard, ends the page's script or is empty; parameters may have any name."""
    texts = ["{x}", "</script>", "<!-- a", "", "a\nb", "x" * 500, "\ud800"]
    files = make_files(tmp_path, {"text": texts, "place": [1, 2, 3], "<status>": [1, 2, 3]})
    for file in files:
        for text in itertools.chain(file.labels, file.labels.values()):
            assert isinstance(text, str)
            assert text
            assert not re.search(r"\{\w|<[/!a-z]", text)
            assert len(text) < 80
            text.encode()
    shown = {label.replace("\u200b", "") for file in files for label in file.labels.values()}
    assert {"{x}", "</script>", "''", "a b"} <= shown


@pytest.mark.parametrize(
    "grid",
    [
        {"lr": [0.1, 0.2]},
        {"lr": [0.1, 0.2], "bs": [1]},
        {"lr": [0.1, 0.2, 0.3], "norm": ["a", "b"]},
        {"lr": [0.1, 0.2], "norm": ["a", "b"]},
        {"lr": [0.1, 0.2], "norm": ["a", "b"], "seed": [0, 1, 2]},
        {"lr": [0.1]},
    ],
)
def test_no_label_becomes_a_switch(tmp_path: Path, grid: dict[str, list[Any]]) -> None:
    """Snakemake's page goes blank where a switch of two values lacks a combination."""
    files = make_files(tmp_path, grid)
    labels = [file.labels for file in files]
    for name in list(labels[0])[1:]:
        counts = Counter(label[name] for label in labels)
        assert not (len(counts) == 2 and len(set(counts.values())) == 1), name
    assert len({",".join(label.values()) for label in labels}) == len(files)
