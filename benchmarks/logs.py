"""How fast logs are read: from the raw log of a launcher to the written history.

    python benchmarks/logs.py --sizes 10,100,1000

A log of each size (in MB) is made from a real one (Keras 2.15 bars of 2 ranks under Open MPI 4,
each rank with its own early stop): its training part is repeated, each rank's epochs counted on,
so that the numbers stay consistent. Each measurement is a process of its own; MB/s are 1e6 bytes
per second of its CPU time. "x grep" is that time over that of `grep -c val_loss` on the same file,
"x scan" over that of a plain split-and-scan in Python that writes nothing.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CASES = (ROOT / "tests" / "data" / "logs", Path(os.environ.get("SWEEPMAKE_SHARED_LOGS", "")))
CASE = "k2-ompi4-np2"
_TAG = rb"(\[1,(\d+)\]<stdout>:)"
_HEADER = re.compile(_TAG + rb"Epoch (\d+)/\d+")
# The least that any reader in Python does: split at the tags, join per rank, find the bars. It
# writes nothing, knows no epochs, and loses what a block's edge cuts.
SCAN = r"""
import re, sys
tag = re.compile(rb"\[\d+,(\d+)\]<(?:stdout|stderr|stddiag)>:")
bar = re.compile(rb"(\d+)/(\d+) \[[=>.]*\] - (?:ETA: )?(\S+).*? - loss: (\S+) - accuracy: (\S+)")
with open(sys.argv[1], "rb") as file:
    while block := file.read(1 << 20):
        parts = tag.split(block)
        ranks = {}
        for rank, text in zip(parts[1::2], parts[2::2]):
            ranks.setdefault(rank, []).append(text)
        for texts in ranks.values():
            bar.findall(b"".join(texts))
"""
_END = re.compile(_TAG + rb"(?:Epoch \d+: early stopping|Total time elapsed[^\n]*)\n")


def replay(log: bytes, size: int) -> Iterator[bytes]:
    """Yield the log with its training repeated until `size` bytes are reached."""
    begin = log.index(b"Epoch 1/")
    begin = log.rindex(b"[1,", 0, begin)
    last = {m.group(2): 0 for m in _HEADER.finditer(log)}
    for match in _HEADER.finditer(log):
        last[match.group(2)] = max(last[match.group(2)], int(match.group(3)))
    body = log[begin:]
    middle = _END.sub(b"", body)
    repeats = max(1, -(-(size - begin) // len(middle)))
    total = b"/%d" % (repeats * max(last.values()))
    yield log[:begin]
    for turn in range(repeats):

        def shifted(match: re.Match[bytes], turn: int = turn) -> bytes:
            epoch = int(match.group(3)) + turn * last[match.group(2)]
            return match.group(1) + b"Epoch %d" % epoch + total

        yield _HEADER.sub(shifted, body if turn == repeats - 1 else middle)


def make_log(path: Path, size: int, case: str) -> int:
    """Write a log of about `size` bytes; return its exact size."""
    folder = next(folder / case for folder in CASES if (folder / case / "log.txt").exists())
    with path.open("wb") as file:
        file.writelines(replay((folder / "log.txt").read_bytes(), size))
    return path.stat().st_size


def measure(command: Sequence[str]) -> tuple[float, float, int]:
    """Run a command; return its CPU seconds, wall seconds and peak memory in MB."""
    began = time.perf_counter()
    environment = os.environ | {"PYTHONPATH": str(ROOT / "workflow")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    # a pipe: into /dev/null grep would stop at the first match
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    assert process.stdout is not None
    process.stdout.close()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode > 1:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return usage.ru_utime + usage.ru_stime, time.perf_counter() - began, usage.ru_maxrss // 1024


def main() -> None:
    """Measure each size and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sizes", default="10,100", help="MB, with commas between (10,100)")
    parser.add_argument("--case", default=CASE, help=f"the real log to repeat ({CASE})")
    parser.add_argument("--folder", type=Path, help="where the logs are made (a temporary folder)")
    given = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        folder = Path(name)
        print("  size MB   CPU s  wall s    MB/s  peak MB  x grep  x scan  history MB")
        for size in map(float, given.sizes.split(",")):
            log = folder / "log.txt"
            exact = make_log(log, int(size * 1e6), given.case)
            read = [
                sys.executable,
                "-m",
                "sweepmake.logs",
                str(log),
                "--output",
                str(folder / "out"),
            ]
            cpu, wall, peak = min(measure(read) for _ in range(3 if size < 50 else 1))
            grep = min(measure(["grep", "-c", "val_loss", str(log)])[0] for _ in range(3))
            written = (folder / "out" / "history.csv.gz").stat().st_size / 1e6
            scan = min(measure([sys.executable, "-c", SCAN, str(log)])[0] for _ in range(3))
            ratio = cpu / grep if grep > 0.004 else float("nan")
            print(
                f"{exact / 1e6:9.1f} {cpu:7.2f} {wall:7.2f} {exact / 1e6 / cpu:7.1f} {peak:8d}"
                f" {ratio:7.1f} {cpu / scan:7.2f} {written:11.1f}",
                flush=True,
            )
        small = folder / "small.txt"
        make_log(small, 100_000, given.case)
        read = [sys.executable, "-m", "sweepmake.logs", str(small), "--output", str(folder / "out")]
        cpu = min(measure(read)[0] for _ in range(7))
        start = min(measure([sys.executable, "-c", "pass"])[0] for _ in range(7))
        print(f"a log of 100 kB: {cpu:.3f} s of CPU, of which Python's start {start:.3f} s")


if __name__ == "__main__":
    main()
