"""Each framework in each server, started once and asked by every law."""

from collections.abc import Iterator

import pytest
from tests.contract.frameworks.running import CASES, Case, Running


@pytest.fixture(scope="session", params=CASES, ids=lambda case: case.name)
def one(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    """A wrapped app that serves. Of the session, so that tests of one app stand together."""
    case: Case = request.param
    with Running(tmp_path_factory.mktemp(case.name), case) as running:
        yield running.ready()
