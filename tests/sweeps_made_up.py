"""Studies and tables made by hand, as large as a test wants them, with histories on disk."""

from __future__ import annotations

import gzip
import itertools
import math
import random
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from sweepmake.params.metrics import MetricOptions
from sweepmake.params.naming import Value
from sweepmake.results.columns import Cell, Column
from sweepmake.results.outcomes import Outcome, StageOutcome
from sweepmake.results.study import Study
from sweepmake.results.table import Table
from sweepmake.runs.experiment import Experiment


def make_table(
    folder: Path,
    grid: Mapping[str, Sequence[Value]],
    *,
    mode: str = "max",
    values: Sequence[Cell] | None = None,
    objective: str | None = "val_acc",
    over: tuple[str, ...] = ("seed",),
    statuses: Mapping[int, str] | None = None,
    most: int | None = None,
) -> tuple[Study, Table]:
    """Return a study and its table of all combinations of a grid.

    Args:
        folder: the folder of results.
        grid: parameter → its values.
        mode: whether more or less is better.
        values: the objective of each combination; without them a smooth one with noise.
        objective: the objective's name, None for none.
        over: what is averaged over.
        statuses: combination → status, where it is not "finished"; only those have no value.
        most: keep so many combinations, drawn with a fixed seed.
    """
    draw = random.Random(7)
    combinations = list(itertools.product(*grid.values()))
    if most is not None and most < len(combinations):
        combinations = draw.sample(combinations, most)
    statuses = statuses or {}
    rows = []
    for at, combination in enumerate(combinations):
        parameters = dict(zip(grid, combination, strict=True))
        name = "-".join(f"{key.capitalize()}_{value}" for key, value in parameters.items())
        if not name or len(name) > 150 or not re.fullmatch(r"[\w.+-]+", name):
            name = f"experiment-{at}"
        status = statuses.get(at, "finished")
        stage = StageOutcome("train", status, exit_code=1 if status == "failed" else 0)
        experiment = Experiment(name, parameters, f"output/{name}", f"output/{name}", ("train",))
        value = values[at] if values is not None else _smooth(parameters, draw)
        if status != "finished":
            value = None
        rows.append((value, combination, Outcome(experiment, status, (stage,))))
    sign = -1 if mode == "max" else 1

    def order(row: tuple[Cell, tuple[Value, ...], Outcome]) -> tuple[bool, float]:
        good = isinstance(row[0], float | int) and math.isfinite(row[0])
        return (not good, sign * float(row[0]) if good and row[0] is not None else 0.0)

    experiments = tuple(row[2].experiment for row in rows)
    rows.sort(key=order)
    columns = [
        Column("experiment", "experiment", "experiment"),
        Column("status", "status", "experiment"),
    ]
    columns += [Column(objective, objective, "objective", mode)] if objective else []
    columns += [Column(key, key, "parameter") for key in grid]
    table = Table(
        columns=tuple(columns),
        rows=tuple(
            (outcome.experiment.name, outcome.status, *([value] if objective else []), *combination)
            for value, combination, outcome in rows
        ),
        outcomes=tuple(outcome for _, _, outcome in rows),
        constant={"model": "small", "data": "digits"},
        objective=objective,
        objective_text=f"{objective}, {'more' if mode == 'max' else 'less'} is better"
        if objective
        else "",
    )
    study = Study(
        "params.yaml", "params.yaml", experiments, ("train",), str(folder), MetricOptions(over=over)
    )
    return study, table


def _smooth(parameters: Mapping[str, Value], draw: random.Random) -> float:
    """Return an accuracy that has a best learning rate and a best everything else."""
    value = 0.9 + draw.gauss(0, 0.006)
    for at, (key, parameter) in enumerate(parameters.items()):
        if key == "seed":
            continue
        if isinstance(parameter, float) and parameter > 0:
            value -= 0.03 * (math.log10(parameter) + 2) ** 2
        elif isinstance(parameter, int):
            value -= 0.0004 * abs(parameter - 32) ** 0.7
        else:
            value += 0.01 * (len(str(parameter)) % 3) / (at + 1)
    return value


def write_history(
    study: Study,
    name: str,
    *,
    last: float = 0.9,
    ranks: int = 2,
    epochs: int = 20,
    steps: int = 3,
    metrics: tuple[str, ...] = ("loss", "val_acc"),
) -> Path:
    """Write one experiment's history: the last metric climbs to `last` at each epoch's end."""
    path = Path(study.results) / name / "history.csv.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    header = "stage,attempt,rank,epoch,step,steps_per_epoch,eta_s,time_per_step_s"
    lines = [",".join([header, *metrics])]
    for rank, epoch, step in itertools.product(
        range(ranks), range(1, epochs + 1), range(1, steps + 1)
    ):
        done = epoch / epochs
        loss = 2 * math.exp(-3 * done) + 0.01 * rank
        value = f"{last * (1 - math.exp(-4 * done)) + 0.002 * rank:.5f}" if step == steps else ""
        cells = ["train", "1", str(rank), str(epoch), str(step), str(steps), "0", "0.05"]
        lines.append(",".join([*cells, f"{loss:.5f}", *[value] * (len(metrics) - 1)]))
    path.write_bytes(gzip.compress("\n".join(lines).encode() + b"\n", mtime=0))
    return path
