"""Compare a written history with what the ranks recorded about themselves."""

from __future__ import annotations

import csv
import gzip
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

PLACES = 8  # columns before the metrics
# what the log prints otherwise than the truth's record of it
RENAMED = {
    "tqdm": {"train_loss": "train loss", "val_loss": "val loss", "val_acc": "val acc"},
    "imagenet-end": {"Acc@1": "val_Acc@1", "Acc@5": "val_Acc@5"},
}


@dataclass
class Comparison:
    """How many values were right, and which were not."""

    right: int = 0
    wrong: list[str] = field(default_factory=list)
    invented: list[str] = field(default_factory=list)


def read_history(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def metrics_of(row: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in list(row.items())[PLACES:] if value}


def equal_as_printed(text: str, value: float, significant: int = 0) -> bool:
    """Return whether a printed number is this value at its own precision."""
    printed = float(text)
    if value != value or printed != printed:
        return value != value and printed != printed
    mantissa, _, exponent = text.lower().partition("e")
    digits = len(mantissa.partition(".")[2])
    step = 10.0 ** (int(exponent or 0) - digits)
    if significant and value:  # Lightning rounds to three digits and fills up with zeros
        step = max(step, 10.0 ** (math.floor(math.log10(abs(value))) + 1 - significant))
    return abs(printed - value) <= 0.5001 * step + abs(value) * 1e-7


def expected(truth: dict, rank: str) -> Iterator[tuple[str, str, dict[str, float]]]:
    """Yield (epoch, step, values) of what the rank showed; "" where the log does not say."""
    recorded = truth["ranks"][rank]
    if truth["framework"].startswith("keras"):
        yield from _keras(recorded)
    elif truth["framework"] == "hf":
        for log in recorded["logs"]:
            if log["main"]:  # the Trainer keeps some values to itself
                hidden = ("epoch", "total_flos")
                yield (
                    f"~{log['epoch']}",
                    "",
                    {k: v for k, v in log["logs"].items() if k not in hidden},
                )
    elif truth["framework"] == "torch":
        yield from _torch(recorded, truth["style"])
    elif truth["framework"] == "lightning":
        for epoch in recorded["epochs"]:
            for step, values in epoch["steps"]:
                if step % 2 == 0:  # Lightning's default refreshes
                    # the bar still shows the evaluation of the epoch before
                    own = {n: v for n, v in values.items() if not n.startswith("val_")}
                    logged = epoch["logs"] if step == epoch["steps_run"] else own
                    yield str(epoch["epoch"]), str(step), logged


def _keras(recorded: dict) -> Iterator[tuple[str, str, dict[str, float]]]:
    for epoch in recorded["epochs"]:
        shown: dict[str, dict[str, float]] = {}
        phase = epoch["bars"][0][4:] if epoch["bars"] else []
        for bar in epoch["bars"]:
            if bar[2] and bar[4:] == phase:  # TF 1.15 counts the validation's own bar as a phase
                shown[str(bar[0])] = bar[3]
        if not shown:  # verbose=2
            shown[str(epoch["steps_run"])] = epoch["logs"]
        for step, values in shown.items():
            yield str(epoch["epoch"]), step, values


def _torch(recorded: dict, style: str) -> Iterator[tuple[str, str, dict[str, float]]]:
    if style == "tqdm":
        for epoch in recorded["epochs"]:
            for step, values in epoch["steps"]:
                yield str(epoch["epoch"]), str(step), {n: values[n] for n in ("acc", "loss")}
    for line in recorded["lines"]:
        values = line["values"]
        text = line["text"]
        epoch, step = str(line.get("epoch", "")), str(line.get("step", ""))
        if style == "fairseq-json" and step:
            step = str((line["epoch"] - 1) * line["of"] + line["step"])
        if "end" in line:
            values = {f"{line['end']}_{name}": value for name, value in values.items()}
        if style == "imagenet" and text.startswith(" *"):
            values = {RENAMED["imagenet-end"][name]: value for name, value in values.items()}
        if style == "tqdm":
            values = {RENAMED[style][n]: v for n, v in values.items() if n in RENAMED[style]}
        if style == "logging":  # the line shows some of the values, accuracies as percentages
            values = {
                n: v * (100 if n.endswith("acc") else 1)
                for n, v in values.items()
                if f"{n} " in text
            }
        if style == "dict":
            epoch, step = f"~{values['epoch']}", ""
            values = {n: v for n, v in values.items() if n != "epoch"}
        if style == "megatron":
            epoch = ""
        yield epoch, step, values


def compare(rows: list[dict[str, str]], truth: dict) -> Comparison:
    """Compare every value in both directions, on rank, epoch and step."""
    found = Comparison()
    significant = 3 if truth["framework"] == "lightning" else 0
    for rank in truth["ranks"]:
        mine = [(row, metrics_of(row), set()) for row in rows if row["rank"] == rank]
        for epoch, step, values in expected(truth, rank):
            for name, value in values.items():
                place = f"rank {rank} epoch {epoch} step {step} {name}={value}"
                if _take(mine, epoch, step, name, value, significant):
                    found.right += 1
                else:
                    found.wrong.append(place)
        for row, values, taken in mine:
            found.invented += [
                f"rank {rank} epoch {row['epoch']} step {row['step']} {name}={text}"
                for name, text in values.items()
                if name not in taken
            ]
    return found


def _take(
    mine: list[tuple[dict[str, str], dict[str, str], set[str]]],
    epoch: str,
    step: str,
    name: str,
    value: float,
    significant: int,
) -> bool:
    """Mark the value in the row of that place; return whether it was there."""
    for row, values, taken in mine:
        if step and row["step"] != step:
            continue
        if epoch.startswith("~"):
            if not equal_as_printed(row["epoch"], float(epoch[1:])):
                continue
        elif epoch != row["epoch"]:
            continue
        if name in values and equal_as_printed(values[name], value, significant):
            taken.add(name)
            return True
    return False


def load_truth(case: Path) -> dict:
    return json.loads((case / "truth.json").read_text())
