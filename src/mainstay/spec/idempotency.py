"""``inbound.idempotency:`` a request that is sent twice does its work once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mainstay.spec.dependency import DEPENDENCY_NAME, Dependency
from mainstay.spec.faults import Fault, fault_at
from mainstay.spec.kinds.keys import key
from mainstay.spec.kinds.kinds import Choice, Flag, ListOf, Text, Whole
from mainstay.spec.kinds.quantities import duration, size
from mainstay.spec.sources import Declared
from mainstay.spec.stores import VALKEY_SCHEMES, store_faults

STORE_SCHEMES = (*VALKEY_SCHEMES, "postgresql", "postgres")
"""Schemes of a URL that leads to something which can keep answers."""

UNSAFE_METHODS = ("POST", "PATCH", "PUT", "DELETE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Idempotency:
    """The first answer to an ``Idempotency-Key`` is kept, and given to whoever repeats it."""

    store: str = key(
        "store",
        DEPENDENCY_NAME,
        doc="The dependency that keeps the answers: its url is valkey, redis or postgresql.",
    )
    methods: tuple[str, ...] = key(
        "methods",
        ListOf(Choice(UNSAFE_METHODS), maximum=len(UNSAFE_METHODS)),
        default=("POST", "PATCH"),
        doc="Requests of these methods may carry a key. The IETF draft names POST and PATCH, "
        "since the others are idempotent by themselves.",
    )
    required: bool = key(
        "required",
        Flag(),
        default=False,
        doc="Whether a request of these methods without a key is answered with 400.",
    )
    caller: str = key(
        "caller",
        Text(
            what="authorization, client_ip, header:NAME or cookie:NAME",
            pattern=r"authorization|client_ip|(header|cookie):[A-Za-z0-9_-]{1,64}",
        ),
        default="authorization",
        doc="Whose key it is: nobody gets the answer to somebody else's. Hashed. authorization: "
        "the header, and the session where `session` is declared; to a repetition with other "
        "cookies no answer is given, unless something else is declared here. Where a request lacks "
        "what is declared, the client's address stands in; others may share that, so answers are "
        "then repeated only for keys of 20 characters and more, and the same cookies. A function "
        "of `service.limit_key('user')` goes before it.",
    )
    ttl_s: float = key(
        "ttl",
        duration("24h", minimum_s=1.0, maximum_s=30 * 86400.0),
        default=86400.0,
        doc="So long an answer is kept. A day, as the public payment interfaces do.",
    )
    lease_s: float = key(
        "lease",
        duration("15s", minimum_s=0.5, maximum_s=600.0),
        default=15.0,
        doc="A process that works on a request says so again at each third of this; silent for "
        "as long, it counts as crashed.",
    )
    after_crash: str = key(
        "after_crash",
        Choice(("refuse", "run")),
        default="refuse",
        doc="What a repetition gets when a process died between work and answer, so that nobody "
        "knows whether the work was done. refuse: 409 idempotency-unknown, since doing it twice is "
        "what the key is there to prevent. run: once more, for work that may be done twice.",
    )
    server_errors: bool = key(
        "server_errors",
        Flag(),
        default=False,
        doc="Whether an answer of 500 and above is kept, so that a repetition gets it again. "
        "Otherwise a repetition does the work again.",
    )
    body_bytes_max: int = key(
        "body_max",
        size("1MiB", maximum=64 * 1024 * 1024),
        default=1024 * 1024,
        doc="A request with a key is read whole before the app gets it; a longer one is answered "
        "with 413.",
    )
    answer_bytes_max: int = key(
        "answer_max",
        size("256KiB", maximum=16 * 1024 * 1024),
        default=256 * 1024,
        doc="Of a longer answer only its status is kept: a repetition is told that the work was "
        "done.",
    )
    held_max: int = key(
        "held_max",
        Whole(minimum=1, maximum=100_000),
        default=10_000,
        doc="Requests with a key that one process works on at once; one more is answered with 503.",
    )


def idempotency_faults(
    options: Idempotency | None,
    dependencies: Sequence[tuple[str, Dependency]],
    declared: Declared,
) -> Iterator[Fault]:
    """Yield what is wrong with the section as a whole.

    Args:
        options: As declared; None where it is off.
        dependencies: Of the same service.
        declared: Where the keys stand.
    """
    path = "inbound.idempotency"
    if options is None:
        return
    yield from store_faults(options.store, f"{path}.store", dependencies, declared, STORE_SCHEMES)
    are_sure = declared.is_sure(f"{path}.lease") and declared.is_sure(f"{path}.ttl")
    if options.lease_s > options.ttl_s and are_sure:
        sentence = "`lease` is longer than `ttl`: a key would be forgotten while it is worked on"
        yield fault_at(declared.place(f"{path}.lease"), f"{path}.lease", sentence)
    if not options.methods and declared.is_sure(f"{path}.methods"):
        sentence = "no method is named, so no request could carry a key"
        yield fault_at(declared.place(f"{path}.methods"), f"{path}.methods", sentence)
