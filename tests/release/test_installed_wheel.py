"""The wheel is all that a user needs: rules, scripts, profiles, captions and the stage runner."""

from __future__ import annotations

from pathlib import Path

import pytest
from installed import ROOT, Installed, copy_digits
from openpyxl import load_workbook

import sweepmake

SNAKEMAKE = 'snakemake -s "$(sweepmake snakefile)" --cores 2'


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_digits(tmp_path_factory.mktemp("user") / "digits")


@pytest.fixture(scope="module")
def said(installed: Installed, project: Path) -> str:
    """What a part of the digits sweep says, run to the workbook."""
    done = installed.run(SNAKEMAKE, "--config title=early-stop sample=2", cwd=project)
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_nothing_of_the_repository_is_used(installed: Installed, project: Path) -> None:
    """The package, its version, the Snakefile and the profiles are those of the environment."""
    where = "python -c 'import sweepmake; print(sweepmake.__file__)'"
    profile = "sweepmake profile slurm"
    found = installed.run(f"{where} && sweepmake snakefile && {profile}", cwd=project)
    assert found.returncode == 0, found.stdout
    for line in found.stdout.splitlines():
        assert Path(line).is_relative_to(installed.folder)
        assert Path(line).exists()
    version = installed.run("sweepmake --version", cwd=project)
    assert version.stdout == f"sweepmake {sweepmake.__version__}\n"


def test_the_digits_sweep_runs_to_its_workbook(said: str, project: Path) -> None:
    """Every stage of every experiment, every plot, and the table that says so."""
    book = load_workbook(project / "results" / "experiments.xlsx")
    header, *rows = book["experiments"].iter_rows(values_only=True)
    assert [row[header.index("status")] for row in rows] == ["finished"] * 2
    about = dict(row[:2] for row in book["about"].iter_rows(values_only=True))
    assert about["sweepmake"] == sweepmake.__version__
    assert len(list(project.glob("results/*/ranks.pdf"))) == 2
    assert (project / "results" / "comparison.pdf").exists()
    assert str(ROOT) not in said


def test_its_profile_is_found_without_naming_it(
    said: str, installed: Installed, project: Path
) -> None:
    """Snakemake takes profiles/default beside the installed Snakefile."""
    place = installed.run("sweepmake profile default", cwd=project).stdout.strip()
    assert f"Using workflow specific profile {place} " in said


def test_a_second_time_nothing_runs(said: str, installed: Installed, project: Path) -> None:
    """The installed rules know what the installed runner has recorded."""
    again = installed.run(SNAKEMAKE, "--config title=early-stop sample=2", cwd=project)
    assert again.returncode == 0, again.stdout
    assert "Nothing to be done" in again.stdout


def test_the_report_has_its_captions(said: str, installed: Installed, project: Path) -> None:
    """They are files of the workflow: the report says what each table and plot is."""
    made = installed.run(
        SNAKEMAKE, "--config title=early-stop sample=2 --report report.html", cwd=project
    )
    assert made.returncode == 0, made.stdout
    text = (project / "report.html").read_text(encoding="utf-8")
    caption = (ROOT / "workflow" / "report" / "comparison.rst").read_text(encoding="utf-8")
    assert caption.split(".")[0].split("\n")[0].strip() in text


def test_the_profile_for_slurm_is_there(installed: Installed, project: Path) -> None:
    """It plans the sweep with Slurm's executor, which the extra has installed."""
    planned = installed.run(
        SNAKEMAKE,
        '--profile "$(sweepmake profile slurm)" -n --forceall --config title=early-stop sample=2',
        cwd=project,
    )
    assert planned.returncode == 0, planned.stdout
    place = installed.run("sweepmake profile slurm", cwd=project).stdout.strip()
    assert f"Using profiles {place} and workflow specific profile " in planned.stdout
    assert "train" in planned.stdout
