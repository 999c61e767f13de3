"""metrics.json, read without its rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

__all__ = ["read_summary"]


def read_summary(path: Path) -> dict[str, Any]:
    """Return a metrics.json without its rows (`results` and what follows it); {} for none.

    The rows can be a thousand times longer than all else, and they stand last: the file is read up
    to the line on which they begin.
    """
    lines: list[str] = []
    try:
        with path.open(encoding="utf-8") as file:
            for line in file:
                if line.startswith('"results"'):
                    break
                lines.append(line)
            else:
                return _mapping("".join(lines))
    except OSError:
        return {}
    return _mapping("".join(lines).rstrip().removesuffix(",") + "\n}")


def _mapping(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}  # not written by this version; the workflow reads the logs again
    return found if isinstance(found, dict) else {}
