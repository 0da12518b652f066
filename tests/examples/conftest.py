"""The examples are run from their folder, as `run.cwd` of their declarations says."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

# ROOT is for `tests.examples.together`, which pytest finds by path and Python by name.
for folder in (ROOT / "examples", ROOT):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
