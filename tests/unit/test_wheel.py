"""What the wheel holds: the library, and the workflow in one piece."""

from __future__ import annotations

import subprocess
import sys
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

import pytest

import sweepmake

ROOT = Path(__file__).resolve().parents[2]
INFO = f"sweepmake-{sweepmake.__version__}.dist-info"
WORKFLOW = ["Snakefile", "rules", "scripts", "profiles", "workflow"]


def files_of(place: Path) -> set[Path]:
    """Return the files of a folder, or the file; not the library, nor what is made as it runs."""
    library = ROOT / "workflow" / "sweepmake"
    return {
        path
        for path in ([place, *place.rglob("*")])
        if path.is_file()
        and library not in path.parents
        and not any(part == "__pycache__" or part.endswith(".egg-info") for part in path.parts)
    }


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> ZipFile:
    """The wheel, made from the archive of the sources as a release is, without the network."""
    made = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(made), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    return ZipFile(next(made.glob("*.whl")))


def test_the_workflow_lies_in_it_as_in_the_repository(wheel: ZipFile) -> None:
    """Its files name each other by relative paths: all are there, side by side."""
    files = set().union(*(files_of(ROOT / name) for name in WORKFLOW))
    assert len(files) > 20
    names = set(wheel.namelist())
    for path in sorted(files):
        name = f"sweepmake/_workflow/{path.relative_to(ROOT)}"
        assert name in names
        assert wheel.read(name) == path.read_bytes()


def test_the_library_lies_in_it_with_what_is_no_python(wheel: ZipFile) -> None:
    """Every module, the mark of a typed package, and the files that pages are made of."""
    library = ROOT / "workflow" / "sweepmake"
    expected = {
        f"sweepmake/{path.relative_to(library)}"
        for path in library.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    found = {
        name for name in wheel.namelist() if not name.startswith(("sweepmake/_workflow/", INFO))
    }
    assert found == expected
    assert {Path(name).suffix for name in found} == {".bash", ".css", ".js", ".py", ".typed"}


def test_it_says_who_made_it_and_under_which_licence(wheel: ZipFile) -> None:
    """The licence's text comes with it."""
    said = Parser().parsestr(wheel.read(f"{INFO}/METADATA").decode())
    assert said["Version"] == sweepmake.__version__
    assert said["Author"] == "Sweepmake contributors"
    assert said["License-Expression"] == "MIT"
    assert said["License-File"] == "LICENSE"
    assert wheel.read(f"{INFO}/licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()


def test_nothing_is_installed_beside_the_package(wheel: ZipFile) -> None:
    """No folder of tests or examples lands among everybody's packages."""
    assert {name.split("/")[0] for name in wheel.namelist()} == {"sweepmake", INFO}
