"""Where one replica of a dependency is reached."""

import re
from dataclasses import dataclass, field

WEIGHT_MAX = 10_000
_PORT_MAX = 65_535
# What a host name or an address is made of. Anything else in a URL's place would be a trick.
_HOST = re.compile(r"[A-Za-z0-9._:%-]{1,253}")
_TEXT = re.compile(
    r"(?:\[(?P<v6>[^\]]*:[^\]]*)\]|(?P<host>[^:\[\]]*)):(?P<port>[0-9]{1,5})"
    r"(?: weight=(?P<weight>[0-9]{1,5}))?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One replica. Two are the same where host and port are.

    Attributes:
        host: A name or an address; an IPv6 address without brackets.
        port: 1 to 65535.
        weight: Its share of the traffic against the others', 1 to 10,000.
    """

    host: str
    port: int
    weight: int = field(default=1, compare=False)

    def __post_init__(self) -> None:
        if not _HOST.fullmatch(self.host):
            raise ValueError(f"{self.host[:80]!r} is no host: a name or an address is meant")
        if not 1 <= self.port <= _PORT_MAX:
            raise ValueError(f"port {self.port} of {self.host} is not between 1 and {_PORT_MAX}")
        if not 1 <= self.weight <= WEIGHT_MAX:
            raise ValueError(
                f"weight {self.weight} of {self.host} is not between 1 and {WEIGHT_MAX}: "
                "an endpoint without traffic is left out"
            )

    @classmethod
    def parse(cls, text: str) -> "Endpoint":
        """Return what ``10.0.0.1:8080``, ``catalog.internal:80 weight=3`` or ``[::1]:80`` says.

        Raises:
            ValueError: It says something else.
        """
        match = _TEXT.fullmatch(text)
        if match is None:
            raise ValueError(f"{text[:80]!r} is not host:port")
        host, weight = match["v6"] or match["host"], int(match["weight"] or 1)
        return cls(host=host, port=int(match["port"]), weight=weight)

    def __str__(self) -> str:
        """Return ``host:port``, as a URL has it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"
