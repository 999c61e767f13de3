"""The command `sweepmake`: what it prints, and that it starts at once."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import sweepmake
from sweepmake import cli, installation

ROOT = Path(__file__).resolve().parents[2]


def test_an_editable_installation_names_the_repository(capsys: pytest.CaptureFixture[str]) -> None:
    """The Snakefile and the profiles are those that are being edited."""
    assert cli.main(["snakefile"]) == 0
    assert cli.main(["profile", "slurm"]) == 0
    assert capsys.readouterr().out == f"{ROOT / 'Snakefile'}\n{ROOT / 'profiles/slurm'}\n"


def test_an_installed_package_names_its_own_workflow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the wheel has brought comes before whatever lies above the package."""
    package = tmp_path / "lib" / "sweepmake"
    (package / "_workflow").mkdir(parents=True)
    for folder in (package / "_workflow", tmp_path):
        (folder / "Snakefile").touch()
    monkeypatch.setattr(installation, "__file__", str(package / "installation.py"))
    assert cli.main(["snakefile"]) == 0
    assert capsys.readouterr().out == f"{package / '_workflow' / 'Snakefile'}\n"


def test_a_package_without_a_workflow_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is printed that `snakemake -s` would take for a path."""
    monkeypatch.setattr(installation, "__file__", str(tmp_path / "lib/sweepmake/installation.py"))
    assert cli.main(["snakefile"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "pip install" in said.err
    assert str(tmp_path / "lib/sweepmake/_workflow") in said.err


def test_an_unknown_profile_is_answered_with_a_known_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A misspelt name gets the nearest one."""
    assert cli.main(["profile", "slrum"]) == 1
    said = capsys.readouterr()
    assert (said.out, said.err) == (
        "",
        "error: there is no profile 'slrum' (did you mean 'slurm'?)\n",
    )


def test_a_profile_that_is_like_no_other_is_answered_with_all(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In the order of the alphabet."""
    assert cli.main(["profile", "x"]) == 1
    assert "there is no profile 'x' (one of: default, slurm)" in capsys.readouterr().err


def test_the_help_explains_a_verb_and_its_arguments(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    with pytest.raises(SystemExit):
        cli.main(["profile", "--help"])
    said = capsys.readouterr().out
    assert said.startswith("usage: sweepmake profile [-h] NAME")
    assert "Print the folder of a profile." in said
    assert re.search(r"NAME +such as slurm; default needs no naming", said)


def test_the_help_of_the_command_names_it_and_its_verbs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    cli.main([])
    said = capsys.readouterr().out
    assert said.startswith("usage: sweepmake [-h] [--version] VERB")
    assert "Parameter sweeps of training runs as a Snakemake workflow." in said
    assert "\nverbs:\n" in said


def test_the_version_is_the_package_s(capsys: pytest.CaptureFixture[str]) -> None:
    """There is one place for it, and the command prints it."""
    with pytest.raises(SystemExit) as ended:
        cli.main(["--version"])
    assert (ended.value.code, capsys.readouterr().out) == (
        0,
        f"sweepmake {sweepmake.__version__}\n",
    )


def test_alone_it_lists_its_verbs(capsys: pytest.CaptureFixture[str]) -> None:
    """Each with its line, and how a sweep is run."""
    assert cli.main([]) == 0
    said = capsys.readouterr().out
    assert 'snakemake -s "$(sweepmake snakefile)"' in said
    for name, verb in cli.VERBS.items():
        assert name in said
        assert verb.help in said


def test_it_imports_nothing_that_is_slow_to_import() -> None:
    """People type it, and shells run it inside another command."""
    program = (
        "import sys; from sweepmake import cli; code = cli.main(['snakefile']); "
        "slow = {'json', 'matplotlib', 'numpy', 'openpyxl', 'pandas', 'snakemake', 'yaml'}; "
        "sys.exit(str(slow & set(sys.modules)) if code or slow & set(sys.modules) else 0)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "workflow")}
    # without site-packages: what an editable installation imports there is not the command's doing
    subprocess.run([sys.executable, "-S", "-c", program], env=environment, check=True)
