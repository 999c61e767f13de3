"""The list of mutations that change nothing that anybody could see, each with the reason."""

from __future__ import annotations

import re

Key = tuple[str, str, str, str]
# "logs/streams.py, Judge.verdict: turn < into <="; the function is missing outside functions
_HEAD = re.compile(r"(?P<module>[^,:\s]+\.py)(?:, (?P<function>[\w.]+))?: (?P<kind>.+)")


def read_equivalents(text: str) -> dict[Key, str]:
    """Return the reasons by what they are given for (`Mutation.key`).

    Entries are separated by empty lines; lines that begin with `#` are comments. An entry's first
    line names the module, the function and the change, its second line is the line that is changed,
    and the other lines are the reason::

        logs/streams.py, Judge.verdict: turn < into <=
        if seen < limit:
        The two are equal only before the first line, when there is nothing to judge.

    Raises:
        ValueError: an entry that is not made so, without a reason, or there twice.
    """
    reasons: dict[Key, str] = {}
    kept = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for entry in filter(None, re.split(r"\n(?:[ \t]*\n)+", kept.strip("\n"))):
        lines = [line.strip() for line in entry.strip().splitlines()]
        head = _HEAD.fullmatch(lines[0])
        if not head or len(lines) < 3:
            raise ValueError(
                f"not 'module.py, function: change', the line and a reason, but:\n{entry}"
            )
        key = head["module"], head["function"] or "", lines[1], head["kind"]
        if key in reasons:
            raise ValueError(f"there twice: {', '.join(key)}")
        reasons[key] = " ".join(lines[2:])
    return reasons


def write_key(key: Key) -> str:
    """Return the first two lines of an entry."""
    module, function, line, kind = key
    return f"{module}{', ' if function else ''}{function}: {kind}\n{line}"
