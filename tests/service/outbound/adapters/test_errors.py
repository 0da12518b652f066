"""Errors that are ours and a client library's at once."""

import pickle
from typing import Any

import aiohttp
import httpx
import pytest
import requests

from mainstay.core.errors import (
    AttemptTimedOut,
    BulkheadFull,
    CircuitOpen,
    DeadlineExceeded,
    MainstayError,
    PolicyMisused,
    RateLimited,
)
from mainstay.service.outbound.adapters.errors import (
    CallUnsendable,
    ConnectFailed,
    ConnectionLost,
    also,
)
from mainstay.service.outbound.retry.retry import never_sent

OURS: list[MainstayError] = [
    CircuitOpen("p", 1.5),
    BulkheadFull("p", None),
    RateLimited("p", 0.1),
    DeadlineExceeded("too late", begun=True),
    AttemptTimedOut("p", 0.5),
    ConnectFailed("p"),
    ConnectionLost("p"),
    CallUnsendable("no"),
]
THEIRS: list[type[Exception]] = [
    httpx.TransportError,
    httpx.ReadTimeout,
    httpx.ConnectError,
    requests.RequestException,
    requests.Timeout,
    requests.ConnectionError,
    aiohttp.ClientError,
    aiohttp.ServerTimeoutError,
    aiohttp.ClientConnectionError,
]


@pytest.mark.parametrize("theirs", THEIRS, ids=lambda kind: kind.__qualname__)
@pytest.mark.parametrize("error", OURS, ids=lambda error: type(error).__name__)
def test_both_kinds_catch_it_and_nothing_is_lost(
    error: MainstayError, theirs: type[Exception]
) -> None:
    twin = also(error, theirs)
    assert isinstance(twin, type(error))
    assert isinstance(twin, theirs)
    assert str(twin) == str(error)
    assert twin.args == error.args
    assert vars(twin) == vars(error)
    assert type(twin).__name__ == type(error).__name__
    assert never_sent(twin) == never_sent(error)


@pytest.mark.parametrize("error", OURS, ids=lambda error: type(error).__name__)
def test_another_process_gets_ours(error: MainstayError) -> None:
    back = pickle.loads(pickle.dumps(also(error, requests.RequestException)))  # noqa: S301  Ours.
    assert type(back) is type(error)
    assert str(back) == str(error)


def test_kinds_are_made_once() -> None:
    kinds = {type(also(CircuitOpen("p", None), httpx.TransportError)) for _ in range(3)}
    assert len(kinds) == 1


def test_one_that_is_theirs_already_stays() -> None:
    twin = also(CircuitOpen("p", None), httpx.TransportError)
    assert also(twin, httpx.RequestError) is twin


def test_what_their_handlers_look_at_is_there() -> None:
    twin: Any = also(ConnectFailed("p"), requests.ConnectionError, request="r", response=None)
    assert (twin.request, twin.response, twin.policy) == ("r", None, "p")


def test_the_traceback_stays() -> None:
    def fail() -> None:
        raise ConnectionLost("p")

    with pytest.raises(ConnectionLost) as raised:
        fail()
    twin = also(raised.value, httpx.ReadError)
    assert twin.__traceback__ is raised.value.__traceback__


def test_what_cannot_be_sent_is_the_callers_mistake() -> None:
    assert isinstance(CallUnsendable("no"), PolicyMisused)
