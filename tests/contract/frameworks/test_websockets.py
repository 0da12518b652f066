"""Websockets of every framework that has them."""

import socket

import pytest
from tests.contract.frameworks.apps.kit import HOST
from tests.contract.frameworks.running import TRACE_ID, TRACEPARENT, Running, fresh_address
from tests.system.served import GENEROUS_S, until
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

pytestmark = pytest.mark.system


@pytest.fixture(autouse=True)
def sockets(one: Running) -> None:
    if not one.case.has_sockets:
        pytest.skip("no websockets here")


def dial(one: Running, path: str, **headers: str) -> ClientConnection:
    host = headers.pop("host", "127.0.0.1")
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    # As if the name led here.
    line = socket.create_connection(("127.0.0.1", one.port), GENEROUS_S)
    return connect(
        f"ws://{host}:{one.port}{path}",
        sock=line,
        additional_headers=named,
        open_timeout=GENEROUS_S,
        close_timeout=GENEROUS_S,
        proxy=None,
    )


def test_messages_and_the_closing_code_pass(one: Running) -> None:
    if (one.case.app, one.case.server) == ("quart_app", "granian"):
        pytest.skip("Quart listens as it closes, and Granian does nothing; also unwrapped")
    with dial(one, "/ws/echo", traceparent=TRACEPARENT) as talk:
        for word in ("one", "two"):
            talk.send(word)
            assert talk.recv(GENEROUS_S) == f"{word} {TRACE_ID}"
        talk.send("close")
        with pytest.raises(ConnectionClosed) as caught:
            talk.recv(GENEROUS_S)
    assert caught.value.rcvd is not None
    assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (4001, "as asked")


def test_a_websocket_holds_no_slot(one: Running) -> None:
    with dial(one, "/ws/echo") as talk:
        talk.send("one")
        assert talk.recv(GENEROUS_S)
        until(lambda: (one.state()["in_flight"], one.state()["flights"]) == (0, 1), "only it")
    until(one.idle, "nothing is held")


def test_a_client_that_leaves_is_no_error(one: Running) -> None:
    # The server is that of other tests too, and what they did may still be told.
    until(one.idle, "nothing is held")
    before = one.said()
    with dial(one, "/ws/echo") as talk:
        talk.send("one")
        assert talk.recv(GENEROUS_S)
    until(one.idle, "nothing is held")
    assert one.said() == before


def refused(one: Running, path: str, **headers: str) -> int:
    with pytest.raises(InvalidStatus) as caught:
        dial(one, path, **headers)
    return caught.value.response.status_code


def test_a_handshake_above_the_limit_is_refused(one: Running) -> None:
    caller = fresh_address()
    for _ in range(2):
        with dial(one, "/ws/limited", host=HOST, X_Forwarded_For=caller):
            pass
    assert refused(one, "/ws/limited", host=HOST, X_Forwarded_For=caller) in {403, 429}
    with dial(one, "/ws/limited", host=HOST, X_Forwarded_For=fresh_address()):
        pass


def test_a_handshake_for_another_host_is_refused(one: Running) -> None:
    assert refused(one, "/ws/echo", host="evil.example") in {403, 421}


def test_what_the_app_refuses_is_refused(one: Running) -> None:
    assert refused(one, "/ws/refused") == 403
