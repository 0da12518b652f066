"""Reaching a dependency: where it is, and whether it answers there. For health checks only."""

import http.client
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from mainstay.service.address import address_of
from mainstay.service.inbound.health.document import Finding, Status
from mainstay.spec.dependency import Dependency
from mainstay.spec.kinds.secret import reveal

DEFAULT_PORTS = {
    "http": 80, "https": 443, "postgresql": 5432, "postgres": 5432, "mysql": 3306, "mariadb": 3306,
    "redis": 6379, "rediss": 6379, "valkey": 6379, "valkeys": 6379, "memcached": 11211,
    "nats": 4222, "tls": 4222, "amqp": 5672, "amqps": 5671, "kafka": 9092, "mongodb": 27017,
    "mqtt": 1883, "mqtts": 8883, "smtp": 25, "smtps": 465, "ldap": 389, "ldaps": 636,
}  # fmt: skip
VALKEY = frozenset({"redis", "rediss", "valkey", "valkeys"})
_CACHES = VALKEY | {"memcached"}
_HOSTS_MAX = 16
_LIVE_PATH = "/health/live"
_OK_BELOW = 400
_ALIVE_BELOW = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a dependency is asked.

    Attributes:
        scheme: Of its URL, lower case, without a driver (``postgresql+asyncpg`` is postgresql).
        hosts: (host, port), at least one; the first that answers is enough.
        path: What an HTTP dependency is asked for; None where connecting says enough.
        ok_below: Statuses below this are healthy.
    """

    scheme: str
    hosts: tuple[tuple[str, int], ...]
    path: str | None
    ok_below: int = _OK_BELOW

    @property
    def is_http(self) -> bool:
        """Whether it speaks HTTP."""
        return self.scheme in {"http", "https"}

    @property
    def is_cache(self) -> bool:
        """Whether it is a cache, of which an answer is expected sooner."""
        return self.scheme in _CACHES


def target_of(name: str, dependency: Dependency, environ: Mapping[str, str]) -> Target | None:
    """Return where a dependency is asked, or None where its address is not known or not one.

    A service of the system is reached through the edge, which accepts connections even when no
    replica is behind it; so without a ``check.path`` it is asked whether it lives, and any answer
    of its own says yes. Its readiness is not asked: one service that is not ready would take down
    every service before it.
    """
    url = address_of(name, dependency, environ)
    if url is None:
        return None
    path = None if dependency.check is None else dependency.check.path
    if path is None and dependency.service is not None:
        return _target(reveal(url), _LIVE_PATH, _ALIVE_BELOW)
    return _target(reveal(url), path, _OK_BELOW)


def _target(url: str, path: str | None, ok_below: int) -> Target | None:
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    scheme = parts.scheme.partition("+")[0]
    authority = parts.netloc.rpartition("@")[2]
    hosts = []
    # Several hosts are usual for databases: postgresql://a:5432,b:5432/orders.
    for place in authority.split(",")[:_HOSTS_MAX]:
        host, port = _host_and_port(place)
        port = port or DEFAULT_PORTS.get(scheme)
        if host and port:
            hosts.append((host, port))
    if not hosts:
        return None
    if scheme not in {"http", "https"}:
        path = None
    return Target(scheme=scheme, hosts=tuple(hosts), path=path, ok_below=ok_below)


def _host_and_port(place: str) -> tuple[str, int | None]:
    if place.startswith("["):
        host, _, rest = place[1:].partition("]")
        port = rest.removeprefix(":")
    else:
        host, _, port = place.partition(":")
    return host, int(port) if port.isdecimal() and 0 < int(port) < 2**16 else None


def connect(target: Target, timeout_s: float) -> Finding:
    """Open and close a TCP connection to the first host that lets us."""
    finding = Finding(status=Status.FAIL)
    for host, port in target.hosts:
        try:
            socket.create_connection((host, port), timeout_s).close()
        except OSError as error:
            finding = Finding(status=Status.FAIL, output=type(error).__name__)
        else:
            return Finding(status=Status.PASS)
    return finding


def ask_http(target: Target, timeout_s: float) -> Finding:
    """Ask an HTTP dependency for its path; no redirect is followed."""
    assert target.path is not None
    host, port = target.hosts[0]
    connection = (
        http.client.HTTPSConnection(host, port, timeout=timeout_s)
        if target.scheme == "https"
        else http.client.HTTPConnection(host, port, timeout=timeout_s)
    )
    try:
        connection.request(
            "GET", target.path, headers={"User-Agent": "mainstay-health", "Connection": "close"}
        )
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return Finding(status=Status.FAIL, output=type(error).__name__)
    finally:
        connection.close()
    return Finding(
        status=Status.PASS if status < target.ok_below else Status.FAIL, output=f"answered {status}"
    )
