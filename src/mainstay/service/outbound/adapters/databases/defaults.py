"""What holds for engines of both kinds where nobody says otherwise."""

from dataclasses import dataclass

from sqlalchemy import URL, make_url

from mainstay.service.outbound.adapters.databases.gate import Bounds
from mainstay.service.outbound.adapters.held import bulkhead_of
from mainstay.service.outbound.policy import Policy
from mainstay.service.outbound.quantity import Duration, Options

POOL_SIZE = 20
"""Connections that stay open when nobody needs them. Starter pack: 20."""

RECYCLE_S = 300.0
"""A connection older than this is replaced before it is used again. Starter pack: 300 s."""

CONNECT_S = 3.0
"""Starter pack, "Timeout", by_service: database connect 3s."""

STATEMENT_S = 10.0
"""Starter pack, "Timeout", by_service: database query 10s."""

_POSTGRESQL = {"postgres", "postgresql"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The bounds of an engine, as they were said.

    Attributes:
        bounds: Of its calls.
        recycle_s: How old a connection may be.
    """

    bounds: Bounds
    recycle_s: float


def read(what: str, *, connect: Duration, statement: Duration, recycle: Duration) -> Held:
    """Return the bounds of an engine.

    Args:
        what: Who asks, for the sentence.
        connect: To get a connection that works.
        statement: For one statement, or a commit.
        recycle: How old a connection may be.

    Raises:
        ConfigInvalid: One is no duration.
    """
    options = Options(what)
    held = Held(
        bounds=Bounds(
            connect_s=options.seconds("connect", connect),
            statement_s=options.seconds("statement", statement),
        ),
        recycle_s=options.seconds("recycle", recycle),
    )
    options.done()
    return held


def spelled(url: str | URL) -> URL:
    """Return the URL as SQLAlchemy takes it, with the driver that is bounded in time.

    ``postgres://`` is what many providers write, and which driver ``postgresql://`` means depends
    on the version of SQLAlchemy.
    """
    made = make_url(url)
    return made.set(drivername="postgresql+psycopg") if made.drivername in _POSTGRESQL else made


def pool_options(policy: Policy, url: URL, held: Held) -> dict[str, object]:
    """Return the options of the pool.

    Raises:
        PolicyMisused: The policy has no bulkhead.
    """
    kept: dict[str, object] = {
        "pool_size": min(POOL_SIZE, bulkhead_of(policy, "a database engine")),
        # Beyond those that are kept, the bulkhead is the bound.
        "max_overflow": -1,
        "pool_recycle": int(held.recycle_s),
        "pool_pre_ping": True,
    }
    if url.get_backend_name() == "sqlite" and url.database in {None, "", ":memory:"}:
        # Each connection would be a database of its own.
        kept |= {"pool_size": 1, "connect_args": {"check_same_thread": False}}
    return kept
