"""What the tests of real processes share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.system.served import GENEROUS_S, OURS, Serve, Served


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    served: list[Served] = []

    def start(app: str, *arguments: str, by: str = OURS, **environ: str) -> Served:
        folder = tmp_path / str(len(served))
        folder.mkdir()
        target = ("--app", app) if by == OURS else (app,)
        served.append(Served(folder, by, *target, *arguments, **environ))
        return served[-1]

    yield start
    for one in served:
        one.process.kill()
        one.process.wait(GENEROUS_S)
