"""What the tests of policies share: the same scenario run in every world."""

import asyncio
import functools
import inspect
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from mainstay import Policy
from mainstay.core.clock import Clock
from mainstay.testing import Recorder, VirtualClock, run_virtual


class World:
    """Runs calls through policies, in synchronous or asynchronous code, by virtual time.

    Any: scenarios pass whatever functions and results they like.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.clock = VirtualClock()
        self.recorder = Recorder()

    @property
    def is_async(self) -> bool:
        return self.kind == "async"

    def policy(self, **parts: Any) -> Policy:
        """Return a policy on this world's clock, whose events are recorded."""
        policy = Policy(clock=self.clock, seed=1, **{"name": "dependency", **parts})
        policy.events.add(self.recorder)
        return policy

    def call(self, policy: Policy, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call a plain function through the policy, as a coroutine function where that is meant."""
        if not self.is_async:
            return policy.call(fn, *args, **kwargs)
        return self.run(policy.acall(self.wrap(fn), *args, **kwargs))

    def wrap(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        """Return ``fn`` as this world's functions are; it sleeps by what it yields first."""
        if not self.is_async:
            return fn

        @functools.wraps(fn)
        async def call(*args: Any, **kwargs: Any) -> Any:
            await asyncio.sleep(0)
            return fn(*args, **kwargs)

        return call

    def sleeper(self, seconds: float, result: Any = "done") -> Callable[[], Any]:
        """Return a function, or coroutine function, that takes so long."""
        if self.is_async:

            async def asleep() -> Any:
                await asyncio.sleep(seconds)
                return result

            return asleep

        def sleep() -> Any:
            self.clock.sleep(seconds)
            return result

        return sleep

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine by this world's time."""
        return run_virtual(coroutine, clock=self.clock)

    def invoke(self, policy: Policy, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call a function that is this world's already."""
        if inspect.iscoroutinefunction(fn):
            return self.run(policy.acall(fn, *args, **kwargs))
        return policy.call(fn, *args, **kwargs)


@pytest.fixture(params=["sync", "async"])
def world(request: pytest.FixtureRequest) -> World:
    return World(request.param)


class Flaky:
    """Fails so many times, then answers; remembers when it was called."""

    def __init__(self, failures: int, clock: Clock, error: Exception | None = None) -> None:
        self.failures = failures
        self.clock = clock
        self.error = error or ConnectionError("away")
        self.calls_s: list[float] = []

    @property
    def calls(self) -> int:
        return len(self.calls_s)

    def __call__(self, value: Any = "answer") -> Any:
        self.calls_s.append(self.clock.monotonic_s())
        if self.calls <= self.failures:
            raise self.error
        return value


@pytest.fixture
def flaky(world: World) -> Callable[..., Flaky]:
    def make(failures: int, error: Exception | None = None) -> Flaky:
        return Flaky(failures, world.clock, error)

    return make
