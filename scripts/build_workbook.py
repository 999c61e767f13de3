"""Write the table of all experiments: results/experiments.xlsx, .csv and .html."""

import argparse
import sys

from sweepmake.errors import SweepmakeError, in_words
from sweepmake.outputs.write_outputs import write_tables
from sweepmake.results.outcomes import read_outcomes
from sweepmake.results.study import read_study


def main(job: argparse.Namespace) -> None:
    """Write the tables from every experiment's parameters, records and summary."""
    study = read_study(job.config)
    write_tables(study, read_outcomes(study))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", required=True, help="the whole configuration, as JSON")
    try:
        main(parser.parse_args())
    except (SweepmakeError, OSError) as error:
        sys.exit(f"error: {in_words(error)}")
