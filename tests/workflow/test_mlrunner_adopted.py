"""From mlrunner to Sweepmake: the real mlrunner's folders, and which programs start in them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from projects import REPOSITORY, Project, rows

TRAIN, TEST = (
    "train: python probe.py train {_output} [lr] {_time}",
    "test: python probe.py test {_output}",
)
PARAMS = f"""\
template:
  {TRAIN}
  {TEST}
resource: [0]
---
lr: [0.1, 0.12345671]
"""
OURS, THEIRS = "Lr_0.12345671", "Lr_0.123457"
FIRST = "output/Lr_0.1"


def run_mlrunner(project: Project, *arguments: str) -> None:
    """Run the real mlrunner in the project's folder."""
    pytest.importorskip("mlrunner")
    programs = Path(sys.executable).parent
    environment = {"PATH": f"{programs}:/usr/bin:/bin", "HOME": str(project.folder)}
    command = [str(programs / "run"), *arguments]
    subprocess.run(command, cwd=project.folder, env=environment, capture_output=True, check=True,
                   timeout=120)  # fmt: skip


def started(project: Project) -> list[str]:
    """The stage and folder of every program that has started since the last look."""
    found = [" ".join(line.split()[:2]) for line in project.arguments()]
    project.forget()
    return found


def state_of(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file below a folder, with its size and time."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in files}


@pytest.fixture
def failed(project: Project) -> Project:
    """A sweep that mlrunner ran, of which one test failed."""
    project.write(PARAMS)
    project.path("fail-test-output").mkdir()
    project.path(f"fail-test-{FIRST}").touch()
    run_mlrunner(project)
    assert len(started(project)) == 4
    project.path(f"fail-test-{FIRST}").unlink()
    return project


def test_what_mlrunner_finished_never_starts_again(failed: Project) -> None:
    """Only what failed runs, in mlrunner's folder, and so do later stages; `-n` writes nothing.

    One folder has a name that Sweepmake would not give.
    """
    before = state_of(failed.folder)
    dry = failed.run("-n").said
    assert "3 finished runs of 2 experiments would be adopted" in dry
    assert f"ADOPT       train, test: output/{THEIRS}" in dry
    assert f"test: 1/2, {FIRST}\n" in dry
    assert "train: 1/2" not in dry
    assert "2/2" not in dry
    after = {path: at for path, at in state_of(failed.folder).items() if "/.snakemake/" not in path}
    assert after == before
    done = failed.run()
    assert done.code == 0, done.said
    assert started(failed) == [f"test {FIRST}"]
    assert "1 finished, 3 skipped" in done.said
    failed.write(PARAMS.replace("resource", "  sum: python probe.py sum {_output}\nresource"))
    assert failed.run("--config", "stages=sum").code == 0
    assert started(failed) == [f"sum {FIRST}", f"sum output/{THEIRS}"]
    assert failed.run().code == 0
    assert started(failed) == []
    assert not failed.path(f"output/{OURS}").exists()
    record = json.loads(failed.path(f"output/{THEIRS}/.sweepmake/train.json").read_text())
    assert record["adopted"] == "mlrunner's run, of the same command"
    run_mlrunner(failed)
    assert started(failed) == []
    assert failed.run("--forcerun", "test").code == 0
    assert len(started(failed)) == 4


def test_another_command_waits_for_the_users_word(failed: Project) -> None:
    """Nothing starts, and it is said why, in the workbook, too; `again` runs them there."""
    failed.write(PARAMS.replace("[lr]", "[lr] --new"))
    failed.target = "all"
    done = failed.run()
    assert done.code == 0, done.said
    assert started(failed) == []
    assert (
        "mlrunner: 2 experiments held back, nothing starts there: 'train' ran without '--new'. To"
        in done.said
    )
    assert done.said.count("--config mlrunner=again") == 2
    assert f"HELD BACK   {FIRST}: 'train' ran without '--new'" in done.said
    assert [row["status"] for row in rows(failed)] == ["held back", "held back"]
    assert rows(failed, "failures")[0]["kind of failure"] == "'train' ran without '--new'"
    failed.target = f"results/{THEIRS}/ranks.pdf"
    refused = failed.run()
    assert refused.code == 1
    assert refused.said.endswith(f"error: '{THEIRS}' is held back: 'train' ran without '--new'\n")
    failed.target = "stages"
    assert failed.run("--config", "mlrunner=again").code == 0
    folders = (FIRST, f"output/{THEIRS}")
    assert started(failed) == [f"{stage} {at}" for stage in ("test", "train") for at in folders]
    assert failed.run().code == 0
    assert started(failed) == []


def test_six_real_runs_of_mlrunner_become_results(project: Project) -> None:
    """Shown as finished by `results`, which writes nothing there; adopted by the first start."""
    shutil.copytree(REPOSITORY / "tests/data/mlrunner-output", project.path("output"))
    project.write(project.path("output/params.yaml").read_text())
    project.path("main.py").write_text("open('started', 'a').write('x')\n")
    before = state_of(project.path("output"))
    project.target = "results"
    assert project.run().code == 0
    assert [row["status"] for row in rows(project)] == ["finished"] * 6
    assert state_of(project.path("output")) == before
    project.target = "stages"
    done = project.run()
    assert "mlrunner: 6 finished runs of 6 experiments are adopted" in done.said
    assert not project.path("started").exists()
    assert len(list(project.path("output").glob("*/.sweepmake/train.done"))) == 6
