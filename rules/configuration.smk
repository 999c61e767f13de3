"""The user's config file, where there is one. No rules.

Inputs: config/config.yaml or config.yaml in the working folder (optional). Outputs: none.
"""

import contextlib
from pathlib import Path

with contextlib.suppress(ImportError):  # rules/common.smk tells what is missing
    from sweepmake.invocation.signals import end_in_one_line

    end_in_one_line()


def says_something(path):
    """Return whether a file is there and has a line that is no comment; Snakemake refuses others."""
    file = Path(path)
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines() if file.exists() else ()
    return any(line.strip() and not line.lstrip().startswith("#") for line in lines)


for CONFIG_FILE in ("config/config.yaml", "config.yaml"):
    if says_something(CONFIG_FILE):

        configfile: CONFIG_FILE

        break

else:
    if not config:

        # in a module, Snakemake reads --config only together with some file
        configfile: workflow.source_path("../workflow/no_config.yaml")
