"""What the programs in scripts/ share: their arguments, and how they say what is wrong."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from sweepmake.errors import SweepmakeError, in_words
from sweepmake.replacing import forget_partials

__all__ = ["CONFIG", "Argument", "run_program"]


class Argument:
    """One argument of a program: its name, what it means, and more for argparse."""

    def __init__(self, name: str, words: str, **settings: Any) -> None:
        self.name = name
        self.settings = {"help": words, **settings}

    @classmethod
    def of_json(cls, name: str, words: str) -> Argument:
        """Return an argument that holds JSON, an empty mapping where it is not given."""
        return cls(name, f"{words}, as JSON", type=json.loads, default={})


CONFIG = Argument("--config", "the whole configuration, as JSON", required=True)


def run_program(
    main: Callable[[argparse.Namespace], None], *arguments: Argument, description: str | None
) -> None:
    """Run a program with the arguments of the command line; end with one line where it fails.

    Args:
        main: takes the arguments' values, by their names.
        arguments: what the program takes.
        description: what it does, for `--help`.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end_at_once)
    parser = argparse.ArgumentParser(description=description)
    for argument in arguments:
        parser.add_argument(argument.name, **argument.settings)
    try:
        main(parser.parse_args())
    except (SweepmakeError, OSError) as error:
        sys.exit(f"error: {in_words(error)}")


def _end_at_once(number: int, _frame: object) -> None:
    """End this program by a signal: without a traceback, and with nothing left half-written."""
    for worker in multiprocessing.active_children():
        worker.terminate()
    forget_partials()
    os._exit(128 + number)
