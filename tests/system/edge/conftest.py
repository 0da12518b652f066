import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
# For `tests.system.edge.world`, which pytest finds by path and Python by name.
sys.path.insert(0, str(ROOT))

from tests.system.edge.world import World  # noqa: E402


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(folder=tmp_path / "edge", log=tmp_path / "edge.log")
    try:
        yield made
    finally:
        await made.close()
