"""How the sheets look: number formats, widths, colours, what is folded away, what is marked."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from made_studies import outcome, study, summary
from openpyxl import Workbook
from openpyxl.utils import get_column_letter

from sweepmake.outputs.workbook import rank_rows, sheets, tables
from sweepmake.outputs.workbook.about import about_rows, params_lines
from sweepmake.outputs.workbook.cells import book_value, clean_text
from sweepmake.outputs.workbook.layout import header_lines, lay_out
from sweepmake.outputs.workbook.tables import write_workbook
from sweepmake.params.metrics import MetricOptions, Objective
from sweepmake.results.columns import Column, Sheet, link_target, unique_headings
from sweepmake.results.outcomes import STATUSES
from sweepmake.results.table import build_table

NOW = datetime(2026, 11, 21, 22, 30)
METRIC = Column("m", "m", "metric")


def saved(folder: Path, *grids: Sheet, **options: Any) -> Any:
    """Write grids as sheets "0", "1", …; return the workbook as it is read back."""
    book = Workbook(write_only=True)
    for at, grid in enumerate(grids):
        sheets.add_sheet(book, str(at), grid, **options)
    book.save(folder / "book.xlsx")
    return openpyxl.load_workbook(folder / "book.xlsx")


@pytest.mark.parametrize(
    ("column", "values", "expected", "small"),
    [
        (Column("p", "p", "parameter"), [0.12345, 1e-9], "General", 0),
        (METRIC, [], "General", 0),
        (METRIC, [1, 2, 300], "General", 0),
        (METRIC, [999_999_999, 1], "General", 0),
        (METRIC, [1e9, 1], "0.000E+00", 0),
        (METRIC, [0.5, 1.5], "0.000", 5e-4),
        (METRIC, [50.5, 51.5], "0.00", 5e-3),
        (METRIC, [0.05, 0.06], "0.00000", 5e-6),
        (METRIC, [2e-4, 3e-4], "0.000000", 5e-7),
        (METRIC, [9e-5, 9e-5], "0.000E+00", 0),
        (METRIC, [12345.5, 12346.5], "0", 0.5),
        (METRIC, [1.5e7, 1.7e7 + 0.5], "0.000E+00", 0),
        (replace(METRIC, rule="max"), [0.9, 1.0], "0.0000", 5e-5),
        (replace(METRIC, rule="max"), [1.5, 1.7], "0.000", 5e-4),
        (replace(METRIC, unit="s"), [100.5, 99.5], "#,##0", 0),
        (replace(METRIC, unit="s"), [99.5, 50.5], "0.0", 0),
        (replace(METRIC, unit="s"), [9.5, 5.5], "0.000", 0),
    ],
)
def test_number_formats_follow_the_size_of_the_numbers(
    column: Column, values: list[float], expected: str, small: float
) -> None:
    """Parameters as they are, seconds as their size asks, metrics with four digits."""
    layout = lay_out(column, values)
    assert layout.number_format == expected
    assert layout.small == pytest.approx(small)
    assert layout.small_format == "0.000E+00"


@pytest.mark.parametrize(
    ("column", "values", "width"),
    [
        (METRIC, ["x" * 30], 32),
        (METRIC, ["x" * 99], 50),
        (METRIC, ["a", "longer\nlines"], 8),
        (METRIC, [1], 7),
        (METRIC, [-1234567.5], 10),
        (replace(METRIC, unit="s"), [1234567.0], 11),
        (Column("l", "log", "link"), ["x" * 30], 7),
        (replace(METRIC, heading="two words that are long"), [1], 14),
        (replace(METRIC, heading="one_rather_uncommonlylongword"), [1], 21),
    ],
)
def test_columns_are_as_wide_as_what_they_show(
    column: Column, values: list[Any], width: float
) -> None:
    assert lay_out(column, values).width == width


def test_only_a_ruled_column_of_different_numbers_has_a_best() -> None:
    more, less = replace(METRIC, rule="max"), replace(METRIC, rule="min")
    assert lay_out(more, [1, 3, None, 2]).best == 3
    assert lay_out(more, [1, 3]).best == 3
    assert lay_out(less, [2, 1, "nan", 3]).best == 1
    for column, values in ((METRIC, [1, 2]), (more, [1]), (more, [2, 2]), (less, [])):
        assert lay_out(column, values).best is None


def test_a_heading_is_wrapped_at_its_blanks() -> None:
    columns = [replace(METRIC, heading=text) for text in ("short", "time per step / fastest")]
    layouts = [lay_out(column, [1]) for column in columns]
    assert header_lines(columns, layouts) == 3
    assert header_lines(columns[:1], layouts[:1]) == 1
    assert header_lines([], []) == 1


def test_headings_that_stand_twice_get_their_keys() -> None:
    columns = [Column("lr", "rate", "parameter"), Column("x", "x", "parameter"),
               Column("train.lr", "rate", "metric"), Column("rate", "rate", "metric")]  # fmt: skip
    assert [column.heading for column in unique_headings(columns)] == [
        "rate (lr)", "x", "rate (train.lr)", "rate"
    ]  # fmt: skip


def test_each_status_and_group_has_its_colour(tmp_path: Path) -> None:
    """Texts of one status have one fill; headings that of their group, white and bold."""
    columns = (
        Column("status", "status", "experiment"), Column("val_acc", "val_acc", "objective", "max"),
        Column("lr", "lr", "parameter"), Column("loss", "loss", "metric", "min"),
        Column("t", "t", "cost", unit="s"), Column("log", "log", "link"),
    )  # fmt: skip
    rows = tuple((status, at / 100 + 0.5, at, 1.5 - at / 10, 9.5, "x/log")
                 for at, status in enumerate(STATUSES))  # fmt: skip
    sheet = saved(tmp_path, Sheet(columns, rows))["0"]
    fills = [cell.fill.fgColor.rgb[2:] for cell in sheet[1]]
    assert fills == ["37474F", "8C5A00", "1F4E79", "2E5D3A", "5C4A72", "37474F"]
    assert {(cell.font.b, cell.font.color.rgb[2:]) for cell in sheet[1]} == {(True, "FFFFFF")}
    assert [cell.alignment.horizontal for cell in sheet[1]] == ["center"] * 5 + ["left"]
    shown = {cell.value: cell.fill.fgColor.rgb[2:] for cell in sheet["A"][1:]}
    assert shown == {
        "finished": "D8F0DC", "running": "D6E6F8", "failed": "F8D4D0", "interrupted": "FBE3C8",
        "lost": "FBE3C8", "outdated": "FFF6CC", "held back": "FBE3C8", "unfinished": "FFF6CC",
        "not started": "ECECEC", "unreadable": "E6DCEC",
    }  # fmt: skip
    marked = {
        cell.coordinate: (cell.fill.fgColor.rgb[2:], cell.font.b)
        for row in sheet.iter_rows(min_row=2, min_col=2)
        for cell in row
        if cell.font.b or cell.fill.fill_type
    }
    last = len(STATUSES) + 1
    assert marked == {f"B{last}": ("FFE699", True), f"D{last}": ("FFE699", True)}
    link = sheet["F2"]
    assert (link.value, link.font.u, link.font.color.rgb[2:]) == ("log", "single", "0563C1")


@pytest.mark.parametrize(
    ("less", "colours"),
    [(False, ["F8B4A6", "FFFFFF", "9AD1A6"]), (True, ["9AD1A6", "FFFFFF", "F8B4A6"])],
)
def test_the_scale_of_the_objective_goes_from_red_to_green(
    tmp_path: Path, less: bool, colours: list[str]
) -> None:
    """The better the greener, around the median."""
    grid = Sheet((Column("lr", "lr", "parameter"), METRIC), ((1, 0.5), (2, 0.6)))
    sheet = saved(tmp_path, grid, objective="m", less_is_better=less)["0"]
    (scale,) = sheet.conditional_formatting
    assert str(scale.sqref) == "B2:B3"
    rule = scale.rules[0].colorScale
    assert [colour.rgb[2:] for colour in rule.color] == colours
    assert [(end.type, end.val) for end in rule.cfvo] == [
        ("min", None), ("percentile", 50), ("max", None)
    ]  # fmt: skip


def test_what_excel_cannot_hold_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows, columns and links beyond its limits, and nothing where all has room."""
    monkeypatch.setattr(tables, "MOST_ROWS", 3)
    monkeypatch.setattr(tables, "MOST_COLUMNS", 2)
    monkeypatch.setattr(tables, "MOST_LINKS", 4)
    columns = (Column("log", "log", "link"), METRIC, Column("pdf", "pdf", "link"))
    row = ("a", 1, "b")
    assert tables._losses("t", Sheet(columns[:2], (row[:2],) * 3)) == []
    assert tables._losses("t", Sheet(columns, (row,) * 5, left_out=1000)) == [
        "sheet 't': 1,002 rows are left out; a sheet has 1,048,576",
        "sheet 't': 1 columns are left out; a sheet has 16,384",
        "sheet 't': some links are plain text, as Excel opens no more than 4",
    ]
    assert tables._losses("t", Sheet(columns[::2], (row[::2],) * 2)) == []


def test_small_numbers_keep_their_digits(tmp_path: Path) -> None:
    """Among losses of about 1 a loss of 1e-7 would be shown as 0.000."""
    grid = Sheet((METRIC,), ((1.5,), (-1e-7,), (0.0,), (6e-4,), (1.25,)))
    sheet = saved(tmp_path, grid)["0"]
    assert [cell.number_format for cell in sheet["A"][1:]] == [
        "0.0000", "0.000E+00", "0.0000", "0.0000", "0.0000"
    ]  # fmt: skip


def test_details_are_folded_away_and_rows_that_have_no_room_counted(tmp_path: Path) -> None:
    columns = (Column("a", "a", "parameter"), Column("m.n", "m n", "metric"))
    grid = Sheet(columns, ((1, 2),), frozenset({"m.n"}), left_out=12345)
    sheet = saved(tmp_path, grid, frozen="D2")["0"]
    folded = {key: (one.hidden, one.outlineLevel) for key, one in sheet.column_dimensions.items()}
    assert folded == {"A": (False, 0), "B": (True, 1)}
    assert sheet.freeze_panes == "D2"
    assert sheet["A3"].value == "… and 12,345 rows more, for which the sheet has no room"
    assert (sheet.print_title_rows, sheet.page_setup.orientation) == ("$1:$1", "landscape")
    assert sheet.sheet_properties.pageSetUpPr.fitToPage
    assert sheet.page_setup.fitToHeight == 0


def test_the_sheets_of_a_sweep_are_framed_each_in_its_way(tmp_path: Path) -> None:
    """What identifies a row stays in view; the objective is coloured where less is better, too."""
    outcomes = [
        outcome(f"e{lr}", {"lr": lr, "seed": 1}, summary({"train": {"val_loss": lr, "loss": 1}}))
        for lr in (1, 2)
    ]
    options = MetricOptions(objective=Objective("val_loss", "min"))
    made = study(outcomes, options, str(tmp_path))
    write_workbook(made, build_table(made, outcomes), now=NOW, command="")
    book = openpyxl.load_workbook(tmp_path / "experiments.xlsx")
    frozen = {sheet.title: sheet.freeze_panes for sheet in book.worksheets[:4]}
    assert frozen == {"experiments": "B2", "settings": "A2", "ranks": "D2", "failures": "B2"}
    assert (book.properties.creator, book.properties.created) == ("Sweepmake", NOW)
    for title, heading in (("experiments", "val_loss"), ("settings", "val_loss mean")):
        sheet = book[title]
        at = get_column_letter([cell.value for cell in sheet[1]].index(heading) + 1)
        (scale,) = sheet.conditional_formatting
        assert str(scale.sqref) == f"{at}2:{at}3"
        assert scale.rules[0].colorScale.color[0].rgb[2:] == "9AD1A6"
    settings = book["settings"]
    hidden = {cell.value for cell in settings[1]
              if settings.column_dimensions[cell.column_letter].hidden}  # fmt: skip
    assert hidden == {"loss n", "loss min", "loss max"}


def test_limits_are_those_of_excel() -> None:
    """A sheet has 1,048,576 rows, 16,384 columns, and opens with 65,530 links."""
    assert (rank_rows.MOST_ROWS, tables.MOST_COLUMNS, sheets.MOST_LINKS) == (1048574, 16384, 65530)
    assert len(clean_text("x" * 40_000)) == 32_767
    assert clean_text("x" * 32_767) == "x" * 32_767
    assert [type(book_value(n)) for n in (2**53, 2**53 + 1, -(2**53), -(2**53) - 1)] == [
        int, str, int, str
    ]  # fmt: skip
    assert clean_text("a\r\nb\rc") == "a\nb\nc"
    assert link_target("../a b/c%d#e") == "../a%20b/c%25d%23e"


def test_the_about_sheet_tells_in_one_order(tmp_path: Path) -> None:
    """Counts by status, warnings with numbers, what is equal everywhere, then what made it."""
    commits = ["b" * 7, "a" * 7, "b" * 7, "c" * 7]
    outcomes = [
        outcome(f"e{at}", {"x": at, "lr": 1, "none": None}, status=status, commit=commit)
        for at, (commit, status) in enumerate(
            zip(commits, ("failed", "finished", "finished", "running"), strict=True)
        )
    ]
    options = MetricOptions(objective=Objective("bleu", "max"), over=("seed", "fold"))
    made = study(outcomes, options)
    table = replace(build_table(made, outcomes), warnings=("first",))
    rows = about_rows(made, table, now=NOW, command="snakemake", notes=("second",))
    assert [row for row in rows if row[0] not in ("sweepmake", "snakemake", "Python")] == [
        ("Experiments", None), ("planned", 4), ("finished", 2), ("running", 1), ("failed", 1),
        ("objective", "bleu, more is better"), ("settings: mean over", "seed, fold"),
        ("Warnings", None), ("1", "first"), ("2", "second"),
        ("Parameters that are equal in all experiments", None), ("learning rate", 1),
        ("none", "(no value)"), ("Made", None), ("date", "2026-11-21 22:30:00"),
        ("command", "snakemake"), ("from", "params.yaml"), ("git commit", "bbbbbbb (2 runs)"),
        ("git commit", "aaaaaaa (1 run)"), ("git commit", "ccccccc (1 run)"),
    ]  # fmt: skip
    many = [outcome(f"e{n}", {}, commit=f"{n:02}") for n in range(23)]
    commits = [str(value) for name, value in
               about_rows(study(many), build_table(study(many), many), now=NOW, command="")
               if name == "git commit"]  # fmt: skip
    assert (len(commits), commits[-2:]) == (21, ["19 (1 run)", "and 3 more"])
    assert params_lines(made) == []
    gone = params_lines(replace(made, params=str(tmp_path / "gone")))
    assert gone == ["(cannot be read: No such file or directory)"]
