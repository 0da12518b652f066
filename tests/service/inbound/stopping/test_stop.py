"""Acting on a signal, on a clock that moves with each look, so that nothing waits."""

import asyncio
import signal
import threading
from typing import TYPE_CHECKING

from mainstay.core.events import Event, Listeners
from mainstay.service.inbound.stopping.drain import Drain, DrainBegan, DrainEnded
from mainstay.service.inbound.stopping.stop import Stopper, chain_sigterm, leave_alone

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.service.conftest import FakeClock


class World:
    """A drain and its stopper, with everything they do written down in order."""

    def __init__(self, clock: "FakeClock", *, delay_s: float = 0, bound_s: float = 20) -> None:
        self.did: list[str] = []
        self.over = threading.Event()
        self.clock = clock
        self.each_pause: Callable[[], object] = leave_alone
        events = Listeners()
        events.add(self._hear)
        self.drain = Drain(delay_s=delay_s, bound_s=bound_s, clock=clock, events=events)
        self.drain.started = True
        self.stopper = Stopper(
            drain=self.drain,
            stop_server=lambda: self.did.append(f"stop at {self.waited_s:g}"),
            end=self._end,
            complain=lambda text: self.did.append(text.strip()),
            pause=self._pause,
        )

    @property
    def waited_s(self) -> float:
        return round(self.drain.waited_s() or 0.0)

    def run(self) -> list[str]:
        self.stopper.start()
        self.stopper.handle(signal.SIGTERM)
        assert self.over.wait(60)
        return self.did

    def _hear(self, event: Event) -> None:
        assert isinstance(event, DrainBegan | DrainEnded)
        count = event.in_flight if isinstance(event, DrainBegan) else event.cut
        self.did.append(f"{type(event).__name__} {count}")

    def _pause(self) -> None:
        self.clock.now_s += 0.5
        self.each_pause()

    def _end(self, code: int) -> None:
        self.did.append(f"end {code} at {self.waited_s:g}")
        self.over.set()


def test_nothing_in_flight_stops_the_server_at_once(clock: "FakeClock") -> None:
    did = World(clock).run()
    assert did[:3] == ["DrainBegan 0", "DrainEnded 0", "stop at 0"]


def test_what_is_in_flight_is_waited_for(clock: "FakeClock") -> None:
    world = World(clock)
    world.drain.flights.update({"a", "b"})
    world.each_pause = lambda: world.drain.flights.clear() if world.waited_s >= 7 else None
    assert world.run()[:3] == ["DrainBegan 2", "DrainEnded 0", "stop at 7"]


def test_the_delay_is_served_to_its_end(clock: "FakeClock") -> None:
    """Unready at once, and what begins within the delay is waited for as well."""
    world = World(clock, delay_s=5)

    def arrive() -> None:
        if world.waited_s == 3:
            world.drain.flights.add("late")
        if world.waited_s >= 9:
            world.drain.flights.clear()

    world.each_pause = arrive
    assert world.run()[:3] == ["DrainBegan 0", "DrainEnded 0", "stop at 9"]


def test_clients_that_never_let_up_hold_nothing(clock: "FakeClock") -> None:
    """Only what had begun is waited for; the rest is the server's to finish."""
    world = World(clock)
    world.drain.flights.add("first")

    def replace() -> None:
        world.drain.flights.clear()
        world.drain.flights.add(f"at {clock.now_s}")

    world.each_pause = replace
    assert "DrainEnded 0" in world.run()[:2]


def test_the_bound_is_enforced_and_what_was_cut_is_told(clock: "FakeClock") -> None:
    world = World(clock, delay_s=2, bound_s=10)
    world.drain.flights.update({"a", "b", "c"})
    assert world.run() == [
        "DrainBegan 3",
        "DrainEnded 3",
        "stop at 12",
        "mainstay: the drain's bound of 10 s is over: cutting off 3 requests in flight",
        "end 0 at 13",
    ]


def test_each_request_that_is_cut_off_is_told_of_before_the_end(clock: "FakeClock") -> None:
    """Nobody else writes its line: its own task or thread ends with the process."""
    world, told = World(clock), list[tuple[object, str]]()
    world.drain.flights.update({"a", "b"})

    def tell(flight: object) -> None:
        told.append((flight, world.did[-1]))

    world.drain.on_cut = tell
    did = world.run()
    assert {flight for flight, _ in told} == {"a", "b"}
    assert {before for _, before in told} == {"stop at 20"}
    assert "cutting off 2 requests" in did[-2]


def test_a_server_that_does_not_stop_is_ended(clock: "FakeClock") -> None:
    did = World(clock, bound_s=10).run()
    assert did[-2:] == [
        "mainstay: the drain's bound of 10 s is over: the server has not stopped",
        "end 0 at 11",
    ]


def test_a_second_signal_ends_at_once(clock: "FakeClock") -> None:
    world = World(clock)
    world.stopper.handle(signal.SIGTERM)
    world.stopper.handle(signal.SIGTERM)
    assert world.did == ["mainstay: asked twice to stop: ending at once", "end 0 at 0"]


def test_a_drain_begun_by_hand_is_no_first_signal(clock: "FakeClock") -> None:
    """The signal that follows it, however late, still has the whole bound."""
    world = World(clock, bound_s=10)
    world.drain.begin()
    clock.now_s += 1000
    world.drain.flights.add("one")
    did = world.run()
    assert did[:3] == ["DrainBegan 1", "DrainEnded 1", "stop at 10"]
    assert did[-1] == "end 0 at 11"


def test_an_app_that_has_not_started_is_ended_at_once(clock: "FakeClock") -> None:
    world = World(clock)
    world.drain.started = False
    assert world.run() == ["end 0 at 0"]


async def test_a_foreign_server_sees_sigterm_when_the_drain_is_over(clock: "FakeClock") -> None:
    """Its own handler is called once, after what was in flight; and then it is back in place."""
    seen = asyncio.Event()

    def foreign(signum: int, frame: object) -> None:
        seen.set()

    before = signal.signal(signal.SIGTERM, foreign)
    try:
        drain = Drain(delay_s=0, bound_s=20, clock=clock, events=Listeners())
        drain.started = True
        drain.flights.add("one")
        take_back = chain_sigterm(drain)
        signal.raise_signal(signal.SIGTERM)
        assert drain.stopping
        assert not seen.is_set()
        drain.flights.clear()
        await asyncio.wait_for(seen.wait(), 60)
        assert signal.getsignal(signal.SIGTERM) is foreign
        take_back()  # Without it the bound would end this process.
    finally:
        signal.signal(signal.SIGTERM, before)


async def test_a_handler_of_the_loop_runs_beside_the_drain(clock: "FakeClock") -> None:
    """As hypercorn sets it: readiness turns, and the server stops by its own rules."""
    loop, seen = asyncio.get_running_loop(), asyncio.Event()
    before = signal.getsignal(signal.SIGTERM)
    loop.add_signal_handler(signal.SIGTERM, seen.set)
    drain = Drain(delay_s=0, bound_s=20, clock=clock, events=Listeners())
    drain.started = True
    drain.flights.add("one")
    take_back = chain_sigterm(drain)
    try:
        signal.raise_signal(signal.SIGTERM)
        await asyncio.wait_for(seen.wait(), 60)
        assert drain.stopping
    finally:
        take_back()
        loop.remove_signal_handler(signal.SIGTERM)
        signal.signal(signal.SIGTERM, before)


async def test_a_chain_is_taken_back_and_leaves_later_handlers_alone(clock: "FakeClock") -> None:
    drain = Drain(delay_s=0, bound_s=20, clock=clock, events=Listeners())
    before = signal.getsignal(signal.SIGTERM)
    chain_sigterm(drain)()
    assert signal.getsignal(signal.SIGTERM) == before
    take_back = chain_sigterm(drain)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    take_back()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    signal.signal(signal.SIGTERM, before)


async def test_where_serve_has_the_signals_nothing_is_chained(clock: "FakeClock") -> None:
    drain = Drain(delay_s=0, bound_s=20, clock=clock, events=Listeners())
    drain.managed = True
    before = signal.getsignal(signal.SIGTERM)
    chain_sigterm(drain)
    assert signal.getsignal(signal.SIGTERM) == before


def test_closers_run_also_where_the_server_does_not_stop(clock: "FakeClock") -> None:
    """A request that holds the server beyond the bound must not cost the telemetry."""
    world = World(clock, bound_s=10)
    world.drain.flights.add("one")
    world.drain.closers.add(lambda: world.did.append("telemetry"), stage="telemetry")
    did = world.run()
    assert did[2:] == [
        "stop at 10",
        "telemetry",
        "mainstay: the drain's bound of 10 s is over: cutting off 1 requests in flight",
        "end 0 at 11",
    ]


def test_websockets_are_sent_away_when_the_delay_is_over(clock: "FakeClock") -> None:
    world = World(clock, delay_s=5)

    class Socket:
        def dismiss(self, after_s: float) -> None:
            world.did.append(f"dismissed at {world.waited_s:g} in {after_s:g}")
            world.drain.flights.clear()

    socket = Socket()
    world.drain.flights.add(socket)
    world.drain.sockets.add(socket)
    assert world.run()[1:3] == ["dismissed at 5 in 0", "DrainEnded 0"]
