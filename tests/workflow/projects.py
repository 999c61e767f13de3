"""Real runs of the workflow, each in a project folder of its own."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from openpyxl import load_workbook

REPOSITORY = Path(__file__).resolve().parents[2]
SECONDS = 300  # a run takes a few; a busy machine, or one without bytecode, takes far longer

# A program for templates: it writes down its arguments, its GPUs and when it ran.
PROBE = """\
import json, os, sys, time
begun = time.time()
if os.path.exists("slow"):
    time.sleep(0.2)
line = {"argv": sys.argv[1:], "gpus": os.environ.get("CUDA_VISIBLE_DEVICES"),
        "begun": begun, "ended": time.time()}
with open("probe.jsonl", "a") as file:
    file.write(json.dumps(line) + "\\n")
if os.path.exists("fail-" + "-".join(sys.argv[1:])):
    sys.exit("this one fails")
"""


@dataclass
class Done:
    """A workflow that has ended."""

    code: int
    said: str

    @property
    def started(self) -> list[str]:
        """The runs that started, as "stage folder", in order."""
        found = re.findall(r"^START +[^\n]*?(\S+): \d+/\d+, (\S.*)$", self.said, re.M)
        return [f"{stage} {folder}" for stage, folder in found]


@dataclass
class Project:
    """A user's folder with a params.yaml."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    target: str = "stages"  # "all" reads and plots each experiment as well: seconds; "" for none
    snakefile: Path = REPOSITORY / "Snakefile"

    def write(self, text: str, name: str = "params.yaml") -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "probe.py").write_text(PROBE)
        (self.folder / name).write_text(text)

    def copy(self, folder: Path) -> Project:
        """Copy all of the project, with the times of its files, which Snakemake goes by.

        What Snakemake and Sweepmake keep about a sweep names files as seen from its folder, so that
        the copy has run as far as the original has.
        """
        shutil.copytree(self.folder, folder)
        return Project(folder, dict(self.environment), self.target)

    def command(self, *arguments: str, cores: int = 4) -> list[str]:
        program = str(Path(sys.executable).with_name("snakemake"))
        target = [self.target] if self.target else []
        return [program, *target, "-s", str(self.snakefile), "--cores", str(cores), *arguments]

    def start(self, *arguments: str, cores: int = 4) -> subprocess.Popen[str]:
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        environment = {
            **os.environ,
            "PATH": path,
            "SWEEPMAKE_LOCK_FOLDER": str(self.folder.parent / "locks"),
            "XDG_CACHE_HOME": str(self.folder.parent / "cache"),
            "MPLCONFIGDIR": str(Path(tempfile.gettempdir()) / f"sweepmake-fonts-{os.getuid()}"),
            **self.environment,
        }
        return subprocess.Popen(
            self.command(*arguments, cores=cores),
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str, cores: int = 4) -> Done:
        process = self.start(*arguments, cores=cores)
        try:
            said, _ = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # else it would slow the tests that come after
            raise
        return Done(process.returncode, said)

    def probes(self) -> list[dict[str, object]]:
        """What the probes wrote down, in the order in which they ended."""
        path = self.folder / "probe.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def arguments(self) -> list[str]:
        """The arguments of every probe that ran, each joined with blanks, sorted."""
        return sorted(" ".join(line["argv"]) for line in self.probes())  # type: ignore[arg-type]

    def forget(self) -> None:
        (self.folder / "probe.jsonl").unlink(missing_ok=True)

    def path(self, name: str) -> Path:
        return self.folder / name


def wait_until(condition: object, what: str) -> None:
    """Wait for an event that another process causes."""
    end = time.monotonic() + SECONDS
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end, f"{what} never came"
        time.sleep(0.02)


def rows(project: Project, sheet: str = "experiments") -> list[dict[str, Any]]:
    """The rows of a sheet of the workbook, by their headings."""
    book = load_workbook(project.path("results/experiments.xlsx"))
    header, *body = book[sheet].iter_rows(values_only=True)
    return [dict(zip(header, row, strict=True)) for row in body]
