"""Sweepmake: every experiment of one params.yaml, through all its stages, to its ranks' histories."""

from pathlib import Path

from snakemake.utils import min_version

min_version("9.20")

for CONFIG_FILE in ("config/config.yaml", "config.yaml"):
    if Path(CONFIG_FILE).exists():

        configfile: CONFIG_FILE

        break


include: "rules/common.smk"
include: "rules/stages.smk"
include: "rules/logs.smk"


rule all:
    """Run every stage of every experiment, and make all that is made from them."""
    default_target: True
    localrule: True
    input:
        rules.stages.input,
        rules.results.input,
