"""The stand-in for NVIDIA's library (see tests/data/nvml/pynvml.py, which says why), for a test."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import pytest

LIBRARY = Path(__file__).parents[1] / "data/nvml"
A, B, C = (f"GPU-{letter * 8}-1111-2222-3333-{letter * 12}" for letter in "abc")
PART_1 = "MIG-11111111-1111-2222-3333-111111111111"
PART_2 = "MIG-22222222-1111-2222-3333-111111111111"
SLICES = [{"uuid": PART_1, "instance": 1}, {"uuid": PART_2, "instance": 2}]


class Machine:
    """A machine with GPUs: what the stand-in answers from, now and in programs that are started."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.file = folder / "gpus.json"
        self.has()
        monkeypatch.setenv("NVML_STAND_IN", str(self.file))
        spec = importlib.util.spec_from_file_location("pynvml", LIBRARY / "pynvml.py")
        assert spec
        assert spec.loader
        self.library = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, "pynvml", self.library)
        spec.loader.exec_module(self.library)

    def has(self, *gpus: dict[str, Any]) -> None:
        """Change what GPUs there are; their places on the bus are as listed where not said."""
        new = self.file.with_suffix(".new")
        new.write_text(json.dumps([{"bus": at, **gpu} for at, gpu in enumerate(gpus)]))
        new.replace(self.file)
