"""One invocation of the workflow: what happens before its first job and after its last.

Inputs: Snakemake's settings. Outputs: the claim on the output folder, and what the user is told.
"""

import os
import time

# a copy: what the workflow registers as a default below goes into the same mapping
ASKED_RESOURCES = dict(workflow.resource_settings.resources)
RULES_TO_RUN = set()


def asked_slots():
    """Return the G of `--resources gpu=G`, None where it was not given."""
    given = ASKED_RESOURCES.get("gpu")
    return getattr(given, "value", given)


def is_made(marker):
    """Return whether this invocation has made what a marker stands for."""
    path = Path(STUDY.marker(marker))
    return path.exists() and path.stat().st_mtime >= STARTED


def is_sweep():
    """Return whether jobs of a sweep of ours are to run.

    `results` and logs that were made elsewhere need no GPU, and may be read beside a sweep.
    """
    return bool(PLAN and RULES_TO_RUN - {"results"})


def begin():
    """Before the first job: say who runs here, prepare the runs, greet the user."""
    RULES_TO_RUN.update(job.rule.name for job in workflow.dag.needrun_jobs())
    or_stop(check_writable, STUDY)
    plain = session.hide_job_events(STAGES_BY_RULE) if workflow.local_exec else True
    if is_sweep():
        begin_sweep(plain)
    session.export_command(sys.argv, os.environ)


def begin_sweep(plain):
    """Claim the output folder, and tell the stage runners what they need to know."""
    if holder := CLAIM.begin():
        sys.exit(
            f"error: another workflow (process {holder}) is running this sweep: "
            f"its output folder is '{CONFIG.output}'"
        )
    if workflow.local_exec:
        session.lift_rate_limit(workflow.scheduler)
        session.import_ahead()
        if warning := or_stop(session.check_slots, PLAN, SLOTS, asked_slots()):
            session.say(f"warning: {warning}")
            workflow.register_resource("gpu", len(SLOTS.ids))
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
    session.export(told, os.environ)
    session.save_params(PLAN)
    to_do = sum(job.rule.name in STAGES_BY_RULE for job in workflow.dag.needrun_jobs())
    where = SLOTS.describe() if workflow.local_exec else "the cluster's"
    session.say(session.welcome(PLAN, where, to_do))


def end(failed=False):
    """After the last job: say what became of every run, and make what results there can be."""
    ENDED.append(True)
    if is_sweep():
        session.say(session.outcome(PLAN, STARTED))
    if failed and "build_workbook" in RULES_TO_RUN and not is_made("experiments.done"):
        # its rule did not run, because experiments failed that it was to show
        cores = str(workflow.resource_settings.cores or 1)
        command = [
            *shlex.split(program("build_results")),
            "--config",
            CONFIG_JSON,
            "--cores",
            cores,
        ]
        session.make_results(command)


STARTED = time.time()

if workflow.is_main_process:
    or_stop(check_targets, STUDY, sys.argv[1:])
    forget_missing(STUDY)

if workflow.is_main_process and PLAN:
    CLAIM = session.Claim(CONFIG.output)
    SLOTS = gpus.choose_slots(
        PLAN.slots,
        os.environ,
        output=CONFIG.output,
        virtual=asked_slots() or workflow.resource_settings.cores or 1,
    )
    if asked_slots() is None:
        # never less than one stage takes: Snakemake would lower what the stage asks for
        most = max(stage.gpu for stage in STAGES)
        workflow.register_resource("gpu", max(len(SLOTS.ids), most))
elif workflow.remote_exec:
    # in a job of a batch system, the scheduler's own assignment of GPUs stands
    os.environ.update(SWEEPMAKE_SLOTS="")


onstart:
    begin()


onsuccess:
    end()


onerror:
    end(failed=True)
