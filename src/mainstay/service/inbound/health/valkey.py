"""Asking Valkey or Redis for a PONG: the protocol itself, since no client may be installed.

Source: the RESP specification; AUTH and PING are the same in every version of it.
"""

import socket
import ssl
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from mainstay.service.inbound.health.document import Finding, Status
from mainstay.service.inbound.health.reach import Target

_LINE_BYTES_MAX = 512
_WORD_BYTES_MAX = 20
"""Of an error: ``MASTERDOWN`` has half."""

_ENCRYPTED = frozenset({"rediss", "valkeys"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Who asks; shown nowhere."""

    user: str = field(repr=False)
    password: str = field(repr=False)


def login_of(url: str) -> Login:
    """Return who a URL says to be; both empty where it says nothing."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return Login(user="", password="")
    return Login(user=unquote(parts.username or ""), password=unquote(parts.password or ""))


def ping(target: Target, login: Login, timeout_s: float) -> Finding:
    """Log in where there is a password, and ask for a PONG; the first host that gives one will do.

    An error is shown by its first word (``LOADING``, ``NOAUTH``): the rest may name keys and hosts.
    """
    finding = Finding(status=Status.FAIL)
    for host, port in target.hosts:
        try:
            with _connect(target, host, port, timeout_s) as connection:
                finding = _ask(connection, login)
        except OSError as error:
            finding = Finding(status=Status.FAIL, output=type(error).__name__)
        if finding.status is Status.PASS:
            break
    return finding


def _connect(target: Target, host: str, port: int, timeout_s: float) -> socket.socket:
    connection = socket.create_connection((host, port), timeout_s)
    if target.scheme not in _ENCRYPTED:
        return connection
    try:
        return ssl.create_default_context().wrap_socket(connection, server_hostname=host)
    except BaseException:
        connection.close()
        raise


def _ask(connection: socket.socket, login: Login) -> Finding:
    if login.password:
        words = ("AUTH", login.user, login.password) if login.user else ("AUTH", login.password)
        connection.sendall(command(*words))
        answer = _line(connection)
        if answer != b"+OK":
            return _refused(answer)
    connection.sendall(command("PING"))
    answer = _line(connection)
    return Finding(status=Status.PASS) if answer == b"+PONG" else _refused(answer)


def command(*words: str) -> bytes:
    """Return a command as RESP sends it: an array of texts, each with its length in bytes."""
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        raw = word.encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(raw), raw))
    return b"".join(parts)


def _line(connection: socket.socket) -> bytes:
    """Read one line, of at most ``_LINE_BYTES_MAX``; whatever else is said is not RESP's PONG."""
    line = b""
    while not line.endswith(b"\r\n") and len(line) < _LINE_BYTES_MAX:
        piece = connection.recv(_LINE_BYTES_MAX - len(line))
        if not piece:
            break
        line += piece
    return line.removesuffix(b"\r\n")


def _refused(answer: bytes) -> Finding:
    word = answer[1:].split(b" ", 1)[0]
    named = answer.startswith(b"-") and word.isalpha() and len(word) <= _WORD_BYTES_MAX
    return Finding(status=Status.FAIL, output=word.decode() if named else "no answer of Valkey's")
