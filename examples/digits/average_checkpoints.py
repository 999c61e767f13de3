"""Average the last checkpoints of a training into one."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from network import (
    BadInputError,
    Network,
    average_states,
    checkpoints_in,
    load_checkpoint,
    save_checkpoint,
)


def parse_arguments() -> argparse.Namespace:
    """Return the command line; `average_checkpoints.py -h` explains it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--inputs", type=Path, required=True, help="the folder of checkpoint<N>.npz"
    )
    parser.add_argument(
        "--num-epoch-checkpoints",
        type=int,
        default=3,
        metavar="K",
        help="how many of the last ones; all, where there are fewer",
    )
    parser.add_argument("--output", type=Path, required=True, help="the averaged checkpoint")
    return parser.parse_args()


def average(inputs: Path, count: int, output: Path) -> list[Path]:
    """Write the average of the folder's last `count` checkpoints and return which they were."""
    if count < 1:
        raise BadInputError(f"--num-epoch-checkpoints {count}: expected 1 or more")
    chosen = checkpoints_in(inputs)[-count:]
    if not chosen:
        raise BadInputError(
            f"{inputs}: no checkpoint<N>.npz in this folder; has the training finished?"
        )
    networks = [load_checkpoint(path) for path in chosen]
    state = average_states(network.state for network in networks)
    save_checkpoint(Network(state, networks[-1].normalization, networks[-1].momentum), output)
    return chosen


def main() -> None:
    """Average; an unusable input ends with one line and exit code 1."""
    args = parse_arguments()
    try:
        chosen = average(args.inputs, args.num_epoch_checkpoints, args.output)
    except BadInputError as error:
        sys.exit(f"average_checkpoints.py: {error}")
    print(f"averaged {', '.join(path.name for path in chosen)} into {args.output}")


if __name__ == "__main__":
    main()
