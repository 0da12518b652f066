"""A server for each test, and clients that are closed at its end."""

from collections.abc import Callable, Iterator

import pytest
from tests.contract.outbound_http.drivers import DRIVERS, Driver
from tests.contract.outbound_http.server import Server

from mainstay import Bulkhead, Policy, Retry
from mainstay.service.outbound.adapters.http_clients.options import Http
from mainstay.testing import Recorder

Connect = Callable[..., Driver]

QUICKLY = Retry(attempts=3, backoff=(0.001, 0.002), jitter="none")


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as one:
        yield one


@pytest.fixture(params=list(DRIVERS))
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def connect(kind: str) -> Iterator[Connect]:
    """Make clients of the kind: ``connect(policy, url, **options of Http)``."""
    made: list[Driver] = []

    def make(policy: Policy, url: str, **options: object) -> Driver:
        driver = DRIVERS[kind](policy, Http(base_url=url, **options))  # type: ignore[arg-type]  # As the test says.
        made.append(driver)
        return driver

    yield make
    for driver in made:
        driver.close()


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def policy(recorder: Recorder) -> Policy:
    """Retries quickly, and knows no time."""
    one = Policy(name="catalog", bulkhead=Bulkhead(limit=8), retry=QUICKLY)
    one.events.add(recorder)
    return one
