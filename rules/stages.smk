"""One rule per stage of the sweep.

Inputs: the marker of the stage before it in the experiment's chain.
Outputs: `<output>/<experiment>/.sweepmake/<stage>.done`, a small marker; what the command itself
writes (logs, checkpoints) is never declared, so that Snakemake never deletes it.
"""

if PLAN and WATCH:
    if warning := PLAN.ignored_conda(internals.deployment_methods(workflow)):
        session.say(f"warning: {warning}")

for STAGE in STAGES:

    rule:
        name:
            STAGE_RULES[STAGE.name]
        message:
            "{params.message}"
        input:
            before=per_run(needs, STAGE.name),
        output:
            done=PLAN.pattern(STAGE.name, "done"),
        log:
            PLAN.pattern(STAGE.name, "log"),
        params:
            command=per_run(PLAN.command, STAGE.name),
            runner=per_run(runner, STAGE.name, recorded=False),
            message=per_run(PLAN.message, STAGE.name, recorded=False),
        conda:
            PLAN.conda(STAGE)  # used under --sdm conda only
        threads: STAGE.threads
        resources:
            **PLAN.resources(STAGE),
            gpu=STAGE.gpu,
        # in a job of a cluster none: the main process retries, with a new job
        retries: 0 if internals.is_cluster_job(workflow) else STAGE.retries
        priority: per_run(PLAN.priority, STAGE.name)
        shell:
            "{params.runner} -- {params.command:q}"


rule stages:
    """Run every selected stage of every experiment."""
    localrule: True
    input:
        last_markers,
