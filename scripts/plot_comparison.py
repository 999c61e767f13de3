"""Plot all experiments side by side: results/comparison.pdf."""

import argparse

from sweepmake.outputs.write_outputs import write_comparison
from sweepmake.outputs.writing import writing
from sweepmake.program import CONFIG, run_program
from sweepmake.results.study import read_study
from sweepmake.results.table import read_results_table


def main(job: argparse.Namespace) -> None:
    """Plot the comparison from every experiment's summary and history."""
    study = read_study(job.config)
    with writing(study.results):
        write_comparison(study, read_results_table(study))


if __name__ == "__main__":
    run_program(main, CONFIG, description=__doc__)
