"""What several tests of runs/ use."""

from __future__ import annotations

from pathlib import Path

import pytest
from nvidia import Machine


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine with GPUs, which a stand-in for NVIDIA's library describes."""
    return Machine(tmp_path, monkeypatch)
