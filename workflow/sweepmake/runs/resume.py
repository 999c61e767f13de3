"""Whether an attempt goes on where an earlier one stopped."""

from __future__ import annotations

from collections.abc import Mapping
from glob import glob
from pathlib import Path

__all__ = ["begun_by", "can_resume"]

# a file's time may be that of the kernel's last tick, and so before the attempt that wrote it
_TICK_S = 0.05


def begun_by(before: Mapping[str, object] | None, fingerprint: str, upstream: str) -> float | None:
    """Return when the first of the attempts began whose work the next one may go on with.

    None where there is none: the last attempt was of another command (apart from {_resume}), built
    on another run, or has finished. In seconds since the epoch.

    Args:
        before: the record of the last attempt, as it ended.
        fingerprint: of the command that is to run, with {_resume} empty.
        upstream: the id of the run that it builds on.
    """
    if (
        before is None
        or before.get("state") == "finished"
        or before.get("fingerprint") != fingerprint
        or before.get("after") != upstream
    ):
        return None
    return float(str(before.get("begun") or before["started"]))


def can_resume(path: str, begun: float | None) -> bool:
    """Return whether a file that an attempt resumes from was made by those attempts.

    A file that is older than they are was made by another command in the same folder.

    Args:
        path: the file; may be a pattern, of which the newest file counts.
        begun: when the first of the attempts began.
    """
    if begun is None:
        return False
    found = glob(path)  # noqa: PTH207 - Path.glob takes no absolute pattern
    times = [Path(one).stat().st_mtime for one in found]
    return bool(times) and max(times) >= begun - _TICK_S
