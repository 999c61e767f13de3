"""The sweep that is killed: its params.yaml, its program, and what must come out of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["EXPERIMENTS", "STAGES", "TOKEN", "Event", "Sweep", "expected_score"]

REPOSITORY = Path(__file__).resolve().parents[2]
TOKEN = "SWEEPMAKE_STORM_OF"  # the variable by which every process of a storm is found
STAGES = ("train", "avg", "test")
EXPERIMENTS = 6

PARAMS = f"""\
template:
  train: python work.py train {{a}} {{_output}} && echo trained
  avg: python work.py avg {{a}} {{_output}}
  test: set -o pipefail; python work.py test {{a}} {{_output}} | cat
resource: [0, 1]
stage: {{avg: {{gpu: 0}}}}
objective: {{metric: score, mode: max}}
---
a: [{", ".join(map(str, range(1, EXPERIMENTS + 1)))}]
"""

# Locks say whether another copy is at work: the system frees them when a copy dies.
WORK = """\
import fcntl, json, os, random, sys, time

stage, a, output = sys.argv[1:]
gpus = [gpu for gpu in os.environ["CUDA_VISIBLE_DEVICES"].split(",") if gpu]

def say(what, **more):
    line = {"what": what, "stage": stage, "a": int(a), "pid": os.getpid(), "at": time.time()}
    file = os.open("events.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, (json.dumps({**line, **more}) + "\\n").encode())
    os.close(file)

held = []
for name in [f"run {stage} {a}", *(f"gpu {gpu}" for gpu in gpus)]:
    held.append(open("watch." + name.replace(" ", "."), "a"))
    try:
        fcntl.flock(held[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say("double", of=name)
say("start")
if stage == "train":
    for epoch in range(1, 4):
        time.sleep(random.uniform(0, 0.8))
        print(f"Epoch {epoch}/3\\n4/4 - 1s - loss: {1 / epoch:.4f} - score: {int(a) + epoch / 10}")
        sys.stdout.flush()
    with open(f"{output}/weights", "w") as file:
        file.write(a)
elif stage == "avg":
    with open(f"{output}/weights") as file, open(f"{output}/averaged", "w") as averaged:
        averaged.write(file.read())
else:
    time.sleep(random.uniform(0, 0.5))
    with open(f"{output}/averaged") as file:
        print("tested", file.read())
say("end")
"""


def expected_score(a: int) -> float:
    """Return the score that an experiment ends with."""
    return a + 0.3


@dataclass(frozen=True, slots=True)
class Event:
    """What a program said: "start", "end", or "double" where another copy was at work.

    Attributes:
        what: one of these.
        run: stage and experiment.
        at: when, in seconds since the epoch.
        of: what was held twice.
    """

    what: str
    run: tuple[str, int]
    at: float
    of: str = ""


class Sweep:
    """A user's folder, in which one sweep is run, killed and run again.

    Args:
        folder: where; its files are the sweep's alone.
        token: tells its processes from all others.
    """

    def __init__(self, folder: Path, token: str) -> None:
        self.folder = folder
        self._token = token
        folder.mkdir(parents=True)
        (folder / "params.yaml").write_text(PARAMS)
        (folder / "work.py").write_text(WORK)

    @property
    def environment(self) -> dict[str, str]:
        """The variables that every process of the sweep has."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("SWEEPMAKE_")}
        return {
            **inherited,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "SWEEPMAKE_LOCK_FOLDER": str(self.folder / "locks"),
            "XDG_CACHE_HOME": str(self.folder.parent / "cache"),
            "MPLCONFIGDIR": str(self.folder.parent / "fonts"),
            TOKEN: self._token,
        }

    def start(self, arguments: Sequence[str], said: Path) -> subprocess.Popen[bytes]:
        """Type a command; what it says goes into a file."""
        program = str(Path(sys.executable).with_name("snakemake"))
        command = [program, "-s", str(REPOSITORY / "Snakefile"), "--cores", "4", *arguments]
        with said.open("ab") as file:
            return subprocess.Popen(
                command,
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )

    def events(self) -> list[Event]:
        """What its programs have said so far, in order."""
        path = self.folder / "events.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        found = map(json.loads, lines)
        return [Event(e["what"], (e["stage"], e["a"]), e["at"], e.get("of", "")) for e in found]

    def forget_results(self) -> None:
        """Delete what was made from the runs, so that it is to be made again."""
        shutil.rmtree(self.folder / "results", ignore_errors=True)
