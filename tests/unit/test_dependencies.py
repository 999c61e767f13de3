"""environment.yml and pyproject.toml name the same packages in the same versions."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
TEXT = (ROOT / "environment.yml").read_text(encoding="utf-8")
ENVIRONMENT = yaml.safe_load(TEXT)["dependencies"]
# what a conda environment needs so that pip can install the package into it
OF_CONDA_ALONE = {f"python{PROJECT['requires-python']}", "pip"}


def test_conda_and_pip_install_the_same_versions() -> None:
    """The packages of environment.yml are the dependencies of pyproject.toml, pins included."""
    named = {entry for entry in ENVIRONMENT if isinstance(entry, str)}
    assert named == {*PROJECT["dependencies"], *OF_CONDA_ALONE}


def test_conda_installs_the_package_itself() -> None:
    """pip has nothing to do in the conda environment but to install Sweepmake."""
    assert [entry for entry in ENVIRONMENT if isinstance(entry, dict)] == [
        {"pip": ["--editable ."]}
    ]


def test_the_extras_are_offered_with_the_same_pins() -> None:
    """Each commented package of environment.yml stands in the extra that it names, and no user's
    extra is left out."""
    offered = re.findall(r"^ *# - (\S+)  # \[(\w+)\]$", TEXT, re.M)
    extras = PROJECT["optional-dependencies"]
    for_users = {name: extras[name] for name in extras if name not in ("test", "lint")}
    assert sorted(offered) == sorted((pin, name) for name in for_users for pin in for_users[name])
