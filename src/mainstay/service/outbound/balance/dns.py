"""Endpoints from DNS: looked up again and again, and the last good answer kept meanwhile."""

import asyncio
import socket
import threading
from collections.abc import Callable, Sequence
from random import Random

from mainstay.core.clock import Clock, SystemClock
from mainstay.core.events import Listeners
from mainstay.service.outbound.balance.answer import Pace, endpoints_of
from mainstay.service.outbound.balance.endpoint import Endpoint
from mainstay.service.outbound.balance.events import NameUnresolved
from mainstay.service.outbound.balance.roster import ENDPOINTS_MAX
from mainstay.service.outbound.forked import follow_forks

ENDPOINTS_DEFAULT = 64
_REASON_CHARS_MAX = 200
_DEFAULT_PACE = Pace()

Resolve = Callable[[str, int], Sequence[str]]
"""Takes a name and a port, returns addresses; blocks; raises OSError where it can't."""


def system_resolve(host: str, port: int) -> Sequence[str]:
    """Ask the system's resolver (hosts file, DNS, mDNS: whatever it is set to).

    Blocks for as long as the system lets it: 5 to 30 s where no name server answers.

    Raises:
        OSError: The name is unknown or nobody answered.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


class DnsEndpoints:
    """The addresses behind a name, as endpoints. Safe to share between threads.

    A look-up that fails, or that finds nothing, leaves the last good answer in use for however
    long it takes: name servers fail more often than the services that they name.

    Args:
        host: What is looked up.
        port: Of every endpoint.
        pace: How often.
        endpoints_max: How many addresses are used at most, up to 1,024.
        resolve: Who is asked.
        clock: Wall time of the events; None takes the machine's.
        rng: Spreads the look-ups; None takes one that is seeded by the system.
        events: Told about look-ups that fail; None tells nobody.

    Attributes:
        endpoints: The last good answer; empty until there is one.
        failures: Look-ups that failed in a row.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        pace: Pace = _DEFAULT_PACE,
        endpoints_max: int = ENDPOINTS_DEFAULT,
        resolve: Resolve = system_resolve,
        clock: Clock | None = None,
        rng: Random | None = None,
        events: Listeners | None = None,
    ) -> None:
        if not 1 <= endpoints_max <= ENDPOINTS_MAX:
            raise ValueError(f"endpoints_max is between 1 and {ENDPOINTS_MAX}")
        # Says early what is wrong with host or port.
        self._name = Endpoint(host=host, port=port)
        self._pace = pace
        self._max = endpoints_max
        self._resolve = resolve
        self._clock = clock or SystemClock()
        self._rng = rng or Random()
        self._events = events
        self._lock = threading.Lock()
        follow_forks(self)
        self.endpoints: tuple[Endpoint, ...] = ()
        self.failures = 0

    def refresh(self) -> tuple[Endpoint, ...]:
        """Look the name up, blocking, and return the endpoints: new ones, or the last good."""
        try:
            addresses = self._resolve(self._name.host, self._name.port)
        except (OSError, UnicodeError) as error:
            # UnicodeError: the name can't be a DNS name, says the codec of the resolver.
            return self._keep(str(error) or type(error).__name__)
        return self._take(addresses)

    async def arefresh(self) -> tuple[Endpoint, ...]:
        """Do as ``refresh`` in a thread of the loop's executor.

        A cancelled look-up goes on in its thread until the system gives up; its answer still
        counts.
        """
        return await asyncio.get_running_loop().run_in_executor(None, self.refresh)

    def wait_s(self) -> float:
        """Return the seconds until the next look-up is due."""
        return self._pace.wait_s(self.failures, self._rng.random())

    def renew_locks(self) -> None:
        """Take a new lock in a child process; see ``forked``."""
        self._lock = threading.Lock()

    def free_places(self) -> None:
        """Do nothing: a look-up holds no place."""

    def _take(self, addresses: Sequence[str]) -> tuple[Endpoint, ...]:
        with self._lock:
            found = endpoints_of(
                addresses, port=self._name.port, before=self.endpoints, endpoints_max=self._max
            )
            if found:
                self.endpoints = found
                self.failures = 0
                return found
        return self._keep("the answer names no address")

    def _keep(self, reason: str) -> tuple[Endpoint, ...]:
        with self._lock:
            self.failures += 1
            failures, kept = self.failures, self.endpoints
        if self._events is not None:
            self._events.emit(
                NameUnresolved(
                    at_s=self._clock.wall_s(),
                    host=self._name.host,
                    failures=failures,
                    reason=reason[:_REASON_CHARS_MAX],
                    endpoints=len(kept),
                )
            )
        return kept
