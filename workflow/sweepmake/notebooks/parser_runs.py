"""Users' parsers, run on experiments' folders: here or in other processes, each error named."""

from __future__ import annotations

import multiprocessing
import pickle
import signal
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import yaml

from sweepmake.errors import InputError

__all__ = [
    "ExamError",
    "Experiment",
    "Found",
    "Parser",
    "Work",
    "examine",
    "examine_in_processes",
    "read_parameters",
]

# as mlrunner reads them, so that a value is here what it is there
_Loader: Any = getattr(yaml, "CFullLoader", yaml.FullLoader)


class Experiment(NamedTuple):
    """What is known of one experiment; parsers read it and write into it.

    Attributes:
        cache: whatever a parser wants to keep.
        metric: the numbers that become columns of the table.
        param: the experiment's parameters, as in its file `param`.
    """

    cache: dict[Any, Any]
    metric: dict[Any, Any]
    param: dict[Any, Any]


Parser: TypeAlias = Callable[[Path, Experiment, dict[Any, Any]], object]
"""A user's function of an experiment's folder, the experiment, and the caches of all of them."""


@dataclass(frozen=True, slots=True)
class ExamError:
    """What went wrong with one experiment.

    Attributes:
        experiment: its name.
        parser: the parser that raised; "" where it was none.
        problem: the error, in one line or a few.
        traceback: where it came from, as Python prints it; "" where no parser raised.
    """

    experiment: str
    parser: str
    problem: str
    traceback: str = ""

    def __str__(self) -> str:
        parser = f"{self.parser}: " if self.parser else ""
        return f"{self.experiment}: {parser}{self.problem}"


class Found(NamedTuple):
    """What the parsers found in one folder; `experiment` is None where it holds no parameters."""

    experiment: Experiment | None
    caches: dict[Any, Any]
    errors: list[ExamError]


class Work(NamedTuple):
    """The folders to examine, the parsers in their order, and what is known already."""

    paths: Sequence[Path]
    parsers: Sequence[Parser]
    known: Mapping[str, Experiment]

    def experiment(self, path: Path) -> Experiment:
        """Return what is known of a folder's experiment."""
        return self.known.get(path.name) or Experiment(cache={}, metric={}, param={})


def read_parameters(folder: Path) -> dict[Any, Any] | None:
    """Return an experiment's parameters, None where the folder holds no file `param`, or no more
    than an empty one.

    Raises:
        InputError: the file cannot be read.
    """
    path = folder / "param"
    try:
        with path.open(encoding="utf-8") as file:
            parameters = yaml.load(file, Loader=_Loader)  # a Loader that builds plain values only
    except (FileNotFoundError, NotADirectoryError):  # of a socket or the like, too
        return None
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise InputError(
            f"cannot be read: {' '.join(str(error).split())}", file=str(path)
        ) from error
    if parameters is not None and not isinstance(parameters, dict):
        raise InputError("expected `name: value` lines, found something else", file=str(path))
    return parameters


def examine(
    path: Path, experiment: Experiment, caches: dict[Any, Any], parsers: Sequence[Parser]
) -> list[ExamError]:
    """Let every parser read one folder; return what went wrong, one error per parser that raised.

    What a parser wrote before it raised stays.
    """
    errors = []
    for parser in parsers:
        try:
            parser(path, experiment, caches)
        except (Exception, SystemExit) as error:
            errors.append(_describe(path.name, parser, error))
    return errors


def _describe(experiment: str, parser: Parser, error: BaseException) -> ExamError:
    """Return an error as text: an exception may not survive the way from another process."""
    trace = error.__traceback__ and error.__traceback__.tb_next  # the first frame is examine()
    name = getattr(parser, "__qualname__", type(parser).__name__)
    line = f", line {trace.tb_lineno}" if trace else ""
    problem = "".join(traceback.format_exception_only(error)).strip()
    text = "".join(traceback.format_exception(type(error), error, trace))
    return ExamError(experiment, f"parser {name}{line}", problem, text)


def examine_in_processes(work: Work, workers: int) -> Iterator[Found]:
    """Yield what the parsers find in each folder, in the order of the folders.

    The processes are forked, so parsers may be lambdas, closures, or functions of a notebook.
    What they write is pickled; where it cannot be, the experiment becomes an error that says so.
    Each folder begins with empty caches.

    Args:
        work: what is to be done.
        workers: how many processes, 1 or more.
    """
    if not work.paths:
        return
    executor = _executor(work, min(workers, len(work.paths)))
    try:
        futures = [_submit(executor, index) for index in range(len(work.paths))]
        for index, future in enumerate(futures):
            # a process that dies takes the results of all others with it: they are made again,
            # one process each, so that only the guilty one is lost
            answer = _answer_of(future) or _answer_alone(work, index)
            yield _unpacked(work.paths[index].name, answer)
    finally:
        executor.shutdown(wait=False, cancel_futures=True)


def _executor(work: Work, workers: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context("fork"),
        initializer=_begin,
        initargs=(work,),  # reaches the processes by the fork, not pickled
    )


_work: Work | None = None  # set in the worker processes only


def _begin(work: Work) -> None:
    """Prepare a worker process: what it works on, and that Ctrl-C ends it without a word."""
    global _work
    _work = work
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _submit(executor: ProcessPoolExecutor, index: int) -> Future[bytes] | None:
    """Hand in one folder; None if a process has died meanwhile."""
    with warnings.catch_warnings():
        # Python 3.12 warns of a fork beside threads, which every notebook has. The children run
        # parsers only, and take no lock of the parent's
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            return executor.submit(_answer, index)
        except BrokenProcessPool:
            return None


def _answer_of(future: Future[bytes] | None) -> bytes | None:
    try:
        return None if future is None else future.result()
    except BrokenProcessPool:
        return None


def _answer_alone(work: Work, index: int) -> bytes | None:
    """Return the answer of a process that does nothing else, None if it dies."""
    with _executor(work, 1) as executor:
        return _answer_of(_submit(executor, index))


def _answer(index: int) -> bytes:
    """Return, in a worker process, what the parsers find in one folder, pickled."""
    assert _work is not None
    path = _work.paths[index]
    try:
        parameters = read_parameters(path)
    except InputError as error:
        return pickle.dumps(Found(None, {}, [ExamError(path.name, "", str(error))]))
    if parameters is None:
        return pickle.dumps(Found(None, {}, []))
    experiment = _work.experiment(path)
    experiment.param.update(parameters)
    caches: dict[Any, Any] = {}
    errors = examine(path, experiment, caches, _work.parsers)
    return _packed(path.name, Found(experiment, caches, errors))


def _packed(name: str, found: Found) -> bytes:
    """Return what was found, pickled; where that cannot be, an error that says so."""
    try:
        return pickle.dumps(found)
    except Exception as error:  # whatever a user's object raises
        problem = (
            "what the parsers wrote cannot be sent back from a worker process "
            f"({type(error).__name__}: {error}); keep plain values there, or no workers"
        )
        return pickle.dumps(Found(None, {}, [*found.errors, ExamError(name, "", problem)]))


def _unpacked(name: str, answer: bytes | None) -> Found:
    """Return what a worker process found, or why that is not known."""
    if answer is None:
        problem = "the process that ran the parsers died (out of memory, or a crash in a library)"
        return Found(None, {}, [ExamError(name, "", problem)])
    try:
        found = pickle.loads(answer)
    except Exception as error:  # whatever a user's object raises
        problem = f"what the parsers wrote cannot be read back: {type(error).__name__}: {error}"
        return Found(None, {}, [ExamError(name, "", problem)])
    assert isinstance(found, Found)
    return found
