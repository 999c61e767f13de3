"""results/experiments.html as a file: complete, closed, and safe whatever the table holds."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from sweeps_made_up import make_table

from sweepmake.errors import SweepmakeError
from sweepmake.outputs.page import write_page
from sweepmake.results.columns import Column

NASTY = ["</script><script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<!--", "\"&amp;'"]


class Elements(HTMLParser):
    """Collects the elements of a page and the text of each kind."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "input"):
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open:
            self.texts.setdefault(self._open[-1], []).append(data)


def write(folder: Path, grid: dict[str, list[Any]], **options: Any) -> tuple[Elements, Any]:
    """Write a page; return its elements and the data in it."""
    study, table = make_table(folder, grid, **options)
    links = Column("log", "log", "link")
    rows = tuple((*row, f"../output/a b#{at}/log") for at, row in enumerate(table.rows))
    table = replace(table, columns=(*table.columns, links), rows=rows, warnings=(NASTY[0],))
    write_page(replace(study, source=NASTY[1]), table, folder / "experiments.html")
    elements = Elements((folder / "experiments.html").read_text(encoding="utf-8"))
    data = next(text for text in elements.texts["script"] if text.startswith("{"))
    return elements, json.loads(data)


def test_nothing_in_the_table_becomes_markup(tmp_path: Path) -> None:
    """Parameters, names and warnings are text: two scripts, and they are the page's own."""
    elements, data = write(tmp_path, {"text": NASTY, "<b>": [1, 2]})
    assert [tag for tag, _ in elements.tags].count("script") == 2
    assert not {"img", "link", "iframe", "b"} & {tag for tag, _ in elements.tags}
    assert {row["cells"][3] for row in data["rows"]} == set(NASTY)
    assert "<b>" in "".join(elements.texts["button"])
    assert f"Experiments of {NASTY[1]}" in "".join(elements.texts["title"])


def test_the_page_asks_for_nothing(tmp_path: Path) -> None:
    """No element loads anything, and the policy forbids it."""
    elements, _ = write(tmp_path, {"lr": [0.1, 0.2]})
    for _, attributes in elements.tags:
        assert not {"src", "href", "action", "background", "style"} & set(attributes)
    policy = next(
        attributes["content"]
        for tag, attributes in elements.tags
        if attributes.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy is not None
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy


def test_cells_keep_their_types(tmp_path: Path) -> None:
    """Numbers stay numbers; what JSON or JavaScript cannot hold is text, and empty stays empty."""
    values = [0.5, math.nan, math.inf, None]
    _, data = write(tmp_path, {"n": [2**60, 1, True, None]}, values=values)
    cells = [(row["cells"][2], row["cells"][3]) for row in data["rows"]]
    assert cells[0] == (0.5, str(2**60))
    assert set(cells[1:]) == {("nan", 1), ("inf", "true"), (None, None)}
    assert data["best"] == 0
    assert data["columns"][2]["bar"] == [0.5, 0.5]


def test_integers_are_numbers_as_far_as_javascript_can_count(tmp_path: Path) -> None:
    """Its numbers are doubles: beyond 2**53 an integer would change, so it is text."""
    values: list[Any] = [2, 2**53, 2**53 + 1, -(2**53), -(2**53) - 1]
    _, data = write(tmp_path, {"n": values}, values=[0.9, 0.8, 0.7, 0.6, 0.5])
    assert [row["cells"][3] for row in data["rows"]] == [
        2, 2**53, str(2**53 + 1), -(2**53), str(-(2**53) - 1)
    ]  # fmt: skip


@pytest.mark.parametrize(("mode", "best"), [("max", 0.9), ("min", 0.1)])
def test_the_page_knows_the_best_of_each_column(tmp_path: Path, mode: str, best: float) -> None:
    """Rows and columns as in the table; which is a number, which a parameter, what is better."""
    elements, data = write(
        tmp_path, {"lr": [1, 2, 3], "norm": ["a"]}, values=[0.1, 0.9, 0.5], mode=mode
    )
    order = [2, 3, 1] if mode == "max" else [1, 3, 2]
    assert [row["cells"][3] for row in data["rows"]] == order
    assert data["columns"] == [
        {}, {"status": True},
        {"number": True, "rule": mode, "best": best, "bar": [0.1, 0.9]},
        {"number": True, "exact": True}, {"exact": True}, {"link": "log"},
    ]  # fmt: skip
    heads = [attributes.get("class") for tag, attributes in elements.tags if tag == "th"]
    assert heads == [None, None, "number objective", "number", None, None]
    assert (
        f"Sorted by val_acc, {'more' if mode == 'max' else 'less'} is better: the best first."
        in ("".join(elements.texts["p"]))
    )
    assert "model = small, data = digits" in "".join(elements.texts["details"])


def test_bars_leave_out_what_would_make_all_others_equal(tmp_path: Path) -> None:
    """They end one span of nine tenths of the values beyond these."""
    values = [at / 100 for at in range(40)]
    _, data = write(tmp_path, {"n": list(range(41))}, values=[*values, 9e9])
    assert data["columns"][2]["bar"] == [0.0, pytest.approx(0.38 + 0.36)]
    _, data = write(tmp_path, {"n": list(range(2))}, values=[1e308, -1e308])
    assert data["columns"][2]["bar"] == [-1e308, 1e308]


def test_a_button_counts_the_experiments_of_each_status(tmp_path: Path) -> None:
    """In the order of the statuses, those alone that there are; headings bear their units once."""
    statuses = {0: "not started", 1: "failed", 2: "failed", 3: "running"}
    elements, data = write(tmp_path, {"lr": [1, 2, 3, 4, 5]}, statuses=statuses)
    buttons = [
        attributes["data-status"] for tag, attributes in elements.tags
        if tag == "button" and attributes.get("class") == "status"
    ]  # fmt: skip
    assert buttons == ["finished", "running", "failed", "not started"]
    texts = elements.texts["button"]
    assert texts[:4] == ["1 finished", "1 running", "2 failed", "1 not started"]
    assert texts[4:] == ["experiment", "status", "val_acc", "lr", "log"]
    assert data["rows"][0]["status"] == "finished"


def test_units_stand_beside_headings_that_do_not_tell_them(tmp_path: Path) -> None:
    study, table = make_table(tmp_path, {"lr": [1]})
    columns = tuple(
        Column(f"t{at}", heading, "cost", unit=unit)
        for at, (heading, unit) in enumerate((("wall", "s"), ("wall (s)", "s"), ("rate", "")))
    )
    rows = tuple((1.5, 2, 3) for _ in table.rows)
    path = tmp_path / "experiments.html"
    write_page(study, replace(table, columns=columns, rows=rows, objective=None), path)
    texts = Elements(path.read_text(encoding="utf-8")).texts["button"]
    assert texts[1:] == ["wall (s)", "wall (s)", "rate"]


def test_links_are_relative_and_quoted(tmp_path: Path) -> None:
    """A link is a path from the page's folder; nothing in it can be a scheme."""
    _, data = write(tmp_path, {"lr": [0.1]})
    assert data["rows"][0]["links"] == {"4": "./../output/a%20b%230/log"}


def test_no_best_without_a_number(tmp_path: Path) -> None:
    """An experiment without a value is not marked as the best."""
    _, data = write(tmp_path, {"lr": [0.1]}, statuses={0: "running"})
    assert data["best"] is None
    _, data = write(tmp_path, {"lr": [0.1]}, objective=None)
    assert data["best"] is None


def test_an_empty_table(tmp_path: Path) -> None:
    """No experiments are a page too."""
    _, data = write(tmp_path, {"lr": [0.1]}, most=0)
    assert data["rows"] == []


def test_the_old_page_stays_when_the_new_one_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk leaves the old file, no partial one, and an error that names the file."""
    write(tmp_path, {"lr": [0.1]})
    page = tmp_path / "experiments.html"
    before = page.read_bytes()

    def full(self: Path, *_: object, **__: object) -> int:
        self.open("w").close()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(SweepmakeError, match=r"experiments\.html.*No space left"):
        write(tmp_path, {"lr": [0.1, 0.2]})
    assert page.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["experiments.html"]


def test_the_script_only_reads_what_the_page_has() -> None:
    """Every element that the script looks up by its id stands in the page."""
    folder = Path(write_page.__code__.co_filename).parent
    script = (folder / "page.js").read_text(encoding="utf-8")
    page = (folder / "page.py").read_text(encoding="utf-8")
    names = re.findall(r'getElementById\("(\w+)"\)', script)
    assert names
    for name in names:
        assert f'id="{name}"' in page
