"""The files that show all experiments, which Snakemake knows by markers only."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from sweepmake.errors import InputError
from sweepmake.outputs import TABLES
from sweepmake.params.folders import existing
from sweepmake.plan import RECORDS
from sweepmake.results.study import Study

__all__ = ["check_targets", "check_writable", "forget_missing"]

_STANDS_FOR = {"experiments.done": TABLES, "comparison.done": ("comparison.pdf",)}


def forget_missing(study: Study) -> None:
    """Remove the markers of files that somebody has deleted, so that they are made again."""
    folder = Path(study.results)
    if not os.access(folder / RECORDS, os.W_OK):
        return  # nothing was made yet, or nothing can be: check_writable tells who runs something
    for marker, files in _STANDS_FOR.items():
        if not all((folder / file).exists() for file in files):
            (folder / RECORDS / marker).unlink(missing_ok=True)


def check_writable(key: str, folder: str) -> None:
    """Raise InputError where nothing can be written to a folder of the configuration.

    Snakemake would end in a traceback, or every run would fail of its own. What the system allows
    is found by trying, since it may refuse what the permissions say (/proc, a disk without inodes).

    Args:
        key: what the configuration calls it.
        folder: the folder; where it is not there, the nearest above it that is there counts.
    """
    for path in dict.fromkeys((existing(Path(folder)), existing(Path(folder) / RECORDS))):
        trial = path / f".sweepmake.{os.getpid()}"
        try:
            trial.mkdir()
            trial.rmdir()
        except OSError as error:
            raise InputError(
                f"the folder '{path}' cannot be written to: {error.strerror}",
                hint=f"choose another one: --config {key}=FOLDER",
            ) from error


def check_targets(study: Study, arguments: Sequence[str]) -> None:
    """Say how a file is made that was asked for by its path, which Snakemake does not know.

    Args:
        study: what the results are made of.
        arguments: what Snakemake was called with.

    Raises:
        InputError: one of them is such a file.
    """
    folder = Path(study.results)
    known = {folder / file for files in _STANDS_FOR.values() for file in files}
    for argument in arguments:
        if Path(argument) in known:
            raise InputError(
                f"'{argument}' is no target of its own",
                hint="snakemake --cores 4 results makes it of what is there now, "
                "snakemake --cores 4 runs what is missing as well",
            )
