"""How fixtures start a server, of whatever kind."""

from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest
from tests.contract.stores.servers import PartNotFound, Server

S = TypeVar("S", bound=Server)


def started(make: Callable[[], S]) -> Iterator[S]:
    """Yield a server that runs, and end it; skip where it is not installed."""
    try:
        server = make()
    except PartNotFound as error:
        pytest.skip(str(error))
    try:
        try:
            server.start()
        except PartNotFound as error:
            pytest.skip(str(error))
        yield server
    finally:
        server.close()
