"""What the names of folders and files say about experiments that Sweepmake did not run.

Training Log Wizard writes an experiment's parameters into its name:

    ppn_2-cps_8-intra_8-inter_1-bt_0-img_1000-lr_1e-05-mom_0.9-bs_32-dpout_0.5_0.5

Entries are parted by a dash before the next key; a key and its value, or its list of values, by
underscores. mlrunner's names (`Norm_new-Moment_0.1`) are read as sweepmake.naming reads them.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Sequence

from sweepmake.params.naming import LONGEST_NAME, Value, decode_name, repeats

__all__ = ["DEFAULT_STAGE", "STAGES", "name_of_path", "parameters_of_name",
           "parameters_of_path", "read_value", "stage_key"]  # fmt: skip

DEFAULT_STAGE = "train"
"""The stage of a log where nothing names one."""

STAGES = (
    "preprocess", "prepare", "pretrain", "pretraining", "train", "training", "finetune",
    "finetuning", "avg", "average", "valid", "validate", "validation", "val", "dev", "eval",
    "evaluate", "evaluation", "test", "testing", "predict", "generate", "inference", "score",
)  # fmt: skip
"""Words that say a stage, in the order in which stages usually run."""

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_INTEGER = re.compile(r"[+-]?[0-9]+")
_PADDED = re.compile(r"[+-]?0[0-9]")  # 007 is a label, not a number
_WORDS = ("True", "False", "true", "false", "None", "none")
_LONGEST_NUMBER = 100  # characters
_KEY = r"[^\W\d_][^\W_.]*(?:\.[^\W_.]+)*_"
_FIRST_KEY = re.compile(_KEY)
_NEXT_ENTRY = re.compile(rf"-(?={_KEY})")
_HASHED = re.compile(r"-[0-9a-f]{8}\Z")


def read_value(text: str) -> Value:
    """Return a number where a text is one (`32`, `1e-05`, `-.5`), else the text as it stands.

    `007`, `nan`, `1e999` and `True` stay texts.
    """
    if len(text) > _LONGEST_NUMBER or not _NUMBER.fullmatch(text) or _PADDED.match(text):
        return text
    if _INTEGER.fullmatch(text):
        return int(text)
    number = float(text)
    return number if math.isfinite(number) else text


def parameters_of_name(name: str) -> dict[str, Value]:
    """Return the parameters that a name lists; {} for a name that is no such list.

    `lr_1e-05-mom_-0.9` gives numbers, `batch_size_32` the key batch_size, `dpout_0.5_0.5` the text
    "[0.5, 0.5]", `beta_1_0.9-beta_2_0.99` the keys beta_1 and beta_2. A single entry counts only
    with a number: `lr_0.1` is a parameter, `my_experiment` is not.
    """
    if not _FIRST_KEY.match(name):
        return {}
    entries = [_split_entry(entry) for entry in _NEXT_ENTRY.split(name)]
    if name[0].isupper():
        if _HASHED.search(name):
            return {}  # Sweepmake's own way to say that the name does not hold all
        decoded = decode_name(name)
        if decoded is not None and len(decoded) == len(entries):
            return decoded
    seen = Counter(key for key, _ in entries)
    entries = [
        (f"{key}_{values[0]}", values[1:]) if seen[key] > 1 and len(values) > 1 else (key, values)
        for key, values in entries
    ]
    if len({key for key, _ in entries}) < len(entries) or not all(all(e) for e in entries):
        return {}
    if len(entries) == 1 and not _NUMBER.fullmatch(entries[0][1][0]):
        return {}
    return {key: _joined(values) for key, values in entries}


def _split_entry(entry: str) -> tuple[str, list[str]]:
    """Return the key and the values of one entry; the values that end it are the longest list."""
    words = entry.split("_")
    first = len(words)
    while first > 1 and (_NUMBER.fullmatch(words[first - 1]) or words[first - 1] in _WORDS):
        first -= 1
    if first == len(words):
        text = "_".join(words[1:])
        return words[0], [text] if text else []
    return "_".join(words[:first]), words[first:]


def _joined(values: Sequence[str]) -> Value:
    return read_value(values[0]) if len(values) == 1 else f"[{', '.join(values)}]"


def parameters_of_path(parts: Sequence[str]) -> dict[str, Value]:
    """Return the parameters that the folders of a path list, the outermost first.

    Where some of them are names only (`baseline/lr_0.1`), these become the parameter `folder`, so
    that two experiments do not look like one setting.
    """
    parameters: dict[str, Value] = {}
    rest = []
    for part in parts:
        found = parameters_of_name(part)
        parameters.update(found)
        if not found:
            rest.append(part)
    if parameters and rest:
        parameters.setdefault("folder", "/".join(rest))
    return parameters


def name_of_path(path: str) -> str:
    """Return an experiment's name: its path as one component that Snakemake and terminals can take.

    Where more than the slashes had to be replaced or cut, the name ends in a hash of the path.
    """
    plain = path.replace("/", "-")
    safe = plain.replace("{", "_").replace("}", "_").replace("<", "_")
    if not safe.isprintable():
        safe = "".join(char if char.isprintable() else "_" for char in safe)
    safe = re.sub(r"^[.\s]+|\s+$", "_", safe)
    if safe == plain and len(safe.encode()) <= LONGEST_NAME and not repeats(safe):
        return safe
    digits = hashlib.sha256(path.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return safe.encode()[: LONGEST_NAME - 9].decode("utf-8", "ignore") + "-" + digits


def stage_key(stage: str) -> tuple[int, str]:
    """Return a key that sorts stages as they usually run; those it does not know come last."""
    word = stage.lower()
    return (STAGES.index(word) if word in STAGES else len(STAGES)), stage
