"""Plot all experiments side by side: results/comparison.pdf."""

import argparse
import sys

from sweepmake.aggregate.outcomes import read_outcomes
from sweepmake.aggregate.publish import publish_comparison
from sweepmake.aggregate.study import read_study
from sweepmake.aggregate.table import build_table
from sweepmake.errors import SweepmakeError, in_words


def main(job: argparse.Namespace) -> None:
    """Plot the comparison from every experiment's summary and history."""
    study = read_study(job.config)
    publish_comparison(study, build_table(study, read_outcomes(study)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", required=True, help="the whole configuration, as JSON")
    try:
        main(parser.parse_args())
    except (SweepmakeError, OSError) as error:
        sys.exit(f"error: {in_words(error)}")
