"""What a run is held to while it runs, and when it ends: its limits, its log, its success.

Imported by the runs of stages that ask for any of it, and by no others.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from glob import glob
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweepmake.runs.log_search import LogSearch
from sweepmake.runs.memory import (
    Cgroup,
    make_cgroup,
    members,
    proportional_mb,
    resident_mb,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Guard", "lacks_success"]

_SHARE = 50  # what takes a time t is done at most every 50 t, so that it costs 2 % at most
_SHOWN = 200


class Guard:
    """Watches one attempt.

    Attributes:
        kind: the kind of failure that was found, "" for none.
        reason: the same in words.
        silent_since: when the log was last written to, in seconds since the epoch, where that is
            longer ago than is allowed; else 0.

    Args:
        told: what the stage asks for; see params/guarding.py.
        log: the attempt's log.
        name: names a cgroup; no other run has it.
        on_silence: called when the run falls silent, and when it speaks again.
    """

    def __init__(
        self, told: Mapping[str, Any], log: str, name: str, on_silence: Callable[[Guard], None]
    ) -> None:
        self.kind = self.reason = ""
        self.silent_since = 0.0
        self._told = told
        self._log = log
        self._on_silence = on_silence
        self._began = time.monotonic()
        self._search = LogSearch(log, told["fail_on"]) if told.get("fail_on") else None
        self._size = 0
        self._spoke = time.time()
        self._next_memory = 0.0
        limit = told.get("mem_mb")
        self.cgroup: Cgroup | None = make_cgroup(name, limit) if limit else None

    @property
    def watches(self) -> bool:
        """Whether there is anything to look at while the command runs."""
        return any(map(self._told.get, ("fail_on", "runtime", "mem_mb", "silence")))

    def look(self, group: int) -> str:
        """Return why the run is to be ended now, "" where it may go on.

        Args:
            group: its process group.
        """
        self._look_at_time()
        self._look_at_log(ended=False)
        self._look_at_silence()
        self._look_at_memory(group)
        return self.reason

    def ended(self) -> None:
        """Look once more when the command has ended: at what it wrote last, and at the kernel."""
        self._look_at_log(ended=True)
        if self.cgroup is not None:
            if self.cgroup.has_killed:
                self._too_much_memory("")
            self.cgroup.remove()
        self.silent_since = 0.0

    def _find(self, kind: str, reason: str) -> None:
        if not self.reason:
            self.kind, self.reason = kind, reason

    def _look_at_time(self) -> None:
        runtime = self._told.get("runtime")
        if runtime and time.monotonic() - self._began >= runtime * 60:
            self._find("timeout", f"it has run for longer than its runtime, {runtime} min")

    def _look_at_log(self, *, ended: bool) -> None:
        found = self._search.look(ended=ended) if self._search and not self.reason else ""
        if found:
            self._find("stopped by a pattern", f"its log says: {found[:_SHOWN]}")

    def _look_at_silence(self) -> None:
        silence = self._told.get("silence")
        if not silence:
            return
        size, now = Path(self._log).stat().st_size, time.time()
        if size != self._size:
            self._size, self._spoke = size, now
            if self.silent_since:
                self.silent_since = 0.0
                self._on_silence(self)
        elif now - self._spoke >= silence["minutes"] * 60 and not self.silent_since:
            self.silent_since = self._spoke
            self._on_silence(self)
            if silence["end"]:
                self._find("hung", f"it has written nothing for {silence['minutes']} min")

    def _look_at_memory(self, group: int) -> None:
        limit, now = self._told.get("mem_mb"), time.monotonic()
        if not limit or now < self._next_memory or (self.cgroup and self.cgroup.is_used):
            return
        processes = members(group)
        # pages that several processes share count for each of them, so this is never too little
        if resident_mb(processes) > limit:
            taken = proportional_mb(processes)
            if taken > limit:
                self._too_much_memory(f": {taken:.0f} MB")
        self._next_memory = now + _SHARE * (time.monotonic() - now)

    def _too_much_memory(self, taken: str) -> None:
        limit = self._told["mem_mb"]
        self._find("out of memory", f"it took more memory than its mem_mb, {limit} MB{taken}")


def lacks_success(told: Mapping[str, Any], log: str, stage: str, logs: Sequence[str]) -> str:
    """Return what a run with exit code 0 has not done that its stage asks for, "" for nothing.

    Args:
        told: what the stage asks for.
        log: the log of this attempt.
        stage: the stage's name.
        logs: the logs that count for its metrics: of this attempt, and of those that it resumed.
    """
    for path in told.get("files", ()):
        found = glob(path)  # noqa: PTH207 - Path.glob takes no absolute pattern
        if not found:
            return f"there is no {_readable(path)}"
        if not any(map(_holds_something, found)):
            return f"{_readable(path)} is empty"
    pattern = told.get("pattern")
    if pattern and not LogSearch(log, [pattern]).look(ended=True):
        return f"no line of its log matches '{pattern}'"
    if told.get("metric"):
        from sweepmake.runs.judging import ask

        answer = ask({"metric": told["metric"], "stage": stage, "logs": list(logs)})
        return str(answer.get("lacks", answer.get("error", "")))
    return ""


def _holds_something(name: str) -> bool:
    path = Path(name)
    return any(path.iterdir()) if path.is_dir() else path.stat().st_size > 0


def _readable(path: str) -> str:
    """Return a path whose own signs glob.escape has put into brackets as the user wrote it."""
    for sign in "[?*":
        path = path.replace(f"[{sign}]", sign)
    return path


def read_told(text: str) -> dict[str, Any]:
    """Return what the stage runner was told, from its JSON; {} for nothing."""
    told: dict[str, Any] = json.loads(text) if text else {}
    return told
