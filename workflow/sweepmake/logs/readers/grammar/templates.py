"""Templates: how a line looked that was read, so that its like are read by one expression.

    epoch 1 step 10/40 | loss 1.28 -> epoch (\\d+) step (\\d+)/(\\d+) \\| loss ([+-]?\\d+\\.\\d+…)

What each number of a line becomes is found by asking the reader once more, with other numbers in
their places. So both ways give the same, or there is no template.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from sweepmake.logs.readers.base import Observation

__all__ = ["Template", "learn"]

_NUMBER = re.compile(
    r"(?<=[ \t=:(\[/|,#])[+-]?(\d{1,9}\.\d{1,15}(?:[eE][+-]?\d{1,3})?|\d{1,9})(?!\w|\.\w|:\d|,\d)"
)
_WHOLE = r"(\d{1,9})"
_FRACTION = r"([+-]?\d{1,9}\.\d{1,15}(?:[eE][+-]?\d{1,3})?)"
_MOST = 40


class Template(NamedTuple):
    """One form of a line.

    Args:
        match: the expression's `fullmatch`.
        epoch, step, steps, total: the groups of the places, None for none.
        values: name and group of each value.
    """

    match: Callable[[str], re.Match[str] | None]
    epoch: int | None
    step: int | None
    steps: int | None
    total: int | None
    values: tuple[tuple[str, int], ...]

    def read(self, text: str) -> Observation | None:
        """Return what a line of this form says, None where it has another."""
        found = self.match(text)
        if found is None:
            return None
        group = found.group
        return Observation(
            {name: group(at) for name, at in self.values},
            None if self.epoch is None else group(self.epoch).lstrip("0") or "0",
            None if self.step is None else group(self.step).lstrip("0") or "0",
            None if self.steps is None else group(self.steps).lstrip("0") or "0",
            total_epochs=None if self.total is None else int(group(self.total)),
        )


def learn(
    text: str, start: int, said: Observation, read: Callable[[str], Observation | None]
) -> Template | None:
    """Return the template of a line, None where it has none.

    Args:
        text: the line.
        start: where its prefix ends; in front of it any digit may stand for a digit.
        said: what it says.
        read: reads a line without changing any state.
    """
    numbers = list(_NUMBER.finditer(text, max(start - 1, 0)))
    if not text.isascii() or "<" in text or not 0 < len(numbers) <= _MOST:
        return None
    pattern, probe, at = [_prefix(text[:start])], text[:start], start
    known: dict[str, int] = {}
    for count, number in enumerate(numbers, 1):
        fraction = "." in number[0]
        shown = f"{count + 3}.{count + 100}7" if fraction else f"{count + 70000}"
        known[shown] = count
        literal = text[at : number.start()]
        pattern += [re.escape(literal), _FRACTION if fraction else _WHOLE]
        probe += literal + shown
        at = number.end()
    pattern.append(re.escape(text[at:]) + " *")
    seen = read(probe + text[at:])
    if seen is None or said.eta_s or said.time_per_step_s:
        return None
    total = None if seen.total_epochs is None else str(seen.total_epochs)
    places = (seen.epoch, seen.step, seen.steps_per_epoch, total)
    texts = [one for one in (*places, *seen.values.values()) if one is not None]
    if any(one not in known for one in texts):
        return None
    epoch, step, steps, every = (None if one is None else known[one] for one in places)
    values = tuple((name, known[one]) for name, one in seen.values.items())
    match = re.compile("".join(pattern), re.ASCII).fullmatch
    template = Template(match, epoch, step, steps, every, values)
    return template if template.read(text) == said else None


def _prefix(text: str) -> str:
    return re.sub(r"\d", r"\\d", re.escape(text))
