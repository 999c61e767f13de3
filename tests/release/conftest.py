"""What the tests of a release use."""

from __future__ import annotations

import pytest
from installed import Installed, make_wheel


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel with its extra for Slurm, and the tool that deploys workflows of the catalogue."""
    folder = tmp_path_factory.mktemp("release")
    wheel = make_wheel(folder / "dist")
    return Installed.make(folder / "environment", f"{wheel}[slurm]", "snakedeploy>=0.17,<1")
