"""The sweep, and the adaptors from wildcards and Snakemake's settings to the library. No rules.

Inputs: config.yaml (optional) and params.yaml, or a folder of logs. Outputs: none.
"""

import inspect
import json
import shlex
import sys

try:
    from sweepmake import plan as plan_module
    from sweepmake.errors import SweepmakeError
    from sweepmake.invocation import session
    from sweepmake.invocation.markers import check_targets, check_writable, forget_missing
    from sweepmake.logs import FORMAT_VERSION as LOG_FORMAT_VERSION
    from sweepmake.logs.options import LogOptions
    from sweepmake.outputs import drawing
    from sweepmake.params import config as config_module
    from sweepmake.results.study import study_of_logs, study_of_plan
    from sweepmake.runs import gpus
except ImportError as error:
    sys.exit(f"error: {error}: install the package first: pip install -e {workflow.basedir}")


def or_stop(function, *arguments, **options):
    """Call a function of the library; what is wrong with the user's input ends the workflow."""
    try:
        return function(*arguments, **options)
    except SweepmakeError as error:
        sys.exit(f"error: {error}")


CONFIG = or_stop(
    config_module.read_config,
    config,
    [str(path) for path in workflow.configfiles],
    default_params=plan_module.default_params(),
)
or_stop(LogOptions.from_config, CONFIG.log_options)
or_stop(config_module.check_folders, CONFIG)
# logs that were made elsewhere are read, and nothing is run
PLAN = None if CONFIG.log_folder else or_stop(plan_module.make_plan, CONFIG)
STUDY = study_of_plan(PLAN) if PLAN else or_stop(study_of_logs, CONFIG)
EXPERIMENTS = {experiment.name: experiment for experiment in STUDY.experiments}
CONFIG_JSON = json.dumps({**config, "params": CONFIG.params}, sort_keys=True, default=str)
STAGES = PLAN.sweep.stages if PLAN else ()
STAGE_RULES = plan_module.rule_names(
    [stage.name for stage in STAGES],
    {"all", "stages", "results", "read_logs", "plot_ranks", "build_workbook", "plot_comparison"},
)
STAGES_BY_RULE = {rule_name: stage for stage, rule_name in STAGE_RULES.items()}
RULES_FOLDER = Path(workflow.current_basedir.get_path_or_uri(secret_free=False))
RUNNER = shlex.join(
    [sys.executable, "-S", "-E", str(Path(plan_module.__file__).with_name("__main__.py"))]
)


def program(name):
    """Return the command of one of the programs in scripts/, quoted for a shell."""
    return shlex.join([sys.executable, str(RULES_FOLDER.parent / "scripts" / f"{name}.py")])


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


CAPTIONS = workflow.current_basedir.join("../workflow/report")


def for_report(wildcards):
    """List the files that are there, with their captions and labels, for `--report`.

    Nothing where jobs run: these files would be one more reason to run something. Snakemake
    makes a report without execution settings. `before_update` keeps a file from needing the job
    that makes it, so that a report can be had of a sweep that is not finished.
    """
    if workflow.execution_settings is not None and not ENDED:
        return []
    from sweepmake.outputs.report import list_report_files

    files = or_stop(list_report_files, STUDY)
    return [before_update(report(file.path, **report_entry(file))) for file in files]


def report_entry(file):
    """Return where and how one file is shown in the report."""
    caption = CAPTIONS.join(file.caption)
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
        for logs in EXPERIMENTS[wildcards.experiment].logs.values()
        for log in logs
        if not set("<{}") & set(log)
    ]


ENDED = []  # holds something once all jobs have run, for --report-after-run


wildcard_constraints:
    experiment="[^/]+",
