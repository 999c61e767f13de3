"""Where the workflow's own files lie: the Snakefile, rules/, scripts/ and profiles/ beside it.

The wheel has them inside the package, in `_workflow/`, side by side as they are in the repository.
"""

from __future__ import annotations

from pathlib import Path

from sweepmake.errors import InputError, SweepmakeError, suggestion

__all__ = ["profile_folder", "workflow_folder"]


def workflow_folder() -> Path:
    """Return the folder of the Snakefile, absolute: in an editable installation, the repository.

    Raises:
        SweepmakeError: the package was copied without them.
    """
    package = Path(__file__).resolve().parent
    folders = (package / "_workflow", package.parents[1])
    for folder in folders:
        if (folder / "Snakefile").is_file():
            return folder
    looked = " and ".join(f"'{folder}'" for folder in folders)
    raise SweepmakeError(
        f"the workflow's Snakefile is in neither {looked}: install the package from its wheel, "
        "or with pip install -e from its repository"
    )


def profile_folder(name: str) -> Path:
    """Return the folder of one of the profiles that come with the workflow.

    Raises:
        InputError: there is none of this name.
        SweepmakeError: as `workflow_folder`.
    """
    profiles = workflow_folder() / "profiles"
    names = sorted(path.parent.name for path in profiles.glob("*/config.yaml"))
    if name not in names:
        raise InputError(f"there is no profile '{name}'", hint=suggestion(name, names))
    return profiles / name
