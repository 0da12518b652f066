"""Streams in threads that nobody reads: their places are those of whoever needs one."""

import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from mainstay.service.inbound.slow_clients import READER_S
from mainstay.service.inbound.wsgi.readers import Readers
from mainstay.service.service import Service
from mainstay.spec.declaration import Declaration
from mainstay.spec.inbound import Inbound
from mainstay.spec.shed import Shed

if TYPE_CHECKING:
    from tests.service.conftest import FakeClock

ONE_PLACE = Inbound(shed=Shed(mode="fixed", limit=1, queue=0))
ENVIRON = {"REQUEST_METHOD": "GET", "PATH_INFO": "/"}


class Asked:
    """A service whose app streams three parts, asked by requests that are read as slowly."""

    def __init__(self, clock: "FakeClock") -> None:
        declaration = Declaration(service="shop", app="shop:app", inbound=ONE_PLACE)
        self.service = Service(declaration, clock=clock, environ={})
        self.shell = self.service.wsgi(self.app)
        self.said: list[str] = []

    def app(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return iter([b"a", b"b", b"c"])

    def ask(self) -> Iterable[bytes]:
        return self.shell(
            dict(ENVIRON), lambda status, headers, exc_info=None: self.said.append(status)
        )

    @property
    def in_flight(self) -> int:
        admission = self.service._inbound.admission
        assert admission is not None
        return admission.stats().in_flight


def test_who_needs_a_place_has_that_of_a_stream_that_nobody_reads(clock: "FakeClock") -> None:
    asked = Asked(clock)
    stream = iter(asked.ask())
    assert next(stream) == b"a"
    clock.now_s += READER_S / 2
    # It is read, for all that anybody knows.
    list(asked.ask())
    assert asked.said[1].startswith("503")
    clock.now_s += READER_S
    assert list(asked.ask()) == [b"a", b"b", b"c"]
    assert asked.in_flight == 0
    # It had none to give back.
    assert list(stream) == [b"b", b"c"]
    assert asked.in_flight == 0
    assert len(asked.shell._readers) == 0


def test_a_stream_that_is_being_made_keeps_its_place(clock: "FakeClock") -> None:
    asked = Asked(clock)
    stream = asked.ask()
    clock.now_s += 10 * READER_S
    list(asked.ask())
    assert asked.said[1].startswith("503")
    assert list(stream) == [b"a", b"b", b"c"]
    assert asked.in_flight == 0


def test_of_many_threads_one_has_the_place() -> None:
    class Stream:
        given_s = 1.0

        def __init__(self) -> None:
            self.made = 0

        def make_room(self) -> None:
            self.made += 1

    readers, streams = Readers(), [Stream() for _ in range(200)]
    for stream in streams:
        readers.add(stream)
    begin = threading.Barrier(4)

    def make_room() -> None:
        begin.wait()
        readers.make_room(2.0)

    with ThreadPoolExecutor(4) as threads:
        for one in [threads.submit(make_room) for _ in range(4)]:
            one.result()
    assert {stream.made for stream in streams} == {1}
    assert not readers.take(streams[0])
