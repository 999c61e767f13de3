"""What it costs to plot one experiment: CPU seconds and memory of ranks.pdf.

    python benchmarks/plots.py

For each number of ranks a plausible history is made (Keras's shape: a row for some steps of each
epoch, validation at its end; one rank is slow, one leaves the others, one falls silent) and plotted
by the workflow's own script in a process of its own: start of Python, import of matplotlib and all
pages. "Further" is what one more experiment costs in the same process. `--keep DIR` keeps the PDFs.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "scripts" / "plot_ranks.py"
NAMES = ("loss", "accuracy", "dsc", "val_loss", "val_accuracy", "val_dsc")
PLACES = "stage,attempt,rank,epoch,step,steps_per_epoch,eta_s,time_per_step_s"
PARAMETERS = {"lr": 0.1, "bs": 32, "norm": "batch", "seed": 1, "warmup_steps": 500, "dpout": 0.5}
# plots the experiment several times: the second one needs no start
AGAIN = """
import sys
from pathlib import Path
from sweepmake.outputs.ranks_pdf.ranks import plot_ranks
folder = Path(sys.argv[1])
for turn in range(int(sys.argv[2])):
    plot_ranks(folder / "history.csv.gz", folder / "metrics.json", folder / "again.pdf",
               title="again", parameters={"lr": 0.1})
"""


def make(folder: Path, ranks: int, epochs: int, rows_per_epoch: int) -> None:
    """Write a history and the part of metrics.json that the plots read."""
    folder.mkdir(parents=True, exist_ok=True)
    chance = random.Random(1)
    told: dict[str, object] = {}
    with gzip.open(folder / "history.csv.gz", "wt", compresslevel=1, encoding="ascii") as file:
        file.write(PLACES + "," + ",".join(NAMES) + "\n")
        for rank in range(ranks):
            pace = 0.030 * (1 + 0.05 * chance.random()) * (1.6 if rank == ranks // 2 > 0 else 1)
            reached = epochs // 2 if rank == 1 and ranks > 2 else epochs
            write_rank(file, chance, rank, ranks, epochs, reached, rows_per_epoch, pace)
            told[str(rank)] = {
                "last_epoch": reached,
                "last_step": rows_per_epoch,
                "steps_per_epoch": rows_per_epoch,
                "total_epochs": epochs,
                "time_per_step_s": pace,
                "died": reached < epochs,
                "account": {"lost": 0, "ambiguous": 0},
            }
    metrics = {name: {"mean": 0.5, "std": 0.01, "ranks": ranks} for name in NAMES}
    stages = {"train": {"launcher": "made up", "metrics": metrics, "ranks": told}}
    (folder / "metrics.json").write_text(json.dumps({"stages": stages}), encoding="utf-8")


def write_rank(file, chance, rank, ranks, epochs, reached, rows_per_epoch, pace) -> None:
    """Write the rows of one rank."""
    apart = 0.25 if rank == ranks - 1 > 2 else 0.0
    for epoch in range(1, reached + 1):
        for row in range(1, rows_per_epoch + 1):
            part = epoch - 1 + row / rows_per_epoch
            loss = math.exp(-4 * part / epochs) + 0.1 + chance.gauss(0, 0.01)
            loss += apart * part / epochs
            cells = f"{loss:.4f},{1 - loss / 2:.4f},{1.1 - loss:.4f}"
            end = row == rows_per_epoch
            later = loss * 1.05 + chance.gauss(0, 0.01)
            after = f"{later:.4f},{1 - later / 2:.4f},{1.1 - later:.4f}" if end else ",,"
            time = f"{pace * chance.gauss(1, 0.02):.4f}" if end else ""
            file.write(f"train,1,{rank},{epoch},{row},{rows_per_epoch},0,{time},{cells},{after}\n")


def cost(command: Sequence[str]) -> tuple[float, float]:
    """Run a command; return its (CPU seconds, peak memory in MB)."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "workflow")}
    process = subprocess.Popen(command, env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"failed: {' '.join(command)}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1000


def least(repeat: int, command: Sequence[str]) -> tuple[float, float]:
    """Return the least of several costs: others share the machine."""
    return min(cost(command) for _ in range(repeat))


def measure(folder: Path, repeat: int) -> str:
    """Return a row of the table for the experiment in a folder."""
    script = [sys.executable, str(SCRIPT)]
    script += ["--history", str(folder / "history.csv.gz")]
    script += ["--metrics", str(folder / "metrics.json"), "--output", str(folder / "ranks.pdf")]
    script += ["--title", "Lr_0.1-Norm_batch", "--parameters", json.dumps(PARAMETERS)]
    whole, memory = least(repeat, script)
    again = [sys.executable, "-c", AGAIN, str(folder)]
    further = (least(repeat, [*again, "5"])[0] - least(repeat, [*again, "1"])[0]) / 4
    size = (folder / "ranks.pdf").stat().st_size / 1000
    return f"{whole:.2f} s | {further:.2f} s | {memory:.0f} MB | {size:.0f} kB |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ranks", default="1,4,16,256")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--rows", type=int, default=1_000_000, help="of the long history; 0: none")
    parser.add_argument("--keep", type=Path, help="a folder for the histories and PDFs")
    arguments = parser.parse_args()
    imports = "from matplotlib.backends.backend_pdf import PdfPages"
    start, _ = least(arguments.repeat, [sys.executable, "-c", imports])
    print(f"start of Python and import of matplotlib alone: {start:.2f} s of CPU time\n")
    print("| ranks | rows | CPU time | further | peak memory | PDF |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as temporary:
        base = arguments.keep or Path(temporary)
        for ranks in map(int, arguments.ranks.split(",")):
            make(base / f"np{ranks}", ranks, 20, 13)
            print(f"| {ranks} | {ranks * 260} |", measure(base / f"np{ranks}", arguments.repeat))
        if arguments.rows:
            make(base / "long", 4, 20, arguments.rows // 80)
            print(f"| 4 | {arguments.rows} |", measure(base / "long", 1))


if __name__ == "__main__":
    main()
