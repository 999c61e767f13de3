"""Write the table of all experiments: results/experiments.xlsx, .csv and .html."""

import argparse

from sweepmake.outputs.write_outputs import write_tables
from sweepmake.outputs.writing import writing
from sweepmake.program import CONFIG, run_program
from sweepmake.results.study import read_study
from sweepmake.results.table import read_results_table


def main(job: argparse.Namespace) -> None:
    """Write the tables from every experiment's parameters, records and summary."""
    study = read_study(job.config)
    with writing(study.results):
        write_tables(study, read_results_table(study))


if __name__ == "__main__":
    run_program(main, CONFIG, description=__doc__)
