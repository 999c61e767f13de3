"""The sweep, and the adaptors from wildcards and Snakemake's settings to the library. No rules.

Inputs: config.yaml (optional) and params.yaml, or a folder of logs. Outputs: none.
"""

import inspect
import json
import os
import shlex
import sys

NEEDED = 2  # the RULES_VERSION of the package that these files go with

try:
    from sweepmake import plan as plan_module, snakemake_internals as internals
    from sweepmake.elsewhere.left_runs import look
    from sweepmake.errors import SweepmakeError, in_words
    from sweepmake.invocation import course, session
    from sweepmake.invocation.installed import check_installed
    from sweepmake.logs import FORMAT_VERSION as LOG_FORMAT_VERSION
    from sweepmake.logs.options import LogOptions
    from sweepmake.outputs import drawing
    from sweepmake.params import config as config_module
    from sweepmake.results.study import study_of_logs, study_of_plan
except ImportError as error:
    sys.exit(
        f"error: {error}: these rules need the package sweepmake of their own version. "
        f"Install it: {sys.executable} -m pip install FOLDER-OR-ADDRESS-OF-SWEEPMAKE"
    )


def or_stop(function, *arguments, **options):
    """Call a function of the library; what is wrong with the user's input or the system ends it."""
    try:
        return function(*arguments, **options)
    except (SweepmakeError, OSError) as error:
        sys.exit(f"error: {in_words(error)}")


# what follows this invocation; None in the processes that Snakemake starts for its jobs
WATCH = or_stop(internals.watch, workflow) if internals.is_main_process(workflow) else None
if WATCH:
    or_stop(check_installed, NEEDED)

CONFIG = or_stop(
    config_module.read_config,
    config,
    internals.config_files(workflow),
    default_params=plan_module.default_params(),
)
or_stop(LogOptions.from_config, CONFIG.log_options)
or_stop(config_module.check_folders, CONFIG)
# logs that were made elsewhere are read, and nothing is run
PLAN = None if CONFIG.log_folder else or_stop(plan_module.make_plan, CONFIG)
if PLAN and WATCH:
    PLAN = or_stop(look, PLAN)  # jobs are told by what the main process has written down
STUDY = study_of_plan(PLAN) if PLAN else or_stop(study_of_logs, CONFIG)
BY_NAME = {experiment.name: experiment for experiment in STUDY.experiments}
# for the rules of those who take the workflow in; nothing may be started of those that are held back
EXPERIMENTS = tuple(name for name, experiment in BY_NAME.items() if not experiment.held)
CONFIG_JSON = json.dumps({**config, "params": CONFIG.params}, sort_keys=True, default=str)
STAGES = PLAN.sweep.stages if PLAN else ()
OWN_RULES = (
    "all",
    "stages",
    "results",
    "read_logs",
    "plot_ranks",
    "build_workbook",
    "plot_comparison",
)
STAGE_RULES = plan_module.rule_names([stage.name for stage in STAGES], set(OWN_RULES))
STAGES_BY_RULE = {rule_name: stage for stage, rule_name in STAGE_RULES.items()}
PYTHON = shlex.quote(sys.executable)
# a terminal's Ctrl-C would end it with a traceback while it imports
DEAF_PYTHON = f"""sh -c 'trap "" INT; exec "$@"' sh {PYTHON}"""
RUNNER = shlex.join(
    [sys.executable, "-S", "-E", str(Path(plan_module.__file__).with_name("__main__.py"))]
)


def python(wildcards, output):
    """Return the Python that runs the programs, quoted for a shell.

    As a parameter that is made from the output it is not recorded: the same results from another
    environment are the same results. In the rule's text it would be, where no profile of ours
    turns that trigger off.
    """
    return DEAF_PYTHON if WATCH and WATCH.course.stops_jobs else PYTHON


def needs(experiment, stage):
    """Return the markers that a run waits for; one that may not start ends the workflow."""
    return or_stop(PLAN.needs, experiment, stage)


def runner(experiment, stage):
    """Return how the stage runner is started for one run, up to the command."""
    return f"{RUNNER} {PLAN.options(experiment, stage)}"


def program(name):
    """Return one of the programs in scripts/ as an input; a newer one makes nothing again."""
    return ancient(workflow.source_path(f"../scripts/{name}.py"))


def per_run(method, stage, recorded=True):
    """Return a function of wildcards for a rule: what a method of the plan says of one run.

    Snakemake looks at a function's signature at each of a dozen calls per job, which takes longer
    than the calls; one that is told to it need not be looked up.

    Args:
        method: takes the experiment and the stage.
        stage: the stage of the rule.
        recorded: whether a changed value reruns the job. Snakemake records no parameter that is
            made from the job's output, so False claims to need that.
    """

    def function(wildcards, output=None):
        return method(wildcards.experiment, stage)

    names = ("wildcards",) if recorded else ("wildcards", "output")
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    function.__signature__ = inspect.Signature([inspect.Parameter(n, kind) for n in names])
    return function


def last_markers(wildcards):
    """List what the sweep's runs end with; asked late, when it is known what a dry run assumes."""
    return PLAN.last_markers() if PLAN else []


def for_report(wildcards):
    """List the files that are there, with their captions and labels, for `--report`.

    Nothing where jobs are to run: these files would be one more reason to run something; a report
    after a run is planned when the jobs have started. `before_update` keeps a file from needing the
    job that makes it, so that a report can be had of a sweep that is not finished.
    """
    if WATCH is None or WATCH.is_planning:
        return []
    from sweepmake.outputs.report import list_report_files

    files = or_stop(list_report_files, STUDY)
    return [before_update(report(file.path, **report_entry(file))) for file in files]


def report_entry(file):
    """Return where and how one file is shown in the report."""
    caption = internals.caption(workflow.source_path(f"../workflow/report/{file.caption}"))
    return dict(caption=caption, category=file.category, labels=file.labels)


def logs_of(wildcards):
    """List what the reading of an experiment's logs waits for: its last stage, or the logs.

    Snakemake cannot have `<name>` or braces in a path. Such a log is read all the same, but only
    `snakemake results` sees that it has changed.
    """
    if PLAN:
        return PLAN.last_marker(wildcards.experiment)
    return [
        log
        for logs in BY_NAME[wildcards.experiment].logs.values()
        for log in logs
        if not set("<{}") & set(log)
    ]


wildcard_constraints:
    experiment="[^/]+",
