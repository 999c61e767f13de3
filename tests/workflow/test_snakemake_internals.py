"""What Sweepmake takes from Snakemake beside its documented interface is where it is looked for."""

from __future__ import annotations

import json
import logging
import re
import tomllib
from types import SimpleNamespace

import pytest
import snakemake
from projects import REPOSITORY, Project

from sweepmake import snakemake_internals as internals
from sweepmake.errors import SweepmakeError

pytestmark = pytest.mark.snakemake_versions

# It looks at everything that the library looks at, and writes down what it was told.
SNAKEFILE = """\
import dataclasses, json, logging
from sweepmake import snakemake_internals as internals

looked_at, told = set(), []
find = internals._find


def look(path, found):
    looked_at.add(path)
    return find(path, found)


internals._find = look


class Course:
    def planned(self, asked, engine):
        told.append(["planned", {k: sorted(v) if isinstance(v, frozenset) else v
                                 for k, v in dataclasses.asdict(asked).items()}])
        engine.lift_rate_limit()
        engine.offer("gpu", 3)
        self.engine = engine

    def previewed(self, jobs):
        print("previewed", jobs)

    def failed(self, rule, engine):
        told.append(["failed", rule])

    def started(self, jobs, engine):
        told.append(["started", jobs])
        told.append(["plain", engine.hide_job_events({"a"}, {"a"})])
        told.append(["locks", engine.locks()])

    def ended(self):
        self.engine.start_no_more()
        self.engine._failed(logging.makeLogRecord({"jobid": -1, "rule_name": "a"}))
        told.append(["ended", len(open("made").read())])
        with open("told.json", "w") as file:
            json.dump([told, sorted(looked_at)], file)


if internals.is_main_process(workflow) and not internals.is_cluster_job(workflow):
    internals.watch(workflow).course = Course()
    assert internals.watch(workflow) is internals.watch(workflow)
internals.config_files(workflow)
internals.deployment_methods(workflow)
internals.caption("a caption")


rule a:
    output: "made"
    resources: gpu=3
    shell: "echo x > {output}"


assert internals.rule_name(rules.a) == "a"
"""
MOVED = f"Snakemake {snakemake.__version__} has moved something"


def test_this_snakemake_has_all_that_is_looked_for(project: Project) -> None:
    """Every attribute that is listed is found, and planned, started and ended come in order."""
    project.write(SNAKEFILE, "Snakefile")
    project.snakefile = project.path("Snakefile")
    project.target = "a"
    done = project.run("--forcerun", "a", "--resources", "gpu=4", cores=2)
    assert done.code == 0, f"{MOVED}:\n{done.said}"
    assert project.path("told.json").exists(), f"{MOVED}: no event came:\n{done.said}"
    told, looked_at = json.loads(project.path("told.json").read_text())
    asked = {"targets": ["a"], "forced": ["a"], "everything": False, "dry": False, "local": True,
             "gpu": 4, "cores": 2}  # fmt: skip
    assert told == [
        ["planned", asked], ["started", {"a": 1, "total": 0}], ["plain", True],
        ["locks", [str(project.path(".snakemake/locks/0.output.lock"))]],
        ["failed", "a"], ["ended", 2],
    ], MOVED  # fmt: skip
    assert looked_at == sorted(internals.INTERNALS)
    assert "Building DAG" in done.said
    assert "rule a:" not in done.said
    dry = project.run("-n", "--forceall")
    assert "rule a:" in dry.said
    assert "previewed {'a': 1, 'total': 0}" in dry.said
    assert dry.code == 0, f"{MOVED}:\n{dry.said}"


def test_what_has_moved_is_named_with_what_it_was_for() -> None:
    """And with the versions that are tested."""
    moved = SimpleNamespace(resource_settings=SimpleNamespace())
    with pytest.raises(SweepmakeError) as caught:
        internals.Watch(moved)
    assert str(caught.value) == (
        f"Snakemake {snakemake.__version__} has moved 'workflow.resource_settings.resources' "
        "(whether the user has given --resources gpu=): Sweepmake is tested with Snakemake "
        f"{internals.TESTED[0]} to {internals.TESTED[1]}"
    )


def test_a_logger_that_lets_nothing_through_is_an_error() -> None:
    """Without its messages nothing would be claimed, and no run would get a GPU."""
    logger = logging.getLogger("snakemake.logging")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with pytest.raises(SweepmakeError, match="has to let INFO through"):
            internals.watch(SimpleNamespace())
    finally:
        logger.setLevel(before)


def test_a_stage_may_be_called_total() -> None:
    """Snakemake's count of all jobs stands under that name; the rest of it is the rule's own."""
    assert internals._counts({"a": 2, "total": 5}) == {"a": 2, "total": 3}


def test_one_oldest_version_is_named_everywhere() -> None:
    """In pyproject.toml, in the Snakefile, in the Makefile, and in the README."""
    oldest, newest = internals.TESTED
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert f"snakemake>={oldest},<10" in project["dependencies"]
    assert f'min_version("{oldest}")' in (REPOSITORY / "workflow/Snakefile").read_text()
    assert f"snakemake=={oldest}.*" in (REPOSITORY / "Makefile").read_text()
    assert f"Snakemake {oldest} to {newest}" in (REPOSITORY / "README.md").read_text()
    assert re.fullmatch(r"9\.\d+", newest)
