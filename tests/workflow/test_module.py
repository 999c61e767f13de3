"""A sweep that others take in as a module, without handlers, keeps all its promises."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from projects import REPOSITORY, SECONDS, Project, rows, wait_until

pytestmark = pytest.mark.snakemake_versions

SNAKEFILE = REPOSITORY / "workflow" / "Snakefile"
MODULE = f'module sweepmake:\n    snakefile: "{SNAKEFILE}"\n'
SWEEP = """\
template:
  train: python probe.py train {a}
  test: python probe.py test {a}
resource: ["5", "6"]
stage: {train: {threads: 2}}
---
a: [1, 2]
"""
# the run waits for a word through a named pipe
WAITING = """\
template: {train: 'touch started; read word < go; echo $word'}
resource: ["5"]
---
a: [1]
"""


RULES = ("workflow/Snakefile", "workflow/no_config.yaml", "workflow/report/workflow.rst", "rules/*")


def copy_rules(folder: Path, **changed: str) -> Path:
    """Copy the workflow without the package beside it, as by an address; return its Snakefile."""
    for source in (found for pattern in RULES for found in REPOSITORY.glob(pattern)):
        copy = folder / source.relative_to(REPOSITORY)
        copy.parent.mkdir(parents=True, exist_ok=True)
        text = source.read_text()
        for old, new in changed.items():
            text = text.replace(f"{old} = 2 ", f"{old} = {new} ")
        copy.write_text(text)
    return folder / "workflow/Snakefile"


def take_in(project: Project, params: str = SWEEP, snakefile: str = MODULE, use: str = "") -> None:
    """Write a user's Snakefile that has the sweep as a module."""
    project.write(params)
    project.snakefile = project.path("Snakefile")
    project.snakefile.write_text(snakefile + (use or "use rule * from sweepmake\n"))


def test_it_runs_on_gpus_and_says_first_and_last_what_there_is(project: Project) -> None:
    """Slots, first words, last words, and the workbook after a failure, as without a module."""
    take_in(project)
    project.write("", "fail-train-2")
    project.target = ""
    done = project.run("--keep-going")
    assert done.code == 1
    assert project.arguments() == ["test 1", "train 1", "train 2"]
    assert {line["gpus"] for line in project.probes()} <= {"5", "6"}
    assert "params.yaml: 2 experiments, 4 runs, 4 to do\nGPU slots: 5 6\n" in done.said
    assert "Runs: 2 finished, 1 failed, 1 not started" in done.said
    assert "Error in rule train" not in done.said
    assert {row["status"] for row in rows(project)} == {"finished", "failed"}


def test_no_rule_depends_on_where_it_is_installed(project: Project) -> None:
    """Without the profile Snakemake compares the rules' texts: another environment, or another
    place of the package, is no reason to run a finished sweep again."""
    texts = "[one.shellcmd for one in workflow.rules if one.shellcmd]"
    placed = "any('/python' in text or 'sweepmake/' in text for text in texts)"
    said = f"texts = {texts}\nprint(len(texts), {placed})\n"
    take_in(project, use=f"use rule * from sweepmake\n{said}")
    assert project.run("-n").said.startswith("7 False\n")


def test_what_is_forced_reaches_the_runner(project: Project) -> None:
    """--forcerun, --force and --forceall, also by the names that the user gives to the rules."""
    take_in(project, use="use rule * from sweepmake as my_*\n")
    project.target = "my_stages"
    assert project.run().code == 0
    for options, expected in (
        (["--forcerun", "my_test"], ["test 1", "test 2"]),
        (["--force", "output/A_1/.sweepmake/train.done"], ["train 1"]),
        (["--forceall"], ["test 1", "test 2", "train 1", "train 2"]),
    ):
        project.forget()
        project.target = "" if "--force" in options else "my_stages"
        done = project.run(*options)
        assert done.code == 0, done.said
        assert project.arguments() == expected


def test_a_second_workflow_is_refused_before_it_locks_anything(project: Project) -> None:
    """And what starts no run is not refused, and does not take the claim from the living one."""
    take_in(project, WAITING)
    os.mkfifo(project.path("go"))
    first = project.start()
    wait_until(project.path("started").exists, "the run")
    claim = project.path("output/.sweepmake/.claim")
    taken = claim.read_text()
    assert f'"pid": {first.pid},' in taken
    for options in (["-n"], ["--report", "report.html"], ["--list-rules"], ["--lint"]):
        said = project.run(*options).said
        assert "another workflow" not in said
        assert "LockException" not in said
    beside = Project(project.folder, target="results", snakefile=project.snakefile)
    assert beside.run().code == 0
    assert claim.read_text() == taken
    second = project.run()
    assert second.code == 1
    assert f"another workflow (process {first.pid}, since " in second.said
    assert "LockException" not in second.said
    with project.path("go").open("w") as pipe:
        pipe.write("done\n")
    said, _ = first.communicate(timeout=SECONDS)
    assert first.returncode == 0, said
    assert project.run("-n").code == 0


def test_nothing_but_a_run_takes_a_claim(project: Project) -> None:
    """No claim is ever made for -n, --lint, --report and `results`."""
    take_in(project)
    project.write("template: {train: 'true'}\n---\na: [1]\n")
    for options in (["-n"], ["--lint"], ["--report", "report.html"]):
        project.run(*options)
    project.target = "results"
    assert project.run().code == 0
    assert not project.path(".snakemake/sweepmake").exists()
    assert not project.path("output").exists()


def test_a_job_of_a_cluster_claims_nothing_and_takes_what_it_was_given(project: Project) -> None:
    """A batch system's job reads the Snakefile again, beside the workflow that submitted it."""
    take_in(project, "template: {t: 'echo $CUDA_VISIBLE_DEVICES'}\nresource: [0]\n---\na: [1]\n")
    project.target = "output/A_1/.sweepmake/t.done"
    project.environment.update(CUDA_VISIBLE_DEVICES="3,4", SWEEPMAKE_SLOTS="0")
    done = project.run("--mode", "remote", cores=1)
    assert done.code == 0, done.said
    assert next(project.path("output/A_1").glob("log.t.*")).read_text() == "3,4\n"
    assert not project.path(".snakemake/sweepmake").exists()


@pytest.mark.parametrize(
    ("how", "output"),
    [("", "output"), ("    config: config\n", "there"), ("    config: config['mine']\n", "mine")],
)
def test_where_the_configuration_comes_from(project: Project, how: str, output: str) -> None:
    """--config counts with and without `config:`; what `config:` names is all that counts."""
    text = "config.setdefault('output', 'there')\nconfig.setdefault('mine', {'output': 'mine'})\n"
    if how.endswith("config: config\n"):
        text = "config.setdefault('output', 'there')\n"
    take_in(project, snakefile=text + MODULE + how)
    given = ["--config", "mine={title: x, output: mine}" if "mine" in how else "title=x"]
    refused = project.run(*given)
    assert "no document has the title 'x'" in refused.said
    assert project.run(cores=2).code == 0
    assert len(list(project.path(output).glob("A_*/.sweepmake/test.done"))) == 2


def test_a_prefix_is_refused_in_a_sentence(project: Project) -> None:
    """What runs write is not where `prefix:` would have Snakemake look for it."""
    take_in(project, snakefile=MODULE + '    prefix: "sub"\n')
    done = project.run()
    assert done.code == 1
    assert "error: 'prefix' and 'replace_prefix' of a module cannot move a sweep" in done.said
    assert "Traceback" not in done.said


def test_two_sweeps_in_one_workflow(project: Project) -> None:
    """They run side by side on the slots that both have."""
    two = "".join(
        f"module {name}:\n    snakefile: '{SNAKEFILE}'\n"
        f"    config: {{'params': '{name}.yaml', 'output': '{name}', 'results': 'r-{name}'}}\n"
        f"use rule * from {name} as {name}_*\n"
        for name in ("one", "two")
    )
    both = two + "rule both:\n    input: rules.one_stages.input, rules.two_stages.input\n"
    take_in(project, snakefile=both, use="\n")
    project.write(SWEEP, "one.yaml")
    project.write(SWEEP.replace("{a}", "{b}").replace("a:", "b:"), "two.yaml")
    project.target = "both"
    done = project.run()
    assert done.code == 0, done.said
    assert done.said.count("Runs: 4 finished") == 2
    assert {line["gpus"] for line in project.probes()} <= {"5", "6"}


def test_rules_of_others_run_beside_a_living_sweep(project: Project) -> None:
    """A target that has nothing to do with the sweep claims nothing, and its job is reported."""
    mine = "rule mine:\n    output: 'mine.txt'\n    shell: 'touch {output}'\n"
    take_in(project, WAITING, use="use rule * from sweepmake\n" + mine)
    os.mkfifo(project.path("go"))
    first = project.start()
    wait_until(project.path("started").exists, "the run")
    beside = Project(project.folder, target="mine", snakefile=project.snakefile).run()
    assert beside.code == 0, beside.said
    assert "rule mine:" in beside.said
    assert "Runs:" not in beside.said
    with project.path("go").open("w") as pipe:
        pipe.write("done\n")
    said, _ = first.communicate(timeout=SECONDS)
    assert first.returncode == 0, said


@pytest.mark.parametrize(
    ("package", "message"),
    [
        ("raise ModuleNotFoundError('no sweepmake')", "error: no sweepmake: these rules need"),
        ("RULES_VERSION = 0", "error: cannot import name"),
    ],
)
def test_a_missing_or_strange_package_is_told_in_one_line(
    project: Project, tmp_path: Path, package: str, message: str
) -> None:
    """Not by a traceback."""
    take_in(project)
    project.snakefile = copy_rules(tmp_path / "copy")
    project.path("elsewhere").mkdir()
    project.write(package, "elsewhere/sweepmake.py")
    project.environment["PYTHONPATH"] = str(project.path("elsewhere"))
    done = project.run("-n")
    assert done.code == 1
    assert message in done.said
    assert f"{sys.executable} -m pip install" in done.said
    assert "Traceback" not in done.said


def test_a_package_of_another_version_is_told_in_one_line(project: Project, tmp_path: Path) -> None:
    """The rules name the version that they need."""
    take_in(project)
    project.snakefile = copy_rules(tmp_path / "copy", NEEDED="99")
    done = project.run("-n")
    assert done.code == 1
    assert "is for rules of version 2, and these are of version 99" in done.said
