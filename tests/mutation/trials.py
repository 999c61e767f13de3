"""Copies of the repository, and the tests run there."""

from __future__ import annotations

import compileall
import contextlib
import json
import os
import py_compile
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .mutants import Mutation
from .relevance import LineMap
from .watch import ANOTHER_LIBRARY, JOB

# pytest's exit code; with a mutant there may be no test of some names: they come from the library
_NO_TESTS = 5
# how long pytest may take to start; how much longer than in the map's run tests may take
_START_S = 120.0
_SLOWER = 5.0


@dataclass(frozen=True, slots=True)
class Run:
    """What became of a session of pytest: the tests that failed, its exit code (None: time was up),
    what it said."""

    failed: list[str]
    code: int | None
    said: str


class Copy:
    """A copy of the repository, in which one mutation at a time is tried.

    Args:
        root: the repository; all its files are copied that git knows or does not ignore.
        library: the package's folder, relative to the repository.
        folder: where to make the copy; it is made.
    """

    def __init__(self, root: Path, library: Path, folder: Path) -> None:
        self.root = folder / "tree"
        self.library = self.root / library
        self._job = folder / "job.json"
        self._failed = folder / "failed"
        self._said = folder / "said"
        self._temporary = folder / "tmp"
        self._running: subprocess.Popen[bytes] | None = None
        for name in files(root):
            target = self.root / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, target, follow_symlinks=False)
        compile_by_content(self.library)

    def map(self, paths: list[str]) -> dict[str, Any]:
        """Run all tests of some files under coverage.

        Returns:
            The tests' `seconds`, the library's `lines` with the numbers of the tests that ran them,
            and the ids of those that `failed`.

        Raises:
            RuntimeError: pytest did not come to its end.
        """
        result = self._job.with_name("map.json")
        data = self._job.with_name("coverage")
        options = ["-m", "coverage", "run", f"--source={self.library}", f"--data-file={data}"]
        run = self._run([*options, f"--rcfile={os.devnull}"], paths, None, None, result)
        if run.code not in (0, 1) or not result.exists():
            raise RuntimeError(f"the unit tests did not come to their end:\n{run.said}")
        return {**json.loads(result.read_text()), "failed": run.failed}

    def try_out(self, mutation: Mutation, rounds: list[list[str]], tests: LineMap) -> str:
        """Return which test notices a mutation (or what else), "" if none does."""
        path = self.library / mutation.module
        source = path.read_text(encoding="utf-8")
        path.write_text(mutation.applied(source), encoding="utf-8")
        try:
            for chosen in rounds:
                limit_s = _START_S + _SLOWER * sum(tests.seconds[test] for test in chosen)
                run = self.run(chosen, limit_s)
                if run.failed:
                    return run.failed[0]
                if run.code is None:
                    return f"the time limit ({limit_s:.0f} s)"
                if run.code not in (0, _NO_TESTS):
                    return f"the end of pytest (exit code {run.code})"
        finally:
            path.write_text(source, encoding="utf-8")
        return ""

    def run(self, chosen: list[str], limit_s: float | None, *, first: bool = True) -> Run:
        """Run some tests, to the first that fails or all of them.

        Raises:
            RuntimeError: they would test another copy of the library.
        """
        paths = list(dict.fromkeys(test.partition("::")[0] for test in chosen))
        stop = ["-x"] if first else []
        run = self._run([], [*stop, *paths], chosen, limit_s, None)
        if run.code == ANOTHER_LIBRARY:
            raise RuntimeError(f"the tests were not run:\n{run.said}")
        return run

    def _run(
        self,
        options: list[str],
        arguments: list[str],
        chosen: list[str] | None,
        limit_s: float | None,
        result: Path | None,
    ) -> Run:
        job = {
            "library": str(self.library),
            "tests": chosen,
            "failed": str(self._failed),
            "map": result and str(result),
        }
        self._job.write_text(json.dumps(job))
        self._failed.unlink(missing_ok=True)
        command = [sys.executable, *options, "-m", "pytest", "-p", "mutation.watch", "-q"]
        command += ["-p", "no:cacheprovider", "--tb=short"]
        command += [f"--basetemp={self._temporary}", *arguments]
        code = self._wait(command, limit_s)
        failed = self._failed.read_text().splitlines() if self._failed.exists() else []
        return Run(failed, code, self._said.read_text(errors="replace"))

    def stop(self) -> None:
        """End the tests that run in this copy, and all that they started."""
        running = self._running  # the thread that started it forgets it as soon as it has ended
        if running:
            if running.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(running.pid, signal.SIGKILL)
            running.wait()
        end_processes(f"{JOB}={self._job}")

    def _wait(self, command: list[str], limit_s: float | None) -> int | None:
        """Run a command in the copy; return its exit code, None if it was ended at the limit."""
        environment = {
            **os.environ,
            # before what an editable installation adds
            "PYTHONPATH": os.pathsep.join([str(self.library.parent), str(self.root / "tests")]),
            JOB: str(self._job),
        }
        environment.pop("SWEEPMAKE_NO_SKIPS", None)
        with self._said.open("w") as said:
            process = subprocess.Popen(
                command,
                cwd=self.root,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self._running = process
            try:
                return process.wait(limit_s)
            except subprocess.TimeoutExpired:
                return None
            finally:
                self.stop()
                self._running = None


def files(root: Path) -> list[str]:
    """Return the repository's files, relative to it: known to git, or new and not ignored."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        check=True,
        text=True,
    )
    names = filter(None, listed.stdout.split("\0"))
    return sorted({name for name in names if os.path.lexists(root / name)})


def compile_by_content(library: Path) -> None:
    """Compile a package so that Python compares its bytecode with the source's text.

    By default it compares size and time, which two mutants, written in the same second, may share.
    Bytecode that Python replaces afterwards is compared in the same way.
    """
    mode = py_compile.PycInvalidationMode.CHECKED_HASH
    compileall.compile_dir(library, quiet=2, invalidation_mode=mode)


def end_processes(variable: str, folder: Path = Path("/proc")) -> None:
    """End all processes that have a variable (`NAME=value`) in their environment.

    A mutant may leave processes that are in no process group of its own. Where there is no /proc
    (macOS), they are left.
    """
    for path in folder.glob("[0-9]*/environ"):
        try:
            if variable.encode() in path.read_bytes().split(b"\0"):
                os.kill(int(path.parent.name), signal.SIGKILL)
        except OSError:  # ended meanwhile, or another user's
            continue
