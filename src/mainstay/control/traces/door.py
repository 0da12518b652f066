"""Where replicas send their spans: a port of loopback, and a word that only they know.

Both stay the same over the lives of daemons, since replicas outlive them.
"""

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from mainstay.spec.declaration import Declaration

HOST: Final = "127.0.0.1"
PATH: Final = "/v1/traces"

_FILE_BYTES_MAX: Final = 4096
_PORTS: Final = range(1024, 65_536)
_TOKEN_BYTES: Final = 24

_CHOSEN: Final = (
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
)
"""Who names one of these has a collector of his own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """The receiver's address.

    Attributes:
        port: Of HOST.
        token: What a sender shows. Not shown here.
    """

    port: int
    token: str = field(repr=False)

    def variables(self, declaration: Declaration, environ: Mapping[str, str]) -> dict[str, str]:
        """Return what tells the exporters of a replica, ours and OpenTelemetry's, to come here.

        Only traces are asked for: an exporter of metrics or logs would be refused. Nothing is
        returned where traces are off, or somebody chose a collector, which must not get our word.

        Args:
            declaration: The service's.
            environ: The environment that its replicas inherit.
        """
        traces = declaration.telemetry.traces
        theirs = {**environ, **dict(declaration.run.env)}
        if traces is None or traces.endpoint is not None or any(map(theirs.get, _CHOSEN)):
            return {}
        return {
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"http://{HOST}:{self.port}{PATH}",
            "OTEL_EXPORTER_OTLP_TRACES_HEADERS": f"authorization=Bearer%20{self.token}",
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
        }


def new_door(port: int) -> Door:
    """Return a door with a word that nobody knows yet."""
    return Door(port=port, token=secrets.token_hex(_TOKEN_BYTES))


def load(path: Path) -> Door | None:
    """Return the door that was saved, or None for none that can be used."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    with os.fdopen(fd, "rb") as file:
        raw = file.read(_FILE_BYTES_MAX)
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    match found:
        case {"port": int(port), "token": str(token)} if port in _PORTS and _is_token(token):
            return Door(port=port, token=token)
        case _:
            return None


def save(path: Path, door: Door) -> None:
    """Write the door, for its owner alone. Raises OSError."""
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "w") as file:
        json.dump({"port": door.port, "token": door.token}, file)
    draft.rename(path)


def _is_token(token: str) -> bool:
    return len(token) == 2 * _TOKEN_BYTES and not set(token) - set("0123456789abcdef")
