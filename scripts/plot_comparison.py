"""Plot all experiments side by side: results/comparison.pdf."""

import argparse
import sys

from sweepmake.errors import SweepmakeError, in_words
from sweepmake.outputs.write_outputs import write_comparison
from sweepmake.results.outcomes import read_outcomes
from sweepmake.results.study import read_study
from sweepmake.results.table import build_table


def main(job: argparse.Namespace) -> None:
    """Plot the comparison from every experiment's summary and history."""
    study = read_study(job.config)
    write_comparison(study, build_table(study, read_outcomes(study)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", required=True, help="the whole configuration, as JSON")
    try:
        main(parser.parse_args())
    except (SweepmakeError, OSError) as error:
        sys.exit(f"error: {in_words(error)}")
