"""Targets: what a load test asks for. Values and their rules; nothing here opens a socket."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from urllib.parse import quote, urlsplit

from mainstay.core.errors import LoadRefused

URL_CHARS_MAX = 8192
"""Longest URL in characters: what servers commonly take in a request line."""
VARIANTS_MAX = 10_000
"""Most paths, and most bodies, of one target."""
BODY_BYTES_MAX = 16 * 2**20
"""Largest request body; all bodies are held in memory."""
WEIGHT_MAX = 1_000_000.0
EXPECTED = frozenset(range(200, 500))
"""Statuses that count as good unless something else is asked for: all but 5xx."""

_PORTS = {"http": 80, "https": 443}
_METHOD = re.compile(r"[A-Z][A-Z0-9_-]{0,31}")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}")
_HEADER_VALUE = re.compile(r"[\t !-~\x80-\xff]{0,8192}")
_PATH = re.compile(r"/[!-~]*")
_STATUSES = re.compile(r"([1-5])xx|([1-5]\d\d)(?:-([1-5]\d\d))?", re.IGNORECASE)
_OWN_HEADERS = frozenset({"content-length", "transfer-encoding", "connection", "upgrade"})
# Percent-encode only what cannot stand in a request line, so that %20 stays what it is.
_SAFE = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"


class TargetInvalid(LoadRefused):
    """A URL, a header or another part of a target cannot be sent as it is written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where connections go.

    Attributes:
        scheme: ``http`` or ``https``.
        host: A name or an IP address, lower case, without the brackets of IPv6.
        port: 1 to 65535.
    """

    scheme: str
    host: str
    port: int

    @property
    def authority(self) -> str:
        """The value of the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One kind of request, with the paths and bodies that it goes round.

    Request n of a target takes ``paths[n % len(paths)]`` and ``bodies[n % len(bodies)]``.

    Attributes:
        name: How reports call it; unique within a plan.
        origin: Where it is sent.
        method: In upper case.
        paths: Path and query, as in a request line; at least one.
        headers: Sent after Host, User-Agent and Accept, or in their place.
        bodies: None at all for requests without a body.
        weight: Share of the requests, relative to the other targets.
        expect: Statuses that are good; every other one is a failure.
    """

    name: str
    origin: Origin
    method: str = "GET"
    paths: tuple[str, ...] = ("/",)
    headers: tuple[tuple[str, str], ...] = ()
    bodies: tuple[bytes, ...] = ()
    weight: float = 1.0
    expect: frozenset[int] = EXPECTED

    def faults(self) -> Iterator[str]:
        """Yield a sentence for everything about the target that cannot be sent."""
        if not (0 < len(self.name) <= 200 and self.name.isprintable()):  # noqa: PLR2004
            yield "a name has 1 to 200 printable characters"
        if _METHOD.fullmatch(self.method) is None or self.method == "CONNECT":
            yield f"not a method that can be sent: {self.method[:40]!r}"
        if not 1 <= len(self.paths) <= VARIANTS_MAX or len(self.bodies) > VARIANTS_MAX:
            yield f"a target has 1 to {VARIANTS_MAX} paths and at most as many bodies"
        for path in self.paths:
            if _PATH.fullmatch(path) is None or len(path) > URL_CHARS_MAX:
                yield f"not a path: {path[:80]!r}; write /products?page=2"
        if sum(len(body) for body in self.bodies) > BODY_BYTES_MAX:
            yield f"the bodies of a target may have {BODY_BYTES_MAX} bytes together"
        if not 0 < self.weight <= WEIGHT_MAX:
            yield f"a weight is above 0 and at most {WEIGHT_MAX:.0f}"
        if not self.expect:
            yield "no status at all is expected, so every request would fail"
        for name, value in self.headers:
            yield from header_faults(name, value)


def target(
    url: str,
    *,
    method: str = "GET",
    name: str | None = None,
    headers: tuple[tuple[str, str], ...] = (),
    body: bytes | None = None,
    weight: float = 1.0,
    expect: frozenset[int] = EXPECTED,
) -> Target:
    """Return the target of one URL; its default name is the method and the path.

    Raises:
        TargetInvalid: ``url`` is not an http or https URL.
    """
    origin, path = parse_url(url)
    return Target(
        name=name or default_name(method, path),
        origin=origin,
        method=method,
        paths=(path,),
        headers=headers,
        bodies=() if body is None else (body,),
        weight=weight,
        expect=expect,
    )


def default_name(method: str, path: str) -> str:
    """Return the name of a target that was given none. A query may hold secrets: left out."""
    return f"{method} {path.partition('?')[0]}"[:200]


def distinct(targets: Iterable[Target]) -> tuple[Target, ...]:
    """Return the targets with a number behind each name that an earlier one has."""
    seen: set[str] = set()
    renamed = []
    for one in targets:
        name, n = one.name, 1
        while name in seen:
            n += 1
            name = f"{one.name} #{n}"
        seen.add(name)
        renamed.append(replace(one, name=name))
    return tuple(renamed)


def parse_url(url: str) -> tuple[Origin, str]:
    """Return where ``url`` points and the path to ask for there.

    Raises:
        TargetInvalid: Not an http or https URL, or one with credentials in it.
    """
    if len(url) > URL_CHARS_MAX or not url.isprintable():
        raise TargetInvalid(f"a URL has at most {URL_CHARS_MAX} characters, all of them printable")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        sentence = f"not a URL: {error}; write http://127.0.0.1:8080/path"
        raise TargetInvalid(sentence) from error
    if "@" in parts.netloc:
        raise TargetInvalid(
            "credentials in a URL would be shown in reports: send an Authorization header"
        )
    if parts.scheme not in _PORTS or not host or port == 0:
        raise TargetInvalid(f"not a URL: {url[:80]!r}; write http://127.0.0.1:8080/path")
    path = request_path(parts.path or "/", parts.query)
    return Origin(scheme=parts.scheme, host=_ascii(host), port=port or _PORTS[parts.scheme]), path


def request_path(path: str, query: str = "") -> str:
    """Return path and query in ASCII, as they stand in a request line."""
    return quote(f"{path}?{query}" if query else path, safe=_SAFE)


def parse_expect(text: str) -> frozenset[int]:
    """Read ``2xx,404`` or ``200-299``; return the statuses.

    Raises:
        TargetInvalid: Not a list of statuses.
    """
    statuses: set[int] = set()
    for part in text.split(","):
        match = _STATUSES.fullmatch(part.strip())
        if match is None:
            raise TargetInvalid(f"not a list of statuses: {text[:80]!r}; write 2xx,404")
        if match[1]:
            statuses.update(range(int(match[1]) * 100, int(match[1]) * 100 + 100))
        else:
            statuses.update(range(int(match[2]), int(match[3] or match[2]) + 1))
    if not statuses:
        raise TargetInvalid(f"no status is in {text[:80]!r}")
    return frozenset(statuses)


def parse_header(text: str) -> tuple[str, str]:
    """Read ``Name: value``.

    Raises:
        TargetInvalid: Not a header. The sentence never shows the value, which may be a secret.
    """
    name, colon, value = text.partition(":")
    if not colon:
        raise TargetInvalid("not a header; write 'Name: value'")
    header = (name.strip(), value.strip())
    for fault in header_faults(*header):
        raise TargetInvalid(fault)
    return header


def header_faults(name: str, value: str) -> Iterator[str]:
    """Yield what is wrong with a header, without ever showing its value."""
    if _HEADER_NAME.fullmatch(name) is None:
        yield f"not a header's name: {name[:40]!r}"
    elif name.lower() in _OWN_HEADERS:
        yield f"the header {name} is written by the load generator itself"
    elif _HEADER_VALUE.fullmatch(value) is None:
        yield f"the value of the header {name} has characters that no header may have"


def _ascii(host: str) -> str:
    try:
        return host.encode("idna").decode("ascii") if not host.isascii() else host
    except UnicodeError as error:
        raise TargetInvalid(f"not a host name: {host[:80]!r}") from error
