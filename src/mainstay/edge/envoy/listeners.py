"""Envoy's listeners: where clients reach a service, and what is not let through.

A service has a public listener where it declares ``edge.port``, and an internal one on loopback
where other services of the system call it. They differ in whom they believe: a client from outside
says nothing about where it comes from or how the edge shall behave; a sibling passes on its
deadline.
"""

import math
from collections.abc import Iterator

from mainstay.edge.envoy.access import access_log
from mainstay.edge.envoy.clusters import BUFFER_BYTES
from mainstay.edge.envoy.private_paths import LISTENER_HEADER, PUBLIC
from mainstay.edge.envoy.problems import local_replies
from mainstay.edge.envoy.protojson import JsonObject, JsonValue, any_of, extension, seconds
from mainstay.edge.envoy.routes import PEER_HEADER, ROUTES_NAME, SERVICE_HEADER, route_timeout_s
from mainstay.edge.envoy.tcp import tcp_proxy
from mainstay.edge.topology import Topology
from mainstay.spec.declaration import Declaration
from mainstay.spec.edge import HTTP, EdgeLimits

LOOPBACK = "127.0.0.1"
ROUTES_FILE = "./rds.json"
"""Relative to Envoy's working folder, so that the compiler knows no path."""

NO_ADDRESS = "0.0.0.0"  # noqa: S104  Nothing is bound to it: no client ever has this address.
SERVER_NAME = "mainstay"
"""The `server` header of every response: neither Envoy's name nor the app server's version."""

RECEIVE_S_MIN = 300.0
"""A request, its body included, may take this long to arrive, or the route's timeout if that is
longer. It ends clients that send a byte now and then for ever, and lets 64 MiB pass at 2 Mbit/s."""

UNTRUSTED = (
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-forwarded-proto",
    "x-real-ip",
    "forwarded",
    "x-request-id",
)
"""Removed at every public listener; x-forwarded-for, x-forwarded-proto and x-request-id are then
written from what Envoy knows itself. The headers of deadlines stay: they only shorten."""

_PEER = "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%"
_STAT_PREFIX = "service-"
_HCM_NAME = "envoy.filters.network.http_connection_manager"
_HCM = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"


def stat_prefix(service: str) -> str:
    """Return the prefix under which Envoy counts what arrives for a service."""
    # Not the bare name: a service may be called `admin`, as Envoy's own listener is.
    return f"{_STAT_PREFIX}{service}"


def service_of_stat_prefix(prefix: str) -> str | None:
    """Return the service of a prefix, or None where it is not one of ours."""
    service = prefix.removeprefix(_STAT_PREFIX)
    return service if service != prefix else None


def asks_for_routes(listener: JsonObject) -> bool:
    """Return whether Envoy needs the routes before it opens a listener: one that speaks HTTP."""
    match listener:
        case {"filter_chains": [{"filters": [*_, {"name": name}]}]}:
            return name == _HCM_NAME
        case _:
            return False


def compile_listeners(declaration: Declaration, topology: Topology) -> Iterator[JsonObject]:
    """Yield the public and the internal listener of a service, where it has them."""
    edge = declaration.edge
    if edge.port is not None:
        yield _listener(declaration, topology, PUBLIC, edge.host, edge.port)
    internal_port = topology.internal_port_of(declaration.service)
    if internal_port is not None:
        yield _listener(declaration, topology, "internal", LOOPBACK, internal_port)


def _listener(
    declaration: Declaration, topology: Topology, kind: str, host: str, port: int
) -> JsonObject:
    name = f"{declaration.service}/{kind}"
    carrier = (
        _connection_manager(declaration, kind)
        if declaration.edge.protocol == HTTP
        else tcp_proxy(declaration, stat_prefix(declaration.service), topology)
    )
    return {
        **any_of("envoy.config.listener.v3.Listener"),
        # With its address, so that moving it is one that comes and one that goes.
        "name": f"{name}@{host}:{port}",
        "address": {"socket_address": {"address": host, "port_value": port}},
        # With it a second proxy of the same user could share the port unseen.
        "enable_reuse_port": False,
        "per_connection_buffer_limit_bytes": BUFFER_BYTES,
        "filter_chains": [{"filters": [_connection_limit(name, declaration.edge.limits), carrier]}],
    }


def _connection_limit(name: str, limits: EdgeLimits) -> JsonObject:
    return extension(
        "envoy.filters.network.connection_limit",
        "envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit",
        {"stat_prefix": name, "max_connections": limits.connections},
    )


def _connection_manager(declaration: Declaration, kind: str) -> JsonObject:
    service, edge = declaration.service, declaration.edge
    fields: dict[str, JsonValue] = {
        "stat_prefix": stat_prefix(service),
        # HTTP/2 without TLS has no clients here, and is more to attack.
        "codec_type": "HTTP1",
        "http_protocol_options": {
            # HTTP/1.0 is still what simple health probes speak.
            "accept_http_10": True,
            "default_host_for_http_10": service,
        },
        "rds": {
            "route_config_name": ROUTES_NAME,
            "config_source": {
                "path_config_source": {"path": ROUTES_FILE},
                "resource_api_version": "V3",
            },
        },
        "server_name": SERVER_NAME,
        "local_reply_config": local_replies(),
        "http_filters": [*_body_limit(edge.limits), _router(kind)],
        # A WebSocket has no end to wait for, so the body limit does not apply to it.
        "upgrade_configs": [{"upgrade_type": "websocket", "filters": [_router(kind)]}],
        **_trust(declaration, kind),
        **_limits(edge.limits, _receive_s(declaration)),
    }
    if edge.access_log:
        fields["access_log"] = [access_log(service, kind)]
    return extension(_HCM_NAME, _HCM, fields)


def _receive_s(declaration: Declaration) -> float:
    timeout_s = route_timeout_s(declaration)
    return RECEIVE_S_MIN if timeout_s == math.inf else max(RECEIVE_S_MIN, timeout_s)


def _router(kind: str) -> JsonObject:
    # A sibling's deadline travels in x-envoy-expected-rq-timeout-ms and becomes the timeout here.
    fields = {"respect_expected_rq_timeout": True} if kind == "internal" else {}
    return extension(
        "envoy.filters.http.router", "envoy.extensions.filters.http.router.v3.Router", fields
    )


def _body_limit(limits: EdgeLimits) -> Iterator[JsonObject]:
    if limits.body_bytes_max is not None:
        yield extension(
            "envoy.filters.http.buffer",
            "envoy.extensions.filters.http.buffer.v3.Buffer",
            {"max_request_bytes": limits.body_bytes_max},
        )


def untrusted(declaration: Declaration) -> tuple[str, ...]:
    """Return the headers that no client from outside may say something by, in lower case.

    A replica takes the edge's word, whose address is in ``inbound.trust``. So what only those in it
    may say must not pass the edge: who could name a priority would be critical.
    """
    shed = declaration.inbound.shed
    if shed is None or shed.header is None or shed.header.lower() in UNTRUSTED:
        return UNTRUSTED
    return (*UNTRUSTED, shed.header.lower())


def _trust(declaration: Declaration, kind: str) -> JsonObject:
    service = declaration.service
    return {
        "normalize_path": True,
        "merge_slashes": True,
        "skip_xff_append": True,
        **(
            _trust_public(service, untrusted(declaration))
            if kind == PUBLIC
            else _trust_internal(service)
        ),
    }


def _trust_public(service: str, headers: tuple[str, ...]) -> JsonObject:
    removed: list[JsonObject] = [{"remove": header} for header in headers]
    written = [
        _written("x-forwarded-for", _PEER),
        _written(SERVICE_HEADER, service),
        _written(LISTENER_HEADER, PUBLIC),
    ]
    return {
        "early_header_mutation_extensions": [_mutation([*removed, *written])],
        "use_remote_address": True,
        # No client is inside, not even one on this machine: Envoy drops its x-envoy-* headers.
        "internal_address_config": {"cidr_ranges": [_cidr(NO_ADDRESS, 32)]},
    }


def _trust_internal(service: str) -> JsonObject:
    # Envoy believes x-envoy-* headers of a request whose address is inside, and takes a request
    # for outside when it has x-forwarded-for, which siblings may well pass on. So the address is
    # taken from a header that only this listener writes.
    written = [
        _written(PEER_HEADER, _PEER),
        _written(SERVICE_HEADER, service),
        _written(LISTENER_HEADER, "internal"),
    ]
    return {
        "early_header_mutation_extensions": [_mutation(written)],
        "original_ip_detection_extensions": [
            extension(
                "envoy.http.original_ip_detection.custom_header",
                "envoy.extensions.http.original_ip_detection.custom_header.v3.CustomHeaderConfig",
                {"header_name": PEER_HEADER, "allow_extension_to_set_address_as_trusted": True},
            )
        ],
        "internal_address_config": {"cidr_ranges": [_cidr("127.0.0.0", 8)]},
    }


def _written(header: str, value: str) -> JsonObject:
    return {
        "append": {
            "header": {"key": header, "value": value},
            "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
        }
    }


def _mutation(mutations: list[JsonObject]) -> JsonObject:
    return extension(
        "envoy.http.early_header_mutation.header_mutation",
        "envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
        {"mutations": mutations},
    )


def _cidr(address: str, bits: int) -> JsonObject:
    return {"address_prefix": address, "prefix_len": bits}


def _limits(limits: EdgeLimits, receive_s: float) -> JsonObject:
    return {
        "common_http_protocol_options": {
            "idle_timeout": seconds(limits.idle_timeout_s),
            "max_headers_count": limits.headers_max,
            # WSGI can't tell X_Real_IP from X-Real-IP: dropped, as nginx does.
            "headers_with_underscores_action": "DROP_HEADER",
        },
        "max_request_headers_kb": math.ceil(limits.header_bytes_max / 1024),
        "request_headers_timeout": seconds(limits.header_timeout_s),
        "request_timeout": seconds(receive_s),
        "stream_idle_timeout": seconds(limits.stream_idle_timeout_s),
    }
