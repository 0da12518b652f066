import sys
from pathlib import Path

# For `tests.edge.systems`, which pytest finds by path and Python by name.
sys.path.insert(0, str(Path(__file__).parents[2]))
