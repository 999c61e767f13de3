"""What several unit tests use."""

from __future__ import annotations

from pathlib import Path

import pytest
from nvidia import Machine
from stage_runner import Runner


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(tmp_path)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine with GPUs, which a stand-in for NVIDIA's library describes."""
    return Machine(tmp_path, monkeypatch)
