"""`python tests/storm`: see `program`."""

import sys
from pathlib import Path

if __name__ == "__main__":
    # Python was given this folder to find modules in: the package is in the folder around it
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    from storm.program import main

    sys.exit(main(sys.argv[1:]))
