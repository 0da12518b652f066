"""Where spans go, and who says that they are ours: the declaration and OpenTelemetry's variables.

Source: OpenTelemetry, "OTLP Exporter Configuration" and "Resource SDK".
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from mainstay.core.errors import ConfigInvalid
from mainstay.telemetry.traces.span import Attributes, Value

_PATH = "/v1/traces"
_PAIRS_MAX = 64
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
        declared: A URL without ``/v1/traces``, or None: the environment's.
        environ: With OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_HEADERS, and the same two for
            traces alone, whose URL is the whole one.

    Raises:
        ConfigInvalid: The URL is none over HTTP.
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
    return _read(base.rstrip("/") + _PATH if base else whole, headers)


def _read(url: str, headers: Mapping[str, str]) -> Endpoint:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in _SCHEMES or not parts.hostname:
        # Without the URL itself, which may hold a password.
        raise ConfigInvalid(("the endpoint of traces is no http:// or https:// URL",))
    return Endpoint(
        host=parts.hostname,
        port=port or _SCHEMES[parts.scheme],
        path=(parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
        secure=parts.scheme == "https",
        headers=headers,
    )


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
