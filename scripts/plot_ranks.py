"""Plot what every rank of one experiment logged: ranks.pdf."""

import argparse
import json
import sys
from pathlib import Path

from sweepmake.errors import SweepmakeError, in_words
from sweepmake.outputs.ranks_pdf.ranks import plot_ranks


def main(job: argparse.Namespace) -> None:
    """Draw the pages."""
    parameters = json.loads(job.parameters)
    plot_ranks(job.history, job.metrics, job.output, title=job.title, parameters=parameters)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--history", type=Path, required=True, help="its history.csv.gz")
    parser.add_argument("--metrics", type=Path, required=True, help="its metrics.json")
    parser.add_argument("--output", type=Path, required=True, help="the PDF")
    parser.add_argument("--title", required=True, help="the experiment's name")
    parser.add_argument("--parameters", default="{}", help="its parameters, as JSON")
    try:
        main(parser.parse_args())
    except (SweepmakeError, OSError) as error:
        sys.exit(f"error: {in_words(error)}")
