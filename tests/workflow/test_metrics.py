"""`metric:` in a real sweep: what it reads, and what runs again when it changes."""

from __future__ import annotations

import json
import re

from projects import Project

SWEEP = """\
template:
  train: python probe.py train {a} && echo 'loss (final) = 0.{a}5'
  test: python probe.py test {a} && printf 'BLEU4 = 2{a}.50, 60\\n[x] {{y}} acc=7%%\\n'
METRIC
resource: [0, 1]
---
a: [1, 2]
"""
FIRST = "metric: {bleu: {stage: test, pattern: 'BLEU4? = ([\\d.]+)'}, gone: 'no such (\\d)'}"
SECOND = (
    "metric:\n  loss: {stage: train, pattern: 'loss \\(final\\) = (?P<value>\\d\\.\\d{2})'}\n"
    "  acc: '\\[x\\] \\{+y\\}+ acc=(\\S+)'"
)


def test_an_edited_pattern_reads_the_logs_again_and_trains_nothing(project: Project) -> None:
    """Only read_logs runs again; metrics without a match are named in its log."""
    project.target = "all"
    project.write(SWEEP.replace("METRIC", FIRST))
    done = project.run()
    assert done.code == 0, done.said
    assert measured(project) == {"A_1": {"bleu": 21.5, "gone": None},
                                 "A_2": {"bleu": 22.5, "gone": None}}  # fmt: skip
    log = project.path("results/A_1/read_logs.log").read_text()
    assert log == "metric 'gone': no match\n"
    project.forget()

    project.write(SWEEP.replace("METRIC", SECOND))
    done = project.run()
    assert done.code == 0, done.said
    assert measured(project) == {"A_1": {"loss": 0.15, "acc": 7}, "A_2": {"loss": 0.25, "acc": 7}}
    assert project.probes() == []
    assert project.path("results/A_1/read_logs.log").read_text() == ""

    again = project.run()
    assert "Nothing to be done" in again.said

    done = project.run("--config", "metric={loss: 'BLEU4 = (.)'}")
    assert done.code == 0, done.said
    assert measured(project) == {"A_1": {"loss": 2, "acc": 7}, "A_2": {"loss": 2, "acc": 7}}
    assert project.probes() == []


def test_a_bad_pattern_stops_before_anything_runs(project: Project) -> None:
    """With file and line, and no traceback."""
    project.write(SWEEP.replace("METRIC", "metric:\n  bleu: 'BLEU ('"))
    done = project.run()
    assert done.code == 1
    assert re.search(r"error: params\.yaml:5: metric 'bleu'.*'BLEU \('.*position 5", done.said)
    assert "Traceback" not in done.said
    assert project.probes() == []


def measured(project: Project) -> dict[str, dict[str, object]]:
    """The values of every experiment's metrics."""
    found = {}
    for path in sorted(project.path("results").glob("*/metrics.json")):
        entries = json.loads(path.read_text())["measured"]
        found[path.parent.name] = {name: entry["value"] for name, entry in entries.items()}
    return found
