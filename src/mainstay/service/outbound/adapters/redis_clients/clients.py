"""Makes the clients: the library's own classes, with the policy mixed in."""

from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

from mainstay.service.outbound.adapters.redis_clients.async_client import (
    AsyncMarkedConnection,
    AsyncPolicyCommands,
    AsyncPolicyPipeline,
)
from mainstay.service.outbound.adapters.redis_clients.attempt import Bounds, Gate
from mainstay.service.outbound.adapters.redis_clients.library import library
from mainstay.service.outbound.adapters.redis_clients.sync_client import (
    BoundedConnection,
    PolicyCommands,
    PolicyPipeline,
)
from mainstay.service.outbound.policy import Policy
from mainstay.service.outbound.quantity import Duration, Options

if TYPE_CHECKING:
    import redis
    import redis.asyncio
    import valkey
    import valkey.asyncio

CONNECT_S = 1.0
"""Starter pack, "Timeout", by_service: cache connect 1s."""

READ_S = 2.0
"""Starter pack, "Timeout", by_service: cache read 2s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixins:
    """What is mixed into the library's classes of one kind."""

    commands: type
    pipeline: type
    connection: type


def redis_client(
    policy: Policy, url: str, *, connect: Duration = CONNECT_S, read: Duration = READ_S,
    **options: Any,
) -> "redis.Redis":  # fmt: skip
    """Return a ``redis.Redis`` each of whose commands and pipelines is a call of the policy.

    Args:
        policy: Any, with a bulkhead, which bounds the connections too.
        url: ``redis://``, ``rediss://`` (or ``valkey://``, ``valkeys://``), or ``unix://``.
        connect: To open a connection and greet the server; never longer than what is left.
        read: Until an answer is there; what a command waits for by itself (BLPOP) comes on top.
        options: Further ones of the library's pool, such as ``decode_responses``. Any: they are
            the library's.

    Raises:
        PartMissing: redis is not installed.
        PolicyMisused: The policy has no bulkhead.
        ConfigInvalid: A timeout is no duration.
        ValueError: The URL is none of those.
    """
    return cast("redis.Redis", _sync("redis", policy, url, _bounds(connect, read), options))


def valkey_client(
    policy: Policy, url: str, *, connect: Duration = CONNECT_S, read: Duration = READ_S,
    **options: Any,
) -> "valkey.Valkey":  # fmt: skip
    """Return a ``valkey.Valkey``; all else as ``redis_client``."""
    return cast("valkey.Valkey", _sync("valkey", policy, url, _bounds(connect, read), options))


def async_redis_client(
    policy: Policy, url: str, *, connect: Duration = CONNECT_S, read: Duration = READ_S,
    **options: Any,
) -> "redis.asyncio.Redis":  # fmt: skip
    """Return a ``redis.asyncio.Redis``; all else as ``redis_client``."""
    made = _async("redis", policy, url, _bounds(connect, read), options)
    return cast("redis.asyncio.Redis", made)


def async_valkey_client(
    policy: Policy, url: str, *, connect: Duration = CONNECT_S, read: Duration = READ_S,
    **options: Any,
) -> "valkey.asyncio.Valkey":  # fmt: skip
    """Return a ``valkey.asyncio.Valkey``; all else as ``redis_client``."""
    made = _async("valkey", policy, url, _bounds(connect, read), options)
    return cast("valkey.asyncio.Valkey", made)


def _bounds(connect: Duration, read: Duration) -> Bounds:
    options = Options("redis_client")
    bounds = Bounds(
        connect_s=options.seconds("connect", connect), read_s=options.seconds("read", read)
    )
    options.done()
    return bounds


def _sync(name: str, policy: Policy, url: str, bounds: Bounds, options: dict[str, Any]) -> Any:
    found = library(name)
    mixins = Mixins(commands=PolicyCommands, pipeline=PolicyPipeline, connection=BoundedConnection)
    return _client(found.sync, mixins, Gate(policy, found, bounds), url, options)


def _async(name: str, policy: Policy, url: str, bounds: Bounds, options: dict[str, Any]) -> Any:
    found = library(name)
    mixins = Mixins(
        commands=AsyncPolicyCommands, pipeline=AsyncPolicyPipeline, connection=AsyncMarkedConnection
    )
    return _client(found.asyncio, mixins, Gate(policy, found, bounds), url, options)


def _client(
    module: ModuleType, mixins: Mixins, gate: Gate, url: str, options: dict[str, Any]
) -> Any:
    """Return a client of one kind. Any: which class it is, only the library knows."""
    found = gate.library
    bare_class = getattr(module, found.name.capitalize())
    # The bulkhead bounds the connections, and alarms or the connection itself bound each wait.
    waits = {"socket_connect_timeout": gate.bounds.connect_s, "socket_timeout": None}
    options = {**_quiet(module), **options, **waits}
    url = _spelled(url, found.name)
    pool = module.ConnectionPool.from_url(url, **options)
    gate.encode = pool.get_encoder().encode
    pool.connection_class = _mixed(
        mixins.connection, pool.connection_class, bounds=gate.bounds, errors=found.any_error
    )
    return _mixed(
        mixins.commands,
        bare_class,
        gate=gate,
        pipeline_class=_mixed(mixins.pipeline, module.client.Pipeline),
        listener=bare_class.from_pool(module.ConnectionPool.from_url(url, **options)),
    ).from_pool(pool)


def _mixed(mixin: type, base: type, **attributes: object) -> Any:
    """Return the library's class with ours before it. Any: as in ``_client``."""
    own = {"__doc__": base.__doc__, "__module__": base.__module__, **attributes}
    return type(base.__name__, (mixin, base), own)


def _spelled(url: str, name: str) -> str:
    """Return the URL as the library writes it: each knows its own scheme only."""
    scheme, colon, rest = url.partition("://")
    tls = "s" if scheme in {"rediss", "valkeys"} else ""
    known = scheme in {"redis", "rediss", "valkey", "valkeys"}
    return f"{name}{tls}{colon}{rest}" if known else url


def _quiet(module: ModuleType) -> dict[str, Any]:
    """Return options that keep a newer redis-py from deciding for itself.

    With its notifications of maintenance, it stretches timeouts, and no longer looks whether an
    idle connection was closed.
    """
    try:
        config = import_module(f"{module.__name__.partition('.')[0]}.maint_notifications")
    except ModuleNotFoundError:
        return {}
    return {"maint_notifications_config": config.MaintNotificationsConfig(enabled=False)}
