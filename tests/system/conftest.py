"""What the tests of real processes share."""

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest
from tests.system.served import OURS, Serve, Served


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    numbers = count()
    with ExitStack() as stack:

        def start(app: str, *arguments: str, by: str = OURS, **environ: str) -> Served:
            folder = tmp_path / str(next(numbers))
            folder.mkdir()
            target = ("--app", app) if by == OURS else (app,)
            return stack.enter_context(Served(folder, by, *target, *arguments, **environ))

        yield start
