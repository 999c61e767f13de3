"""What of Snakemake's events becomes the course of an invocation, with a workflow made up."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from snakemake.exceptions import WorkflowError
from snakemake.logging import logger
from snakemake_interface_executor_plugins.settings import ExecMode
from snakemake_interface_logger_plugins.common import LogEvent

from sweepmake import snakemake_internals as internals
from sweepmake.errors import SweepmakeError
from sweepmake.invocation.course import Asked


def workflow(*, dry: bool = False, local: bool = True, **given: Any) -> Any:
    """Return what Sweepmake takes from a workflow."""
    dag = {"targets": set(), "forcerun": [], "forcetargets": False, "forceall": False}
    settings = SimpleNamespace(dryrun_exec=dry, local_exec=local)
    return SimpleNamespace(
        cores=given.pop("cores", 3),
        configfiles=given.pop("configfiles", []),
        exec_mode=given.pop("exec_mode", ExecMode.DEFAULT),
        resource_settings=SimpleNamespace(resources=given.pop("resources", {})),
        register_resource=lambda *what: given.setdefault("offered", []).append(what),
        scheduling_settings=SimpleNamespace(max_jobs_per_timespan=given.pop("limit", None)),
        deployment_settings=SimpleNamespace(deployment_method=given.pop("methods", [])),
        dag_settings=SimpleNamespace(**{**dag, **given}),
        executor_plugin=SimpleNamespace(common_settings=settings),
        given=given,
    )


class Course:
    """Notes what it is called for."""

    is_stopping = False

    def __init__(self) -> None:
        self.said: list[tuple[Any, ...]] = []

    def previewed(self, jobs: dict[str, int]) -> None:
        self.said.append(("previewed", jobs))

    def planned(self, asked: Asked, engine: object) -> None:
        self.said.append(("planned", asked, engine))

    def started(self, jobs: dict[str, int], engine: object) -> None:
        self.said.append(("started", jobs, engine))

    def ended(self) -> None:
        self.said.append(("ended", Path.cwd()))


def watched(made: Any) -> tuple[internals.Watch, Course]:
    watch, course = internals.Watch(made), Course()
    watch.course = course  # type: ignore[assignment]
    return watch, course


def event(name: LogEvent | None = None, **told: Any) -> logging.LogRecord:
    record = logging.LogRecord("snakemake", logging.INFO, "", 0, told.pop("msg", ""), (), None)
    if name is not None:
        record.event = name
    vars(record).update(told)
    return record


RUN = event(LogEvent.RUN_INFO, stats={"train": 2, "test": 1, "total": 3})


def test_an_invocation_is_planned_started_and_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the first word after its executor is known, when its jobs are counted, at its close."""
    made = workflow(targets={"a"}, forcerun=["b"], resources={"gpu": SimpleNamespace(value=2)})
    plugin, made.executor_plugin = made.executor_plugin, None
    monkeypatch.chdir(tmp_path)
    watch, course = watched(made)
    watch.emit(event())
    assert (course.said, watch.is_planning) == ([], False)
    made.executor_plugin = plugin
    watch.emit(event())
    assert watch.is_planning
    watch.emit(event())
    watch.emit(RUN)
    assert not watch.is_planning
    watch.emit(event())
    monkeypatch.chdir("/")
    watch.close()
    watch.close()
    asked = Asked(
        targets=frozenset({"a"}), forced=frozenset({"b"}), gpu=2, cores=3, local=True, dry=False
    )
    assert course.said == [
        ("planned", asked, watch),
        ("started", {"train": 2, "test": 1, "total": 0}, watch),
        ("ended", tmp_path),
    ]
    assert Path.cwd() == Path("/")


def test_nothing_starts_where_nothing_is_executed() -> None:
    """With -n there is a plan, and no more; closing an invocation without jobs ends nothing."""
    watch, course = watched(workflow(dry=True))
    watch.emit(event())
    assert watch.is_planning
    watch.emit(RUN)
    watch.close()
    assert [said[0] for said in course.said] == ["planned", "previewed"]
    assert course.said[0][1].dry
    watch, course = watched(workflow())
    watch.emit(event())
    watch.close()
    assert [said[0] for said in course.said] == ["planned"]


def test_a_second_execution_is_planned_again() -> None:
    """Also where Snakemake counts its jobs before it says anything else."""
    watch, course = watched(workflow())
    watch.emit(RUN)
    watch.emit(event(LogEvent.WORKFLOW_STARTED))
    assert not watch.is_planning
    watch.emit(RUN)
    assert [said[0] for said in course.said] == ["planned", "started"] * 2


@pytest.mark.parametrize(
    ("settings", "forced"),
    [({"forcerun": ["b"]}, {"b"}), ({"forcetargets": True}, {"a"}), ({}, set()),
     ({"forcerun": ["b"], "forcetargets": True}, {"a", "b"})],
)  # fmt: skip
def test_what_is_forced_is_named(settings: dict[str, Any], forced: set[str]) -> None:
    """Under --force the targets are."""
    watch, course = watched(workflow(targets={"a"}, **settings))
    watch.emit(event())
    assert course.said[0][1].forced == forced
    assert not course.said[0][1].everything
    watch, course = watched(workflow(forceall=True, local=False))
    watch.emit(event())
    assert (course.said[0][1].everything, course.said[0][1].local) == (True, False)


def test_an_error_of_the_course_ends_snakemake_with_one_line() -> None:
    watch, course = watched(workflow())

    def refuse(*_: object) -> None:
        raise SweepmakeError("no slots")

    course.planned = refuse  # type: ignore[method-assign]
    with pytest.raises(SystemExit, match=r"^error: no slots$"):
        watch.emit(event())


def test_an_error_at_the_very_end_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """Snakemake would drop it."""
    watch, course = watched(workflow())
    watch.emit(RUN)

    def fail() -> None:
        raise OSError("disk full")

    course.ended = fail  # type: ignore[method-assign]
    watch.close()
    assert capsys.readouterr().err == "error: disk full\n"


def test_gpus_are_offered_and_the_default_limit_of_starts_is_lifted() -> None:
    """A limit of the user's own stays."""
    made = workflow(limit=SimpleNamespace(max_jobs=100, timespan=1))
    watch, _ = watched(made)
    watch.offer("gpu", 4)
    assert made.given["offered"] == [("gpu", 4)]
    watch.lift_rate_limit()
    assert made.scheduling_settings.max_jobs_per_timespan is None
    watch.lift_rate_limit()
    for own in (SimpleNamespace(max_jobs=100, timespan=2), SimpleNamespace(max_jobs=9, timespan=1)):
        made = workflow(limit=own)
        watched(made)[0].lift_rate_limit()
        assert made.scheduling_settings.max_jobs_per_timespan is own


class ColorizingTextHandler(logging.Handler):
    """Is called as Snakemake's own is."""


@pytest.fixture
def handlers(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[logging.Handler]]:
    found: list[logging.Handler] = [ColorizingTextHandler(), logging.StreamHandler()]
    monkeypatch.setattr(logger, "handlers", found)
    before = logger.level
    logger.setLevel(logging.INFO)
    yield found
    logger.setLevel(before)


def test_snakemake_s_own_report_of_our_jobs_is_hidden(handlers: list[logging.Handler]) -> None:
    """On its plain terminal alone: what the stage runner says comes in its place."""
    watch, _ = watched(workflow())
    assert watch.hide_job_events({"train", "plot_ranks"}, {"train"})
    assert not handlers[1].filters
    (hides,) = handlers[0].filters
    shown = {
        "our job": event(LogEvent.JOB_INFO, rule_name="train", jobid=7),
        "its end": event(LogEvent.JOB_FINISHED, job_id=7),
        "another job": event(LogEvent.JOB_INFO, rule_name="mine", jobid=8),
        "its end too": event(LogEvent.JOB_FINISHED, job_id=8),
        "a stage's failure": event(LogEvent.JOB_ERROR, rule_name="train"),
        "a plot's failure": event(LogEvent.JOB_ERROR, rule_name="plot_ranks"),
        "a start": event(LogEvent.JOB_STARTED),
        "progress": event(LogEvent.PROGRESS),
        "a selection": event(msg="Select jobs to execute..."),
        "an execution": event(msg="Execute 2 jobs..."),
        "an exit": event(msg="Exiting because a job execution failed. Look above"),
        "our exception": event(msg="RuleException:\nx /sweepmake/__main__.py y"),
        "another exception": event(msg="RuleException:\nx y"),
        "anything": event(msg="Building DAG of jobs..."),
    }
    assert [what for what, record in shown.items() if hides.filter(record)] == [  # type: ignore[union-attr]
        "another job", "its end too", "a plot's failure", "another exception", "anything",
    ]  # fmt: skip


def test_everything_is_shown_to_who_debugs_and_where_there_is_no_plain_terminal(
    handlers: list[logging.Handler],
) -> None:
    watch, _ = watched(workflow())
    logger.setLevel(logging.DEBUG)
    assert watch.hide_job_events({"train"}, {"train"})
    assert not handlers[0].filters
    del handlers[0]
    assert not watch.hide_job_events({"train"}, {"train"})


def test_an_invocation_has_one_watch(handlers: list[logging.Handler]) -> None:
    """However often the Snakefile is read; another workflow gets another one."""
    made = workflow()
    watch = internals.watch(made)
    assert internals.watch(made) is watch
    assert handlers[-1] is watch
    assert internals.watch(workflow()) is not watch
    logger.setLevel(logging.WARNING)
    with pytest.raises(SweepmakeError, match="has to let INFO through"):
        internals.watch(made)


def test_what_is_asked_of_a_workflow(tmp_path: Path) -> None:
    """Its process, its files but for our own empty one, its cores, its deployment."""
    main, remote = workflow(), workflow(exec_mode=ExecMode.REMOTE)
    assert [internals.is_main_process(one) for one in (main, remote)] == [True, False]
    assert [internals.is_cluster_job(one) for one in (main, remote)] == [False, True]
    files = [tmp_path / "config.yaml", tmp_path / "no_config.yaml"]
    assert internals.config_files(workflow(configfiles=files)) == [str(files[0])]
    assert internals.cores(workflow(cores=5)) == 5
    assert internals.deployment_methods(workflow(methods=[SimpleNamespace(name="CONDA")])) == [
        "CONDA"
    ]
    assert internals.rule_name(SimpleNamespace(rule=SimpleNamespace(name="mine"))) == "mine"


def test_where_nobody_has_said_how_many_cores_there_is_one() -> None:
    """On a cluster, and for a report."""

    class Silent:
        @property
        def cores(self) -> int:
            raise WorkflowError("no cores were given")

    assert internals.cores(Silent()) == 1


def test_gpus_may_be_given_as_a_plain_number() -> None:
    """As older Snakemakes did; None where they were not given."""
    for given, expected in (({"gpu": 2}, 2), ({}, None)):
        watch, course = watched(workflow(resources=given))
        watch.emit(event())
        assert course.said[0][1].gpu == expected
