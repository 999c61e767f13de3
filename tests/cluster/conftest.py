"""A real Slurm for the tests of this folder; they are skipped where none can be started."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from slurm import Slurm, why_not

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def slurm() -> Iterator[Slurm]:
    """Two nodes with four fake GPUs each."""
    if reason := why_not():
        pytest.skip(f"no Slurm: {reason}")
    pytest.importorskip("snakemake_executor_plugin_slurm", reason="the extra 'slurm'")
    with Slurm() as running:
        yield running
