"""Keep a balancer's endpoints as its source says: as a task, or as a thread."""

import asyncio
import threading
from collections.abc import Iterable
from types import TracebackType
from typing import NoReturn, Protocol, Self

from mainstay.service.outbound.balance.endpoint import Endpoint


class Source(Protocol):
    """Where endpoints come from that change, such as ``DnsEndpoints``."""

    def refresh(self) -> tuple[Endpoint, ...]:
        """Return the present endpoints, blocking as long as that takes."""
        ...

    async def arefresh(self) -> tuple[Endpoint, ...]:
        """Return the present endpoints."""
        ...

    def wait_s(self) -> float:
        """Return the seconds until they should be asked for again."""
        ...


class Follower(Protocol):
    """Who takes endpoints: a ``Balancer``."""

    def replace(self, endpoints: Iterable[Endpoint | str]) -> None:
        """Take a new set."""
        ...


async def follow(source: Source, balancer: Follower) -> NoReturn:
    """Give ``balancer`` the endpoints of ``source``, now and whenever they are due.

    Ends when it is cancelled. Run it as a task of whatever lives as long as the balancer: a task
    group, an app's lifespan.
    """
    while True:
        _hand_over(await source.arefresh(), balancer)
        await asyncio.sleep(source.wait_s())


class FollowThread:
    """Does as ``follow`` in a thread of its own, for programs without an event loop.

    ::

        with FollowThread(DnsEndpoints("catalog.internal", 8080), balancer):
            serve()

    The first answer is there when ``with`` has begun. The thread is a daemon: it holds nobody up.

    Args:
        source: Where endpoints come from.
        balancer: Who gets them.
    """

    def __init__(self, source: Source, balancer: Follower) -> None:
        self._source = source
        self._balancer = balancer
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mainstay-follow", daemon=True)

    def __enter__(self) -> Self:
        """Ask once, blocking, and start the thread."""
        _hand_over(self._source.refresh(), self._balancer)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the thread; a look-up that hangs in the system's resolver isn't waited for."""
        self._ended.set()

    def _run(self) -> None:
        while not self._ended.wait(self._source.wait_s()):
            _hand_over(self._source.refresh(), self._balancer)


def _hand_over(endpoints: tuple[Endpoint, ...], balancer: Follower) -> None:
    # Nothing was ever found: what the balancer was made with is better than nobody.
    if endpoints:
        balancer.replace(endpoints)
