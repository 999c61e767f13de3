"""For all tests: with SWEEPMAKE_NO_SKIPS=1 (the continuous integration) a skipped test fails the
session, unless it is marked `optional_data`. All Pythons that the tests start keep bytecode."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

# Containers often forbid it. Then each of the hundreds of Pythons that the tests start compiles
# Snakemake and pandas anew, which takes twice as long as everything else that most of them do.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# who starts the tests under nohup, or in the background of a script, has them ignored, and so would
# have all that the tests start and end by them
if threading.current_thread() is threading.main_thread():
    for _number, _handler in (
        (signal.SIGINT, signal.default_int_handler),
        (signal.SIGHUP, signal.SIG_DFL),
        (signal.SIGTERM, signal.SIG_DFL),
    ):
        if signal.getsignal(_number) is signal.SIG_IGN:
            signal.signal(_number, _handler)
sys.dont_write_bytecode = False

# a busy machine makes any example slow: the time of one says nothing
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

_SKIPPED = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    """Begin a list of the skips, in the process that counts the results of all workers."""
    if os.environ.get("SWEEPMAKE_NO_SKIPS") == "1" and not hasattr(config, "workerinput"):
        config.stash[_SKIPPED] = []
        config.pluginmanager.register(_Watch(config), "sweepmake-no-skips")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let tests of one `xdist_group` run in one worker under pytest 9.2, too.

    pytest-xdist 3.8 appends the group to the test's id, where pytest 9.2 no longer looks for it:
    https://github.com/pytest-dev/pytest-xdist/issues/1386
    """
    for item in items:
        with_group = vars(item).get("_nodeid")
        if with_group and hasattr(item, "_id"):
            item._id = type(item._id).parse(with_group)


class _Watch:
    """Collects what was skipped, and fails the session for it."""

    def __init__(self, config: pytest.Config) -> None:
        self._skipped = config.stash[_SKIPPED]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        excused = hasattr(report, "wasxfail") or "optional_data" in report.keywords
        if report.skipped and not excused:
            self._skipped.append(report.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self._skipped.append(report.nodeid)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Iterator[None]:
        if self._skipped and session.exitstatus in (0, 5):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        yield

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for test in sorted(set(self._skipped)):
            terminalreporter.write_line(f"SKIPPED, which is not allowed here: {test}", red=True)
