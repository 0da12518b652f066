"""The daemon: holds one system, answers the control socket, watches, and lets go in order.

It joins an engine and a proxy that are given to it. Whatever happens to it, replicas and proxy go
on: they are processes of their own, and the next daemon takes them over.
"""

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from typing import Any, Final, Protocol

from mainstay.control.api.server import Emit
from mainstay.control.api.wire import Json
from mainstay.control.engines.local.engine import LocalEngine
from mainstay.control.monitor import Monitor
from mainstay.core.errors import EngineRefused
from mainstay.core.events import Event, Listeners

SETTLE_BOUND_S: Final = 600.0
"""The longest that a command waits for a system to settle; the daemon goes on in any case."""

REPLICAS_MAX: Final = 64
"""The same bound as ``run.replicas``."""


EVENTS_MAX: Final = 1024
"""Events that wait for a client that reads slowly."""

LAST_WORDS_S: Final = 1.0
"""A client that doesn't take the last events within this gets its result without them."""


class Proxy(Protocol):
    """The part of the running proxy that the daemon's end needs."""

    async def drain(self, grace_s: float) -> None:
        """Take no new requests, let those in flight finish within the bound, end the proxy."""
        ...

    async def kill(self) -> None:
        """End the proxy at once."""
        ...


class Daemon:
    """Carries out the commands of the control socket.

    Args:
        engine: Runs the replicas.
        proxy: Routes the traffic.
        monitor: Watches both.
        renew: Reads the declarations anew, with the overlay and the environment of whoever asks
            (None: as before), and makes proxy and engine follow them; raises ConfigInvalid or
            EdgeRefused, and then nothing has changed.
        describe: Makes the answer of ``status``.
        listeners: Where events are heard.
    """

    def __init__(
        self,
        *,
        engine: LocalEngine,
        proxy: Proxy,
        monitor: Monitor,
        renew: Callable[[str | None, Mapping[str, str] | None], Awaitable[None]],
        describe: Callable[[], Json],
        listeners: Listeners,
    ) -> None:
        self._engine = engine
        self._proxy = proxy
        self._monitor = monitor
        self._renew = renew
        self._describe = describe
        self._listeners = listeners
        self._leave = asyncio.Event()
        self._hurry = asyncio.Event()
        self._left = asyncio.Event()

    @property
    def handlers(self) -> Mapping[str, Callable[[Mapping[str, Any], Emit], Awaitable[Json]]]:
        """Command name -> handler, for the control server."""
        return {
            "status": self._status,
            "wait": self._wait,
            "apply": self._apply,
            "scale": self._scale,
            "restart": self._restart,
            "down": self._down,
        }

    def leave(self) -> None:
        """Begin to end the system; the second time, end it at once."""
        if self._leave.is_set():
            self._hurry.set()
        self._leave.set()

    async def run(self) -> None:
        """Keep the system until it is told to leave, then end it in order."""
        leaving = asyncio.create_task(self._leave.wait())
        working = [
            asyncio.create_task(self._engine.run()),
            asyncio.create_task(self._monitor.run()),
        ]
        await asyncio.wait([*working, leaving], return_when=asyncio.FIRST_COMPLETED)
        ended = [task for task in working if task.done()]
        for task in (*working, leaving):
            task.cancel()
        await asyncio.gather(*working, leaving, return_exceptions=True)
        for task in ended:
            # A loop that ended by itself ended by a defect, and that must be seen.
            task.result()
        await self._end()
        self._left.set()

    async def _end(self) -> None:
        """End the system: first no more requests come, then those who answer them go."""
        hurrying = asyncio.create_task(self._hurry.wait())
        draining = asyncio.create_task(self._proxy.drain(self._engine.drain_max_s()))
        await asyncio.wait([draining, hurrying], return_when=asyncio.FIRST_COMPLETED)
        if not draining.done():
            draining.cancel()
            await asyncio.gather(draining, return_exceptions=True)
            await self._proxy.kill()
        ending = asyncio.create_task(self._engine.end())
        await asyncio.wait([ending, hurrying], return_when=asyncio.FIRST_COMPLETED)
        if not ending.done():
            self._engine.kill()
        await ending
        hurrying.cancel()

    # Commands ---------------------------------------------------------------------------------

    async def _status(self, arguments: Mapping[str, Any], emit: Emit) -> Json:
        del arguments, emit
        await self._monitor.look()
        return self._describe()

    async def _wait(self, arguments: Mapping[str, Any], emit: Emit) -> Json:
        del arguments
        async with self._telling(emit):
            await self._settle([held.member.name for held in self._engine.services])
        return self._describe()

    async def _apply(self, arguments: Mapping[str, Any], emit: Emit) -> Json:
        env, environ = arguments.get("env"), arguments.get("environ")
        if not (env is None or isinstance(env, str)) or not _is_environ(environ):
            raise EngineRefused("apply takes the name of an overlay and an environment")
        self._refuse_at_the_end()
        before = {held.member.name for held in self._engine.services}
        async with self._telling(emit):
            await self._renew(env, environ)
            now = {held.member.name for held in self._engine.services}
            await self._settle(before | now)
        return self._describe()

    async def _scale(self, arguments: Mapping[str, Any], emit: Emit) -> Json:
        service, replicas = _text(arguments, "service"), arguments.get("replicas")
        if isinstance(replicas, bool) or not isinstance(replicas, int):
            raise EngineRefused("scale needs a number of replicas")
        if not 0 <= replicas <= REPLICAS_MAX:
            raise EngineRefused(f"a service has 0 to {REPLICAS_MAX} replicas, not {replicas}")
        async with self._telling(emit, service):
            self._engine.scale(service, replicas)
            await self._settle([service])
        return self._describe()

    async def _restart(self, arguments: Mapping[str, Any], emit: Emit) -> Json:
        service = _text(arguments, "service")
        async with self._telling(emit, service):
            self._engine.restart(service)
            await self._settle([service])
        return self._describe()

    async def _down(self, arguments: Mapping[str, Any], emit: Emit) -> Json:
        del arguments
        async with self._telling(emit):
            self._leave.set()
            await self._left.wait()
        return {"ended": True}

    async def _settle(self, services: Iterable[str]) -> None:
        """Wait until the services are as they are wanted; refuse if the daemon leaves."""
        settled = asyncio.create_task(self._engine.settle(services))
        leaving = asyncio.create_task(self._leave.wait())
        try:
            await asyncio.wait(
                [settled, leaving],
                timeout=SETTLE_BOUND_S,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if settled.done():
                settled.result()
            # Also of what is settled: until it has drained, everything is still there.
            self._refuse_at_the_end()
            if not settled.done():
                raise EngineRefused(f"it has not settled within {SETTLE_BOUND_S:.0f} s")
        finally:
            settled.cancel()
            leaving.cancel()

    def _refuse_at_the_end(self) -> None:
        if self._leave.is_set():
            raise EngineRefused("the system is being ended")

    @contextlib.asynccontextmanager
    async def _telling(self, emit: Emit, service: str | None = None) -> AsyncIterator[None]:
        """Report what happens (to one service) to a client while it waits."""
        queue: asyncio.Queue[Event] = asyncio.Queue(maxsize=EVENTS_MAX)

        def hear(event: Event) -> None:
            if service is None or getattr(event, "service", None) == service:
                # A client that is so far behind misses some.
                with contextlib.suppress(asyncio.QueueFull):
                    queue.put_nowait(event)

        async def tell() -> None:
            while True:
                await emit(event_json(await queue.get()))
                queue.task_done()

        self._listeners.add(hear)
        teller = asyncio.create_task(tell())
        try:
            yield
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LAST_WORDS_S):
                    await queue.join()
        finally:
            self._listeners.remove(hear)
            teller.cancel()


def event_json(event: Event) -> Json:
    """Return an event as an object: its fields, and its class as ``event``."""
    return {"event": type(event).__name__, **dataclasses.asdict(event)}


def _text(arguments: Mapping[str, Any], name: str) -> str:
    value = arguments.get(name)
    if not isinstance(value, str):
        raise EngineRefused(f"the command needs a {name}")
    return value


def _is_environ(value: object) -> bool:
    return value is None or (
        isinstance(value, dict)
        and all(isinstance(name, str) and isinstance(text, str) for name, text in value.items())
    )
