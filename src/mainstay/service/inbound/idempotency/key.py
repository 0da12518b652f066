"""The key of a request, and the name of its record.

Source: draft-ietf-httpapi-idempotency-key-header-07, section 2: the header is a structured field,
an item that is a string (RFC 9651). Many clients send the key without the quotes; that is the same
key.
"""

import re
from collections.abc import Callable
from hashlib import blake2b

from mainstay.service.inbound.exchange import Exchange

HEADER = b"idempotency-key"
KEY_BYTES_MAX = 255
"""No key is longer; a UUID has 36."""

# RFC 9651, section 3.3.3: visible ASCII and spaces, quotes and backslashes escaped.
_STRING = re.compile(rb'"((?:[ !#-\[\]-~]|\\["\\]){1,510})"')
_ESCAPED = re.compile(rb"\\(.)")
# What can't be taken for a string, a list or an item with parameters. Two headers become a list.
_BARE = re.compile(rb"[A-Za-z0-9._~:/+=@!*#%&|^-]{1,255}")

SECRET_BYTES_MIN = 20
"""A key so long may be a secret of the client that made it, as a UUID is; a shorter one may be
guessed. By length alone: what a text was made from can't be seen in it."""

_ANONYMOUS = b"a"
_BY_AUTHORIZATION = b"h"

CallerOf = Callable[[Exchange], bytes]
"""Returns who asks; the first byte says by what that is known."""

SessionOf = Callable[[Exchange], str | None]
"""Returns what is the same for all sessions of one user, and no other's; None without a session."""


def parse_key(header: bytes) -> bytes | None:
    """Return the key that a header names, 1 to 255 bytes of it, or None where it is malformed."""
    header = header.strip(b" \t")
    if _BARE.fullmatch(header):
        return header
    match = _STRING.fullmatch(header)
    if match is None:
        return None
    key = _ESCAPED.sub(rb"\1", match[1])
    return key if len(key) <= KEY_BYTES_MAX else None


def caller_by(declared: str, session_of: SessionOf | None = None) -> CallerOf:
    """Return what tells callers apart.

    Args:
        declared: ``authorization``, ``client_ip``, ``header:NAME`` or ``cookie:NAME``. The first
            says nothing of what an app's own cookies mean; the others are somebody's word.
        session_of: Where the service has sessions: they are credentials, too.
    """
    by, _, name = declared.partition(":")
    if by == "client_ip":
        # Somebody has said that addresses are identities here.
        return _by_address
    if by == "cookie":
        return _by_cookie(name.encode("ascii"))
    if by == "header":
        return _by_header(name.lower().encode("ascii"), b"n")
    by_authorization = _by_header(b"authorization", _BY_AUTHORIZATION)
    return by_authorization if session_of is None else _with_session(by_authorization, session_of)


def record_name(prefix: str, caller: bytes, key: bytes) -> str:
    """Return the name of the record of a caller's key.

    Neither can be read from it, nor does a caller find the record of another's key. It is a hash
    without a secret: who reads the store must guess the caller's credentials and the key at once.
    """
    name = blake2b(digest_size=20, person=b"mainstay.key")
    # With its length before it, so that no two pairs are one text.
    name.update(len(caller).to_bytes(4, "big"))
    name.update(caller)
    name.update(key)
    return prefix + name.hexdigest()


def is_proven(caller: bytes, key: bytes) -> bool:
    """Return whether only the client itself can have sent this key as this caller.

    Who has no credentials is told apart by the address, which all clients behind one router or one
    proxy share. Then the key is what others don't know, if it is one that can't be guessed.

    Args:
        caller: As a ``CallerOf`` returns it.
        key: As ``parse_key`` returns it.
    """
    return not caller.startswith(_ANONYMOUS) or len(key) >= SECRET_BYTES_MIN


def witness_of(caller: bytes, key: bytes, exchange: Exchange) -> str:
    """Return what must be the same in a repetition for it to get the answer; empty for nothing.

    Who is known by an address, or by an ``Authorization`` that a whole site may share, may have
    signed in by a cookie of the app's own, of which nobody here can tell what it means. So whoever
    comes with other cookies than the first may be somebody else, and doesn't get the answer.

    Args:
        caller: As a ``CallerOf`` returns it.
        key: As ``parse_key`` returns it; makes hashes of one cookie differ.
        exchange: The request.
    """
    if not caller.startswith((_ANONYMOUS, _BY_AUTHORIZATION)):
        return ""
    # Browsers order them by age, too, which an answer may have changed.
    cookies = sorted(pair.strip() for pair in (exchange.get(b"cookie") or b"").split(b";"))
    witness = blake2b(key, digest_size=16, person=b"mainstay.cookies")
    witness.update(b";".join(cookies))
    return witness.hexdigest()


def _address(exchange: Exchange) -> bytes:
    return _ANONYMOUS + (exchange.client or "").encode("utf-8", "surrogateescape")


def _by_address(exchange: Exchange) -> bytes:
    return b"i" + _address(exchange)


def _by_header(name: bytes, kind: bytes) -> CallerOf:
    def caller_of(exchange: Exchange) -> bytes:
        value = exchange.get(name)
        return kind + value if value else _address(exchange)

    return caller_of


def _with_session(by_authorization: CallerOf, session_of: SessionOf) -> CallerOf:
    def caller_of(exchange: Exchange) -> bytes:
        session = session_of(exchange)
        if session is None:
            return by_authorization(exchange)
        # Both, as a password before the whole site says nothing about who has signed in. The
        # session's part has one length, so that no two pairs are one text.
        authorization = exchange.get(b"authorization") or b""
        return b"s" + session.encode("ascii") + authorization

    return caller_of


def _by_cookie(name: bytes) -> CallerOf:
    def caller_of(exchange: Exchange) -> bytes:
        for pair in (exchange.get(b"cookie") or b"").split(b";"):
            found, equals, value = pair.strip().partition(b"=")
            if found == name and equals and value:
                return b"c" + value
        return _address(exchange)

    return caller_of
