"""Which GPUs others use, and which report errors, as NVIDIA's library (NVML) sees it.

The stage runner imports this module where busy GPUs are to be avoided, and only there: the library
takes longer to load than all else that it does.
"""

from __future__ import annotations

import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

__all__ = ["busy_gpus", "look_again"]

AGAIN_S = 1.0  # between two looks of a run that waits
_MOST_NAMED = 2
_SHARE = 0.1  # of a GPU's memory, in use by nobody who can be seen: a container hides processes
_GIB = 1 << 30


def busy_gpus(library: Any, uuids: Iterable[str]) -> dict[str, str]:
    """Return UUID → how it is used or what it reports, for the GPUs that are not free.

    Args:
        library: NVIDIA's, initialised (`pynvml`).
        uuids: the cards and slices to look at; what the library does not know is passed over.
    """
    found = {}
    for uuid in uuids:
        try:
            handle = library.nvmlDeviceGetHandleByUUID(uuid)
            words = [*_use(library, handle), *_errors(library, handle)]
        except library.NVMLError as error:
            if _says_nothing(library, error):
                continue
            words = [f"failing: {error}"]
        if words:
            found[uuid] = ", ".join(words)
    return found


def _use(library: Any, handle: Any) -> list[str]:
    """Return how a GPU is used for computing, in words; nothing for one that is free.

    What only draws on it (a desktop) does not make it busy.
    """
    memory = library.nvmlDeviceGetMemoryInfo(handle)
    of = f"{memory.used / _GIB:.1f} of {memory.total / _GIB:.1f} GiB"
    processes = library.nvmlDeviceGetComputeRunningProcesses(handle)
    if processes:
        named = [_process(one.pid) for one in processes[:_MOST_NAMED]]
        if len(processes) > _MOST_NAMED:
            named.append(f"{len(processes) - _MOST_NAMED} more")
        return [f"used by {' and '.join(named)} ({of})"]
    drawing = _ask(library, lambda: library.nvmlDeviceGetGraphicsRunningProcesses(handle), ())
    drawn = sum(one.usedGpuMemory or 0 for one in drawing)
    if memory.used - drawn > _SHARE * memory.total:
        return [f"used by processes that cannot be seen from here ({of})"]
    return []


def _process(pid: int) -> str:
    """Return whose a process is and what: "process 4711 (python of alice)"."""
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            name = file.read().strip()
        owner = os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return f"process {pid}"  # it has ended, or is one of another container
    import pwd

    try:
        return f"process {pid} ({name} of {pwd.getpwuid(owner).pw_name})"
    except KeyError:
        return f"process {pid} ({name} of user {owner})"


def _errors(library: Any, handle: Any) -> list[str]:
    """Return the errors that a GPU reports and that a reset or a repair would have to mend."""
    words = []
    errors = _ask(
        library,
        lambda: library.nvmlDeviceGetTotalEccErrors(
            handle, library.NVML_MEMORY_ERROR_TYPE_UNCORRECTED, library.NVML_VOLATILE_ECC
        ),
        0,
    )
    if errors:
        words.append(f"reporting {errors} uncorrected memory error{'s' * (errors > 1)} (ECC)")
    _, _, pending, failed = _ask(
        library, lambda: library.nvmlDeviceGetRemappedRows(handle), (0, 0, 0, 0)
    )
    if failed:
        words.append("reporting that its memory cannot be repaired (row remapping failed)")
    elif pending:
        words.append("reporting that it has to be reset (row remapping pending)")
    return words


def _ask(library: Any, question: Callable[[], Any], default: Any) -> Any:
    """Return the library's answer, `default` where the GPU has nothing of the kind."""
    try:
        return question()
    except library.NVMLError as error:
        if _says_nothing(library, error):
            return default
        raise


def _says_nothing(library: Any, error: Any) -> bool:
    """Return whether an error means that the GPU cannot be asked, and not that it is broken."""
    return error.value in (
        library.NVML_ERROR_NOT_SUPPORTED,
        library.NVML_ERROR_INVALID_ARGUMENT,
        library.NVML_ERROR_NO_PERMISSION,
        library.NVML_ERROR_FUNCTION_NOT_FOUND,
        library.NVML_ERROR_NOT_FOUND,
    )


def look_again(folder: str, uuids: Iterable[str]) -> Callable[[], dict[str, str]]:
    """Return what tells a waiting run which GPUs are busy; the library is asked once a second.

    Args:
        folder: where `pynvml` is: the stage runner sees no site-packages.
        uuids: the cards and slices to look at.

    Raises:
        OSError: the library or the driver does not answer.
    """
    sys.path.append(folder)
    try:
        import pynvml

        pynvml.nvmlInit()
    except ImportError as error:
        raise OSError(f"busy_gpus: {error}") from error
    except pynvml.NVMLError as error:
        raise OSError(f"busy_gpus: NVIDIA's library says: {error}") from error
    wanted = list(uuids)
    last: list[tuple[float, dict[str, str]]] = []

    def look() -> dict[str, str]:
        now = time.monotonic()
        if not last or now - last[0][0] >= AGAIN_S:
            last[:] = [(now, busy_gpus(pynvml, wanted))]
        return last[0][1]

    return look
