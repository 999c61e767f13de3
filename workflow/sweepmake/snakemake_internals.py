"""All that Sweepmake takes from Snakemake beside its documented interface, each with its reason.

The only module that imports Snakemake. What Snakemake documents (`workflow.cores`,
`workflow.source_path`, the rules' directives) is used where it is needed; what it does not document
goes through here, so that a Snakemake that has moved something is told by one message.

Snakemake's handlers (onstart, onsuccess, onerror) are ignored in a module. So the course of an
invocation is followed by what Snakemake logs: a logging handler in the main process gets every
event at the moment at which it happens, and is closed when all is over. Were no event to come,
nothing would be published to the stage runners, and they would refuse to work.
"""

from __future__ import annotations

import contextlib
import logging
import operator
import os
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snakemake import sourcecache
from snakemake.common import __version__
from snakemake.exceptions import WorkflowError
from snakemake.logging import logger
from snakemake_interface_executor_plugins.settings import ExecMode
from snakemake_interface_logger_plugins.common import LogEvent

from sweepmake.errors import SweepmakeError
from sweepmake.invocation.course import Asked, Course
from sweepmake.visible import visible

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

__all__ = ["INTERNALS", "TESTED", "Watch", "caption", "config_files", "cores",
           "deployment_methods", "is_cluster_job", "is_main_process", "rule_name",
           "watch"]  # fmt: skip

TESTED = ("9.20", "9.27")
"""The oldest and the newest Snakemake with which the tests of the workflow have run."""

NO_CONFIG = "no_config.yaml"
"""The file of the workflow's own that is read where the user has none."""

INTERNALS = {
    "workflow.exec_mode": "only the main process may claim a sweep: the jobs of a "
    "cluster read the Snakefile again",
    "workflow.configfiles": "a message about the configuration names its file and line",
    "workflow.resource_settings.resources": "whether the user has given --resources gpu=",
    "workflow.register_resource": "there are as many units of `gpu` as there are slots",
    "workflow.dag_settings.targets": "`results` takes no claim, and other targets do",
    "workflow.dag_settings.forcerun": "a finished run that the user forces has to run again",
    "workflow.dag_settings.forcetargets": "the same for --force",
    "workflow.dag_settings.forceall": "the same for --forceall",
    "workflow.executor_plugin.common_settings.dryrun_exec": "-n takes no claim",
    "workflow.executor_plugin.common_settings.local_exec": "a cluster's scheduler assigns the GPUs",
    "workflow.scheduling_settings.max_jobs_per_timespan": "the default limit of 100 jobs a second "
    "makes every run that ends add one more look per second at the waiting jobs",
    "workflow.deployment_settings.deployment_method": "a stage's conda environment is used with "
    "--sdm conda only: one line says so where it is not",
    "workflow.persistence": "the locks of a workflow that was killed are told from those of others",
    "record.stats": "how many runs are to do, and of which rules",
    "sourcecache.infer_source_file": "the caption of a file in a report that is no output of a "
    "rule, but named by an input function",
    "rule.rule.name": "the name that a module's user has given to a rule (`use rule … as`)",
}
"""Attribute → what it is needed for."""


def is_main_process(workflow: Any) -> bool:
    """Return whether this is the process that the user has started."""
    return bool(_find("workflow.exec_mode", workflow) == ExecMode.DEFAULT)


def is_cluster_job(workflow: Any) -> bool:
    """Return whether this process is a job of a batch system."""
    return bool(_find("workflow.exec_mode", workflow) == ExecMode.REMOTE)


def config_files(workflow: Any) -> list[str]:
    """Return the config files of the user that were read."""
    read = (Path(path) for path in _find("workflow.configfiles", workflow))
    return [str(path) for path in read if path.name != NO_CONFIG]


def cores(workflow: Any) -> int:
    """Return how many cores may be used here; 1 where the user has not said."""
    try:
        return int(workflow.cores)
    except WorkflowError:
        return 1  # on a cluster, or for a report


def caption(path: str) -> Any:
    """Return a file as the caption of a file in a report."""
    return _find("sourcecache.infer_source_file", sourcecache)(str(path))


def deployment_methods(workflow: Any) -> list[str]:
    """Return the names of the methods of software deployment that are switched on ("CONDA")."""
    return [
        method.name for method in _find("workflow.deployment_settings.deployment_method", workflow)
    ]


def rule_name(rule: Any) -> str:
    """Return the name in the whole workflow of a rule (`rules.train`)."""
    return str(_find("rule.rule.name", rule))


def watch(workflow: Any) -> Watch:
    """Return what follows this invocation, the same at every reading of the Snakefile.

    Raises:
        SweepmakeError: Snakemake logs too little to be followed.
    """
    if not logger.isEnabledFor(logging.INFO):
        raise SweepmakeError("Snakemake's logger has to let INFO through: its level is higher")
    for handler in logger.handlers:
        if isinstance(handler, Watch) and handler.is_of(workflow):
            return handler
    new = Watch(workflow)
    logger.addHandler(new)
    logger.addFilter(new.words)
    for plain in _terminal_handlers():
        plain.setFormatter(_Visible(plain.formatter or logging.Formatter()))
    return new


class Watch(logging.Handler):
    """Follows an invocation, and calls its course where it is planned, starts and ends.

    Attributes:
        course: what is done at these points.
        words: a filter that says what Snakemake says in ours, where that helps more.
    """

    def __init__(self, workflow: Any) -> None:
        super().__init__(logging.INFO)
        self.course = Course(os.environ)
        self.words = _OurWords(self)
        self._workflow = workflow
        self._folder = Path.cwd()
        self._state = ""
        # read here: what is offered below goes into the same mapping
        given = _find("workflow.resource_settings.resources", workflow).get("gpu")
        self._gpu = getattr(given, "value", given)

    @property
    def is_planning(self) -> bool:
        """Whether an execution has been asked for, and no job of it has started."""
        return self._state in ("dry", "planned")

    def is_of(self, workflow: Any) -> bool:
        """Return whether it follows the invocation of this workflow."""
        return self._workflow is workflow

    def emit(self, record: logging.LogRecord) -> None:
        """Take note of what Snakemake says."""
        event = getattr(record, "event", None)
        if event == LogEvent.WORKFLOW_STARTED:
            self._state = ""
        elif self._workflow.executor_plugin is None:
            return  # not known yet: whether anything will be executed, and where
        elif event == LogEvent.RUN_INFO and not self._is_dry():
            if self._state != "planned":
                self._plan()
            self._state = "started"
            _or_stop(self.course.started, _counts(_find("record.stats", record)), self)
        elif not self._state:
            self._plan()

    def close(self) -> None:
        """Snakemake closes its handlers when all is over; Python does so at the latest."""
        super().close()
        logger.removeFilter(self.words)
        if self._state != "started":
            return
        self._state = "ended"
        try:
            with contextlib.chdir(self._folder):
                self.course.ended()
        except Exception:
            traceback.print_exc()  # Snakemake would drop it

    def offer(self, resource: str, amount: int) -> None:
        """Let so many units of a resource be in use at a time."""
        _find("workflow.register_resource", self._workflow)(resource, amount)

    def hide_job_events(self, rules: Collection[str], stages: Collection[str]) -> bool:
        """Keep Snakemake's own report of our jobs off the terminal; the stage runner reports.

        Only its plain terminal handler is concerned: logger plugins and the log file get all.

        Args:
            rules: our rules; the jobs of all others are reported as ever.
            stages: those of them whose failures the stage runner reports itself.

        Returns:
            Whether there is such a handler. Where a logger plugin draws on the terminal instead,
            lines of the stage runner would tear its progress bars.
        """
        plain = _terminal_handlers()
        if not logger.isEnabledFor(logging.DEBUG):
            for handler in plain:
                handler.addFilter(_JobEvents(rules, stages))
        return bool(plain)

    def locks(self) -> list[str]:
        """Return the paths of the locks that Snakemake has made for this invocation.

        None where it keeps them in a database, or was told to make none.
        """
        persistence = _find("workflow.persistence", self._workflow)
        return sorted(getattr(persistence, "_lockfile", {}).values())

    def lift_rate_limit(self) -> None:
        """Take Snakemake's default limit of 100 jobs a second away, for local runs.

        With a limit, each look at the waiting jobs sets a timer for the next look, a second later:
        so every run that ends adds one more look per second to all that follow, which never stops
        as long as jobs wait (Snakemake 9.27, JobScheduler.schedule). A limit that the user has set
        stays.
        """
        limit = _find("workflow.scheduling_settings.max_jobs_per_timespan", self._workflow)
        if limit is not None and (limit.max_jobs, limit.timespan) == (100, 1):
            self._workflow.scheduling_settings.max_jobs_per_timespan = None

    def _plan(self) -> None:
        self._state = "dry" if self._is_dry() else "planned"
        _or_stop(self.course.planned, self._asked(), self)

    def _is_dry(self) -> bool:
        path = "workflow.executor_plugin.common_settings.dryrun_exec"
        return bool(_find(path, self._workflow))

    def _asked(self) -> Asked:
        settings = {
            name: _find(f"workflow.dag_settings.{name}", self._workflow)
            for name in ("targets", "forcerun", "forcetargets", "forceall")
        }
        targets = frozenset(settings["targets"])
        local = _find("workflow.executor_plugin.common_settings.local_exec", self._workflow)
        return Asked(
            targets=targets,
            forced=frozenset(settings["forcerun"])
            | (targets if settings["forcetargets"] else set()),
            everything=settings["forceall"],
            dry=self._is_dry(),
            local=local,
            gpu=self._gpu,
            cores=cores(self._workflow),
        )


class _OurWords(logging.Filter):
    """Replaces what Snakemake says of its lock, and tracebacks of the system's errors.

    It advises `--unlock`, also where the workflow that has the lock is alive.
    """

    def __init__(self, watch: Watch) -> None:
        super().__init__()
        self._watch = watch

    def filter(self, record: logging.LogRecord) -> bool:
        name = getattr(record, "exception", None)
        if name == "LockException":
            record.msg = self._watch.course.locked() or record.msg
        return True


def _terminal_handlers() -> list[logging.Handler]:
    """Return what writes Snakemake's own lines to a terminal: none where a plugin does so."""
    return [h for h in logger.handlers if type(h).__name__ == "ColorizingTextHandler"]


class _Visible(logging.Formatter):
    """Shows the values in commands that Snakemake prints (-p, or one that failed) as marks."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        text = self._inner.format(record)
        return visible(text) if isinstance(text, str) else text


class _JobEvents(logging.Filter):
    hidden = ("job_started", "progress")
    noise = (
        "Select jobs to execute",
        "Execute ",
        "Exiting because a job execution failed",
        "Will exit after finishing currently running jobs",
        "Shutting down, this might take some time",
    )

    def __init__(self, rules: Collection[str], stages: Collection[str]) -> None:
        super().__init__()
        self._rules = frozenset(rules)
        self._stages = frozenset(stages)
        self._jobs: set[object] = (
            set()
        )  # ids of our jobs: what says that one has finished has no more

    def filter(self, record: logging.LogRecord) -> bool:
        name = str(getattr(record, "event", None))
        rule = getattr(record, "rule_name", None)
        if name == "job_info" and rule in self._rules:
            self._jobs.add(getattr(record, "jobid", None))
            return False
        if name == "job_finished":
            return getattr(record, "job_id", None) not in self._jobs
        if name == "job_error":
            return rule not in self._stages
        text = str(record.msg)
        if text.startswith("RuleException:") and "/sweepmake/__main__.py" in text:
            return False
        return name not in self.hidden and not text.startswith(self.noise)


def _counts(stats: Mapping[str, int]) -> dict[str, int]:
    """Return rule → how many jobs; Snakemake's "total" takes the place of a rule of that name."""
    counts = {name: count for name, count in stats.items() if name != "total"}
    return counts | {"total": stats.get("total", 0) - sum(counts.values())}


def _or_stop(function: Any, *arguments: Any) -> None:
    """Call a function of the course; what is wrong ends Snakemake as an interrupt would."""
    try:
        function(*arguments)
    except SweepmakeError as error:
        raise SystemExit(f"error: {error}") from error


def _find(path: str, found: Any) -> Any:
    """Return an attribute of INTERNALS.

    Raises:
        SweepmakeError: this Snakemake does not have it.
    """
    try:
        return operator.attrgetter(path.partition(".")[2])(found)
    except AttributeError as error:
        raise SweepmakeError(
            f"Snakemake {__version__} has moved '{path}' ({INTERNALS[path]}): Sweepmake is tested "
            f"with Snakemake {TESTED[0]} to {TESTED[1]}"
        ) from error
