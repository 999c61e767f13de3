"""Read one experiment's logs, rank by rank: history.csv.gz and metrics.json."""

import argparse
import sys
from pathlib import Path

from sweepmake.logs.options import LogOptions, metrics_from_json
from sweepmake.logs.parse import StageLogs, parse_logs
from sweepmake.program import Argument, run_program
from sweepmake.runs.newest_logs import find_logs
from sweepmake.visible import one_line


def main(job: argparse.Namespace) -> None:
    """Parse the newest run of every stage that has one."""
    found = (
        (stage, find_logs(job.folder, job.records, stage, job.suffix, job.logs))
        for stage in job.stages
    )
    stages = [StageLogs(stage, logs) for stage, logs in found if logs]
    options, metrics = LogOptions.from_config(job.options), metrics_from_json(job.metrics)
    parsed = parse_logs(stages, job.output, options=options, metrics=metrics)
    sys.stderr.writelines(f"{one_line(note)}\n" for note in parsed.notes)


if __name__ == "__main__":
    run_program(
        main,
        Argument("--folder", "the experiment's folder", required=True),
        Argument("--records", "that of its records", default=""),
        Argument("--suffix", "what the names of its logs end with", default=""),
        Argument("--output", "where the results go", type=Path, required=True),
        Argument.of_json("--options", "the `logs` part of config.yaml"),
        Argument("--metrics", "metrics to read out as well, as JSON", default=""),
        Argument.of_json("--logs", "stage to logs, where they are known"),
        Argument("stages", "the stages, in their order", nargs="+"),
        description=__doc__,
    )
