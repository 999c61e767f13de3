"""Measures what Sweepmake costs: against mlrunner, and against a bare Snakefile of the same jobs.

    python benchmarks/scheduling.py [--only jobs|makespan|planning] [--experiments N] [--repeat N]

Everything is measured in one call on one machine, in turns, and quoted as ratios of pairs that ran
one after the other: seconds alone say more about the machine than about the program. The exit code
is 0 when every measurement could be made, whether or not its target was met.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import textwrap
import venv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

REPOSITORY = Path(__file__).resolve().parent.parent
MLRUNNER = "mlrunner==0.5.9"
SLOTS = 4
STAGES = ("train", "avg", "test")
RUNNER_SAMPLES = 60
RUNNER_LIMIT_MS = 40


@dataclass(frozen=True, slots=True)
class Cost:
    """What one command took.

    Attributes:
        wall_s: from its start to its end.
        cpu_s: user and system time, with that of all processes that it waited for.
    """

    wall_s: float
    cpu_s: float


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table: a measurement, and its target where it has one.

    Attributes:
        what: what was measured.
        value: the median over the repeats.
        spread: the smallest and the largest, the same as the value where it was measured once.
        limit: the target, None where the line is for information.
        at_least: whether the target is a lower bound; else an upper one.
        unit: what stands behind the numbers.
    """

    what: str
    value: float
    spread: tuple[float, float]
    limit: float | None = None
    at_least: bool = False
    unit: str = "x"

    def cells(self) -> tuple[str, ...]:
        """Return the line's cells as they are printed."""
        low, high = self.spread
        shown = (self.what, self._number(self.value), f"{low:.2f} … {high:.2f}")
        if self.limit is None:
            return (*shown, "", "")
        met = self.value >= self.limit if self.at_least else self.value <= self.limit
        sign = ">=" if self.at_least else "<="
        return (*shown, f"{sign} {self._number(self.limit)}", "met" if met else "missed")

    def _number(self, value: float) -> str:
        return f"{value:.2f} {self.unit}"


def line(what: str, values: Sequence[float], limit: float | None = None, **options: object) -> Line:
    """Return a line of the table for the values of all repeats."""
    spread = (min(values), max(values))
    return Line(what, statistics.median(values), spread, limit, **options)  # type: ignore[arg-type]


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Return the ratios of the pairs that were measured one after the other."""
    return [a / b for a, b in zip(ours, theirs, strict=True)]


def cost(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Cost:
    """Run a command to its end and return what it took.

    Args:
        command: the program and its arguments.
        folder: its working directory; its output goes there, into last.out.
        environment: its environment variables.

    Raises:
        SystemExit: it failed.
    """
    with (folder / "last.out").open("wb") as output:
        start = monotonic()
        process = subprocess.Popen(
            command, cwd=folder, env=dict(environment), stdout=output, stderr=output
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = monotonic() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        tail = (folder / "last.out").read_text(errors="replace").splitlines()[-15:]
        sys.exit("\n".join([f"error: failed in {folder}: {shlex.join(command)}", *tail]))
    return Cost(wall_s, usage.ru_utime + usage.ru_stime)


class Programs:
    """The three programs that are compared, each run in a fresh folder of its own."""

    def __init__(self, scratch: Path, mlrunner: str) -> None:
        self._scratch = scratch
        self._mlrunner = mlrunner
        self._count = 0
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("SWEEPMAKE_")}
        # the slots that params.yaml lists shall be the benchmark's own, and nobody else's
        self.environment["SWEEPMAKE_LOCK_FOLDER"] = str(scratch / "locks")
        self.environment.pop("CUDA_VISIBLE_DEVICES", None)

    def folder(self, files: Mapping[str, str]) -> Path:
        """Return a new folder that holds these files."""
        self._count += 1
        folder = self._scratch / str(self._count)
        folder.mkdir()
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
        return folder

    def sweepmake(self, folder: Path, cores: int, *more: str) -> Cost:
        """Run `snakemake stages` of this repository on the folder's params.yaml."""
        snakefile = ["-s", str(REPOSITORY / "Snakefile")]
        return self._snakemake(folder, *snakefile, "--cores", str(cores), *more, "stages")

    def bare(self, folder: Path, cores: int, *more: str) -> Cost:
        """Run the bare Snakefile in the folder, with the scheduler that Sweepmake uses."""
        return self._snakemake(folder, "--scheduler", "greedy", "--cores", str(cores), *more)

    def _snakemake(self, folder: Path, *arguments: str) -> Cost:
        return cost([sys.executable, "-m", "snakemake", *arguments], folder, self.environment)

    def mlrunner(self, folder: Path) -> Cost:
        """Run mlrunner on the folder's params.yaml."""
        return cost([self._mlrunner], folder, self.environment)


def install_mlrunner(folder: Path) -> str:
    """Install mlrunner from PyPI into a virtual environment; return its program's path."""
    print(f"installing {MLRUNNER} …", file=sys.stderr)
    venv.create(folder, with_pip=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", MLRUNNER]
    subprocess.run(pip, check=True)
    return str(folder / "bin" / "run")


def params(commands: Mapping[str, str], experiments: int, more: str = "") -> str:
    """Return a params.yaml of that many experiments, for both Sweepmake and mlrunner."""
    template = "".join(f'  {stage}: "{commands[stage]}"\n' for stage in STAGES)
    numbers = ", ".join(str(number) for number in range(1, experiments + 1))
    slots = ", ".join(str(number) for number in range(SLOTS))
    return f"template:\n{template}{more}resource: [{slots}]\n---\nnumber: [{numbers}]\n"


def bare_snakefile(experiments: int) -> str:
    """Return a Snakefile of the same chains of three jobs with nothing around their commands."""
    rules = [f"rule all:\n    input: expand('bare/{{n}}/test', n=range(1, {experiments + 1}))\n"]
    before = ""
    for stage in STAGES:
        rules.append(
            f"rule {stage}:\n{before}    output: 'bare/{{n}}/{stage}'\n"
            "    shell: 'true && touch {output}'\n"
        )
        before = f"    input: 'bare/{{n}}/{stage}'\n"
    return "".join(rules)


def measure_jobs(programs: Programs, experiments: int, repeat: int) -> list[Line]:
    """Return what thousands of runs of `true` cost."""
    files = {"params.yaml": params(dict.fromkeys(STAGES, "true"), experiments)}
    files["Snakefile"] = bare_snakefile(experiments)
    ours, bare, mlrunner = [], [], []
    samples: list[float] = []
    for _ in range(repeat):
        bare.append(programs.bare(programs.folder(files), SLOTS))
        folder = programs.folder(files)
        ours.append(programs.sweepmake(folder, SLOTS))
        mlrunner.append(programs.mlrunner(programs.folder(files)))
        samples += runner_cpu_ms(programs, folder)
    runs = f"{experiments} x {len(STAGES)} runs of `true`"
    return [
        line(f"{runs}: wall time / bare", _wall(ours, bare), 2),
        line(f"{runs}: CPU time / bare", _cpu(ours, bare)),
        line(f"{runs}: wall time / mlrunner", _wall(ours, mlrunner)),
        line(f"{runs}: bare / mlrunner, wall time", _wall(bare, mlrunner)),
        line("the stage runner alone, CPU per run", samples, RUNNER_LIMIT_MS, unit="ms"),
    ]


def runner_cpu_ms(programs: Programs, done: Path) -> list[float]:
    """Return the CPU milliseconds of runs of the stage runner outside Snakemake.

    Args:
        programs: for a fresh folder.
        done: the folder of a finished sweep, whose shell commands are used as they were.
    """
    records = sorted((done / ".snakemake" / "metadata").iterdir())[:RUNNER_SAMPLES]
    commands = [json.loads(path.read_text(encoding="utf-8"))["shellcmd"] for path in records]
    folder = programs.folder({})
    slots = ";".join(str(number) for number in range(SLOTS))
    told = {"SWEEPMAKE_SLOTS": slots, "SWEEPMAKE_LOCKS": str(folder / "locks")}
    environment = programs.environment | told
    shell = ["bash", "-c"]
    return [
        1000 * cost([*shell, f"set -euo pipefail; {command}"], folder, environment).cpu_s
        for command in commands
        if command
    ]


def measure_makespan(programs: Programs, experiments: int, repeat: int) -> list[Line]:
    """Return how well the slots are used while the CPU averages."""
    commands = {"train": "sleep 1.0", "avg": "sleep 0.5", "test": "sleep 0.5"}
    text = params(commands, experiments, "stage:\n  avg: {gpu: 0}\n")
    files = {"params.yaml": text}
    ours, mlrunner, busy, whole = [], [], [], []
    for _ in range(repeat):
        folder = programs.folder(files)
        ours.append(programs.sweepmake(folder, 4 * SLOTS))
        mlrunner.append(programs.mlrunner(programs.folder(files)))
        used_s, span_s = slot_use(folder)
        busy.append(used_s / (SLOTS * span_s))
        whole.append(used_s / (SLOTS * ours[-1].wall_s))
    what = f"{experiments} experiments on {SLOTS} slots"
    return [
        line(f"{what}: makespan / mlrunner", _wall(ours, mlrunner), 0.85),
        line(f"{what}: slots busy, first to last run", busy, 0.90, at_least=True, unit=""),
        line(f"{what}: slots busy, whole command", whole, unit=""),
    ]


def slot_use(folder: Path) -> tuple[float, float]:
    """Return the seconds that runs held slots, and those from the first start to the last end."""
    records = [
        json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(folder.glob("output/*/.sweepmake/*.json"))
    ]
    used_s = sum(record["gpu"] * record["wall_time_s"] for record in records)
    starts = [record["started"] for record in records]
    ends = [record["ended"] for record in records]
    return used_s, max(ends) - min(starts)


def measure_planning(programs: Programs, sizes: Sequence[int], repeat: int) -> list[Line]:
    """Return what a dry run costs at several sizes."""
    ours: dict[int, list[Cost]] = {size: [] for size in sizes}
    bare: dict[int, list[Cost]] = {size: [] for size in sizes}
    for _ in range(repeat):
        for size in sizes:
            files = {"params.yaml": params(dict.fromkeys(STAGES, "true"), size)}
            files["Snakefile"] = bare_snakefile(size)
            bare[size].append(programs.bare(programs.folder(files), SLOTS, "-n"))
            ours[size].append(programs.sweepmake(programs.folder(files), SLOTS, "-n"))
    lines = []
    for size in sizes:
        limit = 1.5 if size == sizes[-2] else None
        what = f"planning {size} experiments"
        lines.append(line(f"{what}: wall time / bare", _wall(ours[size], bare[size]), limit))
        lines.append(line(f"{what}: CPU time / bare", _cpu(ours[size], bare[size])))
    small, middle, large = sizes
    growth = [
        ((c.cpu_s - b.cpu_s) / (large - middle)) / ((b.cpu_s - a.cpu_s) / (middle - small))
        for a, b, c in zip(ours[small], ours[middle], ours[large], strict=True)
    ]
    what = f"planning, CPU per experiment: {middle} to {large} / {small} to {middle}"
    return [*lines, line(what, growth, 1.25)]


def _wall(ours: Sequence[Cost], theirs: Sequence[Cost]) -> list[float]:
    return ratios([c.wall_s for c in ours], [c.wall_s for c in theirs])


def _cpu(ours: Sequence[Cost], theirs: Sequence[Cost]) -> list[float]:
    return ratios([c.cpu_s for c in ours], [c.cpu_s for c in theirs])


def table(lines: Sequence[Line]) -> str:
    """Return the lines as a table of text."""
    header = ("measured", "median", "min … max", "target", "")
    rows = [header, *(entry.cells() for entry in lines)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    shown = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in rows]
    shown.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(text.rstrip() for text in shown)


def main() -> None:
    """Measure what was asked for, and print the table."""
    arguments = parse_arguments()
    with tempfile.TemporaryDirectory(prefix="sweepmake-benchmark-") as name:
        scratch = Path(name)
        needed = arguments.only != "planning"
        mlrunner = arguments.mlrunner or (install_mlrunner(scratch / "venv") if needed else "")
        programs = Programs(scratch, mlrunner and str(Path(mlrunner).absolute()))
        share = arguments.experiments / 1000
        sizes = [max(1, round(size * share)) for size in (100, 1000, 5000)]
        measures: dict[str, Callable[[], list[Line]]] = {
            "jobs": lambda: measure_jobs(programs, arguments.experiments, arguments.repeat),
            "makespan": lambda: measure_makespan(
                programs, min(64, arguments.experiments), arguments.repeat
            ),
            "planning": lambda: measure_planning(programs, sizes, arguments.repeat),
        }
        lines: list[Line] = []
        loads = [os.getloadavg()[0]]
        for part, measure in measures.items():
            if arguments.only in (None, part):
                print(f"measuring: {part} …", file=sys.stderr)
                lines += measure()
                loads.append(os.getloadavg()[0])
    shown = ", ".join(f"{load:.1f}" for load in loads)
    print(f"{os.cpu_count()} processors; load before, and after each part: {shown}\n")
    print(table(lines))


def parse_arguments() -> argparse.Namespace:
    """Return the command line's arguments."""
    description = textwrap.dedent(__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--only", choices=("jobs", "makespan", "planning"), help="one part alone")
    parser.add_argument("--repeat", type=int, default=3, help="pairs of runs (default: 3)")
    parser.add_argument(
        "--experiments",
        type=int,
        default=1000,
        help="how many (default: 1000, which the targets are for); planning also does a tenth and "
        "five times as many, the makespan at most 64",
    )
    parser.add_argument(
        "--mlrunner",
        metavar="PATH",
        help=f"its program `run`; without it, {MLRUNNER} is installed for this measurement",
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
