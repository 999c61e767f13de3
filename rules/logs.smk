"""Clean and parse the logs of one experiment, on all its stages' newest runs.

Inputs: the marker of the experiment's last stage (the logs are found by their names), or logs that
were made elsewhere.
Outputs: `<results>/<experiment>/history.csv.gz`, one row per stage, rank, epoch and step, and
`<results>/<experiment>/metrics.json`, the summary.
"""


rule read_logs:
    """Clean and parse one experiment's logs, rank by rank."""
    localrule: True
    input:
        program=program("read_logs"),
        logs=logs_of,
    output:
        history=STUDY.pattern("history.csv.gz"),
        metrics=STUDY.pattern("metrics.json"),
    log:
        STUDY.pattern("read_logs.log"),
    params:
        python=python,
        arguments=lambda wildcards: STUDY.log_arguments(BY_NAME[wildcards.experiment]),
        version=LOG_FORMAT_VERSION,
    shell:
        # what it says is shown also where the disk has no room for the log
        "said=$({params.python} {input.program:q} {params.arguments:q} 2>&1) || code=$?;"
        ' {{ [ -z "$said" ] || echo "$said"; }} > {log:q} || true;'
        ' [ -z "${{code:-}}" ] || {{ echo "$said" >&2; exit $code; }}'
