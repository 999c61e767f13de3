"""Sweepmake as users have it: from its wheel, in an environment of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 300


def make_wheel(folder: Path) -> Path:
    """Build a release as it is built, the build's own environment included; return the wheel."""
    subprocess.run([sys.executable, "-m", "build", "--outdir", str(folder), str(ROOT)], check=True)
    return next(folder.glob("*.whl"))


@dataclass(frozen=True)
class Installed:
    """A fresh environment that the wheel was installed into."""

    folder: Path

    @classmethod
    def make(cls, folder: Path, *requirements: str) -> Installed:
        """Make the environment and install what pip finds for the requirements."""
        # Debian keeps ensurepip in a package of its own: this pip installs into the other Python
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
        made = cls(folder)
        pip = [sys.executable, "-m", "pip", "--python", str(made.program("python"))]
        quiet = ["--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "install", *quiet, *requirements], check=True)
        return made

    def program(self, name: str) -> Path:
        return self.folder / "bin" / name

    def run(
        self, *command: str, cwd: Path, environment: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command line of a shell in the environment; stderr is part of what it says."""
        keep = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ}
        return subprocess.run(
            ["bash", "-c", " ".join(command)],
            cwd=cwd,
            env={
                **keep,
                "PATH": f"{self.program('')}:/usr/bin:/bin",
                "SWEEPMAKE_LOCK_FOLDER": str(self.folder.parent / "locks"),
                "XDG_CACHE_HOME": str(self.folder.parent / "cache"),
                **(environment or {}),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
        )


def copy_digits(folder: Path) -> Path:
    """Copy the example sweep, as a user's project that lies anywhere; return the folder."""
    made = shutil.ignore_patterns("output", "results", ".snakemake", "__pycache__")
    return shutil.copytree(ROOT / "examples" / "digits", folder, ignore=made)
