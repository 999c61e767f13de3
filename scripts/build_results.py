"""Make all results from what is there now: read, plot, and show all experiments."""

import argparse
import json
import sys

from sweepmake.aggregate.outcomes import read_outcomes
from sweepmake.aggregate.publish import publish_comparison, publish_tables
from sweepmake.aggregate.refresh import refresh
from sweepmake.aggregate.study import make_study
from sweepmake.config import read_config
from sweepmake.errors import SweepmakeError, in_words


def main(job: argparse.Namespace) -> None:
    """Read and plot what is new; write the tables and the comparison whatever went wrong."""
    study = make_study(read_config(json.loads(job.config)))
    problems = refresh(study, cores=job.cores)
    outcomes = read_outcomes(study)
    publish_tables(study, outcomes)
    publish_comparison(study, outcomes)
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
