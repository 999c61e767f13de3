"""What loggers print in front of a line: times, levels, names, arrows, bars.

    [2026-11-21 18:07:16,800][train][INFO] - epoch 1 step 10/40 | loss 1.28837
    I0101 10:00:02.000100  1234 solver.cpp:219] Iteration 0, loss = 2.5
    2027-01-01 10:00:00,100 - INFO: ===> Epoch 3 Complete: Avg. Loss: 0.025000

A bracket with a place or a metric in it is none of a logger's.
"""

from __future__ import annotations

import re

from sweepmake.logs.readers.grammar.phases import PHASE_WORD, phase_of

__all__ = ["skip_prefix"]

_LEVEL = r"(?:INFO|DEBUG|WARNING|WARN|ERROR|CRITICAL|NOTICE)"
_PREFIX = re.compile(
    r"(?:[\s|:,>=*#\-]"
    # [2027-01-01 10:00:00.100], [ INFO], [INFO|trainer.py:398], [01/02 10:00:00], (trainer:700)
    r"|\[(?=[^\]]{0,120}(?:[A-Za-z]|\d:\d|\d{4}-\d))"
    r"(?![^\]]{0,120}\b(?:[Ee]poch|EPOCH|[Ii]ter|[Ss]tep|STEP|[Bb]atch|[Rr]ound|[Ll]oss|[Aa]cc))"
    r"[^\]={}]{1,120}\]"
    r"|\([A-Za-z_][\w.]{0,80}(?:[: ]\d+)?\)"
    r"|[IWEF]\d{4} \d\d:\d\d:\d\d(?:\.\d+)? +\d+ [\w./-]{1,80}:\d+\]"
    r"|\d{4}[-/.]\d\d[-/.]\d\d(?:[T,_]?(?=\d\d:))?(?![\d.])|\d\d:\d\d:\d\d(?:[.,]\d+)?Z?"
    r"|\d\d/\d\d(?:/\d\d(?:\d\d)?)?(?= \d\d:)"
    rf"|{_LEVEL}(?::[\w.]{{1,80}}(?=:))?\b"
    r"|[\w./-]{1,80}\.(?:py|cpp|cc):\d+\]?"
    r"|(?!(?i:epoch|step|iter|iteration|batch|round|loss|acc)\b)[A-Za-z_][\w.]{0,80}"
    rf"(?= - [A-Za-z\[(={{]| ?\| ?[A-Za-z{{]|:(?!nan|inf)[A-Za-z]| {_LEVEL}\b))*+",
    re.ASCII,
)
_PHASE = re.compile(rf"(?<![\w.\-/])({PHASE_WORD})(?=\s?(?:\]|\||:| - ))", re.ASCII | re.IGNORECASE)


def skip_prefix(text: str) -> tuple[int, str | None]:
    """Return where a line's own text begins, and the phase that its prefix names."""
    match = _PREFIX.match(text)
    end = match.end() if match else 0
    if not end:
        return 0, None
    found = _PHASE.search(text, 0, end)
    return end, phase_of(found[1]) if found else None
