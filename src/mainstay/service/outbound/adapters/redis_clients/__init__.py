"""redis-py and valkey-py, each in its synchronous and asynchronous kind, with a policy inside."""

from mainstay.service.outbound.adapters.redis_clients.clients import (
    async_redis_client,
    async_valkey_client,
    redis_client,
    valkey_client,
)

__all__ = ["async_redis_client", "async_valkey_client", "redis_client", "valkey_client"]
