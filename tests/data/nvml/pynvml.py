"""A stand-in for NVIDIA's library (NVML) as `pynvml` offers it: not the real one.

The machines that run these tests have no GPU, let alone several models, slices, or a card that is
lost. It has those functions and names that Sweepmake calls, under their names and with pynvml's
numbers of errors (nvidia-ml-py 12.560 and 13), and answers from the JSON file that NVML_STAND_IN
names, which is read at every question: a test changes it to have a GPU become free.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

NVML_ERROR_INVALID_ARGUMENT = 2
NVML_ERROR_NOT_SUPPORTED = 3
NVML_ERROR_NO_PERMISSION = 4
NVML_ERROR_NOT_FOUND = 6
NVML_ERROR_DRIVER_NOT_LOADED = 9
NVML_ERROR_FUNCTION_NOT_FOUND = 13
NVML_ERROR_GPU_IS_LOST = 15
NVML_MEMORY_ERROR_TYPE_UNCORRECTED = 1
NVML_VOLATILE_ECC = 0

_WORDS = {2: "Invalid Argument", 3: "Not Supported", 4: "Insufficient Permissions",
          6: "Not Found", 9: "Driver Not Loaded", 15: "GPU is lost"}  # fmt: skip


class NVMLError(Exception):
    def __init__(self, value: int) -> None:
        super().__init__(value)
        self.value = value

    def __str__(self) -> str:
        return _WORDS[self.value]


def _gpus() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(Path(os.environ["NVML_STAND_IN"]).read_text())
    return found


def _checked(gpu: dict[str, Any]) -> dict[str, Any]:
    if "fails" in gpu:
        raise NVMLError(gpu["fails"])
    return gpu


def nvmlInit() -> None:  # noqa: N802
    if "NVML_STAND_IN" not in os.environ:
        raise NVMLError(NVML_ERROR_DRIVER_NOT_LOADED)


def nvmlShutdown() -> None:  # noqa: N802
    pass


def nvmlDeviceGetCount() -> int:  # noqa: N802
    return len(_gpus())


def nvmlDeviceGetHandleByIndex(index: int) -> dict[str, Any]:  # noqa: N802
    return _checked(_gpus()[index])


def nvmlDeviceGetHandleByUUID(uuid: str) -> dict[str, Any]:  # noqa: N802
    for gpu in _gpus():
        for one in (gpu, *gpu.get("slices", [])):
            if one["uuid"] == uuid:
                return _checked(one)
    raise NVMLError(NVML_ERROR_NOT_FOUND)


def nvmlDeviceGetUUID(handle: dict[str, Any]) -> str:  # noqa: N802
    return str(handle["uuid"])


def nvmlDeviceGetName(handle: dict[str, Any]) -> str:  # noqa: N802
    return str(handle.get("model", "NVIDIA H100 PCIe"))


def nvmlDeviceGetPciInfo(handle: dict[str, Any]) -> SimpleNamespace:  # noqa: N802
    return SimpleNamespace(domain=0, bus=handle["bus"], device=0)


def nvmlDeviceGetMaxMigDeviceCount(handle: dict[str, Any]) -> int:  # noqa: N802
    if "slices" not in handle:
        raise NVMLError(NVML_ERROR_NOT_SUPPORTED)
    return 7


def nvmlDeviceGetMigDeviceHandleByIndex(  # noqa: N802
    handle: dict[str, Any], index: int
) -> dict[str, Any]:
    if index >= len(handle["slices"]):
        raise NVMLError(NVML_ERROR_NOT_FOUND)
    part: dict[str, Any] = handle["slices"][index]
    return part


def nvmlDeviceGetGpuInstanceId(handle: dict[str, Any]) -> int:  # noqa: N802
    return int(handle["instance"])


def nvmlDeviceGetComputeInstanceId(handle: dict[str, Any]) -> int:  # noqa: N802
    return 0


def _processes(pids: list[int]) -> list[SimpleNamespace]:
    return [SimpleNamespace(pid=pid, usedGpuMemory=1 << 30) for pid in pids]


def nvmlDeviceGetComputeRunningProcesses(  # noqa: N802
    handle: dict[str, Any],
) -> list[SimpleNamespace]:
    return _processes(handle.get("computing", []))


def nvmlDeviceGetGraphicsRunningProcesses(  # noqa: N802
    handle: dict[str, Any],
) -> list[SimpleNamespace]:
    if "instance" in handle:
        raise NVMLError(NVML_ERROR_NOT_SUPPORTED)
    return _processes(handle.get("drawing", []))


def nvmlDeviceGetMemoryInfo(handle: dict[str, Any]) -> SimpleNamespace:  # noqa: N802
    gib = handle.get("used_gib", 0.5)
    return SimpleNamespace(used=int(gib * (1 << 30)), total=80 << 30)


def nvmlDeviceGetTotalEccErrors(  # noqa: N802
    handle: dict[str, Any], error_type: int, counter: int
) -> int:
    if "ecc" not in handle:
        raise NVMLError(NVML_ERROR_NOT_SUPPORTED)
    assert (error_type, counter) == (NVML_MEMORY_ERROR_TYPE_UNCORRECTED, NVML_VOLATILE_ECC)
    return int(handle["ecc"])


def nvmlDeviceGetRemappedRows(handle: dict[str, Any]) -> tuple[int, int, int, int]:  # noqa: N802
    if "rows" not in handle:
        raise NVMLError(NVML_ERROR_NOT_SUPPORTED)
    corrected, uncorrected, pending, failed = handle["rows"]
    return corrected, uncorrected, pending, failed
