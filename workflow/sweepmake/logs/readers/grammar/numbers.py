"""Numbers as people print them: units, thousands, decimal commas, means, deviations, counts.

4.6 (4.7)     0.85 ± 0.02     43.75%     850/1000 (85%)     12,480     0,5213     11.50GiB
[0][10/391]   [ 20/200]       [640/6400 (10%)]              0:10:00    1 day, 2:03:04
"""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["TOKEN", "Number", "count_percent", "has_decimal_comma", "plain", "read_number"]

_NUMBER = r"[+-]?(?:\d++(?:,\d++)*+(?:\.\d++)?|\.\d++)(?:[eE][+-]?\d++)?"
_WORD = r"[+-]?(?:nan|NaN|NAN|inf|Inf|INF|Infinity)"
_UNIT = (
    r"%|[mnuµ]?s|[kKMGT]i?[Bb]|[MGT]|(?:it|tok|samples|images)?/s(?:ec)?|[kKMGTP]?(?:FLOPS|FLOPs)"
)
TOKEN = re.compile(
    r"\[ *(?P<first>\d{1,15}) *(?:(?P<between>[/,]) *(?P<second>\d{1,15}) *"
    r"(?:\( *[\d.]{1,8} *%\) *)?)?\]"
    r"|(?<![\w.@/+\-])(?:"
    r"(?P<days>\d{1,6} days?, ?)?(?P<clock>\d{1,6}(?::\d\d){1,2}(?:\.\d{1,9})?)(?![\w:])"
    r"|(?P<count>\d{1,15}) ?/ *(?P<total>\d{1,15})(?!\w|\.\w|:\d|/)"
    r"|(?P<minutes>\d{1,6})m(?:in)? ?(?P<seconds>\d{1,2}(?:\.\d{1,9})?)s(?!\w)"
    rf"|(?P<number>{_NUMBER}|{_WORD})(?: ?(?P<unit>(?:{_UNIT})(?!\w| ?[:=])))?"
    r"(?!\w|\.\w|:\d|-\d|/\d|\[)"
    r")",
    re.ASCII,
)
_MEAN = re.compile(rf" ?\( *({_NUMBER}|{_WORD}) *\)", re.ASCII)
_DEVIATION = re.compile(rf" ?(?:±|\+/?-|\+-) ?({_NUMBER})", re.ASCII)
_PERCENT = re.compile(r" ?\( *(\d{1,3}(?:\.\d{1,9})?) ?%\)", re.ASCII)
_LONG_TIME = re.compile(r" ?(?:minutes?|hours?|hrs?|days?|min)\b")
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?", re.ASCII)
_DECIMAL = re.compile(r"[+-]?\d+,\d+(?:[eE][+-]?\d+)?", re.ASCII)
_CERTAIN = re.compile(
    r"(?<![\w.,])[+-]?(?:0,\d+|\d+,(?:\d{1,2}|\d{4,}))(?:[eE][+-]?\d+)?(?![\w,.]*\d)", re.ASCII
)


class Number(NamedTuple):
    """A value with what belongs to it.

    Args:
        text: as printed, commas resolved; None where it cannot be told.
        unit: as printed, "" for none.
        mean: in brackets behind it.
        deviation: behind `±`.
        end: where it ends in the line.
    """

    text: str | None
    unit: str
    mean: str | None
    deviation: str | None
    end: int


def has_decimal_comma(text: str) -> bool:
    """Return whether a line certainly prints decimal commas: `0,5213`, `1,25`."""
    return _CERTAIN.search(text) is not None


def plain(text: str, *, decimal_comma: bool) -> str | None:
    """Return a number's text without commas; None where a comma may mean either.

    `12,480` -> "12480"; `0,5213` -> "0.5213"; `1,25` only where the log prints decimal commas.
    """
    if "," not in text:
        return text
    if decimal_comma:
        return text.replace(",", ".") if _DECIMAL.fullmatch(text) else None
    return text.replace(",", "") if _THOUSANDS.fullmatch(text) else None


def read_number(line: str, match: re.Match[str], *, decimal_comma: bool) -> Number:
    """Return the number that a token of a line begins."""
    text = plain(match["number"], decimal_comma=decimal_comma)
    unit = match["unit"] or ""
    end = match.end()
    behind = line[end : end + 2]
    if "(" in behind:
        found = _MEAN.match(line, end)
        if found:
            mean = plain(found[1], decimal_comma=decimal_comma)
            shown = mean is not None and not mean.lstrip("+-").isdigit()
            return Number(text, unit, mean if shown else None, None, found.end())
    elif "±" in behind or "+" in behind:
        found = _DEVIATION.match(line, end)
        if found:
            deviation = plain(found[1], decimal_comma=decimal_comma)
            return Number(text, unit, None, deviation, found.end())
    if not unit and _LONG_TIME.match(line, end):
        text = None
    return Number(text, unit, None, None, end)


def count_percent(line: str, end: int) -> tuple[str, int] | None:
    """Return (per cent, its end) of `850/1000 (85%)`, whose count ends there."""
    found = _PERCENT.match(line, end)
    return (found[1], found.end()) if found else None
