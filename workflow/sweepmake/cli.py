"""The command `sweepmake`. A new verb is one entry in `VERBS`.

`python -m sweepmake` is not this command but the stage runner, which each run starts.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sweepmake import __version__
from sweepmake.errors import SweepmakeError, in_words
from sweepmake.installation import profile_folder, workflow_folder

__all__ = ["VERBS", "Verb", "main"]


def _no_arguments(parser: argparse.ArgumentParser) -> None:
    """For a verb that stands alone."""


@dataclass(frozen=True, slots=True)
class Verb:
    """What the command can do.

    Args:
        help: one line that says so.
        run: does it, prints, and returns the exit status. It imports what is slow to import
            itself: the other verbs should not wait for it. Its `SweepmakeError` and `OSError` are
            shown to the user.
        arguments: adds the verb's arguments to its parser.
    """

    help: str
    run: Callable[[argparse.Namespace], int]
    arguments: Callable[[argparse.ArgumentParser], None] = _no_arguments


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for; return the exit status (2: it asks for nothing known)."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.verb is None:
        parser.print_help()
        return 0
    try:
        return VERBS[given.verb].run(given)
    except (SweepmakeError, OSError) as error:
        sys.stderr.write(f"error: {in_words(error)}\n")
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sweepmake",
        description="Parameter sweeps of training runs as a Snakemake workflow.",
        epilog='A sweep is run by Snakemake: snakemake -s "$(sweepmake snakefile)" --cores 4',
    )
    parser.add_argument("--version", action="version", version=f"sweepmake {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", title="verbs")
    for name, verb in VERBS.items():
        verb.arguments(verbs.add_parser(name, help=verb.help, description=verb.help))
    return parser


def _print_snakefile(given: argparse.Namespace) -> int:
    sys.stdout.write(f"{workflow_folder() / 'Snakefile'}\n")
    return 0


def _name_a_profile(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="such as slurm; default needs no naming")


def _print_profile(given: argparse.Namespace) -> int:
    sys.stdout.write(f"{profile_folder(given.name)}\n")
    return 0


VERBS = {
    "snakefile": Verb("Print where the workflow's Snakefile lies.", _print_snakefile),
    "profile": Verb("Print the folder of a profile.", _print_profile, _name_a_profile),
}
