"""Kills a sweep at random moments: the workflow, the stage runner, either shell, the program, the
whole group; with SIGKILL, SIGTERM, SIGINT, SIGHUP; while stages run, while results are made, while
logs of a finished sweep are read as logs made elsewhere. After each kill the same command is typed
again, at once or when the first has ended, until it ends with 0. Then a new sweep begins.

The moments and what is killed depend on the seed; what happens at a moment depends on the machine.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from .processes import Process, find_processes
from .promises import (
    broken_at_the_end,
    broken_in_words,
    finished_runs,
    repeated,
    results_of,
)
from .sweep import Sweep

__all__ = ["main"]

SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
PHASES = {
    "stages": ["stages"],
    "results": [],
    "logs": ["--config", "logs=output", "results=read"],
}
KILLS = {"stages": (6, 12), "results": (2, 5), "logs": (1, 3)}  # of one sweep, at least and at most
LATEST_S = {"stages": 5.0, "results": 8.0, "logs": 8.0}  # of a kill, after the command was typed
PATIENCE_S = 8.0  # in which something must be there that can be killed
SECONDS = 300  # that a command may take at most; one that hangs is a broken promise
LOOK_S = 0.01


def main(arguments: list[str]) -> int:
    """Return 0 if every promise was kept, else 1."""
    parser = argparse.ArgumentParser(
        prog="python tests/storm",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--kills", type=int, default=200, help="how many (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="(%(default)s)")
    parser.add_argument("--keep", action="store_true", help="keep the folders of the sweeps")
    given = parser.parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="sweepmake-storm-"))
    storm = Storm(folder, given.kills, random.Random(given.seed))
    try:
        while storm.kills < given.kills:
            storm.sweep()
    finally:
        storm.end_all()
        if not given.keep:
            shutil.rmtree(folder, ignore_errors=True)
    counts = Counter(storm.killed)
    for what in sorted(counts):
        print(f"{counts[what]:5}  {what}")
    print(f"{storm.kills} kills in {storm.sweeps} sweeps, {storm.commands} commands")
    for promise, times in Counter(storm.broken).items():
        print(f"BROKEN  {promise}" + (f" ({times} times)" if times > 1 else ""))
    print(f"{len(storm.broken)} promises broken")
    return int(bool(storm.broken))


class Storm:
    """Sweeps that are killed and run again.

    Attributes:
        kills: how many kills there were.
        sweeps: how many sweeps.
        commands: how many commands were typed.
        killed: what was killed, of each kill.
        broken: the promises that were broken, in words.
    """

    def __init__(self, folder: Path, most: int, draw: random.Random) -> None:
        self.kills = self.sweeps = self.commands = 0
        self.killed: list[str] = []
        self.broken: list[str] = []
        self._folder = folder
        self._most = most
        self._draw = draw
        self._token = f"{os.getpid()}"

    def sweep(self) -> None:
        """Run one sweep through all phases, to its good end."""
        self.sweeps += 1
        sweep = Sweep(self._folder / str(self.sweeps), self._token)
        known: dict[tuple[str, int], int] = {}
        if not all(
            self._phase(sweep, phase, self._draw.randint(least, most), known)
            for phase, (least, most) in KILLS.items()
        ):
            self.end_all()
            return
        broken = [
            *repeated(sweep.events(), known),
            *broken_at_the_end(sweep),
            *results_of(sweep.folder / "results"),
            *results_of(sweep.folder / "read"),
        ]
        if left := find_processes(self._token):
            broken.append(f"still alive: {left}")
        self._note(sweep, "at the end", broken)

    def end_all(self) -> None:
        """Leave no process behind."""
        for process in find_processes(self._token):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)

    def _phase(
        self, sweep: Sweep, phase: str, kills: int, known: dict[tuple[str, int], int]
    ) -> bool:
        """Type the command of a phase until it ends well; return whether it did."""
        said = sweep.folder / f"said.{phase}"
        living: list[subprocess.Popen[bytes]] = []
        while True:
            beside = bool(living)
            command = sweep.start(PHASES[phase], said)
            self.commands += 1
            living.append(command)
            again = kills > 0 and self.kills < self._most
            if again:
                kills -= self._kill(phase, living)
            if not (again and self._draw.random() < 0.5):
                for each in living:
                    self._await(sweep, phase, each)
                living = []
            events = len(sweep.events())
            for run in finished_runs(sweep):
                known.setdefault(run, events)
            if not again and not beside:
                break
        broken = list(broken_in_words(said.read_text(errors="replace")))
        if command.returncode:
            broken.append(f"a command that nobody killed ended with {command.returncode}")
        self._note(sweep, phase, broken)
        return command.returncode == 0

    def _kill(self, phase: str, living: list[subprocess.Popen[bytes]]) -> int:
        """Kill something within the next seconds; return 0 where nothing of the kind was there."""
        moment = time.monotonic() + self._draw.uniform(0, LATEST_S[phase])
        whole = self._draw.random() < 0.3
        number = self._draw.choice(SIGNALS)
        patient = self._draw.random() < 0.8  # then it is not the workflow, if it can be another
        while time.monotonic() < moment and _is_any_alive(living):
            time.sleep(LOOK_S)
        end = time.monotonic() + PATIENCE_S
        while _is_any_alive(living) and time.monotonic() < end:
            found: dict[str, list[Process]] = {}
            for one in find_processes(self._token):
                if one.part:
                    found.setdefault(one.part, []).append(one)
            late = time.monotonic() > end - 1
            parts = sorted(part for part in found if late or not patient or part != "workflow")
            if parts:
                of_part = found[self._draw.choice(parts)]
                return self._send(phase, self._draw.choice(of_part), number, whole=whole)
            time.sleep(LOOK_S)
        # a command that had nothing left to do is no kill, but must not be typed for ever
        return 1

    def _send(self, phase: str, to: Process, number: signal.Signals, *, whole: bool) -> int:
        try:
            if whole:
                os.killpg(to.group, number)
            else:
                os.kill(to.pid, number)
        except ProcessLookupError:
            return 0
        self.kills += 1
        group = " and its group" if whole else ""
        self.killed.append(f"{number.name} of the {to.part}{group}, {phase}")
        return 1

    def _await(self, sweep: Sweep, phase: str, command: subprocess.Popen[bytes]) -> None:
        try:
            command.wait(SECONDS)
        except subprocess.TimeoutExpired:
            self._note(sweep, phase, [f"a command did not end within {SECONDS} s"])
            self.end_all()
            command.wait()

    def _note(self, sweep: Sweep, where: str, broken: Sequence[str]) -> None:
        self.broken += [f"sweep {sweep.folder.name}, {where}: {promise}" for promise in broken]


def _is_any_alive(commands: list[subprocess.Popen[bytes]]) -> bool:
    return any(command.poll() is None for command in commands)
