"""The Makefile finds a Python by whatever name a machine has it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def dry_run(programs: Path) -> str:
    """Return what `make demo` would run in a fresh clone where only some programs are there."""
    made = subprocess.run(
        [str(shutil.which("make")), "-n", "demo", f"VENV={programs}/venv"],
        cwd=ROOT,
        env={"PATH": str(programs)},
        capture_output=True,
        text=True,
        check=True,
    )
    return made.stdout


@pytest.mark.parametrize("name", ["python3", "python3.12", "python"])
def test_one_name_of_python_is_enough(tmp_path: Path, name: str) -> None:
    """Debian and Ubuntu have python3 and no python."""
    (tmp_path / name).symlink_to(sys.executable)
    assert f"{tmp_path / name} -m venv --clear {tmp_path}/venv" in dry_run(tmp_path)


def test_without_python_it_says_so(tmp_path: Path) -> None:
    assert "test -n '' || { echo 'Python 3.11 or newer is needed" in dry_run(tmp_path)
