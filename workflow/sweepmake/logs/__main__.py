"""Read the logs of distributed runs: python -m sweepmake.logs LOGFILE... --output DIR."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from sweepmake.errors import SweepmakeError
from sweepmake.logs.parse import LogOptions, StageLogs, parse_logs
from sweepmake.visible import one_line

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the logs named on the command line; return the exit status."""
    given = _parser().parse_args(arguments)
    options = LogOptions(
        given.launcher,
        given.reader,
        tuple(given.pattern),
        given.clean,
        given.per_rank,
        given.excel,
        given.pattern_time,
    )
    try:
        found = parse_logs(
            [StageLogs(given.stage, tuple(given.logs))], given.output, options=options
        )
    except SweepmakeError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 2
    for note in found.notes:
        print(one_line(note), file=sys.stderr)  # noqa: T201
    text = f"{found.rows} rows, {len(found.columns)} metrics: {found.history}"
    print(one_line(text))  # noqa: T201
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sweepmake.logs",
        description="Write history.csv.gz and metrics.json from the logs of a run, rank by rank.",
    )
    parser.add_argument(
        "logs", nargs="+", type=Path, metavar="LOGFILE", help="attempts of one run, oldest first"
    )
    parser.add_argument(
        "--output", required=True, type=Path, metavar="DIR", help="folder for what is written"
    )
    parser.add_argument("--stage", default="train", help="name of the stage in the history (train)")
    parser.add_argument(
        "--launcher", help="what wrote the tags; recognised from the log if not given"
    )
    parser.add_argument(
        "--reader", help="the log's format; chosen by what the log shows if not given"
    )
    parser.add_argument(
        "--pattern",
        action="append",
        default=[],
        metavar="REGEX",
        help="own format, with named groups",
    )
    parser.add_argument("--clean", action="store_true", help="write a cleaned log too")
    parser.add_argument("--per-rank", action="store_true", help="write a cleaned log per rank too")
    parser.add_argument("--excel", action="store_true", help="write history.xlsx too")
    parser.add_argument(
        "--pattern-time",
        type=int,
        default=LogOptions().pattern_time_s,
        metavar="SECONDS",
        help="what a pattern may take on one log, beside a second for each megabyte (%(default)s)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
