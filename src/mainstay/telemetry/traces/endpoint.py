"""Where spans go, and who says that they are ours: the declaration and OpenTelemetry's variables.

Source: OpenTelemetry, "OTLP Exporter Configuration" and "Resource SDK".
"""

import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from mainstay.core.errors import ConfigInvalid
from mainstay.telemetry.traces.span import Attributes, Value

_PATH = "/v1/traces"
_PAIRS_MAX = 64
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_PRINTABLE = re.compile(r"[!-~]*")
_SCHEMES = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """An OTLP receiver over HTTP.

    Attributes:
        host: Name or address.
        port: Of TCP.
        path: With ``/v1/traces``.
        secure: Whether it is asked over TLS.
        headers: Sent along. Not shown, since they hold tokens.
    """

    host: str
    port: int
    path: str
    secure: bool
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def endpoint_of(declared: str | None, environ: Mapping[str, str]) -> Endpoint | None:
    """Return where spans go; None: nobody says, or OTEL_SDK_DISABLED or OTEL_TRACES_EXPORTER do.

    Args:
        declared: A URL without ``/v1/traces`` (with it, it is not appended again), or None: the
            environment's. A name and password in it are sent as ``Authorization``.
        environ: With OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_HEADERS, and the same two for
            traces alone, whose URL is the whole one.

    Raises:
        ConfigInvalid: The URL is none over HTTP, or a header can't be one.
    """
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return None
    if environ.get("OTEL_TRACES_EXPORTER", "").strip().lower() == "none":
        return None
    whole = environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "").strip()
    base = declared or ("" if whole else environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "").strip())
    if not base and not whole:
        return None
    headers = _pairs(environ.get("OTEL_EXPORTER_OTLP_HEADERS", ""))
    headers |= _pairs(environ.get("OTEL_EXPORTER_OTLP_TRACES_HEADERS", ""))
    _check_headers(headers)
    return _read(base, headers, append=True) if base else _read(whole, headers, append=False)


def _read(url: str, headers: Mapping[str, str], *, append: bool) -> Endpoint:
    """Return the endpoint of a URL, and with ``append`` of its part for traces."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    host, path = parts.hostname, parts.path
    # Without the URL itself in what is said, since it may hold a password.
    if parts.scheme not in _SCHEMES or not host:
        raise _wrong("is no http:// or https:// URL with a host and a port up to 65535")
    if port == 0:
        raise _wrong("has port 0, which nobody listens at")
    if not _is_host(host):
        raise _wrong("has a host that can't be one: labels of 1 to 63 characters between dots")
    if not _PRINTABLE.fullmatch(path) or not _PRINTABLE.fullmatch(parts.query):
        raise _wrong("has blanks or other than ASCII characters in its path: say them as %20")
    if append and parts.query:
        raise _wrong("has a query, to which /v1/traces can't be appended")
    if append and not (path := path.rstrip("/")).endswith(_PATH):
        path += _PATH
    return Endpoint(
        host=host,
        port=port or _SCHEMES[parts.scheme],
        path=(path or "/") + (f"?{parts.query}" if parts.query else ""),
        secure=parts.scheme == "https",
        headers=_with_credentials(headers, parts.username, parts.password),
    )


def _with_credentials(
    headers: Mapping[str, str], user: str | None, password: str | None
) -> Mapping[str, str]:
    """Return the headers with those of a URL; a header that was named counts before them."""
    if user is None or any(name.lower() == "authorization" for name in headers):
        return headers
    said = f"{unquote(user)}:{unquote(password or '')}".encode()
    return {**headers, "authorization": f"Basic {b64encode(said).decode()}"}


def _is_host(host: str) -> bool:
    if not host.isprintable() or " " in host:
        return False
    try:
        # As the system is asked for it.
        host.encode("idna")
    except UnicodeError:
        return False
    return True


def _check_headers(headers: Mapping[str, str]) -> None:
    """Raise ConfigInvalid where one can't be sent; values are not shown."""
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name):
            raise ConfigInvalid((f"OTEL_EXPORTER_OTLP_HEADERS: {name[:64]!r} names no header",))
        if not value.isascii():
            raise ConfigInvalid(
                (f"OTEL_EXPORTER_OTLP_HEADERS: the value of {name[:64]!r} is not ASCII",)
            )


def _wrong(why: str) -> ConfigInvalid:
    return ConfigInvalid((f"the endpoint of traces {why}",))


def resource_of(
    *,
    service: str,
    version: str,
    environment: str,
    instance: str,
    environ: Mapping[str, str],
    library_version: str,
) -> Attributes:
    """Return the attributes of this process; the declaration's words count before the variable's.

    Args:
        service: ``service.name``.
        version: ``service.version``.
        environment: ``deployment.environment.name``.
        instance: ``service.instance.id``.
        environ: With OTEL_RESOURCE_ATTRIBUTES.
        library_version: Of Mainstay.
    """
    own: dict[str, Value] = {
        "service.name": service,
        "service.version": version,
        "service.instance.id": instance,
        "deployment.environment.name": environment,
        "telemetry.sdk.language": "python",
        "telemetry.sdk.name": "mainstay",
        "telemetry.sdk.version": library_version,
    }
    return {**_pairs(environ.get("OTEL_RESOURCE_ATTRIBUTES", "")), **own}


def instance_of(environ: Mapping[str, str], pid: int) -> str:
    """Return the id of this process among those of its service.

    Workers of one replica are told apart by their ids, and a worker that follows another, too.
    """
    return f"{environ.get('MAINSTAY_REPLICA') or environ.get('HOSTNAME') or 'process'}.{pid}"


def _pairs(text: str) -> dict[str, str]:
    """Return what ``a=b,c=d`` says; what is no pair is passed over."""
    found: dict[str, str] = {}
    for pair in text.split(",")[:_PAIRS_MAX]:
        name, said, value = pair.partition("=")
        name, value = unquote(name.strip()), unquote(value.strip())
        if said and name.isprintable() and value.isprintable() and name:
            found[name] = value
    return found
