"""What ends a workflow before its time: Ctrl-C, SIGTERM, SIGHUP, at every point of its course.

Before its jobs, Ctrl-C ends it with one line. While they run on this machine, each of the signals
has the jobs end, and no new one start. A terminal sends Ctrl-C to the jobs itself; `kill` and
`timeout` reach the workflow alone, so that it has to pass the signal on. At the end, a signal ends
the making of results.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Set
from pathlib import Path
from types import FrameType, TracebackType

from sweepmake.runs.processes import below, children_of, read_processes

__all__ = ["Stop", "end_in_one_line"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_RUNNER = str(Path(__file__).parents[1] / "__main__.py")
_LOOK_S = 0.2  # between two looks for jobs that have started at the last moment


def end_in_one_line() -> None:
    """From now on, an interrupt that nobody handles ends this program with one line."""
    sys.excepthook = _one_line


def _one_line(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # once more is not worth a word
    sys.stderr.write("Interrupted. The same command again goes on from here.\n")


class Stop:
    """The end of a workflow by a signal, while its jobs run on this machine.

    Attributes:
        caught: the first signal that asked for the end, else 0.
        is_urgent: whether there is no time for more than the end: it was asked for by another
            program, which may kill, or more than once.
    """

    def __init__(self) -> None:
        self.caught = 0
        self.is_urgent = False
        self._before: dict[int, object] = {}
        self._end: Callable[[int, FrameType | None], object] | None = None

    @property
    def is_watching(self) -> bool:
        """Whether the signals are handled, and passed on to the jobs."""
        return self._end is not None

    def watch(self, programs: Iterable[str]) -> None:
        """Begin to handle the signals, once Snakemake has its handler of SIGTERM.

        That one starts no job any more and waits for the living ones (Snakemake 9.27,
        JobScheduler.exit_gracefully). A signal that is ignored (nohup) stays so.

        Args:
            programs: the names of the programs that make results. What runs one, or the stage
                runner, has that told of a signal; of all other jobs, all processes are.
        """
        self._programs = frozenset(programs)
        if self._end:
            return
        found = signal.getsignal(signal.SIGTERM)
        if threading.current_thread() is not threading.main_thread() or not callable(found):
            return  # it is not the user who has started this
        self._end = found
        for number in _SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._stop)

    def interrupt(self) -> None:
        """From now on, let each of the signals raise KeyboardInterrupt; no jobs are left."""
        for number in self._before:
            signal.signal(number, signal.default_int_handler)

    def done(self) -> None:
        """Let the next signal end the program at once, without a word: all is done."""
        for number in self._before:
            signal.signal(number, signal.SIG_DFL)

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        first, self.caught = not self.caught, self.caught or number
        self.is_urgent = number != signal.SIGINT or not first
        if not first:
            return
        name = signal.Signals(number).name
        # in one write, and not through a buffer that this may have interrupted
        text = f"{name}: no run starts any more, and those that run are asked to end.\n"
        os.write(2, text.encode())
        # in a thread, because Snakemake's handler waits for a lock that this thread may hold
        threading.Thread(target=self._stop_jobs, args=(number,), daemon=True).start()

    def _stop_jobs(self, number: int) -> None:
        if self._end:
            self._end(number, None)
        told: set[tuple[int, str]] = set()
        while True:
            for pid, start in self._to_tell() - told:
                told.add((pid, start))
                try:
                    os.kill(pid, signal.SIGTERM if self._is(pid, self._programs) else number)
                except ProcessLookupError:
                    continue  # it has ended by itself
            time.sleep(_LOOK_S)

    def _to_tell(self) -> set[tuple[int, str]]:
        """Return the processes of jobs that are to be told of the signal: number and start."""
        processes = read_processes()
        children = children_of(processes)
        group = os.getpgrp()
        found: set[tuple[int, str]] = set()
        for job in children.get(os.getpid(), []):
            # what a stage runs has a process group of its own, and its runner passes the signal on
            members = [pid for pid in below([job], children) if processes[pid].group == group]
            ours = [pid for pid in members if self._is(pid, {_RUNNER, *self._programs})]
            found.update((pid, processes[pid].start) for pid in ours or members)
        return found

    def _is(self, pid: int, programs: Set[str]) -> bool:
        """Return whether a process runs one of some programs; a shell that starts one does not."""
        try:
            arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            return False  # it has just ended
        words = {os.fsdecode(argument) for argument in arguments[1:4]}
        return not programs.isdisjoint(words | {Path(word).name for word in words})
