"""Names of experiments: mlrunner's where that name loses nothing, else the least change to it.

A name is a line of entries, `Norm_new-Moment_0.1`: one per choice, in the order of the params.yaml
document that made the experiment. decode_name() reads a name back, and that function is what
"loses nothing" means: a name either decodes to exactly its choices, or ends in a dash and eight
hexadecimal digits of a hash of them. So two experiments never share a name (short of a collision of
the hash among names that look alike, which the sweep checks for), whatever their values.

A name depends on the experiment's own choices alone: not on other documents, not on what files
exist. It is one path component of at most 200 bytes, so that `log.<stage>.<time>.<name>` fits into
the 255 of a file system, and holds no brace, which Snakemake would take for a wildcard. Where it
ends in twenty equal parts, which Snakemake would take for a rule that feeds itself, it is one that
carries a hash.

    key             written as       mlrunner 0.5.9 (utils/misc.py, spec2name)
    norm            Norm             Norm
    lr_max          lrMax            lrMax
    learning_rate   LearningRate     LeRate, which lemon_rate has too
    beta_1          Beta.1           Be1
    0.12345671      0.12345671       0.123457
    1000000         1000000          1e+06
    1.0             1.0              1, which is the integer's
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

__all__ = [
    "LONGEST_NAME",
    "Entry",
    "Value",
    "decode_name",
    "experiment_name",
    "identity",
    "join_entries",
    "mlrunner_key",
    "name_entry",
    "repeats",
    "safe_value",
    "with_hash",
]

Value: TypeAlias = str | int | float | bool | None

LONGEST_NAME = 200  # bytes of UTF-8
_LONGEST_TEXT = 100  # characters of one value, as in mlrunner
_REPEATS = 20  # equal parts at a name's end
_HUGE = 10**100  # integers beyond are written in hexadecimal (Python refuses to print huge ones)

_KEY = (
    r"(?:[a-z][a-z0-9]?[A-Z][a-z0-9]*"  # lrMax: mlrunner leaves a first word of two letters
    r"|[a-z]{1,2}[0-9]+"  # lr2: the same before a number
    r"|[A-Z][a-z0-9]*(?:[A-Z][a-z0-9]*|\.[0-9][a-z0-9]*)*)"  # LearningRate, Beta.1
)
_FULL_KEY = re.compile(_KEY)
_NEXT_ENTRY = re.compile(rf"-(?={_KEY}_)")
_WORD = re.compile(r"[A-Z][a-z0-9]*|\.[0-9][a-z0-9]*")
_SHORT_KEY = re.compile(r"([a-z]{1,2}(?=[0-9]+\Z)|[a-z][a-z0-9]?(?=[A-Z]))(.+)")
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)")
_HASHED = re.compile(r"-[0-9a-f]{8}\Z")


@dataclass(frozen=True, slots=True)
class Entry:
    """One choice as it stands in a name, and whether it can be read back from there."""

    text: str
    exact: bool


def identity(value: Value) -> tuple[str, str]:
    """Return what makes two values one.

    1, 1.0, True and "1" are four values; nan is nan; 1e-4 is 0.0001.
    """
    if isinstance(value, str):
        return "str", value
    if isinstance(value, int) and not isinstance(value, bool):
        return "int", hex(value)
    return type(value).__name__, repr(value)


def experiment_name(choices: Mapping[str, Value]) -> str:
    """Return the name of the experiment with these choices, "default" where there are none.

    Args:
        choices: the experiment's own choices as written (aliases not resolved), in file order.
    """
    return join_entries([name_entry(key, value) for key, value in choices.items()], choices)


def name_entry(key: str, value: Value) -> Entry:
    """Return one choice as it stands in a name."""
    written_key = _encode_key(key)
    text, exact = _encode_value(value)
    return Entry(f"{written_key}_{text}", exact and _decode_key(written_key) == key)


def join_entries(entries: Sequence[Entry], choices: Mapping[str, Value]) -> str:
    """Return the name made of these entries, with a hash of the choices where one is needed."""
    if not entries:
        return "default"
    name = "-".join([entry.text for entry in entries])
    exact = all(entry.exact for entry in entries)
    hashed = name[-9:-8] == "-" and _HASHED.search(name)
    if exact and not hashed and _fits(name, LONGEST_NAME) and not repeats(name):
        return name
    return with_hash(name, choices)


def repeats(name: str) -> bool:
    """Return whether a name ends in twenty equal parts, which Snakemake refuses in a wildcard.

    It takes them for the work of a rule whose output is its own input (PeriodicWildcardError;
    Snakemake 9.27, io.PeriodicityDetector). A hash at the end makes a name that does not.
    """
    longest = len(name) // _REPEATS
    return any(name.endswith(name[-size:] * _REPEATS) for size in range(1, longest + 1))


def with_hash(name: str, choices: Mapping[str, Value]) -> str:
    """Return a name, cut to fit, with and a dash with 8 hex digits of the choices' SHA-256."""
    typed = sorted((key, *identity(value)) for key, value in choices.items())
    canonical = json.dumps(typed, ensure_ascii=True, separators=(",", ":"))
    digits = hashlib.sha256(canonical.encode("ascii")).hexdigest()[:8]
    stem = name.encode("utf-8", "replace")[: LONGEST_NAME - 9].decode("utf-8", "ignore")
    return f"{stem}-{digits}"


def safe_value(value: Value) -> tuple[str, bool]:
    """Return a value as part of a path component, and whether it stands there unchanged.

    An unchanged value may still be mistaken for one of another type; name_entry() looks at that.
    """
    if value is None or isinstance(value, bool):
        return {True: "T", False: "F", None: "None"}[value], True
    if isinstance(value, str):
        return _safe_text(value)
    if isinstance(value, int) and abs(value) >= _HUGE:
        return _safe_text(hex(value)[:_LONGEST_TEXT])[0], False
    return _number(value), True


def _safe_text(text: str) -> tuple[str, bool]:
    """Return a text as mlrunner writes it, with `_` for what Snakemake or a terminal trips over.

    Snakemake takes `{name}` for a wildcard and `<name>` for a variable of its own.
    """
    safe = re.sub(r"^[/.]*", "", text)
    safe = "".join([char if char.isprintable() and char not in "/{}<" else "_" for char in safe])
    safe = re.sub(r"^ +| +$", "_", safe)[-_LONGEST_TEXT:]
    return safe, safe == text


def _number(value: float) -> str:
    """Return mlrunner's %g where it gives the number back with its type, else Python's repr."""
    short = f"{value:g}"
    return short if identity(_decode_value(short)) == identity(value) else repr(value)


def _encode_value(value: Value) -> tuple[str, bool]:
    text, unchanged = safe_value(value)
    exact = unchanged and _NEXT_ENTRY.search(text) is None
    return text, exact and identity(_decode_value(text)) == identity(value)


def _decode_value(text: str) -> Value:
    """Return the value that a name shows: a constant, a number in its one form, or a text."""
    if text in ("T", "F", "None"):
        return {"T": True, "F": False, "None": None}[text]
    if _INTEGER.fullmatch(text) and text != "-0":
        return int(text)
    try:
        number = float(text)
    except ValueError:
        return text
    return number if text in (repr(number), f"{number:g}") and text != "-0" else text


def mlrunner_key(key: str) -> str:
    """Return a key as mlrunner's snake2camel(key, shrink_keep=2) writes it."""
    words = key.split("-") if "-" in key else key.split("_")
    return "".join([w[:2].title() if len(w) > 2 else w for w in words[:-1]]) + words[-1].title()


def _encode_key(key: str) -> str:
    """Return a key as it stands in a name: as mlrunner does if that decodes, else in full."""
    short = mlrunner_key(key)
    if _decode_key(short) == key:
        return short
    words = [word for word in re.split(r"[^0-9A-Za-z]+", key) if word]
    full = "".join([f".{w}" if w[0].isdigit() else w[0].upper() + w[1:] for w in words])
    return full.lstrip(".")


def _decode_key(text: str) -> str | None:
    """Return the key that is written so in a name, None where none is."""
    if not _FULL_KEY.fullmatch(text):
        return None
    short = _SHORT_KEY.fullmatch(text)
    if short:
        return f"{short[1]}_{short[2].lower()}"
    return "_".join([word.lstrip(".").lower() for word in _WORD.findall(text)])


def _fits(name: str, longest: int) -> bool:
    return len(name) * 4 <= longest or len(name.encode("utf-8", "replace")) <= longest


def decode_name(name: str) -> dict[str, Value] | None:
    """Return the choices that a name shows in full; None for a name that carries a hash.

    Args:
        name: an experiment's name, such as `Norm_new-Moment_0.1`.
    """
    if name == "default":
        return {}
    if _HASHED.search(name) or not re.match(rf"{_KEY}_", name):
        return None
    choices: dict[str, Value] = {}
    for entry in _NEXT_ENTRY.split(name):
        written_key, _, text = entry.partition("_")
        key = _decode_key(written_key)
        if key is None or key in choices:
            return None
        choices[key] = _decode_value(text)
    return choices
