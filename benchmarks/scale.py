"""Measures whether a sweep's cost grows with its size alone: thousands of runs of `true`, for real.

    python benchmarks/scale.py [--experiments 500 5000] [--cores 2]

Each size runs its three stages in a fresh folder, then the same command again, which finds all
finished. What is quoted is what a run costs at the largest size over what it costs at the
smallest, and the memory of Snakemake's main process, which is the largest of all processes.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

REPOSITORY = Path(__file__).resolve().parent.parent
STAGES = ("train", "avg", "test")


@dataclass(frozen=True, slots=True)
class Cost:
    """What one command took.

    Attributes:
        wall_s: from its start to its end.
        cpu_s: user and system time, with that of all processes that it waited for.
        memory_mb: the most that one of its processes had in memory.
    """

    wall_s: float
    cpu_s: float
    memory_mb: float


def main() -> int:
    """Print what each size took, and how the cost of one run has grown."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--experiments", type=int, nargs="+", default=[500, 5000])
    parser.add_argument("--cores", type=int, default=2)
    given = parser.parse_args()
    costs = {size: _measure(size, given.cores) for size in sorted(given.experiments)}
    first, last = min(costs), max(costs)
    for size, (fresh, again) in costs.items():
        runs = size * len(STAGES)
        cpu_ms = 1000 * fresh.cpu_s / runs
        print(
            f"{runs:7,} runs: {fresh.wall_s:.0f} s, CPU {cpu_ms:.0f} ms per run, "
            f"{fresh.memory_mb:.0f} MB; again, all finished: {again.wall_s:.0f} s, "
            f"{again.memory_mb:.0f} MB"
        )
    if first < last:
        (few, _), (many, _) = costs[first], costs[last]
        print(
            f"one run of {last:,} experiments / one run of {first:,}: "
            f"wall {many.wall_s / last / (few.wall_s / first):.2f}, "
            f"CPU {many.cpu_s / last / (few.cpu_s / first):.2f}"
        )
    return 0


def _measure(size: int, cores: int) -> tuple[Cost, Cost]:
    """Return what a sweep costs that has everything to do, and then nothing."""
    with tempfile.TemporaryDirectory(prefix="sweepmake-scale-") as name:
        folder = Path(name)
        templates = ", ".join(f"{stage}: 'true'" for stage in STAGES)
        values = ", ".join(map(str, range(size)))
        (folder / "params.yaml").write_text(f"template: {{{templates}}}\n---\na: [{values}]\n")
        fresh = _run(folder, cores)
        done = len(list(folder.glob("output/*/.sweepmake/*.done")))
        if done != size * len(STAGES):
            sys.exit(f"{done} of {size * len(STAGES)} runs have finished: see {folder}")
        return fresh, _run(folder, cores)


def _run(folder: Path, cores: int) -> Cost:
    snakemake = str(Path(sys.executable).with_name("snakemake"))
    command = [snakemake, "-s", str(REPOSITORY / "Snakefile"), "--cores", str(cores), "stages"]
    began = monotonic()
    with (folder / "said").open("ab") as said:
        process = subprocess.Popen(command, cwd=folder, stdout=said, stderr=said)
        _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit((folder / "said").read_text()[-2000:])
    return Cost(monotonic() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


if __name__ == "__main__":
    sys.exit(main())
