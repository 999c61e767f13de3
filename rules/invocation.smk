"""One invocation of the workflow: what happens before its first job and after its last.

Inputs: the names of all rules, so this file is included last. Outputs: in the main process, and
before any run, the claim on the output folder and what the stage runners are told; what the user is
told at the start and at the end. It works without handlers (onstart, …), which Snakemake ignores in
a module: see sweepmake/invocation/course.py.
"""

STAGE_FILES = {name: PLAN.pattern(stage, "done") for name, stage in STAGES_BY_RULE.items()}
if any(str(getattr(rules, name).output.done) != path for name, path in STAGE_FILES.items()) or (
    str(rules.build_workbook.output.done) != STUDY.marker("experiments.done")
):
    sys.exit(
        "error: 'prefix' and 'replace_prefix' of a module cannot move a sweep, whose programs write "
        "where params.yaml says: set 'output' and 'results' in the module's config"
    )

if WATCH:
    NAMES = {internals.rule_name(getattr(rules, name)): name for name in (*OWN_RULES, *STAGE_FILES)}
    or_stop(
        WATCH.course.add,
        course.Sweep(
            study=STUDY,
            plan=PLAN,
            config=CONFIG_JSON,
            results=[sys.executable, str(program("build_results")), "--config", CONFIG_JSON],
            rules=NAMES,
            stages={name: STAGES_BY_RULE[own] for name, own in NAMES.items() if own in STAGE_FILES},
        ),
    )
elif internals.is_cluster_job(workflow):
    # in a job of a batch system, the scheduler's own assignment of GPUs stands
    os.environ.update(SWEEPMAKE_SLOTS="")
