"""Make all results from what is there now: read, plot, and show all experiments."""

import argparse
import sys

from sweepmake.outputs.refresh import refresh
from sweepmake.outputs.write_outputs import write_comparison, write_tables
from sweepmake.program import CONFIG, Argument, run_program
from sweepmake.results.study import read_study
from sweepmake.results.table import read_results_table
from sweepmake.visible import one_line


def main(job: argparse.Namespace) -> None:
    """Read and plot what is new; write the tables and the comparison whatever went wrong."""
    study = read_study(job.config)
    problems = refresh(study, cores=job.cores)
    table = read_results_table(study)
    write_tables(study, table)
    write_comparison(study, table)
    if problems:
        sys.exit("\n".join(one_line(f"error: {problem}") for problem in problems))


if __name__ == "__main__":
    cores = Argument("--cores", "how many processes work at a time", type=int, default=1)
    run_program(main, CONFIG, cores, description=__doc__)
