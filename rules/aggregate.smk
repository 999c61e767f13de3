"""What is made from all that was read: plots of every rank, the workbook, the comparison, a report.

Inputs: `<results>/<experiment>/history.csv.gz` and `metrics.json`; the records of all runs.
Outputs: `<results>/<experiment>/ranks.pdf`, `<results>/experiments.xlsx` and `.csv` and `.html`,
`<results>/comparison.pdf`. Snakemake deletes declared outputs before it makes them again. The tables
and the comparison are never missing or half-written, so markers stand for them.
"""


rule plot_ranks:
    """Plot what every rank of one experiment logged."""
    localrule: True
    input:
        program=program("plot_ranks"),
        history=STUDY.pattern("history.csv.gz"),
        metrics=STUDY.pattern("metrics.json"),
    output:
        plots=STUDY.pattern("ranks.pdf"),
    log:
        STUDY.pattern("plot_ranks.log"),
    params:
        python=python,
        parameters=lambda wildcards: json.dumps(BY_NAME[wildcards.experiment].parameters),
        version=drawing.FORMAT_VERSION,
    shell:
        # what it says is shown also where the disk has no room for the log
        "said=$({params.python} {input.program:q} --history {input.history:q} --metrics {input.metrics:q}"
        " --output {output.plots:q} --title={wildcards.experiment:q}"
        " --parameters {params.parameters:q} 2>&1) || code=$?;"
        ' {{ [ -z "$said" ] || echo "$said"; }} > {log:q} || true;'
        ' [ -z "${{code:-}}" ] || {{ echo "$said" >&2; exit $code; }}'


rule build_workbook:
    """Write the table of all experiments: a workbook, a CSV file, a page."""
    localrule: True
    input:
        program=program("build_workbook"),
        params=STUDY.params or [],
        metrics=STUDY.files("metrics.json"),
        plots=STUDY.files("ranks.pdf"),
    output:
        done=STUDY.marker("experiments.done"),
    log:
        STUDY.marker("build_workbook.log"),
    params:
        python=python,
        config=lambda wildcards: CONFIG_JSON,
    shell:
        "{params.python} {input.program:q} --config {params.config:q} 2>&1 | tee {log:q}"
        " && touch {output.done:q}"


rule plot_comparison:
    """Plot all experiments side by side."""
    localrule: True
    input:
        program=program("plot_comparison"),
        metrics=STUDY.files("metrics.json"),
        histories=STUDY.files("history.csv.gz"),
    output:
        done=STUDY.marker("comparison.done"),
    log:
        STUDY.marker("plot_comparison.log"),
    params:
        python=python,
        config=lambda wildcards: CONFIG_JSON,
        version=drawing.FORMAT_VERSION,
    shell:
        "said=$({params.python} {input.program:q} --config {params.config:q} 2>&1)"
        " && touch {output.done:q} || code=$?;"
        ' {{ [ -z "$said" ] || echo "$said"; }} > {log:q} || true;'
        ' [ -z "${{code:-}}" ] || {{ echo "$said" >&2; exit $code; }}'


rule results:
    """Make all results from what is there now, while the sweep runs or after it has failed."""
    localrule: True
    input:
        for_report,
        program=program("build_results"),
    log:
        STUDY.marker("build_results.log"),
    params:
        python=python,
        config=lambda wildcards: CONFIG_JSON,
    threads: internals.cores(workflow)
    shell:
        "{params.python} {input.program:q} --config {params.config:q} --cores {threads} 2>&1 | tee {log:q}"
