"""Bodies of ASGI requests: waited for before a place is taken, and not beyond the deadline."""

import asyncio
import json
import math
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.service.inbound.admission import AdmissionStats
from mainstay.service.inbound.asgi.early_body import Arrivals, EarlyBody
from mainstay.service.inbound.asgi.flight import Flight
from mainstay.service.inbound.slow_clients import FIRST_BYTES, READER_S
from mainstay.service.service import Service
from mainstay.spec.declaration import Declaration
from mainstay.spec.inbound import Inbound
from mainstay.spec.shed import Shed
from mainstay.testing import VirtualClock, run_virtual

ONE_PLACE = Inbound(shed=Shed(mode="fixed", limit=1, queue=0))
LENGTH = (b"content-length", b"100000")
CHUNKED = (b"transfer-encoding", b"chunked")
LEFT = {"type": "http.disconnect"}


def part(body: bytes, *, more_body: bool = True) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more_body}


class Client:
    """Sends what it is told to, part by part, and takes what it is sent."""

    def __init__(self, *parts: dict[str, Any]) -> None:
        self.parts: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        for one in parts:
            self.parts.put_nowait(one)
        self.sent: list[dict[str, Any]] = []

    async def send(self, message: Any) -> None:
        self.sent.append(message)

    @property
    def problem(self) -> tuple[int, str]:
        document = json.loads(self.sent[1]["body"])
        return self.sent[0]["status"], document["type"].rpartition("#")[2]


class World:
    """A service in virtual time, around an app that reads as it is told to.

    Args:
        clock: The loop's.
        inbound: What is declared.
        app: What is asked; None reads all of the body.
    """

    def __init__(
        self,
        clock: VirtualClock,
        inbound: Inbound,
        app: Callable[..., Awaitable[None]] | None = None,
    ) -> None:
        declaration = Declaration(service="shop", app="shop:app", inbound=inbound)
        self.service = Service(declaration, clock=clock, environ={})
        self.shell = self.service.asgi(self.read if app is None else app)
        self.had: list[bytes] = []

    async def read(self, scope: Any, receive: Any, send: Any) -> None:
        body, more_body = b"", True
        while more_body:
            message = await receive()
            body += message.get("body", b"")
            more_body = message.get("more_body", False)
        self.had.append(body)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"done"})

    def ask(self, client: Client, *headers: tuple[bytes, bytes]) -> "asyncio.Task[None]":
        scope = {
            "type": "http", "method": "POST", "path": "/", "http_version": "1.1",
            "headers": list(headers),
        }  # fmt: skip
        return asyncio.create_task(self.shell(scope, client.parts.get, client.send))

    def stats(self) -> AdmissionStats:
        admission = self.service._inbound.admission
        assert admission is not None
        return admission.stats()


@pytest.mark.parametrize("head", [LENGTH, CHUNKED])
def test_slow_senders_take_no_place(head: tuple[bytes, bytes]) -> None:
    clock = VirtualClock()

    async def main() -> None:
        world = World(clock, ONE_PLACE)
        slow = [Client(part(b"slow")) for _ in range(5)]
        asked = [world.ask(one, head) for one in slow]
        await asyncio.sleep(1)
        quick = Client(part(b"quick", more_body=False))
        await world.ask(quick, head)
        assert (world.had, quick.sent[0]["status"]) == ([b"quick"], 200)
        slow[3].parts.put_nowait(part(b"er", more_body=False))
        await asked[3]
        assert (world.had[1:], slow[3].sent[0]["status"]) == ([b"slower"], 200)
        await asyncio.gather(*asked)
        assert {one.problem for one in slow if one is not slow[3]} == {(408, "body-late")}
        assert (b"connection", b"close") in slow[0].sent[0]["headers"]
        assert world.stats().in_flight == 0

    run_virtual(main(), clock=clock)


def test_who_stalls_in_its_place_is_answered_likewise_and_the_limit_learns_nothing() -> None:
    clock = VirtualClock()
    adaptive = Inbound(shed=Shed(limit=1, limit_min=1, queue=0))

    async def main() -> None:
        world = World(clock, adaptive)
        slow = Client(part(b"a" * FIRST_BYTES))
        asked = world.ask(slow, LENGTH)
        await asyncio.sleep(1)
        assert world.stats().in_flight == 1
        await asked
        assert slow.problem == (408, "body-late")
        assert (world.stats().in_flight, world.stats().latency_s) == (0, 0.0)
        assert world.service._inbound.admission is not None
        limiter = world.service._inbound.admission._limiter
        assert limiter is not None
        assert limiter._count == 0

    run_virtual(main(), clock=clock)


def test_how_slowly_a_body_came_is_no_latency() -> None:
    clock = VirtualClock()
    seen: list[float] = []

    async def main() -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            exchange = scope["mainstay.exchange"]
            seen.append(exchange.ready_s - exchange.started_s)

        world = World(clock, ONE_PLACE, app)
        client = Client(part(b"slow"))
        asked = world.ask(client, LENGTH)
        await asyncio.sleep(2)
        client.parts.put_nowait(part(b"", more_body=False))
        client.parts.put_nowait(LEFT)
        await asked

    run_virtual(main(), clock=clock)
    assert seen == [pytest.approx(2)]


def test_an_app_that_waits_for_its_client_to_leave_is_late_itself() -> None:
    """Frameworks listen for that all the time: it is no body that they wait for."""
    clock = VirtualClock()

    async def main() -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            await receive()
            await receive()

        client = Client(part(b"whole", more_body=False))
        await World(clock, ONE_PLACE, app).ask(client, LENGTH)
        assert client.problem == (504, "deadline-exceeded")

    run_virtual(main(), clock=clock)


def test_a_body_that_turns_out_too_long_takes_no_place() -> None:
    clock = VirtualClock()

    async def main() -> None:
        world = World(clock, Inbound(body_bytes_max=10))
        client = Client(part(b"a" * 11))
        await world.ask(client, CHUNKED)
        assert (client.problem, world.had) == ((413, "body-too-large"), [])

    run_virtual(main(), clock=clock)


parts = st.lists(st.binary(max_size=40) | st.just(b"a" * FIRST_BYTES), min_size=1, max_size=8)


@given(parts, st.booleans(), st.sampled_from([0, 30, FIRST_BYTES * 2]))
def test_the_app_hears_the_same_body(bodies: list[bytes], leaves: bool, kept_max: int) -> None:  # noqa: FBT001  Drawn.
    """However it is cut, and how it ends: whole, or with a client that leaves."""
    messages = [
        part(body, more_body=leaves or index + 1 < len(bodies)) for index, body in enumerate(bodies)
    ]
    clock = VirtualClock()

    async def main() -> None:
        client = Client(*messages, LEFT)
        flight, arrivals = Flight(), Arrivals(kept_max=kept_max)
        early = EarlyBody(flight, client.parts.get)
        await early.arrive(arrivals)
        assert (arrivals.kept, flight.is_reading) == (0, False)
        heard = [await early()]
        while heard[-1] != LEFT:
            heard.append(await early())
        assert b"".join(one["body"] for one in heard[:-1]) == b"".join(bodies)
        assert [one["more_body"] for one in heard[:-1]][-1] is leaves
        assert all(one["more_body"] for one in heard[:-2])

    run_virtual(main(), clock=clock)


async def _stuck_at(sent: list[Any], stuck: asyncio.Event, message: Any) -> None:
    sent.append(message)
    if len(sent) > 1:
        await stuck.wait()


def test_a_stream_that_nobody_reads_gives_its_place_back() -> None:
    clock = VirtualClock()

    async def main() -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for _ in range(3):
                await send({"type": "http.response.body", "body": b"a", "more_body": True})
            await send({"type": "http.response.body"})

        world = World(clock, ONE_PLACE, app)
        reads, sent = asyncio.Event(), list[Any]()
        scope = {"type": "http", "method": "GET", "path": "/", "http_version": "1.1", "headers": []}
        client = Client()
        stream = asyncio.create_task(
            world.shell(dict(scope), client.parts.get, partial(_stuck_at, sent, reads))
        )
        await asyncio.sleep(READER_S / 2)
        assert world.stats().in_flight == 1
        await asyncio.sleep(READER_S)
        assert world.stats().in_flight == 0
        other = Client()
        await world.shell(dict(scope), other.parts.get, other.send)
        assert other.sent[0]["status"] == 200
        reads.set()
        await stream
        assert (len(sent), world.stats().in_flight) == (5, 0)

    run_virtual(main(), clock=clock)


def test_without_a_deadline_a_body_may_take_a_day() -> None:
    """And what a request's own header says holds all the same."""
    clock = VirtualClock()

    async def main() -> None:
        world = World(clock, Inbound(deadline_s=math.inf))
        slow, hasty = Client(part(b"slow")), Client(part(b"slow"))
        asked = world.ask(slow, LENGTH)
        await world.ask(hasty, LENGTH, (b"x-request-timeout", b"2s"))
        assert hasty.problem == (408, "body-late")
        await asyncio.sleep(86_400)
        slow.parts.put_nowait(part(b"er", more_body=False))
        await asked
        assert (world.had, slow.sent[0]["status"]) == ([b"slower"], 200)

    run_virtual(main(), clock=clock)
