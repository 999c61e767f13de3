"""Train the network on the digits: one line and one checkpoint per epoch.

Iter 3: loss=0.0871, lr=0.1, val_loss=0.1294, val_acc=0.9596, duration=0:00:00
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from datetime import timedelta
from pathlib import Path

from network import (
    NORMALIZATIONS,
    BadInputError,
    Network,
    Optimizer,
    batches,
    checkpoints_in,
    load_digits,
    load_training,
    save_checkpoint,
)


def parse_arguments() -> argparse.Namespace:
    """Return the command line; `train.py -h` explains it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="the digits, such as data/digits.csv.gz")
    parser.add_argument("--normalization", choices=NORMALIZATIONS, default="batch")
    parser.add_argument(
        "--norm-momentum",
        type=float,
        default=0.1,
        metavar="M",
        help="weight of a new batch in the running statistics",
    )
    parser.add_argument("--lr", type=float, default=0.1)
    parser.add_argument("--batch-size", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1, help="of the weights and the batches")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument(
        "--early-stop",
        type=int,
        default=0,
        metavar="PATIENCE",
        help="stop after so many epochs without a lower val_loss; 0: never",
    )
    parser.add_argument("--save-dir", type=Path, required=True, help="where checkpoint<N>.npz go")
    parser.add_argument("--resume", type=Path, metavar="LAST", help="the last.npz to go on from")
    return parser.parse_args()


def train(args: argparse.Namespace) -> None:
    """Train as the command line says."""
    began = time.monotonic()
    training, validation, _ = load_digits(args.data)
    if not 1 <= args.batch_size <= len(training):
        raise BadInputError(f"--batch-size {args.batch_size}: expected 1 to {len(training)}")
    network = Network.create(args.normalization, args.norm_momentum, args.seed)
    done, best_loss, best_epoch = 0, math.inf, 0
    optimizer = Optimizer(network, args.lr)
    if args.resume:
        network, last = load_training(args.resume)
        done, best_loss, best_epoch = int(last["epoch"]), float(last["best"]), int(last["at"])
        optimizer = Optimizer(network, args.lr)
        optimizer.velocity = {name: last[name] for name in network.trainable}
    args.save_dir.mkdir(parents=True, exist_ok=True)
    # those of an earlier, longer attempt would be taken for the last ones of this
    for stale in checkpoints_in(args.save_dir)[done:]:
        stale.unlink()

    for epoch in range(done + 1, args.epochs + 1):
        losses = []
        for batch in batches(training, args.batch_size, (args.seed, epoch)):
            gradients, loss, _ = network.gradients(batch)
            optimizer.step(gradients)
            losses.append(loss)
        val_loss, val_acc = network.evaluate(validation)
        save_checkpoint(network, args.save_dir / f"checkpoint{epoch}.npz")
        duration = timedelta(seconds=int(time.monotonic() - began))
        # a log is followed while it is written, and stdout is a file: so flush
        print(
            f"Iter {epoch}: loss={sum(losses) / len(losses):.4f}, lr={args.lr:g}, "
            f"val_loss={val_loss:.4f}, val_acc={val_acc:.4f}, duration={duration}",
            flush=True,
        )
        if val_loss < best_loss:
            best_loss, best_epoch = val_loss, epoch
        if args.early_stop and epoch - best_epoch >= args.early_stop:
            print(f"Epoch {epoch}: early stopping", flush=True)
            break
        # last: what goes on from here has logged this epoch, and has not stopped in it
        more = {"epoch": epoch, "best": best_loss, "at": best_epoch, **optimizer.velocity}
        save_checkpoint(network, args.save_dir / "last.npz", **more)
    print(f"Total time elapsed for training = {time.monotonic() - began:.3f} seconds", flush=True)


def main() -> None:
    """Train; an unusable input ends with one line and exit code 1."""
    try:
        train(parse_arguments())
    except BadInputError as error:
        sys.exit(f"train.py: {error}")


if __name__ == "__main__":
    main()
