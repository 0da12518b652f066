"""Websockets and their end, in virtual time, against a server and apps of every kind."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from mainstay.core.events import Listeners
from mainstay.service.inbound.exchange import Exchange
from mainstay.service.inbound.stopping.drain import Drain
from mainstay.service.inbound.stopping.websockets import SocketClosed, serve_websocket
from mainstay.testing import VirtualClock, virtual_time

App = Callable[[Any, Any, Any], Awaitable[None]]
BOUND_S = 20.0
RESTART = {"type": "websocket.disconnect", "code": 1012, "reason": "service restart"}


class Server:
    """One websocket of a server, and the client behind it."""

    def __init__(self) -> None:
        self.clock = VirtualClock.running()
        self.sent: list[Any] = []
        self.exchange = Exchange()
        self.exchange.status = self.exchange.size = 0
        self.exchange.error = self.exchange.noted = None
        self.drain = Drain(
            delay_s=0, bound_s=BOUND_S, clock=self.clock, events=Listeners(), complain=print
        )
        self._client: asyncio.Queue[Any] = asyncio.Queue()
        self._client.put_nowait({"type": "websocket.connect"})

    def say(self, text: str) -> None:
        self._client.put_nowait({"type": "websocket.receive", "text": text})

    def leave(self) -> None:
        self._client.put_nowait({"type": "websocket.disconnect", "code": 1001})

    async def send(self, message: Any) -> None:
        self.sent.append((round(self.clock.monotonic_s() - 1000, 2), message))

    def serve(self, app: App) -> "asyncio.Task[None]":
        scope = {"type": "websocket"}
        return asyncio.create_task(
            serve_websocket(app, scope, self._client.get, self.send, self.exchange, self.drain)
        )

    @property
    def kinds(self) -> list[tuple[float, str]]:
        return [(at, one["type"].removeprefix("websocket.")) for at, one in self.sent]

    @property
    def close(self) -> tuple[float, int]:
        at, message = self.sent[-1]
        assert message["type"] == "websocket.close"
        return at, message["code"]


async def accept(receive: Any, send: Any) -> None:
    assert (await receive())["type"] == "websocket.connect"
    await send({"type": "websocket.accept"})


heard: list[Any] = []


async def listens(scope: Any, receive: Any, send: Any) -> None:
    await accept(receive, send)
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})
    heard.append(message)


@pytest.fixture(autouse=True)
def nothing_heard() -> None:
    heard.clear()


@virtual_time
async def test_without_a_drain_everything_passes() -> None:
    server = Server()
    task = server.serve(listens)
    server.say("hello")
    await asyncio.sleep(1)
    assert len(server.drain.flights) == len(server.drain.sockets) == 1
    server.leave()
    await task
    assert server.kinds == [(0, "accept"), (0, "send")]
    assert heard == [{"type": "websocket.disconnect", "code": 1001}]
    assert (server.exchange.status, server.exchange.size) == (101, 5)
    assert not server.drain.flights
    assert not server.drain.sockets


@virtual_time
async def test_an_app_that_listens_hears_of_the_end_and_the_client_after_it() -> None:
    server = Server()
    task = server.serve(listens)
    await asyncio.sleep(1)
    server.drain.dismiss()
    await task
    assert heard == [RESTART]
    assert server.close == (1, 1012)


@virtual_time
async def test_an_app_may_finish_and_have_its_own_last_word() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await accept(receive, send)
        assert await receive() == RESTART
        await asyncio.sleep(2)
        await send({"type": "websocket.send", "text": "bye"})
        await send({"type": "websocket.close", "code": 4000})

    server = Server()
    task = server.serve(app)
    await asyncio.sleep(1)
    server.drain.dismiss()
    await task
    assert server.kinds == [(0, "accept"), (3, "send"), (3, "close")]
    assert server.close == (3, 4000)


@virtual_time
async def test_an_app_that_is_busy_is_told_when_it_listens_again() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await accept(receive, send)
        await asyncio.sleep(3)
        heard.append(await receive())
        heard.append(await receive())

    server = Server()
    task = server.serve(app)
    await asyncio.sleep(1)
    server.drain.dismiss()
    await task
    assert heard == [RESTART, RESTART]
    assert server.close == (3, 1012)


@virtual_time
async def test_an_app_that_listens_in_a_task_of_its_own_is_told_there() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await accept(receive, send)
        heard.append(await asyncio.create_task(receive()))

    server = Server()
    task = server.serve(app)
    await asyncio.sleep(1)
    server.drain.dismiss()
    await task
    assert heard == [RESTART]
    assert server.close == (1, 1012)


@virtual_time
async def test_an_app_that_only_sends_is_told_by_its_send() -> None:
    """After a grace of a quarter of the bound, 5 s at most, the client gets the close frame."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            await ticks(scope, receive, send)
        except OSError as error:
            heard.append(type(error))

    server = Server()
    task = server.serve(app)
    await asyncio.sleep(1)
    server.drain.dismiss()
    await task
    assert heard == [SocketClosed]
    assert server.close == (6, 1012)


class Slow(Server):
    """Takes its time over close frames, as for a client that is far away."""

    def __init__(self, close_s: float) -> None:
        super().__init__()
        self._close_s = close_s

    async def send(self, message: Any) -> None:
        if message["type"] == "websocket.close":
            await asyncio.sleep(self._close_s)
        await super().send(message)


async def ticks(scope: Any, receive: Any, send: Any) -> None:
    """Send until the socket is closed."""
    await accept(receive, send)
    while True:
        await send({"type": "websocket.send", "text": "tick"})
        await asyncio.sleep(0.3)


@virtual_time
async def test_an_app_that_ends_while_its_client_is_told_takes_nothing_back() -> None:
    """Meanwhile the app finds that its socket is closed."""
    server = Slow(0.5)
    task = server.serve(ticks)
    await asyncio.sleep(1)
    server.drain.dismiss()
    await task
    assert server.close == (6.5, 1012)


@virtual_time
async def test_a_close_frame_that_never_gets_through_holds_up_nobody_for_long() -> None:
    server = Slow(3600)
    task = server.serve(ticks)
    await asyncio.sleep(1)
    server.drain.dismiss()
    await task
    assert 1000 + 6 < server.clock.monotonic_s() < 1000 + 9
    assert server.sent[-1][1]["type"] == "websocket.send"


@virtual_time
async def test_an_app_that_does_neither_is_cancelled() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await accept(receive, send)
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            heard.append(server.clock.monotonic_s() - 1000)
            raise

    server = Server()
    task = server.serve(app)
    await asyncio.sleep(1)
    server.drain.dismiss()
    await task  # Ends without a word: the cancellation was ours.
    assert heard == [7]
    assert not server.drain.flights
    assert server.close == (6, 1012)


@virtual_time
async def test_a_cancellation_by_somebody_else_passes() -> None:
    server = Server()
    task = server.serve(listens)
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not server.drain.flights
    assert heard == []


@virtual_time
async def test_a_cancellation_in_the_moment_of_the_notice_passes_too() -> None:
    server = Server()
    task = server.serve(listens)
    await asyncio.sleep(1)
    (socket,) = server.drain.sockets
    socket.notice()  # type: ignore[attr-defined]  # What dismiss() has the loop call.
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not server.drain.sockets


@virtual_time
async def test_what_an_app_raises_when_it_was_told_is_noted_and_ends_there() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await accept(receive, send)
        await receive()
        raise LookupError

    server = Server()
    task = server.serve(app)
    await asyncio.sleep(1)
    server.drain.dismiss()
    await task
    assert server.exchange.error == "LookupError"
    assert server.close == (1, 1012)


@virtual_time
async def test_what_an_app_raises_otherwise_passes() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await accept(receive, send)
        raise LookupError

    server = Server()
    with pytest.raises(LookupError):
        await server.serve(app)
    assert server.kinds == [(0, "accept")]


@virtual_time
async def test_a_socket_that_comes_while_others_are_sent_away_is_sent_away_too() -> None:
    server = Server()
    server.drain.dismiss()
    await server.serve(listens)
    assert heard == [RESTART]
    assert server.kinds == [(0, "accept"), (0, "close")]


@virtual_time
async def test_a_handshake_that_is_never_answered_is_refused() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await asyncio.sleep(3600)

    server = Server()
    task = server.serve(app)
    await asyncio.sleep(1)
    server.drain.dismiss()
    await task
    assert server.exchange.status == 403
    assert server.close == (6, 1012)


@virtual_time
async def test_a_client_that_left_is_sent_nothing() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await accept(receive, send)
        assert (await receive())["code"] == 1001
        await asyncio.sleep(5)

    server = Server()
    server.leave()
    task = server.serve(app)
    await asyncio.sleep(1)
    server.drain.dismiss()
    await task
    assert server.kinds == [(0, "accept")]


@virtual_time
async def test_a_send_that_fails_in_the_end_hurts_nobody() -> None:
    server = Server()

    async def gone(message: Any) -> None:
        if message["type"] == "websocket.close":
            raise ConnectionResetError

    server.send = gone  # type: ignore[method-assign]  # This server's client is gone.
    task = server.serve(listens)
    await asyncio.sleep(1)
    server.drain.dismiss()
    await task
    assert heard == [RESTART]


@virtual_time
async def test_sockets_are_sent_away_one_after_another() -> None:
    """Over a tenth of the bound: their clients come back to the others as a ramp, not a wall."""
    first = Server()
    servers = [first]
    tasks = [first.serve(listens)]
    for _ in range(9):
        servers.append(Server())
        servers[-1].drain = first.drain
        tasks.append(servers[-1].serve(listens))
    await asyncio.sleep(1)
    first.drain.dismiss()
    await asyncio.gather(*tasks)
    ends = sorted(server.close[0] for server in servers)
    assert ends == [round(1 + 0.2 * number, 2) for number in range(10)]


@virtual_time
async def test_noted_headers_go_with_the_accept() -> None:
    server = Server()
    server.exchange.noted = [(b"x-request-id", b"1")]
    server.leave()
    await server.serve(listens)
    assert server.sent[0][1]["headers"] == [(b"x-request-id", b"1")]


@virtual_time
async def test_an_answer_in_place_of_the_handshake_is_noted() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.http.response.start", "status": 401})
        await send({"type": "websocket.http.response.body"})

    server = Server()
    await server.serve(app)
    assert server.exchange.status == 401
