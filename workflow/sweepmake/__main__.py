"""The stage runner's entry: `python -S -E …/sweepmake/__main__.py --stage=… -- COMMAND`.

Snakemake's shell command starts this file by its path and without site-packages: so it starts in
half the time, and needs no installed package on the machine that runs the stage.
"""

import os
import sys

if __name__ == "__main__":
    sys.path[0] = __file__.rpartition("/sweepmake/")[0] or "."
    from sweepmake.runs.stage import main

    # All that was written went straight to files, so nothing is left to flush; taking the
    # interpreter down in good order would cost a tenth of the run's time.
    os._exit(main(sys.argv[1:]))
