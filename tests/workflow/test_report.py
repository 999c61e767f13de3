"""The report and the table in a real browser: they show what they should, and ask for nothing."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from browser import PROGRAM, Browser, start_browser
from projects import Project
from sweeps_made_up import make_table

from sweepmake.outputs.page import write_page
from sweepmake.results.columns import Column

# one Chromium, and one sweep with a report, for all of them
pytestmark = pytest.mark.xdist_group("report")
needs_chromium = pytest.mark.skipif(PROGRAM is None, reason="Chromium is not installed")

TRAIN = """\
import sys
lr, norm = float(sys.argv[1]), sys.argv[2]
for epoch in range(1, 4):
    print(f"epoch={epoch} loss={1 / epoch + lr:.4f} val_acc={0.5 + epoch / 10 - lr:.4f}")
if norm == "{layer}":
    raise ValueError("these numbers do not fit")
"""
# values that could break the page in which they stand
GRID = """\
template:
  train: python train.py {lr} '{norm}'
objective: {metric: val_acc, mode: max}
---
lr: [0.1, 0.2]
norm: ['</script>', '{layer}']
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with start_browser(tmp_path_factory.mktemp("chromium")) as started:
        yield started


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A sweep that has run, with a report of it."""
    project = Project(tmp_path_factory.mktemp("sweep") / "project")
    project.target = "all"
    project.write(GRID)
    project.write(TRAIN, "train.py")
    assert "2 finished, 2 failed" in project.run().said
    done = project.run("--report", "report.html")
    assert done.code == 0, done.said
    return project


def check_nothing_leaves(browser: Browser) -> None:
    """Check that all requests were for files, the page itself or Chromium's own PDF viewer."""
    local = ("file:", "data:", "blob:", "chrome-extension:", "chrome:", "about:")
    assert [address for address in browser.requests if not address.startswith(local)] == []
    assert browser.problems == []


def colours(picture: Path) -> int:
    """How many different rows of pixels a picture has: about one where nothing is drawn."""
    data = picture.read_bytes()
    width, height, depth, kind = struct.unpack(">IIBB", data[16:26])
    parts, at = [], 8
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        if data[at + 4 : at + 8] == b"IDAT":
            parts.append(data[at + 8 : at + 8 + length])
        at += 12 + length
    assert depth == 8
    step = width * {2: 3, 6: 4}[kind] + 1
    rows = zlib.decompress(b"".join(parts))
    return len({rows[row * step : (row + 1) * step] for row in range(height)})


@needs_chromium
def test_the_report_shows_all_results(sweep: Project, browser: Browser, tmp_path: Path) -> None:
    """The page has the files under their labels, opens each kind, and no request leaves."""
    browser.size(1400, 900)
    browser.open(sweep.path("report.html"))
    browser.wait("document.querySelector('nav li')")
    menu = browser.run("document.querySelector('nav').innerText")
    for entry in ("Statistics", "Comparison", "Experiments", "Table", "Workbook"):
        assert entry in menu
    assert "parameter sweep" in browser.run("document.body.innerText")

    browser.run("app.showCategory('Experiments')")
    browser.wait("document.querySelectorAll('nav tbody tr').length == 4")
    cells = browser.run(
        "[...document.querySelectorAll('nav tbody tr')].map(row =>"
        " [...row.cells].slice(0, -1).map(cell => cell.innerText.replaceAll('\\u200b', '')))"
    )
    assert sorted(cells) == [
        ["1", "0.1", "</script>", "finished"],
        ["2", "0.2", "</script>", "finished"],
        ["3", "0.1", "{layer}", "failed"],
        ["4", "0.2", "{layer}", "failed"],
    ]

    browser.run("document.querySelector('nav tbody tr a').click()")
    browser.wait("document.querySelector('iframe')")
    assert browser.run("document.querySelector('iframe').src").startswith("data:application/pdf")

    browser.run("app.setView({navbarMode: 'menu'})")
    browser.wait("document.querySelector('nav').innerText.includes('Statistics')")
    browser.run("app.showCategory('Comparison')")
    browser.wait("document.querySelector('nav').innerText.includes('learning curves')")
    browser.run("document.querySelectorAll('nav tbody tr')[1].querySelector('a').click()")
    browser.wait("document.querySelector('img[src*=\"filename=grid.svg\"]')")
    browser.wait("document.querySelector('img[src*=\"filename=grid.svg\"]').naturalWidth > 500")

    browser.run("app.setView({content: 'stats'})")
    browser.wait("document.querySelectorAll('#runtimes svg, #runtimes canvas').length")
    rules = browser.run("JSON.stringify(runtimes_spec)")
    for rule in ("train", "read_logs", "plot_ranks"):
        assert rule in rules
    check_nothing_leaves(browser)


@needs_chromium
def test_captions_stand_beside_the_files(sweep: Project, browser: Browser) -> None:
    """Each file of the report has its caption."""
    browser.open(sweep.path("report.html"))
    captions = browser.run("Object.entries(results).map(([path, file]) => [path, file.caption])")
    assert len(captions) >= 4 + 3 + 4
    assert all(caption.startswith("<p>") for _, caption in captions), captions


@needs_chromium
def test_the_table_opens_inside_the_report(
    sweep: Project, browser: Browser, tmp_path: Path
) -> None:
    """In the report the table is a data: address, where its script still runs."""
    browser.size(1200, 700)
    browser.open(sweep.path("report.html"))
    browser.wait("document.querySelector('nav li')")
    browser.run(
        "app.setView({content: 'html', resultPath: 'results/experiments.html',"
        " contentPath: results['results/experiments.html'].data_uri})"
    )
    browser.wait("document.querySelector('iframe')")
    browser.pause(2)
    browser.picture(tmp_path / "table.png")
    assert colours(tmp_path / "table.png") > 100
    assert any(address.startswith("data:text/html") for address in browser.requests)
    check_nothing_leaves(browser)


@needs_chromium
def test_the_table_of_a_sweep(sweep: Project, browser: Browser) -> None:
    """results/experiments.html has a row for every experiment, and working links."""
    browser.open(sweep.path("results/experiments.html"))
    browser.wait("document.querySelectorAll('tbody tr').length == 4")
    first = browser.run("document.querySelector('tbody tr').innerText")
    assert "0.7" in first
    assert "</script>" in first
    assert browser.run("document.querySelector('tr.best') == document.querySelector('tbody tr')")
    links = browser.run("[...document.querySelectorAll('tbody a')].map(link => link.href)")
    assert len(links) == 12
    for link in links:
        assert Path(browser.run(f"decodeURIComponent(new URL('{link}').pathname)")).exists()
    check_nothing_leaves(browser)


@needs_chromium
@pytest.mark.parametrize("count", [1000, 10000])
def test_large_tables_sort_and_filter(count: int, browser: Browser, tmp_path: Path) -> None:
    """A thousand rows of 40 columns are all there; ten thousand sort and filter while one waits."""
    grid = {"lr": [at / 1000 for at in range(1, 1001)], "norm": ["<b>", "layer"], "seed": range(5)}
    study, table = make_table(tmp_path, grid, most=count, statuses={7: "failed", 8: "running"})
    extra = tuple(Column(f"m{at}", f"m{at}", "metric", "min") for at in range(34))
    rows = tuple(
        (*row, *(float(place * at % 97) for at in range(34)))
        for place, row in enumerate(table.rows)
    )
    table = replace(table, columns=(*table.columns, *extra), rows=rows)
    write_page(study, table, tmp_path / "experiments.html")
    browser.open(tmp_path / "experiments.html")
    if count <= 2000:
        browser.wait(f"document.querySelectorAll('tbody tr').length == {count}")
    assert browser.run("document.getElementById('shown').textContent") == f"{count} experiments"

    def column(at: int) -> list[str]:
        return browser.run(
            f"[...document.querySelectorAll('tbody tr')].slice(0, 150)"
            f".map(row => row.cells[{at}].innerText)"
        )

    def click(at: int) -> None:
        took = browser.run(
            "(() => { const begun = performance.now();"
            f" document.querySelectorAll('thead button')[{at}].click();"
            " return performance.now() - begun; })()"
        )
        assert took < 10_000

    best_first = column(0)
    click(3)
    assert column(3) == sorted(column(3), key=float)
    click(3)
    assert column(3) == sorted(column(3), key=float, reverse=True)
    assert float(column(3)[0]) > 0.9
    click(3)
    assert column(0) == best_first
    click(2)
    assert column(2) == sorted(column(2), key=float, reverse=True)
    browser.run("document.querySelector('[data-status=failed]').click()")
    assert column(1) == ["failed"]
    browser.run("document.querySelector('[data-status=failed]').click()")
    box = "document.getElementById('filter')"
    browser.run(f"{box}.value = '<B> finished'; {box}.dispatchEvent(new Event('input'))")
    browser.wait("document.getElementById('shown').textContent.includes(' of ')")
    assert set(column(4)) == {"<b>"}
    check_nothing_leaves(browser)


@needs_chromium
def test_the_browser_would_see_a_request(browser: Browser, tmp_path: Path) -> None:
    """What the other tests rely on: a page that does ask for something is found out."""
    page = tmp_path / "leaks.html"
    inner = "<img src=http://example.invalid/b.png>"
    page.write_text(
        "<!doctype html><img src='http://example.invalid/a.png'><script>no()</script>"
        f"<iframe src='data:text/html,{inner}'></iframe>"
    )
    browser.open(page)
    browser.pause(1)
    assert "http://example.invalid/a.png" in browser.requests
    assert "http://example.invalid/b.png" in browser.requests
    assert browser.problems


@needs_chromium
def test_the_page_may_not_ask_for_anything(browser: Browser, tmp_path: Path) -> None:
    """Its policy stops what a script in it would try."""
    study, table = make_table(tmp_path, {"lr": [0.1]})
    write_page(study, table, tmp_path / "experiments.html")
    browser.open(tmp_path / "experiments.html")
    refused = "fetch('http://example.invalid/').then(() => 'sent', () => 'refused')"
    assert browser.run(refused) == "refused"
    browser.pause(0.3)
    assert "http://example.invalid/" not in browser.requests
    assert any("Content Security Policy" in problem for problem in browser.problems)
