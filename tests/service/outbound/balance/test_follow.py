"""A balancer follows its source: as a task, and as a thread."""

import asyncio
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest

from mainstay.service.outbound.balance import Balancer, Endpoint, FollowThread, follow
from mainstay.testing import VirtualClock, virtual_time

ONE, TWO = (Endpoint(host=f"10.0.0.{index}", port=80) for index in (1, 2))


@dataclass
class Scripted:
    """A source with an answer for each question; the last one again and again."""

    answers: list[tuple[Endpoint, ...]]
    waits_s: float = 30.0
    asked_at_s: list[float] = field(default_factory=list)
    spent: threading.Event = field(default_factory=threading.Event)

    def refresh(self) -> tuple[Endpoint, ...]:
        if len(self.answers) > 1:
            return self.answers.pop(0)
        self.spent.set()
        return self.answers[0]

    async def arefresh(self) -> tuple[Endpoint, ...]:
        self.asked_at_s.append(asyncio.get_running_loop().time())
        return self.refresh()

    def wait_s(self) -> float:
        return self.waits_s


def known(balancer: Balancer) -> list[Endpoint]:
    return [state.endpoint for state in balancer.endpoints()]


@virtual_time
async def test_a_task_takes_each_answer_when_it_is_due() -> None:
    clock = VirtualClock.running()
    begun_s = clock.monotonic_s()
    source = Scripted([(ONE,), (ONE, TWO), (TWO,)])
    balancer = Balancer()
    task = asyncio.create_task(follow(source, balancer))
    seen = []
    for moment_s in (1, 31, 61, 91):
        await asyncio.sleep(begun_s + moment_s - clock.monotonic_s())
        seen.append(known(balancer))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen == [[ONE], [ONE, TWO], [TWO], [TWO]]
    assert [at_s - begun_s for at_s in source.asked_at_s] == [0, 30, 60, 90]


@virtual_time
async def test_nothing_found_leaves_what_was_there() -> None:
    balancer = Balancer([ONE])
    task = asyncio.create_task(follow(Scripted([()]), balancer))
    await asyncio.sleep(100)
    task.cancel()
    assert known(balancer) == [ONE]


def test_a_thread_has_the_first_answer_at_once_and_follows() -> None:
    source = Scripted([(ONE,), (ONE, TWO), (TWO,)], waits_s=0.001)
    balancer = Balancer()
    changed = threading.Event()

    class Watched:
        """The balancer, and a sign when its third answer is there."""

        def replace(self, endpoints: Iterable[Endpoint | str]) -> None:
            balancer.replace(endpoints)
            if known(balancer) == [TWO]:
                changed.set()

    with FollowThread(source, Watched()) as followed:
        assert known(balancer)[0] == ONE or changed.is_set()
        assert changed.wait(60)
    followed._thread.join(60)
    assert not followed._thread.is_alive()
