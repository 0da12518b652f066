"""Where a Valkey is, and what is said to it first. No I/O."""

import ssl
from dataclasses import dataclass, field
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from mainstay.core.errors import PolicyMisused

PORT = 6379
DATABASES_MAX = 65_536

_TLS = {"redis": False, "valkey": False, "rediss": True, "valkeys": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A server, and who we are to it.

    Attributes:
        host: Name or address; empty for a Unix socket.
        port: From 1.
        path: Of a Unix socket; None: over TCP.
        username: None: the default user.
        password: Never shown; None: no ``AUTH`` is sent.
        database: By number.
        tls: Whether, and with which trust; None: in the clear.
    """

    host: str = ""
    port: int = PORT
    path: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    database: int = 0
    tls: ssl.SSLContext | None = field(default=None, repr=False)

    @property
    def label(self) -> str:
        """How errors and events name it: nothing secret is in it."""
        if self.path is not None:
            return f"valkey at {self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"valkey at {host}:{self.port}"

    def greeting(self) -> tuple[tuple[str, ...], ...]:
        """Return the commands that open a connection; the last one proves that it serves."""
        words: list[tuple[str, ...]] = []
        if self.password is not None:
            user = () if self.username is None else (self.username,)
            words.append(("AUTH", *user, self.password))
        if self.database:
            words.append(("SELECT", str(self.database)))
        return (*words, ("PING",))


def parse_address(url: str, *, tls: ssl.SSLContext | None = None) -> Address:
    """Read ``redis[s]://`` or ``valkey[s]://[user:password@]host[:port][/db]``, or ``unix://path``.

    Args:
        url: The database may also be written ``?db=1``, as a Unix socket's has to be.
        tls: Trust for ``rediss://`` and ``valkeys://``; None: the system's, names checked.

    Raises:
        PolicyMisused: It is none of those. The sentence does not show the URL, which may hold a
            password.
    """
    try:
        parts = urlsplit(url)
        return _address(parts, tls)
    except ValueError as error:
        # The cause is left out: its sentence may show what we must not.
        said = str(error) if isinstance(error, _Wrong) else "it can't be read"
        raise PolicyMisused(f"the URL of a Valkey: {said}") from None


class _Wrong(ValueError):
    """What is wrong with a URL, in words that hold nothing of it."""


def _address(parts: SplitResult, tls: ssl.SSLContext | None) -> Address:
    _check_characters(parts)
    username = unquote(parts.username) if parts.username else None
    password = unquote(parts.password) if parts.password is not None else None
    if username and password is None:
        raise _Wrong("a user name without a password")
    if parts.fragment:
        raise _Wrong("'#' is written %23 in a password or a path")
    if parts.scheme == "unix":
        if not parts.path.startswith("/"):
            raise _Wrong("a Unix socket is unix:///absolute/path")
        return Address(
            path=unquote(parts.path), username=username, password=password,
            database=_database("", parts.query),
        )  # fmt: skip
    secure = _TLS.get(parts.scheme)
    if secure is None:
        raise _Wrong("it begins with redis://, rediss://, valkey://, valkeys:// or unix://")
    if tls is not None and not secure:
        raise _Wrong("TLS is spoken at rediss:// or valkeys://")
    if not parts.hostname:
        raise _Wrong("it names no host")
    if parts.port == 0:
        raise _Wrong("a port is from 1 to 65535")
    return Address(
        host=parts.hostname, port=parts.port or PORT, username=username, password=password,
        database=_database(parts.path.strip("/"), parts.query),
        tls=(tls or ssl.create_default_context()) if secure else None,
    )  # fmt: skip


def _check_characters(parts: SplitResult) -> None:
    """Refuse what would fail where it is used: a look-up, a greeting, a socket's path."""
    host, path = parts.hostname or "", unquote(parts.path)
    if not host.isprintable() or "\0" in path:
        raise _Wrong("a character that no address has")
    for text in (parts.username, parts.password, parts.path):
        unquote(text or "").encode()  # A lone surrogate can't be sent.
    host.encode("idna")


def _database(path: str, query: str) -> int:
    options = dict(parse_qsl(query, keep_blank_values=True))
    text = options.pop("db", None)
    if options:
        # Silence about ssl_cert_reqs or a timeout would be a lie.
        raise _Wrong("the only option of a URL is db; all else is an argument")
    if text is not None and path:
        raise _Wrong("the database is in the path or in ?db=, not in both")
    text = path if text is None else text
    if not text:
        return 0
    if not (text.isascii() and text.isdigit() and int(text[:9]) < DATABASES_MAX):
        raise _Wrong(f"a database is a number below {DATABASES_MAX}")
    return int(text)
