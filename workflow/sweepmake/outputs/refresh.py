"""All results from what is there now, outside the workflow's own jobs.

The workflow reads and plots an experiment once it has finished. This is for the others: while a
sweep runs, or after one in which experiments failed.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from sweepmake.errors import SweepmakeError, in_words
from sweepmake.logs import FORMAT_VERSION
from sweepmake.logs.options import LogOptions, read_with
from sweepmake.logs.parse import StageLogs, parse_logs
from sweepmake.results.study import Study
from sweepmake.results.summary_file import read_summary
from sweepmake.runs.experiment import Experiment
from sweepmake.runs.newest_logs import has_finished, outdated

__all__ = ["refresh"]


def refresh(study: Study, *, cores: int) -> list[str]:
    """Read the logs and draw the plots of every experiment whose files are not up to date.

    Args:
        study: the experiments.
        cores: how many processes work at a time, at least 1.

    Returns:
        What went wrong, one message per experiment that could not be read or drawn; the others are
        done all the same.
    """
    waiting = [experiment for experiment in study.experiments if not _is_fresh(study, experiment)]
    if not waiting:
        return []
    import sweepmake.outputs.ranks_pdf.ranks  # noqa: F401 - here, once, before the processes fork

    bare = replace(study, experiments=())  # it goes to a process with every experiment
    problems: dict[str, str] = {}
    while waiting:
        found = _refresh_some(bare, waiting, cores)
        problems.update(found)
        waiting = [experiment for experiment in waiting if experiment.name not in found]
        # a process that dies takes the others' work with it; it worked at one of the first of these
        alone, waiting = waiting[:cores], waiting[cores:]
        for experiment in alone:
            name = experiment.name
            died = {name: f"{name}: the process that read it died (out of memory?)"}
            problems.update(_refresh_some(bare, [experiment], 1) or died)
    return [
        problems[experiment.name]
        for experiment in study.experiments
        if problems.get(experiment.name)
    ]


def _refresh_some(study: Study, experiments: Sequence[Experiment], cores: int) -> dict[str, str]:
    """Return name → problem of the experiments that were done before a process died, if one did."""
    found: dict[str, str] = {}
    waiting: list[tuple[str, Future[str]]] = []
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(min(cores, len(experiments)), mp_context=context) as pool:
        with suppress(BrokenProcessPool):
            for experiment in experiments:
                waiting.append(
                    (experiment.name, pool.submit(_refresh_experiment, study, experiment))
                )
        for name, future in waiting:
            with suppress(BrokenProcessPool):
                found[name] = future.result()
    return found


def _find_logs(study: Study, experiment: Experiment) -> list[StageLogs]:
    """Return the logs of every stage that has some, also of stages not planned now.

    Those of an outdated stage tell nothing of the experiment as it is.
    """
    old = outdated(experiment.records, experiment.stages) if experiment.records else frozenset()
    found = ((stage, experiment.find_logs(stage)) for stage in study.stages if stage not in old)
    return [
        StageLogs(stage, logs, whole=has_finished(experiment.records, stage))
        for stage, logs in found
        if logs
    ]


def _is_fresh(study: Study, experiment: Experiment) -> bool:
    """Return whether there is nothing to do for an experiment."""
    stages = _find_logs(study, experiment)
    if not stages:
        return True
    return _is_read(study, experiment, stages) and _is_newer(
        study.result(experiment, "ranks.pdf"), [study.result(experiment, "history.csv.gz")]
    )


def _is_read(study: Study, experiment: Experiment, stages: Sequence[StageLogs]) -> bool:
    metrics = study.result(experiment, "metrics.json")
    sources = [log for stage in stages for log in stage.files]
    # a log that is known to have come to its end says more than while nobody knew
    sources += [Path(experiment.records) / f"{one.stage}.json" for one in stages if one.whole]
    if not _is_newer(metrics, sources) or not study.result(experiment, "history.csv.gz").exists():
        return False
    summary = read_summary(metrics)
    options = LogOptions.from_config(study.log_options)
    return (
        summary.get("format_version") == FORMAT_VERSION
        and set(summary.get("stages", {})) == {stage.stage for stage in stages}
        and summary.get("read_with") == read_with(options, study.metric_options.metrics)
    )


def _is_newer(made: Path, sources: Sequence[Path]) -> bool:
    """Return whether a file is there and not older than what it was made of."""
    try:
        at = made.stat().st_mtime
        return all(source.stat().st_mtime <= at for source in sources)
    except FileNotFoundError:
        return False


def _refresh_experiment(study: Study, experiment: Experiment) -> str:
    """Read one experiment's logs and draw its plots; return what went wrong, or ""."""
    from sweepmake.outputs.ranks_pdf.ranks import plot_ranks

    try:
        stages = _find_logs(study, experiment)
        if not _is_read(study, experiment, stages):
            options = LogOptions.from_config(study.log_options)
            folder = study.result(experiment, "metrics.json").parent
            parse_logs(stages, folder, options=options, metrics=study.metric_options.metrics)
        plot_ranks(
            study.result(experiment, "history.csv.gz"),
            study.result(experiment, "metrics.json"),
            study.result(experiment, "ranks.pdf"),
            title=experiment.name,
            parameters=experiment.parameters,
        )
    except (SweepmakeError, OSError) as error:
        return f"{experiment.name}: {in_words(error)}"
    except Exception as error:  # a fault of ours in one must not cost the others' results
        return f"{experiment.name}: {type(error).__name__}: {error}"
    return ""
