"""Why there is no connection."""

import errno
import ssl

import pytest

from mainstay.control.load.exchange import Failure
from mainstay.control.load.pool import _no_connection


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), Failure.CONNECT_REFUSED),
        (TimeoutError(), Failure.CONNECT_TIMEOUT),
        (OSError(errno.EHOSTUNREACH, "no route"), Failure.CONNECT_FAILED),
        (ConnectionResetError(), Failure.CONNECT_FAILED),
        (ssl.SSLError(1, "wrong version"), Failure.CONNECT_FAILED),
        (OSError(errno.EMFILE, "too many open files"), Failure.NOT_SENT),
        (OSError(errno.EADDRNOTAVAIL, "no port left"), Failure.NOT_SENT),
    ],
)
def test_what_the_generator_lacks_is_not_blamed_on_the_server(
    error: OSError, failure: Failure
) -> None:
    outcome = _no_connection(error)
    assert outcome.failure is failure
    assert outcome.detail
