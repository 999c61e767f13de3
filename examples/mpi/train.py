"""Train the network on the digits with several processes that average their gradients.

    mpirun -np 4 --tag-output python -m mpi4py train.py ../digits/data/digits.csv.gz

Every rank works on its own share of the training and validation data, prints its own numbers with
a progress bar, and ends with the same network as the others.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

# the data and the network are those of the other example
sys.path.append(str(Path(__file__).resolve().parents[1] / "digits"))

from mpi4py import MPI
from network import (
    NORMALIZATIONS,
    BadInputError,
    Digits,
    Network,
    Optimizer,
    State,
    batches,
    flatten,
    load_digits,
    save_checkpoint,
    unflatten,
)
from progress import ProgressBar, Update


@dataclass(slots=True)
class Epoch:
    """What one epoch printed: every update of the bar, drawn or not."""

    epoch: int
    bars: list[Update]


@dataclass(slots=True)
class Record:
    """What a rank knows about its own run, in full precision: what its log should tell."""

    rank: int
    world: int
    epochs: list[Epoch] = field(default_factory=list)
    history: dict[str, list[float]] = field(default_factory=dict)
    early_stopped: bool = False
    stopped_epoch: int = 0
    total_time: float = 0.0
    weights_sha256: str = ""


def parse_arguments() -> argparse.Namespace:
    """Return the command line; `train.py -h` explains it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="the digits: ../digits/data/digits.csv.gz")
    parser.add_argument("--normalization", choices=NORMALIZATIONS, default="batch")
    parser.add_argument("--lr", type=float, default=0.1)
    parser.add_argument("--batch-size", type=int, default=16, help="of each rank")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=9)
    parser.add_argument(
        "--early-stop",
        type=int,
        default=0,
        metavar="PATIENCE",
        help="stop after so many epochs without a lower val_loss; 0: never",
    )
    parser.add_argument(
        "--bar-interval",
        type=float,
        default=0.01,
        metavar="SECONDS",
        help="redraw the bar at most so often (Keras: 0.05; these steps take a millisecond)",
    )
    parser.add_argument("--save-dir", type=Path, help="where model.npz goes")
    parser.add_argument("--record-dir", type=Path, help="where each rank's rank<r>.json goes")
    return parser.parse_args()


def average(world: MPI.Comm, arrays: State) -> State:
    """Return the mean of each array over all ranks, in one message."""
    together = flatten(arrays)
    world.Allreduce(MPI.IN_PLACE, together)
    together /= world.size
    return unflatten(together, arrays)


def run_epoch(
    world: MPI.Comm,
    optimizer: Optimizer,
    share: Digits,
    steps: int,
    args: argparse.Namespace,
    epoch: int,
) -> tuple[ProgressBar, dict[str, float]]:
    """Train one epoch; return its bar and this rank's mean loss and accuracy over its batches."""
    network = optimizer.network
    bar = ProgressBar(steps, args.bar_interval)
    losses, accuracies, means = [], [], {}
    order = batches(share, args.batch_size, (args.seed, epoch, world.rank))
    for step, batch in zip(range(1, steps + 1), order, strict=False):
        gradients, loss, accuracy = network.gradients(batch)
        optimizer.step(average(world, gradients))
        losses.append(loss)
        accuracies.append(accuracy)
        means = {"loss": sum(losses) / step, "accuracy": sum(accuracies) / step}
        bar.update(step, means)
    # each rank's batches gave it running statistics of its own: only their mean is the same network
    if network.running:
        network.state.update(
            average(world, {name: network.state[name] for name in network.running})
        )
    return bar, means


def train(world: MPI.Comm, args: argparse.Namespace) -> tuple[Network, Record]:
    """Train as the command line says; return the network, equal on all ranks, and the record."""
    started = int(os.environ.get("OMPI_COMM_WORLD_SIZE", world.size))
    if started != world.size:
        raise BadInputError(
            f"mpirun started {started} processes, mpi4py sees {world.size}: they use different MPI "
            "libraries (MPI4PY_LIBMPI names the one to load)"
        )
    training, validation, _ = load_digits(args.data)
    steps = len(training) // world.size // max(args.batch_size, 1)
    if args.batch_size < 1 or steps < 1:
        raise BadInputError(
            f"--batch-size {args.batch_size}: expected 1 to {len(training) // world.size}, "
            f"the share of each of {world.size} ranks"
        )
    share = training.share(world.rank, world.size)
    own_validation = validation.share(world.rank, world.size)
    network = Network.create(args.normalization, seed=args.seed)
    optimizer = Optimizer(network, args.lr)
    record = Record(world.rank, world.size)

    began_s = time.monotonic()
    best_loss, best_epoch = math.inf, 0
    for epoch in range(1, args.epochs + 1):
        print(f"Epoch {epoch}/{args.epochs}", flush=True)
        bar, values = run_epoch(world, optimizer, share, steps, args, epoch)
        val_loss, val_accuracy = network.evaluate(own_validation)
        values |= {"val_loss": val_loss, "val_accuracy": val_accuracy}
        bar.update(steps, values, finish=True)
        record.epochs.append(Epoch(epoch, bar.updates))
        for name, value in values.items():
            record.history.setdefault(name, []).append(value)
        # the ranks decide on the same number: one that stopped alone would leave the others waiting
        common_loss = world.allreduce(val_loss) / world.size
        if common_loss < best_loss:
            best_loss, best_epoch = common_loss, epoch
        elif args.early_stop and epoch - best_epoch >= args.early_stop:
            print(f"Epoch {epoch}: early stopping", flush=True)
            record.early_stopped, record.stopped_epoch = True, epoch
            break
    record.total_time = time.monotonic() - began_s
    print(f"Total time elapsed for training = {record.total_time} seconds", flush=True)
    return network, record


def main() -> None:
    """Train and write; an unusable input ends with one line per rank and exit code 1."""
    args = parse_arguments()
    world = MPI.COMM_WORLD
    try:
        network, record = train(world, args)
    except BadInputError as error:
        sys.exit(f"train.py: {error}")
    digest = hashlib.sha256()
    for name in sorted(network.state):
        digest.update(network.state[name].tobytes())
    record.weights_sha256 = digest.hexdigest()
    if args.record_dir:
        args.record_dir.mkdir(parents=True, exist_ok=True)
        text = json.dumps(asdict(record), indent=1)
        (args.record_dir / f"rank{world.rank}.json").write_text(text + "\n")
    if args.save_dir and world.rank == 0:
        args.save_dir.mkdir(parents=True, exist_ok=True)
        save_checkpoint(network, args.save_dir / "model.npz")
    if len(set(world.allgather(record.weights_sha256))) > 1:
        sys.exit("train.py: the ranks ended with different weights")


if __name__ == "__main__":
    main()
