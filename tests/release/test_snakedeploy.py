"""What `snakedeploy deploy-workflow` makes of this repository is a sweep's folder that works."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from installed import ROOT, Installed, copy_digits
from openpyxl import load_workbook

ADDRESS = "https://github.com/somebody/sweepmake"
IDENTITY = ["-c", "user.name=nobody", "-c", "user.email=nobody@example.org"]


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A local clone, with what is not committed yet, tagged v0."""
    made = tmp_path_factory.mktemp("clone") / "sweepmake"
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in names.rstrip("\0").split("\0"):
        if (ROOT / name).exists():
            (made / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, made / name, follow_symlinks=False)
    for command in (["init"], ["add", "--all"], ["commit", "--message=all"], ["tag", "v0"]):
        subprocess.run(["git", *IDENTITY, *command], cwd=made, check=True, capture_output=True)
    return made


def deploy(installed: Installed, source: str, folder: Path, environment: dict[str, str]) -> str:
    """Deploy the release v0 into a new folder; return the Snakefile that is written."""
    command = f"snakedeploy deploy-workflow {source} {folder} --tag v0"
    done = installed.run(command, cwd=folder.parent, environment=environment)
    assert done.returncode == 0, done.stdout
    return (folder / "workflow" / "Snakefile").read_text(encoding="utf-8")


def test_a_deployed_sweep_runs_to_its_workbook(
    installed: Installed, repository: Path, tmp_path: Path
) -> None:
    """As deployed from a local clone, with the workflow's place as git names it: for a clone,
    snakedeploy writes a path that only holds inside the clone."""
    folder = tmp_path / "deployed"
    written = deploy(installed, str(repository), folder, {})
    declared = f'gitfile("{repository}", path="workflow/Snakefile", tag="v0")'
    snakefile, count = re.subn(r'(snakefile: *\n *)"workflow/Snakefile"', rf"\1{declared}", written)
    assert count == 1, written
    (folder / "workflow" / "Snakefile").write_text(snakefile, encoding="utf-8")
    copy_digits(tmp_path / "digits")
    shutil.copytree(tmp_path / "digits", folder, dirs_exist_ok=True)
    sweep = "--config title=early-stop sample=1"
    done = installed.run(f"snakemake --cores 2 {sweep}", cwd=folder)
    assert done.returncode == 0, done.stdout
    # the copy of the profile holds, and the slots, the runs and the end are as ever
    assert "workflow specific profile profiles/default" in done.stdout
    assert done.stdout.count("START   gpu: ") == 2
    assert done.stdout.count("START   cpu, avg: ") == 1
    assert "Runs: 3 finished" in done.stdout
    book = load_workbook(folder / "results" / "experiments.xlsx")
    header, row = book["experiments"].iter_rows(values_only=True)
    assert row[header.index("status")] == "finished"


def test_by_address_the_release_is_named(
    installed: Installed, repository: Path, tmp_path: Path
) -> None:
    """From its place in the catalogue, the workflow is taken in as it was at the tag, and the
    configuration comes with its description."""
    # git itself is told where that address lies, so nothing is downloaded
    elsewhere = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.file://{repository}.insteadOf",
        "GIT_CONFIG_VALUE_0": ADDRESS,
    }
    folder = tmp_path / "deployed"
    written = deploy(installed, ADDRESS, folder, elsewhere)
    assert 'github("somebody/sweepmake", path="workflow/Snakefile", tag="v0")' in written
    assert "use rule * from sweepmake" in written
    copied = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert copied >= {"config/README.md", "config/config.yaml", "profiles/default/config.yaml"}
