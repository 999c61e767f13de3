"""Plot what every rank of one experiment logged: ranks.pdf."""

import argparse
from pathlib import Path

from sweepmake.outputs.ranks_pdf.ranks import plot_ranks
from sweepmake.program import Argument, run_program


def main(job: argparse.Namespace) -> None:
    """Draw the pages."""
    plot_ranks(job.history, job.metrics, job.output, title=job.title, parameters=job.parameters)


if __name__ == "__main__":
    run_program(
        main,
        Argument("--history", "its history.csv.gz", type=Path, required=True),
        Argument("--metrics", "its metrics.json", type=Path, required=True),
        Argument("--output", "the PDF", type=Path, required=True),
        Argument("--title", "the experiment's name", required=True),
        Argument.of_json("--parameters", "its parameters"),
        description=__doc__,
    )
