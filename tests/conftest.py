"""What all tests share."""

import sys
from collections.abc import Iterator

import pytest
from hypothesis import settings

# A busy machine is no failure: laws are about what is returned, never about how soon.
settings.register_profile("mainstay", deadline=None)
settings.load_profile("mainstay")


@pytest.fixture(autouse=True)
def _loggers_go_back() -> Iterator[None]:
    """Give back, after each test, the loggers of the process that ``Service.load`` took."""
    yield
    joining = sys.modules.get("mainstay.telemetry.logs.joining")
    while joining is not None and joining._hooks:
        joining._hooks.pop().undo()
