"""Run `snakemake --lint` and show what it finds, less what is answered here. Exit code 1 if any.

Snakemake's linter has no way to answer a lint.
"""

from __future__ import annotations

import re
import subprocess
import sys

ANSWERED = {
    # Our programs run in the Python that runs Snakemake, where the package is installed; the stages
    # run users' commands in the users' environment. A conda environment that Snakemake makes would
    # hide either.
    "Specify a conda environment or container for each rule.",
}


def unanswered(said: str) -> list[str]:
    """Return what is left of each "Lints for …" of the linter's output."""
    found = []
    for block in re.split(r"^(?=Lints for )", said, flags=re.MULTILINE)[1:]:
        heading, *lints = re.split(r"^    \* ", block, flags=re.MULTILINE)
        left = [lint for lint in lints if lint.partition(":\n")[0] not in ANSWERED]
        if left or not lints:
            found.append(heading + "".join(f"    * {lint}" for lint in left))
    return found


def main() -> int:
    """Lint the workflow in the working directory."""
    done = subprocess.run(
        ["snakemake", "--lint"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    is_linted = done.returncode == 0 or "\nLints for " in done.stdout
    left = unanswered(done.stdout) if is_linted else [done.stdout]
    sys.stdout.writelines(left)
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
