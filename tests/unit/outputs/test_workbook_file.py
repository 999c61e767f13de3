"""experiments.xlsx and experiments.csv, read back cell by cell."""

from __future__ import annotations

import csv
import math
import os
import shutil
import subprocess
import urllib.parse
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_studies import outcome, study, summary
from openpyxl.utils import get_column_letter

from sweepmake.errors import SweepmakeError
from sweepmake.outputs.workbook import sheets, tables
from sweepmake.outputs.workbook.csv_file import guarded, plain_text
from sweepmake.outputs.workbook.tables import CSV, WORKBOOK, write_workbook
from sweepmake.params.metrics import MetricOptions, Objective
from sweepmake.results.outcomes import Outcome
from sweepmake.results.table import Table, build_table

NOW = datetime(2026, 11, 21, 22, 30)
HOSTILE = [
    "=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1+1", "\r=1+1", "\n=1+1", " =1+1", "=cmd|' /C calc'!A0",
    '=HYPERLINK("http://x/","y")', "'=1+1", "'", "\uff1d1+1", "#N/A", "#REF!", "TRUE", "1e5",
    "0x10", "2026-11-21", "<b>&amp;</b>", "]]>", " two  blanks ", "a\nb", "é漢😀", '"', ",", ";",
]  # fmt: skip


def write(outcomes: list[Outcome], folder: Path, options: MetricOptions | None = None) -> Table:
    made = study(outcomes, options, results=str(folder / "results"))
    table = build_table(made, outcomes)
    write_workbook(made, table, now=NOW, command="snakemake --cores 2")
    return table


def book(folder: Path) -> Any:
    return openpyxl.load_workbook(folder / "results" / WORKBOOK)


def cells(sheet: Any) -> list[dict[str, Any]]:
    """Return the rows of a sheet: heading → cell."""
    head, *rows = sheet.iter_rows()
    return [{h.value: cell for h, cell in zip(head, row, strict=True)} for row in rows]


def csv_rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "results" / CSV).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def sweep() -> list[Outcome]:
    """Return six experiments: three settings of two seeds, one failed, one to come."""
    made = [
        outcome(
            f"Lr_{lr}-Seed_{seed}",
            {"lr": lr, "seed": seed, "norm": "batch"},
            summary({"train": {"loss": lr * seed, "val_acc": 0.9 - lr * seed}}),
            wall_time_s=123.5,
            gpus=1,
        )
        for lr in (0.1, 0.01)
        for seed in (1, 2)
    ]
    parameters = {"lr": 1.0, "seed": 1, "norm": "batch"}
    made.append(outcome("bad", parameters, status="failed", exit_code=1))
    made.append(outcome("next", {**parameters, "seed": 2}, status="not started", log=""))
    return made


def test_the_workbook_has_its_sheets_and_every_experiment(tmp_path: Path) -> None:
    table = write(sweep(), tmp_path)
    found = book(tmp_path)
    assert found.sheetnames == ["experiments", "settings", "ranks", "failures", "about"]
    rows = cells(found["experiments"])
    assert [row["experiment"].value for row in rows] == table.values("experiment")
    assert rows[0]["experiment"].value == "Lr_0.01-Seed_1"
    assert [row["status"].value for row in rows][-2:] == ["failed", "not started"]
    assert len(cells(found["settings"])) == 3
    assert [row["experiment"].value for row in cells(found["failures"])] == ["bad"]


def test_cells_have_the_tables_values_and_types(tmp_path: Path) -> None:
    """Also in read-only mode, which gives each row as it stands in the file."""
    table = write(sweep(), tmp_path)
    for read_only in (False, True):
        found = openpyxl.load_workbook(tmp_path / "results" / WORKBOOK, read_only=read_only)
        rows = list(found["experiments"].iter_rows(min_row=2, values_only=True))
        for row, expected in zip(rows, table.rows, strict=True):
            for value, wanted, column in zip(row, expected, table.columns, strict=True):
                if column.group != "link":
                    assert (type(value), value) == (type(wanted), wanted)


def test_parameters_keep_their_types(tmp_path: Path) -> None:
    """1, true and "1" are three cells; a spreadsheet has one kind of number, so 1.0 is 1."""
    values: list[Any] = [1, 1.5, "1", True, False, "true", -3, 0.1 + 0.2]
    write([outcome(f"e{n}", {"x": v}) for n, v in enumerate(values)], tmp_path)
    found = [row["x"].value for row in cells(book(tmp_path)["experiments"])]
    assert [(type(v), v) for v in found] == [(type(v), v) for v in values]


def test_numbers_that_a_spreadsheet_cannot_hold_are_text(tmp_path: Path) -> None:
    values: list[Any] = [2**53, 2**53 + 1, 10**400, 10**5000, math.inf, -math.inf, 1e308, 5e-324]
    write([outcome(f"e{n}", {"x": v}) for n, v in enumerate(values)], tmp_path)
    found = [row["x"].value for row in cells(book(tmp_path)["experiments"])]
    assert found[:3] == [2**53, str(2**53 + 1), str(10**400)]
    assert found[3].startswith("0x")
    assert found[4:] == ["inf", "-inf", 1e308, 5e-324]
    assert csv_rows(tmp_path)[2]["x"] == str(10**400)


def test_nan_is_text_in_the_workbook(tmp_path: Path) -> None:
    write([outcome("a", {}, summary({"train": {"val_loss": "nan"}}))], tmp_path)
    (row,) = cells(book(tmp_path)["experiments"])
    assert (row["val_loss"].value, row["val_loss"].data_type) == ("nan", "s")
    assert csv_rows(tmp_path)[0]["val_loss"] == "nan"


def test_nothing_becomes_a_formula_or_an_error(tmp_path: Path) -> None:
    """Parameters, names of metrics, log lines, problems: every cell is the text itself."""
    outcomes = [
        outcome(f"e{n}", {"x": text}, summary({"train": {text: 1.0}}), problem=text)
        for n, text in enumerate(HOSTILE)
    ]
    table = write(outcomes, tmp_path)
    for sheet in book(tmp_path).worksheets:
        for row in sheet.iter_rows():
            assert {cell.data_type for cell in row} <= {"s", "n", "b"}, sheet.title
    rows = cells(book(tmp_path)["experiments"])
    expected = [str(value).replace("\r", "\n") for value in table.values("x")]
    assert [row["x"].value for row in rows] == expected
    for row in rows:
        assert row["x"].quotePrefix == row["x"].value.lstrip(" ").startswith(
            tuple("=+-@\t\n\uff1d")
        )


def test_the_csv_file_guards_texts_so_that_they_can_be_had_back(tmp_path: Path) -> None:
    outcomes = [outcome(f"e{n}", {"x": text}) for n, text in enumerate(HOSTILE)]
    table = write(outcomes, tmp_path)
    rows = csv_rows(tmp_path)
    for row in rows:
        for text in (*row.keys(), *row.values()):
            assert not text.startswith(tuple("=+@\t\r\n\uff1d"))
            assert not text.startswith("-")
    found = [plain_text(row["x"]) for row in rows]
    assert found == [str(value).replace("\r", "\n") for value in table.values("x")]


@given(st.text())
def test_a_guarded_text_is_no_formula_and_comes_back(text: str) -> None:
    written = guarded(text)
    assert not written.lstrip(" ").startswith(tuple("=+-@\t\r\n"))
    cleaned = plain_text(written)
    assert guarded(cleaned) == written
    if text.isprintable():
        assert cleaned == text


@pytest.mark.skipif(not shutil.which("soffice"), reason="LibreOffice is not installed")
def test_libreoffice_reads_the_same_texts(tmp_path: Path) -> None:
    """A real spreadsheet program opens the workbook and takes no text for a formula."""
    texts = [text for text in HOSTILE if "\n" not in text and "\r" not in text]
    write([outcome(f"e{n:02}", {"x": text}) for n, text in enumerate(texts)], tmp_path)
    profile = f"-env:UserInstallation=file://{tmp_path}/profile"
    subprocess.run(
        ["soffice", profile, "--headless", "--convert-to",
         "csv:Text - txt - csv (StarCalc):44,34,76,1", "--outdir", tmp_path,
         tmp_path / "results" / WORKBOOK],
        check=True, capture_output=True, timeout=180,
    )  # fmt: skip
    with (tmp_path / "experiments.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["x"] for row in rows] == texts


def test_what_xml_cannot_hold_is_replaced(tmp_path: Path) -> None:
    text = "a\x00b\x08c\x1bd\ud800e\uffff\x7f\x85"
    write([outcome("e", {"x": text}), outcome("f", {"x": "plain"})], tmp_path)
    (row, _) = cells(book(tmp_path)["experiments"])
    assert row["x"].value == "a\ufffdb\ufffdc\ufffdd\ufffde\ufffd\x7f\x85"


def test_texts_too_long_for_a_cell_are_cut(tmp_path: Path) -> None:
    outcomes = [outcome("a", {"x": "y" * 40_000}), outcome("b", {"x": "😀" * 20_000})]
    write(outcomes, tmp_path)
    for row in cells(book(tmp_path)["experiments"]):
        assert len(row["x"].value.encode("utf-16-le")) // 2 <= 32_767
        assert row["x"].value.endswith("(cut)")


def test_links_are_real_relative_and_escaped(tmp_path: Path) -> None:
    """They lead to the files even where names hold blanks, percent signs and the like."""
    name = 'a b#1%20&"<x>é?'
    log = tmp_path / "output" / name / "log.train.20261121.214150"
    log.parent.mkdir(parents=True)
    log.write_text("x")
    made = outcome(name, {}, summary({"train": {"loss": 1}}), log=str(log))
    made = replace(made, experiment=replace(made.experiment, folder=str(log.parent)))
    write([made], tmp_path)
    (row,) = cells(book(tmp_path)["experiments"])
    target = row["log"].hyperlink.target
    assert not target.startswith(("/", "file:", "="))
    assert row["log"].value == "log"
    assert (tmp_path / "results" / urllib.parse.unquote(target)).samefile(log)
    assert urllib.parse.unquote(row["PDF"].hyperlink.target) == f"{name}/ranks.pdf"


def test_more_links_than_excel_opens_are_texts_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sheets, "MOST_LINKS", 13)
    monkeypatch.setattr(tables, "MOST_LINKS", 13)
    write(sweep(), tmp_path)
    rows = cells(book(tmp_path)["experiments"])
    assert [bool(row["log"].hyperlink) for row in rows] == [True] * 5 + [False]
    assert all(row["PDF"].hyperlink for row in rows[:4])
    assert not any(row["folder"].hyperlink for row in rows)
    assert rows[0]["folder"].value.endswith("/output/Lr_0.01-Seed_1")
    assert "some links are plain text" in str(list(book(tmp_path)["about"].values))


def test_more_rows_and_columns_than_a_sheet_has_are_left_out_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "MOST_ROWS", 4)
    monkeypatch.setattr(tables, "MOST_COLUMNS", 5)
    write(sweep(), tmp_path)
    found = book(tmp_path)
    sheet = found["experiments"]
    assert (sheet.max_row, sheet.max_column) == (1 + 4 + 1, 5)
    assert sheet["A6"].value.startswith("… and 2 rows more")
    about = str(list(found["about"].values))
    assert "sheet 'experiments': 2 rows are left out" in about
    assert "columns are left out" in about
    assert len(csv_rows(tmp_path)) == 6


def test_the_sheets_are_framed(tmp_path: Path) -> None:
    """Panes, filters, widths, formats; the best marked, the status and the objective coloured."""
    write(sweep(), tmp_path)
    found = book(tmp_path)
    for title in ("experiments", "settings", "ranks", "failures"):
        sheet = found[title]
        assert sheet.freeze_panes is not None
        extent = f"A1:{get_column_letter(sheet.max_column)}{max(sheet.max_row, 2)}"
        assert sheet.auto_filter.ref == extent
        for column in range(1, sheet.max_column + 1):
            assert 7 <= sheet.column_dimensions[get_column_letter(column)].width <= 50
    sheet = found["experiments"]
    rows = cells(sheet)
    assert rows[0]["val_acc"].font.b
    assert not rows[1]["val_acc"].font.b
    assert rows[0]["val_acc"].number_format == "0.0000"
    assert rows[0]["loss"].font.b
    assert rows[0]["status"].fill.fgColor.rgb != rows[4]["status"].fill.fgColor.rgb
    (scale,) = sheet.conditional_formatting
    column = [cell.value for cell in sheet[1]].index("val_acc") + 1
    assert str(scale.sqref) == f"{get_column_letter(column)}2:{get_column_letter(column)}7"


def test_a_column_is_as_wide_as_its_whole_numbers(tmp_path: Path) -> None:
    write([outcome(f"e{n}", {"steps": 10**n}) for n in range(9)], tmp_path)
    sheet = book(tmp_path)["experiments"]
    (letter,) = (cell.column_letter for cell in sheet[1] if cell.value == "steps")
    assert sheet.column_dimensions[letter].width >= 9 + 1


def test_where_less_is_better_the_least_is_marked_and_green(tmp_path: Path) -> None:
    def top(mode: Any) -> tuple[str, bool, str]:
        write(sweep(), tmp_path, MetricOptions(objective=Objective("loss", mode)))
        sheet = book(tmp_path)["experiments"]
        (scale,) = sheet.conditional_formatting
        row = cells(sheet)[0]
        return row["experiment"].value, row["loss"].font.b, scale.rules[0].colorScale.color[0].rgb

    assert top("min")[:2] == ("Lr_0.01-Seed_1", True)
    assert top("max")[:2] == ("Lr_0.1-Seed_2", True)
    assert top("min")[2] != top("max")[2]


def test_the_about_sheet_tells_what_made_it(tmp_path: Path) -> None:
    params = tmp_path / "params.yaml"
    params.write_text("template:\n  train: x\n---\n- =1+1\n")
    made = replace(
        study(
            sweep(), MetricOptions(objective=Objective("bleu", "max")), str(tmp_path / "results")
        ),
        params=str(params),
    )
    table = build_table(made, sweep())
    write_workbook(made, table, now=NOW, command="snakemake --cores 2 'a b'")
    sheet = book(tmp_path)["about"]
    facts = {row[0]: row[1] for row in sheet.iter_rows(values_only=True) if row[0]}
    assert facts["norm"] == "batch"
    assert (facts["planned"], facts["finished"], facts["failed"]) == (6, 4, 1)
    assert facts["date"] == "2026-11-21 22:30:00"
    assert facts["command"] == "snakemake --cores 2 'a b'"
    assert "no experiment has 'bleu'" in facts["1"]
    assert {"sweepmake", "snakemake", "Python"} <= set(facts)
    lines = [row[1] for row in sheet.iter_rows(values_only=True)][-4:]
    assert lines == ["template:", "  train: x", "---", "- =1+1"]


def test_no_experiment_at_all_makes_a_workbook(tmp_path: Path) -> None:
    write([], tmp_path)
    assert book(tmp_path)["experiments"].max_row == 1


def test_the_same_input_gives_the_same_content(tmp_path: Path) -> None:
    write(sweep(), tmp_path / "a")
    write(sweep(), tmp_path / "b")
    first, second = (list((tmp_path / x / "results").iterdir()) for x in "ab")
    assert sorted(p.name for p in first) == sorted(p.name for p in second) == [CSV, WORKBOOK]
    tables = [(tmp_path / x / "results" / CSV).read_bytes() for x in "ab"]
    assert tables[0].replace(b"/a/", b"/b/") == tables[1]
    books = [list(book(tmp_path / x)["settings"].values) for x in "ab"]
    assert books[0] == books[1]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 64 KiB, where the tests may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.optional_data
def test_a_full_disk_leaves_the_old_workbook(small_disk: Path) -> None:
    write(sweep(), small_disk)
    before = {path: path.read_bytes() for path in (small_disk / "results").iterdir()}
    many = [outcome(f"e{n}", {"x": os.urandom(300).hex()}) for n in range(300)]
    with pytest.raises(SweepmakeError, match=r"cannot write '.*experiments.xlsx'.*No space left"):
        write(many, small_disk)
    assert {path: path.read_bytes() for path in (small_disk / "results").iterdir()} == before


@pytest.mark.parametrize("full", [WORKBOOK, CSV])
def test_a_write_that_fails_leaves_both_old_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, full: str
) -> None:
    """As on a full disk: the draft of one file is the device that is always full."""
    write(sweep(), tmp_path)
    folder = tmp_path / "results"
    before = {path: path.read_bytes() for path in folder.iterdir()}
    draft = folder / f".{full}.{os.getpid()}"
    draft.symlink_to("/dev/full")
    with pytest.raises(SweepmakeError, match=f"cannot write '.*{full}': No space left"):
        write([outcome(f"e{n}", {"x": n}) for n in range(9)], tmp_path)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_a_file_where_the_results_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("x")
    with pytest.raises(SweepmakeError, match=r"results': it is a file, not a folder"):
        write(sweep(), tmp_path)


def test_a_folder_where_the_workbook_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "results" / WORKBOOK).mkdir(parents=True)
    with pytest.raises(SweepmakeError, match=r"experiments.xlsx': Is a directory"):
        write(sweep(), tmp_path)
    assert [path.name for path in (tmp_path / "results").iterdir()] == [WORKBOOK]


def test_truth_values_and_text_of_several_lines_are_legible(tmp_path: Path) -> None:
    """LibreOffice shows True as 1, and lines across the rows above, unless told."""
    text = "first\nsecond\nthird"
    write([outcome(str(at), {"flag": flag, "text": text if flag else "one"}) for at, flag in
           enumerate((True, False))], tmp_path)  # fmt: skip
    sheet = book(tmp_path)["experiments"]
    for row, flag in zip(cells(sheet), (True, False), strict=True):
        assert row["flag"].value is flag
        assert row["flag"].number_format == '"TRUE";"TRUE";"FALSE"'
    lines, one = (row["text"] for row in cells(sheet))
    assert lines.value == text
    assert (lines.alignment.vertical, one.alignment.vertical) == ("top", None)
    assert sheet.row_dimensions[lines.row].height == 15
