"""Names that Snakemake or a terminal would trip over go all the way to the report."""

from __future__ import annotations

import gzip

from projects import Project, rows

TEXT = r"""template:
  train: >
    echo epoch=1 loss=0.5; echo {x}
name: '-{x}'
resource: [0]
---
x: ['00000000000000000000', "\e[2J\u202efdp.exe"]
"""


def test_names_that_repeat_or_hide_go_through_to_the_report(project: Project) -> None:
    """Every experiment runs, is read and drawn, and stands in the report; no escape is printed."""
    project.target = ""
    project.write(TEXT)
    dry = project.run("-n", "-p")
    done = project.run("-p")
    assert done.code == 0, done.said
    assert len(done.started) == 2
    found = rows(project)
    assert [row["status"] for row in found] == ["finished"] * 2
    for row in found:
        history = project.path(f"results/{row['experiment']}/history.csv.gz")
        assert "loss" in gzip.decompress(history.read_bytes()).decode()
    assert len(list(project.path("results").glob("*/ranks.pdf"))) == 2
    report = project.run("--report", "report.html")
    assert report.code == 0, report.said
    assert project.path("report.html").stat().st_size > 100_000
    said = dry.said + done.said + report.said
    assert r"\x1b[2J\u202efdp.exe" in dry.said
    assert not [char for char in said if not char.isprintable() and char not in "\n\t"]
