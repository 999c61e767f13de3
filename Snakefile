"""Sweepmake: every experiment of one params.yaml, through all its stages, to one workbook."""

from pathlib import Path

from snakemake.utils import min_version

min_version("9.20")

for CONFIG_FILE in ("config/config.yaml", "config.yaml"):
    if Path(CONFIG_FILE).exists():

        configfile: CONFIG_FILE

        break


report: "workflow/report/workflow.rst"


include: "rules/common.smk"
include: "rules/invocation.smk"
include: "rules/stages.smk"
include: "rules/logs.smk"
include: "rules/aggregate.smk"


rule all:
    """Run every stage of every experiment, and make all that is made from them."""
    default_target: True
    localrule: True
    input:
        rules.stages.input,
        rules.build_workbook.output,
        rules.plot_comparison.output,
        for_report,
