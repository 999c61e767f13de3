"""Read one experiment's logs, rank by rank: history.csv.gz and metrics.json."""

import argparse
import json
import sys
from pathlib import Path

from sweepmake.errors import SweepmakeError, in_words
from sweepmake.logs.options import LogOptions, metrics_from_json
from sweepmake.logs.parse import StageLogs, parse_logs
from sweepmake.runs.newest_logs import find_logs


def main(job: argparse.Namespace) -> None:
    """Parse the newest run of every stage that has one."""
    given = json.loads(job.logs)
    found = (
        (stage, find_logs(job.folder, job.records, stage, job.suffix, given))
        for stage in job.stages
    )
    stages = [StageLogs(stage, logs) for stage, logs in found if logs]
    options = LogOptions.from_config(json.loads(job.options))
    parsed = parse_logs(stages, job.output, options=options, metrics=metrics_from_json(job.metrics))
    sys.stderr.writelines(f"{note}\n" for note in parsed.notes)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", required=True, help="the experiment's folder")
    parser.add_argument("--records", default="", help="that of its records")
    parser.add_argument("--suffix", default="", help="what the names of its logs end with")
    parser.add_argument("--output", type=Path, required=True, help="where the results go")
    parser.add_argument("--options", default="{}", help="the `logs` part of config.yaml, as JSON")
    parser.add_argument("--metrics", default="", help="metrics to read out as well, as JSON")
    parser.add_argument("--logs", default="{}", help="stage to logs, where they are known, as JSON")
    parser.add_argument("stages", nargs="+", help="the stages, in their order")
    try:
        main(parser.parse_args())
    except (SweepmakeError, OSError) as error:
        sys.exit(f"error: {in_words(error)}")
