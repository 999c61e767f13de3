"""Whether the package that the rules' programs will import is there, and goes with the rules."""

from __future__ import annotations

import subprocess
import sys

from sweepmake.errors import SweepmakeError

__all__ = ["check_installed"]


def check_installed(needed: int) -> None:
    """Ask a Python of its own for the package, as the rules' programs do.

    Snakemake puts the folder of a local Snakefile before all that is installed. So in its own
    process the package is found beside the rules, whether or not it is installed, and whatever
    version is.

    Args:
        needed: the RULES_VERSION that the rules go with.

    Raises:
        SweepmakeError: it is not installed, or in another version.
    """
    code = "import sweepmake as s; print(s.RULES_VERSION, s.__file__)"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False
    )
    if done.returncode:
        reason = done.stderr.strip().rpartition("\n")[2]
        raise SweepmakeError(
            f"{reason}: these rules need the package sweepmake of their own version. "
            f"Install it: {sys.executable} -m pip install FOLDER-OR-ADDRESS-OF-SWEEPMAKE"
        )
    version, _, file = done.stdout.strip().partition(" ")
    if version != str(needed):
        raise SweepmakeError(
            f"the installed package sweepmake ({file}) is for rules of version {version}, and "
            f"these are of version {needed}: install the package that comes with them, or take in "
            "the rules that come with it"
        )
