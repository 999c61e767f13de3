"""The Examiner: a user's own parsers, applied to every experiment's folder, and a table of it all.

Its interface is that of the Examiner of mlrunner 0.5.9 (mlrunner/examine/examiner.py), so parsers
written for that one run here as they are:

    from sweepmake import Examiner, latest_log

    def add_bleu(path, experiment, caches):
        text = latest_log("test", path).read_text()
        experiment.metric["test_bleu"] = float(re.search(r"BLEU4 = ([\\d.]+)", text)[1])

    examiner = Examiner()
    examiner.add(add_bleu)
    examiner.exam(output="output", regex="Norm_.*")
    examiner.table()
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from operator import index as as_index
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sweepmake.errors import InputError
from sweepmake.natural_order import natural_key
from sweepmake.notebooks.parser_runs import (
    ExamError,
    Experiment,
    Parser,
    Work,
    examine,
    examine_in_processes,
    read_parameters,
)
from sweepmake.visible import one_line, visible

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ExamError", "Examiner", "Experiment", "latest_log"]

_Parser = TypeVar("_Parser", bound=Parser)

_MOST_SHOWN = 10
# what follows "log.<stage>." where the file is of a stage whose name begins alike: log.test.long.*
_OTHER_STAGE = re.compile(r"[^0-9].*\.[0-9]{8}\.[0-9]{6}")


class Examiner:
    """Applies parsers to experiments' folders, and keeps what they find.

    Attributes:
        exams: the parsers, in the order in which they were added and run.
        experiments: name → Experiment(cache, metric, param), in the order of the table.
        caches: one dictionary for all experiments, for whatever the parsers share.
        errors: what went wrong in the newest exam of each experiment.
    """

    def __init__(self) -> None:
        self.exams: list[Parser] = []
        self.caches: dict[Any, Any] = {}
        self.experiments: dict[str, Experiment] = {}
        self.errors: list[ExamError] = []

    def add(self, func: _Parser) -> _Parser:
        """Add a parser; adding it again changes nothing. Works as a decorator, too.

        Args:
            func: called as func(path, experiment, caches) for every experiment: its folder, its
                Experiment, and `caches`. It writes what it finds into them.

        Raises:
            InputError: it cannot be called.
        """
        if not callable(func):
            raise InputError(
                f"found {func!r} as a parser, expected a function of (path, experiment, caches)"
            )
        if func not in self.exams:
            self.exams.append(func)
        return func

    def exam(
        self,
        output: str | Path = "output",
        regex: str | re.Pattern[str] = ".*",
        verbose: bool = False,
        workers: int = -1,
    ) -> None:
        """Run the parsers on the experiments in a folder, in the natural order of their names.

        What they find is added to what earlier calls found. A parser that raises is no more than an
        entry of `errors`, and a message on stderr at the end.

        Args:
            output: the folder that holds the experiments' folders.
            regex: examine those whose name this regular expression finds something in.
            verbose: print each experiment's name.
            workers: so many processes share the work; without, or below 1, it is done in this one.
                In other processes each experiment starts with empty `caches`; in the end they are
                put together, later experiments' entries over earlier ones'.

        Raises:
            InputError: there is no such folder, or the expression is wrong.
        """
        folder = Path(output)
        paths = _experiment_folders(folder, regex)
        examined = {path.name for path in paths}
        self.errors = [error for error in self.errors if error.experiment not in examined]
        work = Work(paths, tuple(self.exams), self.experiments)
        bare = self._exam_parallel(work, verbose, workers) if workers > 0 else None
        if bare is None:
            bare = self._exam_serial(work, verbose)
        _report(folder, regex, paths, bare, [e for e in self.errors if e.experiment in examined])

    def _exam_serial(self, work: Work, verbose: bool) -> list[str]:
        """Examine the folders here; return the names of those without parameters."""
        bare = []
        for path in work.paths:
            try:
                parameters = read_parameters(path)
            except InputError as error:
                self.errors.append(ExamError(path.name, "", str(error)))
                continue
            if parameters is None:
                bare.append(path.name)
                continue
            _say(path.name, verbose)
            experiment = self.experiments.setdefault(path.name, work.experiment(path))
            experiment.param.update(parameters)
            self.errors += examine(path, experiment, self.caches, work.parsers)
        return bare

    def _exam_parallel(self, work: Work, verbose: bool, workers: int) -> list[str]:
        """Examine the folders in other processes; return the names of those without parameters."""
        bare = []
        found_by_path = zip(work.paths, examine_in_processes(work, workers), strict=True)
        for path, found in found_by_path:
            self.errors += found.errors
            if found.experiment is None:
                if not found.errors:
                    bare.append(path.name)
                continue
            _say(path.name, verbose)
            mine = self.experiments.setdefault(path.name, found.experiment)
            for ours, theirs in zip(mine, found.experiment, strict=True):
                ours.update(theirs)
            self.caches.update(found.caches)
        return bare

    def table(self, concise: bool = True, print_tsv: bool = False) -> pd.DataFrame:
        """Return a row per experiment: its parameters, then the metrics, both sorted by name.

        Parameters whose name begins with `_` are left out. What an experiment does not have is
        None, or nan in a column of numbers. The index holds the experiments' names.

        Args:
            concise: leave out the parameters that have one value in all experiments.
            print_tsv: print the table, too, without the names, as tab-separated text.
        """
        import pandas as pd

        experiments = self.experiments.values()
        parameters = _parameter_columns(experiments, concise)
        metrics = _sorted({key for experiment in experiments for key in experiment.metric})
        headers = parameters + metrics
        rows = [
            [one.param.get(key) for key in parameters] + [one.metric.get(key) for key in metrics]
            for one in experiments
        ]
        if print_tsv:
            sys.stdout.write("".join(map(_tsv_line, [headers, *rows])))
        names = pd.Index(list(self.experiments), name="experiment", dtype="object")
        return pd.DataFrame(rows, columns=headers, index=names)


def latest_log(command: str, path: str | Path, index: int = -1) -> Path | None:
    """Return the newest log of a stage; None where there is none.

    Args:
        command: the stage's name, such as "test".
        path: the experiment's folder.
        index: which log: -1 is the newest, -2 the one before, 0 the oldest.
    """
    stem = f"log.{command}."
    logs = sorted(
        log
        for log in Path(path).glob(f"{stem}*")
        if not (log.name.startswith(stem) and _OTHER_STAGE.fullmatch(log.name[len(stem) :]))
    )
    return logs[index] if -len(logs) <= as_index(index) < len(logs) else None


def _experiment_folders(output: Path, regex: str | re.Pattern[str]) -> list[Path]:
    """Return the folders in a folder whose names an expression finds something in, sorted."""
    try:
        pattern = re.compile(regex)
    except re.error as error:
        raise InputError(
            f"regex={regex!r} is not a regular expression: {error}",
            hint="'.*' finds every name, 'Norm_new' those that hold Norm_new",
        ) from error
    try:
        inside = [path for path in output.iterdir() if not path.is_file()]
    except FileNotFoundError as error:
        here = Path.cwd()
        raise InputError(
            "there is no such folder", file=str(output), hint=f"this notebook runs in {here}"
        ) from error
    except NotADirectoryError as error:
        raise InputError(
            "expected the folder that holds the experiments' folders, found a file",
            file=str(output),
        ) from error
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=str(output)) from error
    found = [path for path in inside if pattern.search(path.name)]
    return sorted(found, key=lambda path: natural_key(path.name))


def _say(name: str, verbose: bool) -> None:
    if verbose:
        sys.stdout.write(f"{one_line(name)}\n")


def _report(
    output: Path,
    regex: str | re.Pattern[str],
    paths: Sequence[Path],
    bare: Sequence[str],
    errors: Sequence[ExamError],
) -> None:
    """Say on stderr what the user would miss in the table."""
    lines = []
    # folders such as .snakemake and .ipynb_checkpoints are nobody's experiments
    skipped = [name for name in bare if not name.startswith(".")]
    if len(bare) == len(paths):
        lines.append(f"{output}: no experiment found whose name matches {regex!r}")
        if (output / "param").is_file():
            lines[0] += "; this is the folder of one experiment: examine the folder above it"
    if skipped:
        lines.append(f"{output}: skipped, no file 'param' in: {_listed(skipped)}")
    if errors:
        failed = len({error.experiment for error in errors})
        more = f", the first {_MOST_SHOWN} are" if len(errors) > _MOST_SHOWN else ""
        lines.append(f"{output}: errors in {failed} of {len(paths)} experiments{more}:")
        lines += [f"  {error}" for error in errors[:_MOST_SHOWN]]
        lines.append("The Examiner's `errors` holds them all, with their tracebacks.")
    if lines:
        sys.stderr.write("\n".join(map(visible, lines)) + "\n")


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _MOST_SHOWN
    return ", ".join(names[:_MOST_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _parameter_columns(experiments: Iterable[Experiment], concise: bool) -> list[Any]:
    """Return the names of the parameters to show, sorted."""
    values: dict[Any, set[str]] = {}
    for experiment in experiments:
        for key, value in experiment.param.items():
            if not str(key).startswith("_"):
                # as Python writes it: 1, 1.0, True and "1" are four values, a nan is like any
                # other, and lists, which cannot be in a set, have their texts
                values.setdefault(key, set()).add(repr(value))
    return _sorted(key for key, found in values.items() if len(found) > 1 or not concise)


def _sorted(keys: Iterable[Any]) -> list[Any]:
    """Return names sorted; those that cannot be compared (1 and "a") as texts."""
    names = list(keys)
    try:
        return sorted(names)
    except TypeError:
        return sorted(names, key=str)


def _tsv_line(cells: Iterable[object]) -> str:
    """Return one line of text, each cell without what would end it."""
    return "\t".join(visible(re.sub(r"[\t\r\n]", " ", str(cell))) for cell in cells) + "\n"
