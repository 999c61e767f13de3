"""The keys of `logs:` in config.yaml: which logs are read, and how."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from sweepmake.params.folders import from_home
from sweepmake.params.kinds import Kind, given, key, keys_of, number, switch, text
from sweepmake.params.origin import Origin, plain_text
from sweepmake.params.yaml_reader import Items, Node

__all__ = ["LOG_KEYS", "LogKeys", "folder_path"]


def folder_path(expected: str = "a folder") -> Kind[str]:
    """A folder's path, without a slash at its end or "." parts, so that names join to it.

    A `~` that it begins with is the home folder.
    """
    return text(expected, numbers=True).then(lambda path, node, origin: str(Path(from_home(path))))


def _expression(written: str, node: Node, origin: Origin) -> str:
    """Refuse what is no regular expression."""
    try:
        re.compile(written)
    except (re.error, OverflowError, RecursionError) as error:
        raise origin.error(f"'{written}' is not a regular expression: {error}", node) from error
    return written


def _patterns(node: Node, origin: Origin) -> tuple[str, ...]:
    """Read one regular expression or a list of them."""
    items = node.items if isinstance(node, Items) else (node,)
    found = tuple(written for item in items if (written := plain_text(item)) is not None)
    if len(found) != len(items):
        raise origin.expected("a regular expression or a list of them", node)
    return found


_PATTERNS = Kind(
    _patterns,
    lambda: {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
)


_PATTERN_TIME_S = 60


@dataclass(frozen=True, slots=True)
class LogKeys:
    """Which logs are read, and how; the keys' descriptions say what each means."""

    folder: str | None = key(
        folder_path("a folder of logs"),
        None,
        "a folder of logs that were made elsewhere: nothing runs, these are read",
        example="runs",
    )
    names: str | None = key(
        text("a regular expression").then(_expression),
        None,
        "a regular expression that says which files in `folder` are logs, and of what",
        example=r"'lr(?P<lr>[^/]+)/(?P<stage>\w+)\.log'",
    )
    launcher: str | None = key(
        text("a launcher's name"),
        None,
        "what wrote the ranks' tags: `openmpi4`, `openmpi5`, `mpich`, `intelmpi`, `horovod`, "
        "`srun`, `torchrun`, `lines` (each names its rank: `rank 1 | loss 0.5`), `none`, or a "
        "regular expression with a group `(?P<rank>…)` and, if "
        "there is one, `(?P<stream>…)`",
        absent="recognised from the log",
    )
    reader: str | None = key(
        text("a reader's name"),
        None,
        "the one format to read: `ultralytics`, `keras2`, `keras3`, `keras_lines`, `fairseq`, "
        "`hf_trainer`, `json_lines`, `megatron`, `imagenet`, `tqdm`, `box_tables`, `rl_tables`, "
        "`darknet`, `columns`, `pairs`, `regex`",
        absent="chosen by what the log shows",
    )
    pattern: tuple[str, ...] = key(
        _PATTERNS,
        (),
        "a format of your own: a regular expression, or a list of them, with a named group per "
        r"metric, as in `'ep=(?P<epoch>\d+) L=(?P<loss>\S+)'`",
        absent="none",
    )
    pattern_time_s: int = key(
        number(least=1, texts=True),
        _PATTERN_TIME_S,
        "how many seconds of processor time a regular expression of yours (`metric`, `pattern`, "
        "`launcher`) may take on one log, beside one for each megabyte of it",
    )
    clean: bool = key(
        switch(),
        False,
        "write `clean.<stage>.<attempt>.log`: one line per event, in time order, with its rank",
    )
    per_rank: bool = key(switch(), False, "write `ranks.<stage>.<attempt>/rank<r>.log` as well")
    excel: bool = key(switch(), False, "write `history.xlsx` as well")

    @property
    def options(self) -> dict[str, object]:
        """How logs are read, without which logs: what is not the default, for JSON."""
        written = {name: getattr(self, name) for name in keys_of(LogKeys)}
        written["pattern"] = self.pattern[0] if len(self.pattern) == 1 else list(self.pattern)
        return {
            name: value
            for name, value in written.items()
            if name not in ("folder", "names")
            and value not in (None, False, [])
            and (name, value) != ("pattern_time_s", _PATTERN_TIME_S)
        }


def _make(written: dict[str, object], node: Node, origin: Origin) -> LogKeys:
    """Return the keys; names of logs need a folder of logs."""
    if "names" in written and "folder" not in written:
        raise origin.expected("'folder' beside 'names': {folder: runs, names: …}", node)
    return LogKeys(**written)  # type: ignore[arg-type]


LOG_KEYS = given(
    LogKeys, alone="folder", nulls=True, rules={"dependentRequired": {"names": ["folder"]}}
).then(_make)
"""Reads `logs:`: a mapping of the keys, or the folder alone."""
