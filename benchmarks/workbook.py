"""How long the workbook takes, and how much memory: `python benchmarks/workbook.py`.

The results are made up: experiments of a grid of 8 parameters, 3 stages, 11 metrics in all and 4
ranks, each with its records and metrics.json on disk, so that reading them is measured too. Each
size runs in a process of its own, for its peak memory.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

from sweepmake.outputs.workbook.tables import WORKBOOK, write_workbook
from sweepmake.results.outcomes import read_outcomes
from sweepmake.results.study import Study
from sweepmake.results.table import build_table
from sweepmake.runs.experiment import Experiment

STAGES = ("train", "avg", "test")
METRICS = {
    "train": ("loss", "acc", "f1", "lr", "val_loss", "val_acc", "val_dsc", "grad_norm"),
    "avg": (),
    "test": ("test_loss", "test_acc", "bleu"),
}
RANKS = 4


def make_study(folder: Path, count: int) -> Study:
    """Write the records and summaries of so many experiments, and return their study."""
    chance = random.Random(0)
    cases = []
    for number in range(count):
        parameters = {
            "lr": 10.0 ** -(number % 5),
            "bs": 2 ** (number // 5 % 4),
            "norm": ("batch", "layer", "new")[number // 20 % 3],
            "mom": 0.9 + 0.01 * (number // 60 % 3),
            "dpout": f"{0.1 * (number // 180 % 2):.1f}_0.5",
            "layers": number // 360 % 4,
            "amp": bool(number // 1440 % 2),
            "seed": number // 2880,
        }
        name = f"Lr_{parameters['lr']:g}-Number_{number}"
        output = folder / "output" / name
        case = Experiment(name, parameters, str(output), str(output / ".sweepmake"), STAGES)
        cases.append(case)
        (output / ".sweepmake").mkdir(parents=True)
        for stage in STAGES:
            (output / ".sweepmake" / f"{stage}.json").write_text(_record(output, stage, chance))
        results = folder / "results" / name
        results.mkdir(parents=True)
        (results / "metrics.json").write_text(_summary(chance))
    return Study(
        source="benchmark",
        params=None,
        cases=tuple(cases),
        stages=STAGES,
        results=str(folder / "results"),
    )


def _record(output: Path, stage: str, chance: random.Random) -> str:
    """Return a run's record; one run in fifty failed."""
    state, code = ("finished", 0) if chance.random() > 0.02 else ("failed", 1)
    return json.dumps({
        "state": state, "exit_code": code, "attempt": 1, "host": "vm", "gpu": 1, "slot": "0",
        "wall_time_s": chance.uniform(100, 9000), "max_memory_mb": chance.uniform(900, 9000),
        "log": f"{output}/log.{stage}.20261121.214150", "commit": "0" * 40, "command": "x" * 300,
    })  # fmt: skip


def _summary(chance: random.Random) -> str:
    """Return a metrics.json of the shape that the log readers write."""
    stages = {}
    for stage, names in METRICS.items():
        last = {name: round(chance.random(), 4) for name in names}
        ruled = [name for name in names if name not in ("lr", "grad_norm")]
        account = {"bytes": 90000, "lines": 900, "joined": 0, "ambiguous": 0, "lost": 0}
        rank = {
            "last": last, "best": {}, "last_epoch": 90, "time_per_step_s": chance.uniform(0.1, 0.2),
            "restarts": 0, "segments_unparsed": 0, "segments_overlong": 0, "died": False,
            "account": account,
        }  # fmt: skip
        stages[stage] = {
            "metrics": {
                name: {"last": last[name], "mean": last[name], "std": 0.0, "ranks": RANKS,
                       "best": last[name] / 2 if name in ruled else None, "best_epoch": 7}
                for name in names
            },
            "ranks": {str(r): rank for r in range(RANKS if stage == "train" else 1)},
        }  # fmt: skip
    head = {
        "total_epochs": 90,
        "steps_x_epoch": 100,
        "total_job_ranks": RANKS,
        "total_training_time": chance.uniform(100, 9000),
        "early_stop_iteration": -1,
    }
    return json.dumps({**head, "stages": stages}, indent=1)[:-2] + ',\n"results": {}\n}\n'


def measure(count: int) -> None:
    """Make so many experiments, write their tables, and print a row of the table of figures."""
    with tempfile.TemporaryDirectory() as folder:
        study = make_study(Path(folder), count)
        before = time.perf_counter()
        outcomes = read_outcomes(study)
        read = time.perf_counter() - before
        busy = time.process_time()
        before = time.perf_counter()
        table = build_table(study, outcomes)
        write_workbook(study, table, now=datetime.now(), command="benchmark")
        wrote = time.perf_counter() - before
        busy = time.process_time() - busy
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        size = (Path(study.results) / WORKBOOK).stat().st_size / 1e6
    print(
        f"| {count:,} by {len(table.columns)} | {read:.1f} s | {wrote:.1f} s | {busy:.1f} s "
        f"| {peak:.0f} MB | {size:.1f} MB |",
        flush=True,
    )


def main() -> None:
    """Measure each size in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="1000,10000", help="numbers of experiments")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        measure(options.one)
        return
    print("| experiments by columns | reading | writing | CPU of it | peak memory | workbook |")
    print("|---|---|---|---|---|---|", flush=True)
    for size in options.sizes.split(","):
        subprocess.run([sys.executable, __file__, "--one", size], check=True)


if __name__ == "__main__":
    main()
