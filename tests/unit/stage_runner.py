"""A stage runner that tests can start on its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import sweepmake

ENTRY = Path(sweepmake.__file__).with_name("__main__.py")


@dataclass
class Runner:
    """Starts the stage runner as the workflow does, for experiment `E` in `output/E`."""

    folder: Path
    slots: str = "0;1"
    environment: dict[str, str] = field(default_factory=dict)
    options: list[str] = field(default_factory=list)  # such as "--pipefail=0"

    def arguments(
        self, *pieces: str, stage: str = "train", gpu: int = 1, after: str = "", later: str = ""
    ) -> list[str]:
        return [
            sys.executable,
            "-S",
            "-E",
            str(ENTRY),
            f"--stage={stage}",
            "--experiment=E",
            "--number=1/1",
            f"--gpu={gpu}",
            "--folder=output/E",
            "--records=output/E/.sweepmake",
            "--suffix=",
            f"--log=output/E/.sweepmake/{stage}.log",
            f"--after={after}",
            f"--later={later}",
            "--parameters=_name: E\n_output: output/E\nlr: 0.1\n",
            *self.options,
            "--",
            *pieces,
        ]

    def start(
        self,
        *pieces: str,
        stage: str = "train",
        gpu: int = 1,
        after: str = "",
        later: str = "",
        **told: str,
    ) -> subprocess.Popen[str]:
        environment = {
            **os.environ,
            "SWEEPMAKE_SLOTS": self.slots,
            "SWEEPMAKE_LOCKS": str(self.folder / "locks"),
            **{f"SWEEPMAKE_{key.upper()}": value for key, value in told.items()},
            **self.environment,
        }
        return subprocess.Popen(
            self.arguments(*pieces, stage=stage, gpu=gpu, after=after, later=later),
            cwd=self.folder,
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *pieces: str, **options: str) -> tuple[int, str]:
        """Run to the end; return the exit code and what was said on the terminal."""
        process = self.start(*pieces, **options)  # type: ignore[arg-type]
        _, said = process.communicate(timeout=30)
        return process.returncode, said

    def path(self, name: str) -> Path:
        return self.folder / "output" / "E" / name

    def record(self, stage: str = "train") -> dict[str, object]:
        found: dict[str, object] = json.loads(self.path(f".sweepmake/{stage}.json").read_text())
        return found

    def logs(self, stage: str = "train") -> list[Path]:
        return sorted(self.path("").glob(f"log.{stage}.*"))
