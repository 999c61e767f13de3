"""The sweep, and the adaptors from wildcards and Snakemake's settings to the library. No rules.

Inputs: config.yaml (optional) and params.yaml. Outputs: none.
"""

import inspect
import os
import shlex
import sys
import time

try:
    from sweepmake import config as config_module, gpus, plan as plan_module, session
    from sweepmake.errors import SweepmakeError
    from sweepmake.logs import FORMAT_VERSION as LOG_FORMAT_VERSION
    from sweepmake.logs.options import LogOptions
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
PLAN = or_stop(plan_module.make_plan, CONFIG)
or_stop(LogOptions.from_config, CONFIG.logs)
STAGE_RULES = plan_module.rule_names(
    [stage.name for stage in PLAN.sweep.stages], {"all", "stages", "results", "read_logs"}
)
STAGES_BY_RULE = {rule_name: stage for stage, rule_name in STAGE_RULES.items()}
RULES_FOLDER = Path(workflow.current_basedir.get_path_or_uri(secret_free=False))
RUNNER = shlex.join(
    [sys.executable, "-S", "-E", str(Path(config_module.__file__).with_name("__main__.py"))]
)

LOG_READER = shlex.join([sys.executable, str(RULES_FOLDER.parent / "scripts" / "read_logs.py")])


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


# a copy: what the workflow registers as a default below goes into the same mapping
ASKED_RESOURCES = dict(workflow.resource_settings.resources)


def asked_slots():
    """Return the G of `--resources gpu=G`, None where it was not given."""
    given = ASKED_RESOURCES.get("gpu")
    return getattr(given, "value", given)


def begin():
    """Before the first job: claim the output folder, tell the stage runners, greet the user."""
    if holder := CLAIM.begin():
        sys.exit(
            f"error: another workflow (process {holder}) is running this sweep: "
            f"its output folder is '{CONFIG.output}'"
        )
    plain = True
    if workflow.local_exec:
        session.lift_rate_limit(workflow.scheduler)
        session.import_ahead()
        if warning := or_stop(session.check_slots, PLAN, SLOTS, asked_slots()):
            session.say(f"warning: {warning}")
            workflow.register_resource("gpu", len(SLOTS.ids))
        plain = session.hide_job_events(STAGES_BY_RULE)
    elif asked_slots() is None:
        # the cluster's scheduler has the GPUs; this machine's slots mean nothing there
        workflow.register_resource("gpu", sys.maxsize)
    settings = workflow.dag_settings
    forced = session.forced_runs(
        everything=settings.forceall,
        names=[*settings.forcerun, *(settings.targets if settings.forcetargets else ())],
        stages=STAGES_BY_RULE,
    )
    told = session.environment(SLOTS, forced, debug=CONFIG.debug, quiet=not plain)
    session.publish(told, os.environ)
    session.save_params(PLAN)
    to_do = sum(job.rule.name in STAGES_BY_RULE for job in workflow.dag.needrun_jobs())
    where = SLOTS.describe() if workflow.local_exec else "the cluster's"
    session.say(session.welcome(PLAN, where, to_do))


def end():
    """After the last job: say what became of every run."""
    session.say(session.outcome(PLAN, STARTED))


if workflow.is_main_process:
    STARTED = time.time()
    CLAIM = session.Claim(CONFIG.output)
    SLOTS = gpus.choose_slots(
        PLAN.slots,
        os.environ,
        output=CONFIG.output,
        virtual=asked_slots() or workflow.resource_settings.cores or 1,
    )
    if asked_slots() is None:
        # never less than one stage takes: Snakemake would lower what the stage asks for
        most = max(stage.gpu for stage in PLAN.sweep.stages)
        workflow.register_resource("gpu", max(len(SLOTS.ids), most))
elif workflow.remote_exec:
    # in a job of a batch system, the scheduler's own assignment of GPUs stands
    os.environ.update(SWEEPMAKE_SLOTS="")


wildcard_constraints:
    experiment="[^/]+",


onstart:
    begin()


onsuccess:
    end()


onerror:
    end()
