"""The user's config file, where there is one. No rules.

Inputs: config/config.yaml or config.yaml in the working folder (optional). Outputs: none.
"""

from pathlib import Path

for CONFIG_FILE in ("config/config.yaml", "config.yaml"):
    if Path(CONFIG_FILE).exists():

        configfile: CONFIG_FILE

        break

else:
    if not config:

        # in a module, Snakemake reads --config only together with some file
        configfile: workflow.source_path("../workflow/no_config.yaml")
