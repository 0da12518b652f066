"""Both wrappers."""

from collections.abc import Callable

import pytest
from tests.service.inbound.idempotency.drive import KINDS, Kind

Make = Callable[..., Kind]


@pytest.fixture(params=list(KINDS))
def make(request: pytest.FixtureRequest) -> Make:
    return KINDS[request.param]
