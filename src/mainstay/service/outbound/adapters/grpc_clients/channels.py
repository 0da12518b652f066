"""Makes channels that hold a policy."""

from collections.abc import Sequence
from typing import Any

import grpc  # type: ignore[import-untyped]  # It ships no types.

from mainstay.service.outbound.adapters.grpc_clients.async_interceptors import (
    AsyncStreamStreamInterceptor,
    AsyncStreamUnaryInterceptor,
    AsyncUnaryInterceptor,
    AsyncUnaryStreamInterceptor,
)
from mainstay.service.outbound.adapters.grpc_clients.call import GrpcGate
from mainstay.service.outbound.adapters.grpc_clients.connectivity import Connectivity
from mainstay.service.outbound.adapters.grpc_clients.interceptor import PolicyInterceptor
from mainstay.service.outbound.policy import Policy
from mainstay.service.outbound.quantity import Duration, Options

TIMEOUT_S = 30.0
"""Of a call that says none. Starter pack, "Timeout", default: read 30s."""

_RECONNECT_MS = 1_000

_OPTIONS = (
    # Only one layer retries.
    ("grpc.enable_retries", 0),
    # gRPC's own pauses grow to two minutes: so long a server could be back and nobody know.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", _RECONNECT_MS),
)


def grpc_channel(
    policy: Policy,
    target: str,
    *,
    timeout: Duration = TIMEOUT_S,
    repeatable: tuple[str, ...] = (),
    credentials: Any = None,
    options: Sequence[tuple[str, Any]] = (),
) -> Any:
    """Return a ``grpc.Channel`` each of whose calls is one of the policy. Close it, as any.

    Args:
        policy: Any, with a bulkhead.
        target: As gRPC takes it: ``127.0.0.1:50051``, ``dns:///payments:443``.
        timeout: Of a call that says none; never longer than what is left. It leaves as gRPC's own
            deadline, as what is left does.
        repeatable: Full names of methods that may be called twice, such as
            ``/shop.Catalog/Get``. All others are tried again only where they never left, and only
            these have last good answers.
        credentials: Of the channel; None: it is not encrypted. Any: gRPC ships no types.
        options: Further ones of gRPC, which go before ours.

    Raises:
        PartMissing: grpcio is not installed.
        PolicyMisused: The policy has no bulkhead.
        ConfigInvalid: The timeout is no duration.
    """
    gate = _gate(policy, timeout, repeatable)
    merged = (*options, *_OPTIONS)
    if credentials is None:
        channel = grpc.insecure_channel(target, merged)
    else:
        channel = grpc.secure_channel(target, credentials, merged)
    gate.connection = Connectivity(channel)
    return grpc.intercept_channel(channel, PolicyInterceptor(gate))


def async_grpc_channel(
    policy: Policy,
    target: str,
    *,
    timeout: Duration = TIMEOUT_S,
    repeatable: tuple[str, ...] = (),
    credentials: Any = None,
    options: Sequence[tuple[str, Any]] = (),
) -> Any:
    """Return a ``grpc.aio.Channel``; all else as ``grpc_channel``. Call it where a loop runs."""
    gate = _gate(policy, timeout, repeatable)
    interceptors = [
        AsyncUnaryInterceptor(gate),
        AsyncUnaryStreamInterceptor(gate),
        AsyncStreamUnaryInterceptor(gate),
        AsyncStreamStreamInterceptor(gate),
    ]
    merged = (*options, *_OPTIONS)
    if credentials is None:
        channel = grpc.aio.insecure_channel(target, merged, interceptors=interceptors)
    else:
        channel = grpc.aio.secure_channel(target, credentials, merged, interceptors=interceptors)
    gate.connection = Connectivity(channel)
    return channel


def _gate(policy: Policy, timeout: Duration, repeatable: tuple[str, ...]) -> GrpcGate:
    read = Options("grpc_channel")
    timeout_s = read.seconds("timeout", timeout)
    read.names("repeatable", repeatable)
    read.done()
    return GrpcGate(policy, timeout_s, repeatable)
