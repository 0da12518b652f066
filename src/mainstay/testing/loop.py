"""An event loop whose time is virtual: years pass in milliseconds.

Nothing here waits. When no callback is ready, time jumps to the next timer. So ``asyncio.sleep``,
``timeout``, ``wait_for``, ``TaskGroup``, queues and locks work as ever, and every run of the same
program is the same run, for nothing outside of it has a say: sockets, subprocesses, signals, name
look-ups and threads are refused (``RealWaitRefused``), because their answers come in real time.
"""

import asyncio
import functools
import math
import threading
from collections.abc import Callable, Coroutine
from contextvars import Context
from pathlib import Path
from typing import Any, NoReturn, ParamSpec, TypeVar, TypeVarTuple

from mainstay.testing.clock import VirtualClock
from mainstay.testing.errors import Deadlocked, RealWaitRefused, RunEndless

STEPS_MAX = 10_000_000
"""Turns of the loop in one run: about a minute of CPU when each turn does next to nothing."""

_TASKS_NAMED_MAX = 10
_ASYNCIO = str(Path(asyncio.__file__).parent)

_REFUSED = (
    "add_reader", "add_writer", "remove_reader", "remove_writer",
    "connect_accepted_socket", "connect_read_pipe", "connect_write_pipe",
    "create_connection", "create_datagram_endpoint", "create_server",
    "create_unix_connection", "create_unix_server",
    "getaddrinfo", "getnameinfo", "run_in_executor", "add_signal_handler",
    "sendfile", "sock_accept", "sock_connect", "sock_recv", "sock_recv_into", "sock_recvfrom",
    "sock_recvfrom_into", "sock_sendall", "sock_sendfile", "sock_sendto",
    "start_tls", "subprocess_exec", "subprocess_shell",
)  # fmt: skip

P = ParamSpec("P")
T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class VirtualLoop(asyncio.BaseEventLoop):
    """The loop itself, for ``asyncio.Runner(loop_factory=...)``; most tests want ``run_virtual``.

    Args:
        clock: What the loop's time is read from and moved on; None makes a new one.
        steps_max: Turns until ``RunEndless`` is raised, so that no test hangs.

    Attributes:
        clock: As given or made.
    """

    def __init__(self, *, clock: VirtualClock | None = None, steps_max: int = STEPS_MAX) -> None:
        super().__init__()
        self.clock = VirtualClock() if clock is None else clock
        self._home = threading.get_ident()
        # BaseEventLoop waits for the world through this object, once a turn.
        self._selector = _Jump(self, steps_max=steps_max)

    def time(self) -> float:
        """Return the clock's monotonic seconds."""
        return self.clock.monotonic_s()

    def run_forever(self) -> None:
        """Run until stopped; the calling thread is the loop's from now on."""
        self._home = threading.get_ident()
        super().run_forever()

    def call_soon_threadsafe(
        self,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.Handle:
        """Schedule a callback, from the loop's own thread only.

        Raises:
            RealWaitRefused: Another thread asked; when it does is up to the machine.
        """
        if threading.get_ident() != self._home:
            raise RealWaitRefused("another thread called into a loop with virtual time")
        return super().call_soon_threadsafe(callback, *args, context=context)

    @property
    def _clock_resolution(self) -> float:
        # A timer is due when its moment is below time() plus this. The machine's nanosecond would
        # vanish in the sum once the clock has passed a few months, and no timer would fire again.
        return math.ulp(self.time())

    @_clock_resolution.setter
    def _clock_resolution(self, _of_the_machine: float) -> None:
        pass

    def _process_events(self, event_list: list[object]) -> None:
        assert not event_list, "nothing but timers happens in virtual time"

    def _write_to_self(self) -> None:
        # Wakes a real selector; ours never sleeps.
        pass


class _Jump:
    """Stands where a selector stands: instead of waiting it moves the clock."""

    def __init__(self, loop: VirtualLoop, *, steps_max: int) -> None:
        self._loop = loop
        self._steps_left = self._steps_max = steps_max

    def select(self, timeout_s: float | None) -> list[object]:
        self._steps_left -= 1
        if self._steps_left < 0:
            # The count starts again, so that what cleans up after this error can still run.
            self._steps_left = self._steps_max
            raise RunEndless(
                f"no end after {self._steps_max:,} turns of the loop; waiting: "
                f"{_waiting(self._loop)}. A longer run needs a larger steps_max."
            )
        if timeout_s is None:
            raise Deadlocked(f"nothing is ready and no timer is set: {_waiting(self._loop)}")
        if timeout_s > 0:
            # The timeout is rounded, and capped at a day; what the loop waits for is this timer.
            next_timer: asyncio.TimerHandle = self._loop._scheduled[0]  # type: ignore[attr-defined]  # noqa: SLF001  BaseEventLoop says it nowhere else.
            self._loop.clock.advance_to(next_timer.when())
        return []


def _waiting(loop: VirtualLoop) -> str:
    """Return who waits where, sorted by name, bounded."""
    lines = sorted(_whereabouts(task) for task in asyncio.all_tasks(loop))
    more = len(lines) - _TASKS_NAMED_MAX
    named = "; ".join(lines[:_TASKS_NAMED_MAX])
    return (named or "no task") + (f"; and {more} more" if more > 0 else "")


def _whereabouts(task: "asyncio.Task[Any]") -> str:
    # A name alone is a number unless somebody chose it. The line that says most is the innermost
    # one outside of asyncio: what the user's code awaits.
    place = ""
    waits: Any = task.get_coro()  # Any: coroutines and futures end the chain in their own ways.
    while isinstance(waits, Coroutine) and (frame := getattr(waits, "cr_frame", None)):
        code = frame.f_code
        if not place or not code.co_filename.startswith(_ASYNCIO):
            place = f" in {code.co_name} ({code.co_filename}:{frame.f_lineno})"
        waits = getattr(waits, "cr_await", None)
    return task.get_name() + place


def _refuse(name: str) -> Callable[..., NoReturn]:
    def refuse(*args: object, **kwargs: object) -> NoReturn:
        del args, kwargs
        raise RealWaitRefused(
            f"{name}() waits for the real world, which has no virtual time: pass the code under "
            "test a fake instead"
        )

    refuse.__name__ = name
    refuse.__doc__ = "Refuse: real waits have no virtual time."
    return refuse


for _name in _REFUSED:
    setattr(VirtualLoop, _name, _refuse(_name))


def run_virtual(
    main: Coroutine[Any, Any, T],  # Any: what a coroutine yields is its loop's business.
    *,
    clock: VirtualClock | None = None,
    steps_max: int = STEPS_MAX,
) -> T:
    """Run a coroutine to its end under virtual time and return its result.

    Tasks that it leaves behind are cancelled, as ``asyncio.run`` does.

    Args:
        main: What to run.
        clock: Its time goes on from where it stands; None makes a new one, which
            ``VirtualClock.running()`` returns inside.
        steps_max: Turns of the loop until ``RunEndless``.

    Raises:
        Deadlocked: Everyone waits and no timer is set.
        RunEndless: The run didn't end within ``steps_max`` turns.
        RealWaitRefused: The code reached for a socket, a thread or another real wait.
    """
    with asyncio.Runner(
        loop_factory=lambda: VirtualLoop(clock=clock, steps_max=steps_max)
    ) as runner:
        return runner.run(main)


def virtual_time(test: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, T]:
    """Make an ``async def`` test a plain one that runs under virtual time.

    Needs no plugin; the test's fixtures are asked for by name as ever, and
    ``VirtualClock.running()`` is its clock.
    """

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        return run_virtual(test(*args, **kwargs))

    return run
