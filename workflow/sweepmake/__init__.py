"""Sweepmake: parameter sweeps of training runs as a Snakemake workflow.

For notebooks and scripts: `Examiner`, `latest_log` and `load`. They are imported when first used:
the program around each run imports this package too, and has to start at once.
"""

from __future__ import annotations

__version__ = "0.1.0.dev0"
RULES_VERSION = 2
"""Goes up when rules/ need what an older package has not; `NEEDED` in rules/common.smk follows."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sweepmake.notebooks.examiner import Examiner, Experiment, latest_log
    from sweepmake.notebooks.loading import Loaded, load

__all__ = [
    "RULES_VERSION",
    "Examiner",
    "Experiment",
    "Loaded",
    "__version__",
    "latest_log",
    "load",
]

_HOMES = {
    "Examiner": "sweepmake.notebooks.examiner",
    "Experiment": "sweepmake.notebooks.examiner",
    "latest_log": "sweepmake.notebooks.examiner",
    "Loaded": "sweepmake.notebooks.loading",
    "load": "sweepmake.notebooks.loading",
}


def __getattr__(name: str) -> object:
    """Return what the package offers to notebooks, imported now."""
    if name not in _HOMES:
        raise AttributeError(f"module 'sweepmake' has no attribute '{name}'")
    import importlib

    value: object = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
