"""Lines of names and numbers, as loops of one's own print them.

    Iter 1: loss=348.4970, lr=0.009997, test_acc=0.5999, best_acc=0.5999, duration=0:00:08
    [2026-11-21 18:07:16,800][train][INFO] - epoch 1 step 10/40 | loss 1.28837 | acc 43.75% | lr 4.97e-02
    epoch 1: train loss 1.0389  val loss 0.5009  val acc 0.8750
    INFO:root:Epoch: 2, Loss: 0.4351, Accuracy: 91.2%
    Test loss: 0.0345

A line counts when it names an epoch, an iteration or a step, or when it holds nothing but pairs and
one of them is a metric by its name. Names stay as printed; a percent sign goes, a duration becomes
seconds.
"""  # noqa: E501

from __future__ import annotations

import re
from collections.abc import Sequence

from sweepmake.logs.readers.base import NUMBER, Observation, Reader, seconds
from sweepmake.metric_names import is_metric

__all__ = ["Pairs"]

_PREFIX = re.compile(
    r"(?:\[[^\]=|]*\]|\d{4}[-/]\d\d[-/]\d\dT?|\d\d:\d\d:\d\d(?:[.,]\d+)?|(?:INFO|DEBUG|WARNING|WARN|ERROR)\b"
    r"|[A-Za-z_][\w.]*(?= - | ?\| ?|:\w)|[-|:,\s])*+",
    re.ASCII,
)
_PLACE = re.compile(
    r"\b(epoch|iter(?:ation)?|step|batch|update|round)s?\b[\s:=#\[(]*+(\d+)(?:\.0)?"
    r"(?:\s*(?:/|of)\s*(\d+))?[\])]?(?![\w.%]|\s*=)[:,]?",
    re.ASCII | re.IGNORECASE,
)
_SPLIT = re.compile(r"[,;|\t]|\s{2,}| - ")
_WORD = r"[A-Za-z_][\w./@()%-]*"
_NAME = rf"{_WORD}(?: {_WORD}){{0,3}}?"
_PAIR = re.compile(
    rf"\s*({_NAME})(\s*[:=]\s*|\s+)(?:(\d+(?::\d\d){{1,2}}(?:\.\d+)?)|({NUMBER}))"
    r"\s?(%|m?s|it/s|samples/s)?(?=\s|$|\))\)?",
    re.ASCII,
)
_PROSE = re.compile(
    r"\b(?:from|to|at|in|of|is|was|by|after|for|than|with|on|and|or|the|a|an|be|are|not|no|it|took)\b",
    re.IGNORECASE,
)
_LONGEST = 4096


class Pairs(Reader):
    """Reads lines of pairs."""

    name = "pairs"

    def read(self, text: str) -> Sequence[Observation] | Observation | None:
        """Return the line's pairs, None when it is prose."""
        if len(text) > _LONGEST or (not any(map(str.isdigit, text)) and "nan" not in text.lower()):
            return None
        text = text[_PREFIX.match(text).end() :]  # type: ignore[union-attr]
        places: dict[str, tuple[str, str | None]] = {}
        rest = text
        while match := _PLACE.match(rest.lstrip(" \t|,:-([")):
            rest = rest.lstrip(" \t|,:-([")[match.end() :]
            word = match.group(1).lower()
            places.setdefault(
                "iter" if word == "iteration" else word, (match.group(2), match.group(3))
            )
        values, whole = _pairs(rest)
        if not values:
            return None
        if not places:
            return self._without_place(values, whole)
        return _placed(places, values)

    def _without_place(self, values: dict[str, str], whole: bool) -> Observation | None:
        if whole and any(map(is_metric, values)):
            return Observation(values, kind="summary")
        return None


def _placed(places: dict[str, tuple[str, str | None]], values: dict[str, str]) -> Observation:
    """Return the observation of a line that names its place.

    `Iter 5: …, test_acc=…` is an epoch where it is the only place and a test or validation result
    stands beside it (mlrunner's example); elsewhere an iteration is a step.
    """
    epoch = places.get("epoch") or places.get("round")
    step = next((places[key] for key in ("step", "iter", "batch", "update") if key in places), None)
    if epoch is None and set(places) == {"iter"} and any(_is_evaluation(name) for name in values):
        epoch, step = step, None
    total = epoch[1] if epoch else None
    return Observation(
        values,
        _whole(epoch[0]) if epoch else None,
        _whole(step[0]) if step else None,
        step[1] if step and epoch else None,
        total_epochs=int(total[:9]) if total else None,
    )


def _is_evaluation(name: str) -> bool:
    return name.lower().startswith(("test", "val", "eval", "best", "dev"))


def _pairs(text: str) -> tuple[dict[str, str], bool]:
    """Return the pairs of a text, and whether it holds nothing else."""
    values: dict[str, str] = {}
    whole = True
    for field in _SPLIT.split(text):
        found = _field(field.strip())
        if found is None:
            whole = False
        else:
            values.update(found)
    return values, whole


def _field(field: str) -> dict[str, str] | None:
    """Return the pairs of a field, None when something else is in it: "loss 0.5 acc 0.6" has
    two."""
    values: dict[str, str] = {}
    at = 0
    while at < len(field):
        match = _PAIR.match(field, at)
        if match is None:
            return None
        name, joint, duration, number, _ = match.groups()
        if not joint.strip() and (name.count(" ") > 1 or _PROSE.search(name)):
            return None
        values[name] = (seconds(duration) or "") if duration else number
        at = match.end()
    return values


def _whole(text: str) -> str:
    return text.lstrip("0") or "0"
