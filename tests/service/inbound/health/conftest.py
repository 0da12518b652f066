"""A gate that is open at the end, so that no thread stays behind it."""

from collections.abc import Iterator

import pytest
from tests.service.inbound.health.gates import Gate


@pytest.fixture
def gate() -> Iterator[Gate]:
    made = Gate()
    yield made
    made.open()
