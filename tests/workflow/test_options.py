"""mlrunner's options in Snakemake's way, targets, and folders with any name."""

from __future__ import annotations

import json
import os
import re
from itertools import pairwise
from pathlib import Path

import pytest
from projects import REPOSITORY, Project

TWO = """\
template:
  train: python probe.py train [a]
  test: python probe.py test [a]
default: {a: 0}
resource: [0, 1]
---
_title: one
a: [1, 2]
---
_title: two
_cmd: test
a: [3]
"""
EVERYTHING = ["test --a 1", "test --a 2", "test --a 3", "train --a 1", "train --a 2"]

shares_a_sweep = pytest.mark.xdist_group("options")  # in one worker, which runs the sweep once


@pytest.fixture
def two(project: Project) -> Project:
    """The sweep before its first run."""
    project.write(TWO)
    return project


@pytest.fixture(scope="module")
def stages_run(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The sweep after `snakemake stages`; for tests that change none of it."""
    project = Project(tmp_path_factory.mktemp("stages") / "project", target="stages")
    project.write(TWO)
    done = project.run()
    assert done.code == 0, done.said
    return project


def test_params_and_output(two: Project) -> None:
    """-y FILE and -o DIR of mlrunner."""
    two.path("params.yaml").rename(two.path("my params.yaml"))
    done = two.run("--config", "params=my params.yaml", "output=my out/put/")
    assert done.code == 0, done.said
    assert two.arguments() == EVERYTHING
    assert two.path("my out/put/A_1/stat").exists()
    assert two.path("my out/put/my params.yaml").read_text() == TWO
    assert not two.path("output").exists()


@pytest.mark.parametrize(
    ("title", "expected"),
    [("two", ["test --a 3"]), ("[two, one]", EVERYTHING), ("one,two", EVERYTHING)],
)
def test_title(two: Project, title: str, expected: list[str]) -> None:
    """-t TITLE of mlrunner; here also a list."""
    done = two.run("--config", f"title={title}")
    assert done.code == 0, done.said
    assert two.arguments() == expected


def test_stages_one_after_the_other(two: Project) -> None:
    """-c of mlrunner: the selected stages for all; running them alone repeats nothing."""
    assert two.run("--config", "stages=train").code == 0
    assert two.arguments() == ["train --a 1", "train --a 2", "train --a 3"]
    two.forget()
    assert two.run("--config", "stages=[test]").code == 0
    assert two.arguments() == ["test --a 1", "test --a 2", "test --a 3"]
    two.forget()
    done = two.run()
    assert done.code == 0
    assert two.arguments() == []
    dry = two.run("-n", "--config", "stages=test")
    assert "Nothing to be done" in dry.said


def test_gpus(two: Project) -> None:
    """-r of mlrunner: slots instead of those of the file; a pair is one slot."""
    done = two.run("--config", "gpus=4,5 6,7", "--resources", "gpu=2")
    assert done.code == 0, done.said
    assert {line["gpus"] for line in two.probes()} == {"4,5", "6,7"}
    assert "GPU slots: [4,5] [6,7]" in done.said


def test_sample(project: Project) -> None:
    """--sample N of mlrunner, seeded: the same command names the same experiments."""
    text = "template:\n  t: python probe.py {a} {b}\n---\na: [1, 2, 3, 4, 5]\nb: [1, 2, 3, 4, 5]\n"
    project.write(text)
    assert project.run("--config", "sample=3").code == 0
    first = project.arguments()
    assert len(first) == 3
    project.forget()
    assert "Nothing to be done" in project.run("--config", "sample=3").said
    assert project.run("--config", "sample=3", "sample_seed=1").code == 0
    assert project.arguments() != first


def test_no_subdir(two: Project) -> None:
    """--no-subdir of mlrunner: one folder; logs, param and stat carry the name."""
    done = two.run("--config", "no_subdir=true")
    assert done.code == 0, done.said
    names = {path.name for path in two.path("output").iterdir() if path.is_file()}
    assert {"param.A_1", "stat.A_1", "param.A_3", "params.yaml"} <= names
    assert sum(bool(re.fullmatch(r"log\.test\.\d{8}\.\d{6}\.A_[123]", n)) for n in names) == 3
    assert not two.path("output/A_1").exists()
    assert "Nothing to be done" in two.run("--config", "no_subdir=True").said


@shares_a_sweep
def test_force(stages_run: Project, tmp_path: Path) -> None:
    """-f of mlrunner: --forceall, or --forcerun STAGE with what comes after it."""
    two = stages_run.copy(tmp_path / "project")
    two.forget()
    assert two.run("--forcerun", "train").code == 0
    assert two.arguments() == ["test --a 1", "test --a 2", "train --a 1", "train --a 2"]
    two.forget()
    assert two.run("--forceall").code == 0
    assert two.arguments() == EVERYTHING


def test_dry_run_shows_the_exact_commands_and_makes_nothing(two: Project) -> None:
    """--dry-run of mlrunner."""
    done = two.run("-n")
    assert done.code == 0
    for arguments in EVERYTHING:
        assert f"    python probe.py {arguments}\n" in done.said
    assert "train: 1/3, output/A_1" in done.said
    assert not two.path("output").exists()
    assert two.arguments() == []


def test_debug_runs_the_first_experiment_live(two: Project) -> None:
    """-d of mlrunner: only the first experiment, its output on the terminal and in the log."""
    two.write(TWO.replace("test [a]", "test [a]; echo $((40 + 2)) is live"))
    done = two.run("--config", "debug=true")
    assert done.code == 0, done.said
    assert two.arguments() == ["test --a 1", "train --a 1"]
    assert "42 is live\n" in done.said
    log = next(two.path("output/A_1").glob("log.test.*"))
    assert log.read_text() == "42 is live\n"


@shares_a_sweep
def test_targets(stages_run: Project) -> None:
    """`snakemake stages` runs the stages alone."""
    assert stages_run.arguments() == EVERYTHING
    assert not stages_run.path("results").exists()


def test_the_slots_bound_how_many_run(project: Project) -> None:
    """--resources gpu=G bounds; without it the number of slots; more than that is warned of."""
    project.write(
        "template:\n  t: python probe.py {a}\nresource: [0, 1, 2]\n---\na: [1, 2, 3, 4, 5, 6]\n"
    )
    project.write("", "slow")
    done = project.run("--resources", "gpu=1", cores=8)
    assert done.code == 0
    spans = sorted((float(str(p["begun"])), float(str(p["ended"]))) for p in project.probes())
    assert all(a[1] <= b[0] for a, b in pairwise(spans))
    assert {p["gpus"] for p in project.probes()} == {"0"}
    project.forget()
    done = project.run("--forceall", "--resources", "gpu=9", cores=8)
    assert done.code == 0
    assert "warning: --resources gpu=9, but there are only 3 slots (0 1 2)" in done.said
    assert {p["gpus"] for p in project.probes()} == {"0", "1", "2"}
    assert "WAIT" not in done.said


def test_a_stage_of_two_gpus(project: Project) -> None:
    """`gpu: 2` takes two slots; more than there are is an error before anything starts."""
    text = (
        "template:\n  t: python probe.py {a}\nstage: {t: {gpu: 2}}\nresource: [0, 1, 2]\n"
        "---\na: [1, 2, 3]\n"
    )
    project.write(text)
    done = project.run()
    assert done.code == 0, done.said
    assert {p["gpus"] for p in project.probes()} == {"0,1"}
    project.write(text.replace("[0, 1, 2]\n-", "[0, 0]\n-").replace("a: [", "a: [9, "))
    done = project.run()
    assert done.code != 0
    assert "stage 't' takes 2 slots that do not overlap, and the slots are 0 0" in done.said
    assert "START" not in done.said
    done = project.run("--config", "gpus=0 1", "--resources", "gpu=1")
    assert done.code != 0
    assert "--resources gpu=1 allows fewer" in done.said


def test_without_gpus_the_slots_are_virtual(project: Project) -> None:
    """No `resource`, no GPU: as many slots as cores, or as --resources says."""
    project.environment["CUDA_VISIBLE_DEVICES"] = ""
    project.write("template:\n  t: python probe.py {a}\n---\na: [1, 2, 3]\n")
    done = project.run(cores=3)
    assert done.code == 0, done.said
    assert "GPU slots: 3 virtual (no GPU here)" in done.said
    assert {p["gpus"] for p in project.probes()} <= {"0", "1", "2"}
    assert "5 virtual" in project.run("--resources", "gpu=5", "--forceall").said


def test_cuda_visible_devices_bounds_the_slots(project: Project) -> None:
    """The user's own CUDA_VISIBLE_DEVICES are the slots where nothing else is said."""
    project.environment["CUDA_VISIBLE_DEVICES"] = "6,3"
    project.write("template:\n  t: python probe.py {a}\n---\na: [1, 2, 3, 4]\n")
    project.write("", "slow")
    done = project.run()
    assert done.code == 0, done.said
    assert {p["gpus"] for p in project.probes()} == {"6", "3"}


def test_inside_a_batch_job_the_schedulers_gpus_stand(project: Project) -> None:
    """A workflow started in an allocation uses what was assigned, not what the file lists."""
    project.environment.update(SLURM_JOB_ID="77", CUDA_VISIBLE_DEVICES="2,3")
    project.write("template:\n  t: python probe.py {a}\nresource: [0, 1]\n---\na: [1, 2, 3]\n")
    done = project.run()
    assert done.code == 0, done.said
    assert {p["gpus"] for p in project.probes()} <= {"2", "3"}
    assert "assigned to this batch job" in done.said


def test_any_folder_and_a_name_template(tmp_path: Path) -> None:
    """-s and --directory from elsewhere; blanks in the path; `name:` names the folders."""
    project = Project(tmp_path / "my project's folder")
    project.write(
        "template:\n  t: python probe.py {lr}; pwd > {_output}/where\nname: ppn_{ppn}-lr_{lr}\n"
        "default: {ppn: 2, lr: 1}\n---\nlr: [0.1, 0.25]\n"
    )
    elsewhere = Project(tmp_path, environment=project.environment)
    done = elsewhere.run("--directory", str(project.folder))
    assert done.code == 0, done.said
    where = project.path("output/ppn_2-lr_0.25/where")
    assert where.read_text().strip() == str(project.folder)


def test_config_file(two: Project) -> None:
    """config.yaml in the project is read; the command line overrides it."""
    two.path("config").mkdir()
    two.path("config/config.yaml").write_text("title: two\noutput: elsewhere\n")
    assert two.run("--config", "output=third").code == 0
    assert two.arguments() == ["test --a 3"]
    assert two.path("third/A_3").exists()


def test_a_config_file_may_be_empty(two: Project) -> None:
    """Snakemake refuses a file without keys; here it says nothing, as no file does."""
    two.path("config.yaml").write_text("# title: two\n\n")
    done = two.run("-n", "--config", "title=two")
    assert done.code == 0, done.said
    assert "config.yaml" not in done.said


def test_the_rich_logger_runs(two: Project) -> None:
    """--logger rich (an extra) shows bars that no line of a run tears; the lines are in its log."""
    pytest.importorskip("snakemake_logger_plugin_rich")
    done = two.run("--logger", "rich")
    assert done.code == 0, done.said
    assert "START" not in done.said
    assert "Runs: 5 finished" in done.said
    log = two.path("output/A_1/.sweepmake/train.log").read_text()
    assert log.startswith("START   gpu: ")


def test_exported_thread_numbers_stand(project: Project) -> None:
    """Snakemake sets OMP_NUM_THREADS to the stage's threads; what the user exports wins."""
    project.write("template:\n  t: echo $OMP_NUM_THREADS $MKL_NUM_THREADS\n---\na: [1]\n")
    project.environment["OMP_NUM_THREADS"] = "7"
    os.environ.pop("MKL_NUM_THREADS", None)
    assert project.run().code == 0
    assert next(project.path("output/A_1").glob("log.t.*")).read_text() == "7 1\n"


def test_stages_with_any_name(project: Project) -> None:
    """Stage names that Snakemake cannot have as rule names, or that it uses itself."""
    project.write(
        "template:\n  pre-train: python probe.py 1\n  pre.train: python probe.py 2\n"
        "  lambda: python probe.py 3\n---\na: [1]\n"
    )
    done = project.run()
    assert done.code == 0, done.said
    assert project.arguments() == ["1", "2", "3"]
    state = json.loads(project.path("output/A_1/.sweepmake/pre-train.json").read_text())
    assert state["state"] == "finished"


def test_the_shim_finds_the_workflow(two: Project) -> None:
    """workflow/Snakefile is the same workflow, for tools that look there."""
    shim = REPOSITORY / "workflow" / "Snakefile"
    if not shim.exists():
        pytest.skip("no shim yet")
    done = two.run("-s", str(shim))
    assert done.code == 0, done.said
    assert two.arguments() == EVERYTHING
