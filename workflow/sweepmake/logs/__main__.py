"""Read the logs of distributed runs: python -m sweepmake.logs LOGFILE... --output DIR."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from ..errors import SweepmakeError
from .parse import LogOptions, StageLogs, parse_logs

__all__ = ["main"]

# option -> what its value is called ("" for a switch), its help
_OPTIONS = {
    "output": ("DIR", "folder for what is written"),
    "stage": ("STAGE", "name of the stage in the history (train)"),
    "launcher": ("LAUNCHER", "what wrote the tags; recognised from the log if not given"),
    "reader": ("READER", "the log's format; chosen by what the log shows if not given"),
    "pattern": ("REGEX", "own format, with named groups"),
    "clean": ("", "write a cleaned log too"),
    "per-rank": ("", "write a cleaned log per rank too"),
    "excel": ("", "write history.xlsx too"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the logs named on the command line; return the exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    given = _plain(words) or _any(words)
    last = {name: values[-1] for name, values in given.items()}
    options = LogOptions(
        last.get("launcher"),
        last.get("reader"),
        tuple(given.get("pattern", ())),
        "clean" in given,
        "per-rank" in given,
        "excel" in given,
    )
    logs = StageLogs(last.get("stage", "train"), tuple(map(Path, given["logs"])))
    try:
        found = parse_logs([logs], Path(last["output"]), options=options)
    except SweepmakeError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 2
    print(f"{found.rows} rows, {len(found.columns)} metrics: {found.history}")  # noqa: T201
    return 0


def _plain(words: Sequence[str]) -> dict[str, list[str]] | None:
    """Return the values of each option where all are spelled out, else None.

    To import argparse takes as long as to read a log of 100 kB.
    """
    given: dict[str, list[str]] = {}
    before = ""
    left = iter(words)
    for word in left:
        if not word.startswith("-"):
            if "logs" in given and before != "logs":
                return None  # argparse takes them only together
            before = "logs"
        elif word[:2] == "--" and word[2:] in _OPTIONS:
            before = word[2:]
        else:
            return None
        value = word if before == "logs" else next(left, "-") if _OPTIONS[before][0] else ""
        if value.startswith("-"):
            return None
        given.setdefault(before, []).append(value)
    return given if "logs" in given and "output" in given else None


def _any(words: Sequence[str]) -> dict[str, list[str]]:
    """Return the values of each option; help and mistakes end the program."""
    import argparse

    parser = argparse.ArgumentParser(
        prog="python -m sweepmake.logs",
        description="Write history.csv.gz and metrics.json from the logs of a run, rank by rank.",
    )
    parser.add_argument(
        "logs", nargs="+", metavar="LOGFILE", help="attempts of one run, oldest first"
    )
    for name, (value, text) in _OPTIONS.items():
        if value:
            parser.add_argument(
                f"--{name}",
                dest=name,
                metavar=value,
                action="append",
                required=name == "output",
                help=text,
            )
        else:
            parser.add_argument(f"--{name}", dest=name, action="append_const", const="", help=text)
    found = vars(parser.parse_args(words))
    return {name: values for name, values in found.items() if values is not None}


if __name__ == "__main__":
    sys.exit(main())
