"""``inbound:`` what the wrapper does with requests that arrive."""

import math
from dataclasses import dataclass

from mainstay.spec.health import Health
from mainstay.spec.idempotency import Idempotency
from mainstay.spec.kinds.keys import key
from mainstay.spec.kinds.kinds import Choice, Either, Flag, ListOf, Network, Section
from mainstay.spec.kinds.quantities import duration, size
from mainstay.spec.perimeter import HOST, Cors, Errors, SecurityHeaders
from mainstay.spec.ratelimit import LIMITS_MAX, RateLimit
from mainstay.spec.sessions import Session
from mainstay.spec.shed import Shed


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbound:
    """Requests that arrive."""

    trust: tuple[str, ...] = key(
        "trust",
        ListOf(Either((Choice(("unix",)), Network()))),
        default=("127.0.0.0/8", "::1/128"),
        off=True,
        without=(),
        doc="Networks of proxies whose word is taken for who the client is (X-Forwarded-For), for "
        "the id and for the priority of a request; unix: whoever comes by a Unix socket. By "
        "default this machine, where the edge is. off: nobody's.",
    )

    deadline_s: float = key(
        "deadline",
        duration("5s", maximum_s=86400),
        default=5.0,
        off=True,
        without=math.inf,
        doc="A request must be answered within this. Best practices, API gateway: 5 s. off: only "
        "what its own headers say bounds it.",
    )
    drain_s: float = key(
        "drain",
        duration("20s", maximum_s=3600),
        default=20.0,
        stays="a replica that ends waits for what it has begun; to wait for nothing, write 1ms",
        doc="After SIGTERM, requests in flight have this long to finish.",
    )
    drain_delay_s: float = key(
        "drain_delay",
        duration("0s", minimum_s=0.0, maximum_s=600),
        default=0.0,
        doc="After SIGTERM, the app reports itself unready and keeps serving for this long, so "
        "that a proxy which polls can move away. `mainstay up` moves its edge away first and "
        "needs no pause.",
    )
    health: Health = key(
        "health",
        Section(Health),
        default=Health(),
        doc="The health endpoints.",
        stays="the edge and `mainstay up` ask it who may have traffic; if it is in the way of a "
        "path of yours, write another `path`",
    )
    hosts: tuple[str, ...] = key(
        "hosts",
        ListOf(HOST),
        default=(),
        off=True,
        without=(),
        doc="Names that the service is asked by; a request for another one is answered with 421. "
        "Without any, every name will do.",
    )
    body_bytes_max: int | None = key(
        "body_max",
        size("16MiB"),
        default=16 * 2**20,
        off=True,
        doc="A request body longer than this is answered with 413, also one of unknown length. "
        "Thirty-two of the default fill a replica of 512 MiB.",
    )
    cors: Cors | None = key(
        "cors",
        Section(Cors, shorthand="origins"),
        default=None,
        off=True,
        doc="Which pages of other origins may read answers.",
    )
    headers: SecurityHeaders | None = key(
        "headers",
        Section(SecurityHeaders, shorthand="preset"),
        default=SecurityHeaders(),
        off=True,
        doc="Security headers of every answer.",
    )
    errors: Errors = key(
        "errors",
        Section(Errors, shorthand="app"),
        default=Errors(),
        doc="Problem documents.",
        stays="what the wrapper itself refuses needs an answer; to leave the app's own as they "
        "are, write as_is",
    )
    access_log: bool = key(
        "access_log", Flag(), default=True, doc="One JSON line for each request."
    )
    rate_limit: tuple[RateLimit, ...] | None = key(
        "rate_limit",
        ListOf(Section(RateLimit, shorthand="rate"), maximum=LIMITS_MAX, single=True),
        default=None,
        off=True,
        doc="How often a caller may ask. Off unless declared: how much is too much only you know, "
        "and a wrong guess turns away whoever shares an address.",
    )
    shed: Shed | None = key(
        "shed",
        Section(Shed, shorthand="mode"),
        default=Shed(),
        off=True,
        doc="How many requests are worked on at once, and who is turned away when more come.",
    )
    idempotency: Idempotency | None = key(
        "idempotency",
        Section(Idempotency, shorthand="store"),
        default=None,
        off=True,
        doc="A request that is sent twice with one Idempotency-Key does its work once.",
    )
    session: Session | None = key(
        "session",
        Section(Session),
        default=None,
        off=True,
        doc="What is remembered of a visitor, in a store that all replicas share.",
    )
