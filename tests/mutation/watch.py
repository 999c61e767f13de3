"""A pytest plugin: which tests run which lines of the library; and the tests that are asked for.

The program writes what it asks for into a file and names that in the environment variable `JOB`:

- `library`: the folder of the package that the tests have to import;
- `tests`: their ids, in the order in which they run; None for all;
- `failed`: the file that gets the ids of the tests that fail, one a line, at once;
- `map`: None, or the file that gets seconds and lines of all tests (the run is under coverage).
"""

from __future__ import annotations

import importlib.util
import json
import os
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

JOB = "SWEEPMAKE_MUTATION_JOB"
ANOTHER_LIBRARY = 70  # pytest's exit code when the tests would import another copy of the package


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Watch, if this is the session that was asked to."""
    if JOB in os.environ and not hasattr(config, "workerinput"):
        if hasattr(config.option, "hypothesis_seed"):  # the same examples each time
            config.option.hypothesis_seed = "0"
        job = json.loads(Path(os.environ[JOB]).read_text())
        library = Path(job["library"])
        spec = importlib.util.find_spec(library.name)
        if not spec or not spec.origin or Path(spec.origin).parent != library:
            pytest.exit(f"the tests would not import {library}: {spec}", ANOTHER_LIBRARY)
        config.pluginmanager.register(_Asked(job))
        if job["map"]:
            config.pluginmanager.register(_Mapped(job))


class _Asked:
    """Runs the tests that are asked for and says which ones fail."""

    def __init__(self, job: dict[str, Any]) -> None:
        self._tests: list[str] | None = job["tests"]
        self._failed = Path(job["failed"])

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        if self._tests is not None:
            found = {item.nodeid: item for item in items}
            items[:] = [found[test] for test in self._tests if test in found]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._note(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._note(report)

    def _note(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if report.failed:
            with self._failed.open("a") as file:
                file.write(f"{report.nodeid}\n")


class _Mapped:
    """Tells coverage whose lines these are.

    The lines of a fixture that several tests share are those of each test that has it.
    """

    def __init__(self, job: dict[str, Any]) -> None:
        from coverage import Coverage

        coverage = Coverage.current()
        assert coverage, "the session does not run under coverage"
        self._coverage = coverage
        self._library = Path(job["library"])
        self._path = Path(job["map"])
        self._seconds: dict[str, float] = {}
        self._names: list[str] = [""]  # of what runs now; a fixture's setup is within a test's
        self._sharing: dict[str, list[str]] = defaultdict(list)  # fixture: tests

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        for name in getattr(item, "fixturenames", []):
            self._sharing[name].append(item.nodeid)
        began = time.perf_counter()
        yield from self._within(f"test {item.nodeid}")
        self._seconds[item.nodeid] = time.perf_counter() - began

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Iterator[None]:
        if fixturedef.scope == "function":
            return (yield)
        yield from self._within(f"fixture {fixturedef.argname}")

    def _within(self, name: str) -> Iterator[None]:
        self._names.append(name)
        self._coverage.switch_context(name)
        yield
        self._names.pop()
        self._coverage.switch_context(self._names[-1])

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        tests = list(self._seconds)
        numbers = {test: at for at, test in enumerate(tests)}
        data = self._coverage.get_data()
        lines: dict[str, dict[int, list[int]]] = {}
        for path in data.measured_files():
            module = Path(path).relative_to(self._library).as_posix()
            lines[module] = {
                line: sorted({numbers[test] for name in names for test in self._tests(name)})
                for line, names in data.contexts_by_lineno(path).items()
            }
        self._path.write_text(json.dumps({"seconds": self._seconds, "lines": lines}))

    def _tests(self, name: str) -> list[str]:
        """Return the tests that ran the lines of a context."""
        sort, _, of = name.partition(" ")
        if sort == "test":
            return [of]
        return self._sharing[of] if sort == "fixture" else []
