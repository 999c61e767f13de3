"""Stable-Baselines and OpenAI Baselines: a table of names and numbers per update.

    ----------------------------------
    | rollout/           |           |
    |    ep_rew_mean     | 20.25     |
    | time/              |           |
    |    total_timesteps | 2048      |
    ----------------------------------

Names get their section in front; the step is the number of timesteps, else the iteration. A table
counts when its last rule is there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from sweepmake.logs.readers.base import Observation, Reader, is_number

__all__ = ["RlTables"]

_ROW = re.compile(r"\| {1,4}([A-Za-z][^|]{0,80}?) *\| ([^|]{1,40}?) *\|", re.ASCII)
_SECTION = re.compile(r"\| {1,4}(\S[^|]{0,80}/) *\| *\|", re.ASCII)
_STEPS = (
    *("time/total_timesteps", "time/total timesteps", "total_timesteps", "total timesteps"),
    *("misc/total_timesteps", "timesteps_total", "time/iterations", "iterations", "nupdates"),
)
_MOST = 200


class RlTables(Reader):
    """Reads whole tables."""

    name = "rl_tables"

    def __init__(self) -> None:
        self._section = ""
        self._rows: dict[str, str] | None = None

    def heading(self, text: str) -> Sequence[Observation]:
        """Take a rule or a section; the rule below a table closes it."""
        text = text.strip()
        if text and not text.strip("-"):
            if len(text) < 8:
                return ()
            rows, self._rows = self._rows, None
            if rows:
                return self._table(rows)
            self._rows, self._section = {}, ""
            return ()
        found = _SECTION.fullmatch(text)
        if found and self._rows is not None:
            self._section = found[1]
        elif self._rows is not None:
            self._rows = None
        return ()

    def read(self, text: str) -> Sequence[Observation] | Observation | None:
        """Take a row of an open table."""
        if self._rows is None:
            return None
        found = _ROW.fullmatch(text.strip())
        if not found or len(self._rows) >= _MOST or not is_number(found[2]):
            self._rows = None
            return None
        name, value = found.groups()
        indented = text.lstrip().startswith("|  ")
        self._rows[(self._section if indented else "") + name] = value
        return Observation({}, kind="place")

    def _table(self, rows: dict[str, str]) -> list[Observation]:
        key = next((name for name in _STEPS if name in rows), None)
        step = rows.pop(key) if key else None
        if step is not None and not step.isdigit():
            step = None
        return [Observation(rows, step=step)] if rows else []
