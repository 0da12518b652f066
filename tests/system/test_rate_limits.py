"""Limits in a real Valkey that is killed, hangs and comes back under load."""

import asyncio
import statistics
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from tests.contract.stores.servers import PartNotFound, until
from tests.contract.stores.servers import Valkey as Server
from tests.service.inbound.ratelimit.kit import limit, request

from mainstay.core.clock import SYSTEM_CLOCK, pause
from mainstay.core.events import Event, Listeners
from mainstay.service.inbound.problems.refusal import Refusal
from mainstay.service.inbound.ratelimit.events import LimitStoreBack, LimitStoreLost
from mainstay.service.inbound.ratelimit.limits import Limits
from mainstay.state.limits import ValkeyLimits
from mainstay.state.valkey import Valkey

pytestmark = pytest.mark.system

CALLERS = 8
BOUND_S = 0.05
WAIT_MAX_S = 2.0
"""No request of these tests may wait so long: forty times the bound, since the machine is busy."""
PATIENT_S = 20.0
"""For tests that count: a machine that stalls is no store that is away."""


@pytest.fixture
def server() -> Iterator[Server]:
    one = Server()
    try:
        one.start()
        yield one
    except PartNotFound as error:
        pytest.skip(str(error))
    finally:
        one.close()


class Replica:
    """One process's limits in the store, its load, and what became of it.

    Args:
        url: Of the store.
        tasks: Whether requests come in tasks of an event loop; otherwise in threads.
        timeout_s: How long a request may wait for the store.
    """

    def __init__(self, url: str, *, tasks: bool = False, timeout_s: float = BOUND_S) -> None:
        self.valkey = Valkey(url, timeout_s=timeout_s)
        self.heard: list[type[Event]] = []
        events = Listeners()
        events.add(lambda event: self.heard.append(type(event)))
        self.limits = Limits(
            (
                limit("1000000/s", store="cache"),
                limit("60/h", store="cache", name="hour", routes=("/scarce",)),
            ),
            clock=SYSTEM_CLOCK,
            events=events,
            store=ValkeyLimits(self.valkey, prefix="shop"),
            share=lambda: 1 / 3,
            service="shop",
        )
        self.waits_s: list[float] = []
        self.refusals: list[Refusal] = []
        self._runner = asyncio.new_event_loop() if tasks else None
        self._ended = threading.Event()

    @contextmanager
    def load(self) -> Iterator[None]:
        """Have callers ask all the time within the region."""
        if self._runner is None:
            threads = [threading.Thread(target=self._thread) for _ in range(CALLERS)]
        else:
            threads = [
                threading.Thread(target=self._runner.run_until_complete, args=[self._tasks()])
            ]
        for one in threads:
            one.start()
        try:
            yield
        finally:
            self._ended.set()
            for one in threads:
                one.join()
            if self._runner is not None:
                self._runner.run_until_complete(self.valkey.aclose())
                self._runner.close()
            self.valkey.close()

    def _thread(self) -> None:
        while not self._ended.is_set():
            began_s = SYSTEM_CLOCK.monotonic_s()
            self._note(began_s, self.limits.ask_store(request()))
            pause(0.002)

    async def _tasks(self) -> None:
        async def ask() -> None:
            while not self._ended.is_set():
                began_s = SYSTEM_CLOCK.monotonic_s()
                self._note(began_s, await self.limits.aask(request()))
                await asyncio.sleep(0.002)

        await asyncio.gather(*(ask() for _ in range(CALLERS)))

    def _note(self, began_s: float, refusal: Refusal | None) -> None:
        self.waits_s.append(SYSTEM_CLOCK.monotonic_s() - began_s)
        if refusal is not None:
            self.refusals.append(refusal)

    def some_more(self, requests: int = 200) -> list[float]:
        """Wait until so many more requests have ended; return how long they waited."""
        before = len(self.waits_s)
        until(lambda: len(self.waits_s) >= before + requests)
        return self.waits_s[before:]

    def passing(self, count: int, client: str) -> int:
        """Return how many of so many scarce requests pass, in this thread."""
        return sum(
            self.limits.ask_store(request("/scarce", client=client)) is None for _ in range(count)
        )

    def until_heard(self, kind: type[Event]) -> None:
        until(lambda: self.heard[-1:] == [kind])

    def nobody_noticed(self) -> None:
        assert self.refusals == []
        assert max(self.waits_s) < WAIT_MAX_S
        late = sum(one > 1.5 * BOUND_S for one in self.waits_s)
        assert late <= len(self.waits_s) / 10


Trouble = tuple[Callable[[Server], None], Callable[[Server], None]]


@pytest.mark.parametrize("tasks", [False, True], ids=["threads", "tasks"])
@pytest.mark.parametrize(
    "trouble",
    [(Server.kill, Server.start), (Server.pause, Server.resume)],
    ids=["killed", "hung"],
)
def test_no_request_notices_that_the_store_is_away(
    server: Server, trouble: Trouble, *, tasks: bool
) -> None:
    replica = Replica(server.url, tasks=tasks)
    break_it, mend_it = trouble
    with replica.load():
        replica.some_more()
        break_it(server)
        try:
            replica.until_heard(LimitStoreLost)
            replica.some_more(CALLERS * 2)
            known_s = replica.some_more()
        finally:
            mend_it(server)
        replica.until_heard(LimitStoreBack)
        replica.some_more()
    replica.nobody_noticed()
    # Who asks while it is known to be away doesn't wait for it at all.
    assert statistics.median(known_s) < BOUND_S / 5


def test_each_replica_goes_on_with_its_share_and_nobody_begins_anew(server: Server) -> None:
    replica = Replica(server.url, timeout_s=PATIENT_S)
    with replica.load():
        assert replica.passing(80, "203.0.113.1") == 60
        server.kill()
        replica.until_heard(LimitStoreLost)
        assert replica.passing(40, "203.0.113.1") == 0
        assert replica.passing(40, "203.0.113.2") == 20
        server.start()
        replica.until_heard(LimitStoreBack)
        # The server was killed without its memory: the whole limit is there again, once.
        assert replica.passing(80, "203.0.113.1") == 60
    replica.nobody_noticed()


def test_two_replicas_count_together(server: Server) -> None:
    one, other = (Replica(server.url, timeout_s=PATIENT_S) for _ in range(2))
    with one.load(), other.load():
        passed = 0
        for _ in range(10):
            passed += one.passing(5, "203.0.113.1") + other.passing(5, "203.0.113.1")
        assert passed == 60
    assert LimitStoreLost not in {*one.heard, *other.heard}
