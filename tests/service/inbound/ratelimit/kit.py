"""What the tests of rate limits are made with: requests, limits, and a store that can go away."""

from collections.abc import Sequence

from mainstay.core.errors import StoreUnavailable
from mainstay.core.events import Event, Listeners
from mainstay.core.limits import NEVER_S, Answers, Ask, gcra_all
from mainstay.service.inbound.exchange import Exchange
from mainstay.service.inbound.ratelimit.caller import LimitKey
from mainstay.service.inbound.ratelimit.limits import Limits
from mainstay.service.inbound.ratelimit.memory import Rule
from mainstay.spec.kinds.units import quota
from mainstay.spec.ratelimit import RateLimit
from mainstay.testing.clock import VirtualClock

CLIENT = "203.0.113.9"


def request(
    path: str = "/",
    *,
    method: str = "GET",
    client: str | None = CLIENT,
    headers: dict[bytes, bytes] | None = None,
) -> Exchange:
    exchange = Exchange()
    exchange.kind = "http"
    exchange.method = method
    exchange.path = path
    exchange.client = client
    exchange.get = (headers or {}).get
    exchange.noted = None
    return exchange


def limit(rate: str, **others: object) -> RateLimit:
    return RateLimit(rate=quota(rate), **others)  # type: ignore[arg-type]  # Tests name real keys.


def rule(*, every_s: float = 1.0, burst: int = 3, buckets_max: int = 100) -> Rule:
    return Rule(every_s=every_s, burst=burst, buckets_max=buckets_max)


class Store:
    """A store of limits in memory, by the clock of the test."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.away = False
        self.dues_s: dict[str, float] = {}
        self.asked: list[tuple[Ask, ...]] = []

    def take(self, asks: Sequence[Ask]) -> Answers:
        self.asked.append(tuple(asks))
        if self.away:
            raise StoreUnavailable("the store is away", begun=False)
        now_s = self.clock.monotonic_s()
        dues_s = [self.dues_s.get(ask.key, NEVER_S) for ask in asks]
        taken_s, answers = gcra_all(dues_s, asks, now_s)
        self.dues_s.update(zip((ask.key for ask in asks), taken_s, strict=True))
        return answers

    async def atake(self, asks: Sequence[Ask]) -> Answers:
        return self.take(asks)


class World:
    """Limits with everything that they stand on."""

    def __init__(
        self,
        *options: RateLimit,
        stored: bool = False,
        share: float = 1.0,
        keys: dict[str, LimitKey] | None = None,
    ) -> None:
        self.clock = VirtualClock()
        self.heard: list[Event] = []
        events = Listeners()
        events.add(self.heard.append)
        self.store = Store(self.clock)
        self.share = share
        self.limits = Limits(
            options,
            clock=self.clock,
            events=events,
            store=self.store if stored else None,
            share=lambda: self.share,
            service="shop",
            keys=keys,
        )

    def passes(self, exchange: Exchange) -> bool:
        """Ask for a request as a shell of WSGI would."""
        if self.limits.waits:
            return self.limits.ask_store(exchange) is None
        return self.limits.ask(exchange, self.clock.monotonic_s()) is None

    def passing(self, count: int, **about: object) -> int:
        """Return how many of ``count`` equal requests pass now."""
        return sum(self.passes(request(**about)) for _ in range(count))  # type: ignore[arg-type]


def header(exchange: Exchange, name: bytes) -> bytes | None:
    """Return a noted header, which is there once at most."""
    values = [value for noted, value in exchange.noted or () if noted == name]
    assert len(values) <= 1, f"{name!r} twice"
    return values[0] if values else None
