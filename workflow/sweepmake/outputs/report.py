"""What `snakemake --report` shows: which files, under which labels, with which captions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sweepmake.outputs.drawing.text import cut_middle
from sweepmake.results.columns import cell_text
from sweepmake.results.outcomes import read_outcomes
from sweepmake.results.study import Study
from sweepmake.results.table import Table, build_table

__all__ = ["ReportFile", "list_report_files", "report_files"]

_TABLES = (
    ("experiments.html", "table.rst", "Table", "the table of experiments"),
    ("experiments.xlsx", "workbook.rst", "Workbook", "Excel workbook"),
    ("experiments.csv", "csv.rst", "Workbook", "table as CSV"),
    ("comparison.pdf", "comparison.rst", "Comparison", "all pages as PDF"),
)
_PAGES = {
    "objective": "objective by parameter",
    "curves": "learning curves",
    "grid": "grid",
}
_ZERO_WIDTH_SPACE = "\u200b"
_LONGEST = 60  # characters of a label


@dataclass(frozen=True, slots=True)
class ReportFile:
    """A file of the report.

    Attributes:
        path: the file; it exists.
        caption: name of its caption in workflow/report.
        category: the entry of the report's menu under which it stands.
        labels: what it shows, column → text.
    """

    path: str
    caption: str
    category: str
    labels: Mapping[str, str] = field(default_factory=dict)


def list_report_files(study: Study) -> tuple[ReportFile, ...]:
    """Return the results that exist, as the report should show them: it reads what became of all.

    Raises:
        InputError: the objective cannot be read as an expression.
    """
    return report_files(study, build_table(study, read_outcomes(study)))


def report_files(study: Study, table: Table) -> tuple[ReportFile, ...]:
    """Return the results that exist, as the report should show them.

    Args:
        study: says where the results are.
        table: the experiments, the best first.
    """
    results = Path(study.results)
    files = [
        ReportFile(str(results / name), caption, category, {"file": label})
        for name, caption, category, label in _TABLES
        if (results / name).is_file()
    ]
    pages = results / "comparison"
    for path in sorted(pages.iterdir()) if pages.is_dir() else []:
        name, _, number = path.stem.partition("-")
        if name in _PAGES and path.suffix in (".svg", ".png"):
            label = f"{_PAGES[name]} {number}".rstrip()
            files.append(ReportFile(str(path), f"{name}.rst", "Comparison", {"file": label}))
    rows = [
        row
        for row, outcome in enumerate(table.outcomes)
        if study.result(outcome.experiment, "ranks.pdf").is_file()
    ]
    for row, labels in zip(rows, _experiment_labels(table, rows), strict=True):
        path = study.result(table.outcomes[row].experiment, "ranks.pdf")
        files.append(ReportFile(str(path), "ranks.rst", "Experiments", labels))
    return tuple(files)


def _experiment_labels(table: Table, rows: Sequence[int]) -> list[dict[str, str]]:
    """Return the labels of some experiments: place, varied parameters, status.

    Snakemake's page (seen in 9.27) makes a switch of a label, but the first, with two values that
    are equally frequent, if there is one such label; and it goes blank where a combination of the
    switch does not exist. So there must be none: of more than two experiments one gets an
    invisible letter more; of two, whose every label would be a switch, all labels become one.
    """
    digits = len(str(len(table.rows)))
    names = {"place": [str(row + 1).zfill(digits) for row in rows]}  # the page sorts by text
    for column in table.columns:
        if column.group == "parameter":
            heading = _safe(column.heading)
            while heading in names:
                heading += "_"
            cells = table.values(column.key)
            names[heading] = [_safe(cell_text(cells[row])) for row in rows]
    names["status"] = [table.outcomes[row].status for row in rows]
    if len(rows) == 2:
        columns = [*names.items()]
        return [
            {"experiment": ", ".join(f"{key} {values[at]}" for key, values in columns)}
            for at in range(2)
        ]
    for values in names.values():
        counts = Counter(values)
        if len(counts) == 2 and len(set(counts.values())) == 1:
            values[0] += _ZERO_WIDTH_SPACE
    return [{key: values[at] for key, values in names.items()} for at in range(len(rows))]


def _safe(text: str) -> str:
    """Return text that Snakemake's report can show.

    `{name}` is taken for a wildcard, and `</script>` ends the script in which all labels stand: an
    invisible space after the bracket makes both plain text. An empty label breaks the sorting.
    """
    line = " ".join(text.split()) or "''"
    line = cut_middle(line, _LONGEST)
    line = line.encode("utf-8", "replace").decode("utf-8")  # half of a surrogate pair
    return line.replace("{", "{" + _ZERO_WIDTH_SPACE).replace("<", "<" + _ZERO_WIDTH_SPACE)
