"""Both wrappers."""

from collections.abc import Callable

import pytest
from tests.service.inbound.sessions.drive import SITES, Site

Make = Callable[..., Site]


@pytest.fixture(params=list(SITES))
def make(request: pytest.FixtureRequest) -> Make:
    return SITES[request.param]
