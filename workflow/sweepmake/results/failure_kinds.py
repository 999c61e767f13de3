"""The kinds of failure, what to do about each, and how `retry_on:` names them.

Imports nothing: who decides whether a run is worth another try asks here.
"""

from __future__ import annotations

__all__ = ["HINTS", "HOPELESS", "KINDS", "RETRY_WORDS", "hint_for", "is_retried"]

HINTS = {
    "out of GPU memory": "make the batch or the model smaller, or give the stage a larger GPU",
    "out of memory": "ask for more memory (stage: mem_mb), or load less data and fewer workers",
    "diverged (nan)": "lower the learning rate, clip the gradients, or look for bad input",
    "timeout": "give it a longer time limit, or let it resume from its checkpoint",
    "killed": "see who ended it: the kernel for want of memory, the batch system, or somebody",
    "node failure": "run it again, elsewhere: the machine failed, not the program",
    "segmentation fault": "look for packages that do not fit; PYTHONFAULTHANDLER=1 shows where",
    "aborted": "read what a library said before; PYTHONFAULTHANDLER=1 shows where",
    "CUDA error": "set CUDA_LAUNCH_BLOCKING=1 to see where; check labels and indices, the driver",
    "NCCL": "look for the rank that died or hung first; NCCL_DEBUG=INFO tells more",
    "missing module": "install what is missing into the environment in which the stage runs",
    "permission": "check the owner and the mode (chmod +x for a program) of what the line names",
    "device mismatch": "move the model and all its inputs to one device",
    "shape mismatch": "compare the shapes that the line names with the model's parameters",
    "assertion": "see which condition of the program did not hold",
    "Python exception": "read the traceback in the log",
    "usage error": "correct the command: the program does not take these arguments",
    "command not found": "correct the command, or load the environment that has it",
    "file not found": "correct the path; it counts from the folder in which the stage runs",
    "disk full": "free space, ask for more quota, or write elsewhere",
    "MPI abort": "look in the log for what the rank said before it called MPI_Abort",
    "not successful": "see which part of the stage's 'success' the reason names",
    "stopped by a pattern": "see the line of the log that the stage's 'fail_on' stopped it for",
    "hung": "look in the log for the last step; py-spy dump --pid shows where a program waits",
    "interrupted": "run the same command again to continue",
    "lost": "run the same command again: nobody saw how it ended, as after a power cut",
    "failed": "read the end of the log",
}
"""kind → what to do about it, in one line."""

KINDS = tuple(HINTS)
"""All kinds of failure. "aborted": the program ended itself by a signal, as C++ does on errors."""

RETRY_WORDS = {
    "oom": ("out of memory",),
    "gpu oom": ("out of GPU memory",),
    "node": ("node failure", "lost"),
    "killed": ("killed",),
    "time limit": ("timeout",),
    "hung": ("hung",),
}
"""What `retry_on:` may say besides the names of kinds → the kinds that it means."""

HOPELESS = ("usage error", "command not found")
"""Kinds that the same command meets again however often it is tried."""

# kind, part of the deciding line (small letters) → a hint that knows more
_SPECIAL = (
    ("out of memory", ("shared memory", "bus error", "/dev/shm", "</torch_"),
     "give the container or machine a larger /dev/shm, or use fewer loader workers"),
    ("CUDA error", ("no cuda gpus", "no cuda-capable", "no nvidia driver", "device ordinal"),
     "check that the stage asks for a GPU (stage: gpu) and that nvidia-smi shows it there"),
    ("CUDA error", ("not compiled with cuda", "no kernel image", "driver version is insufficient"),
     "install a build of the framework that fits this GPU and its driver"),
    ("CUDA error", ("ecc error", "fallen off the bus", "gpu is lost"),
     "the GPU is broken: run elsewhere and tell who looks after the machine"),
    ("killed", ("preemption", "requeue"),
     "run it again: the batch system needed the place"),
    ("shape mismatch", ("size mismatch for", "copying a param"),
     "the checkpoint is of another model: give the parameters with which it was made"),
)  # fmt: skip


def hint_for(kind: str, line: str = "") -> str:
    """Return what to do about a failure, in one line.

    Args:
        kind: one of KINDS.
        line: the line that decided; it may tell a better hint.
    """
    small = line.lower()
    for special, parts, hint in _SPECIAL:
        if kind == special and any(part in small for part in parts):
            return hint
    return HINTS[kind]


def is_retried(kind: str, retry_on: tuple[str, ...] | list[str] | None) -> bool:
    """Return whether a run that failed so is tried again.

    Args:
        kind: one of KINDS.
        retry_on: words of RETRY_WORDS and names of kinds; None: all but HOPELESS.
    """
    if retry_on is None:
        return kind not in HOPELESS
    return any(kind == word or kind in RETRY_WORDS.get(word, ()) for word in retry_on)
