"""Make all results from what is there now: read, plot, and show all experiments."""

import argparse
import sys

from sweepmake.errors import SweepmakeError, in_words
from sweepmake.outputs.refresh import refresh
from sweepmake.outputs.write_outputs import write_comparison, write_tables
from sweepmake.results.outcomes import read_outcomes
from sweepmake.results.study import read_study


def main(job: argparse.Namespace) -> None:
    """Read and plot what is new; write the tables and the comparison whatever went wrong."""
    study = read_study(job.config)
    problems = refresh(study, cores=job.cores)
    table = write_tables(study, read_outcomes(study))
    write_comparison(study, table)
    if problems:
        sys.exit("\n".join(f"error: {problem}" for problem in problems))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", required=True, help="the whole configuration, as JSON")
    parser.add_argument("--cores", type=int, default=1, help="how many processes work at a time")
    try:
        main(parser.parse_args())
    except (SweepmakeError, OSError) as error:
        sys.exit(f"error: {in_words(error)}")
