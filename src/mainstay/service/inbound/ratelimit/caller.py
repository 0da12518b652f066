"""Who asks: the text that tells one caller's bucket from another's.

It never holds what the caller sent: a key is hashed, so that neither the memory of the process nor
a store ever has it as it is, and its length is bounded.
"""

from collections.abc import Callable, Mapping
from hashlib import blake2b
from uuid import UUID

from mainstay.core.errors import PolicyMisused
from mainstay.service.inbound.client import packed_of
from mainstay.service.inbound.exchange import Exchange

LimitKey = Callable[[Exchange], str | int | UUID | None]
"""Tells the user or the tenant of a request; None where there is none. Not a coroutine."""

Caller = Callable[[Exchange], str]
"""Returns the text; bounded in length."""

FUNCTIONS = ("user", "tenant")
"""What only the user's code can tell."""

_TEXT_CHARS_MAX = 45
"""Of a peer that is no address, such as a test client's name; no address is longer."""
_NETWORK_BYTES = 8
"""Of IPv6: a /64 is the least that a customer gets (RFC 6177), who has 2**64 addresses in it."""
_DIGEST_BYTES = 16
"""No two of 2**60 callers share a digest by chance."""


def by_address(exchange: Exchange) -> str:
    """Return the client's address, of IPv6 its network; empty where nobody knows it.

    All whose address nobody knows share one bucket: who comes by a Unix socket past a proxy that
    does not say for whom.
    """
    client = exchange.client
    if client is None:
        return ""
    if ":" not in client:
        # Sliced only where it must be, since slicing costs as much as all the rest.
        return client if len(client) <= _TEXT_CHARS_MAX else client[:_TEXT_CHARS_MAX]
    packed = packed_of(client)
    if packed is None:
        return client[:_TEXT_CHARS_MAX]
    # Four bytes are an IPv4 address in the clothes of IPv6, which is no network of its own.
    return packed[:_NETWORK_BYTES].hex()


def by_nobody(exchange: Exchange) -> str:
    """Return the same for every request."""
    del exchange
    return ""


class ByHeader:
    """Tells callers apart by a header, such as an API key.

    Args:
        name: Of the header, in lower case.
        secret: Goes into the hash.
    """

    __slots__ = ("_hash", "_name")

    def __init__(self, name: bytes, secret: bytes) -> None:
        self._name = name
        self._hash = blake2b(digest_size=_DIGEST_BYTES, key=secret)

    def __call__(self, exchange: Exchange) -> str:
        """Return the header's digest; where there is no such header, the address."""
        value = exchange.get(self._name)
        if not value:
            return by_address(exchange)
        # A copy is half as expensive as beginning anew.
        digest = self._hash.copy()
        digest.update(value)
        return digest.hexdigest()


class ByFunction:
    """Tells callers apart by a function of the user's.

    Args:
        name: Under which it is, or will be, in ``functions``.
        functions: By name; may be filled after this was made.
        secret: Goes into the hash.
    """

    __slots__ = ("_functions", "_hash", "_name")

    def __init__(self, name: str, functions: Mapping[str, LimitKey], secret: bytes) -> None:
        self._name = name
        self._functions = functions
        self._hash = blake2b(digest_size=_DIGEST_BYTES, key=secret)

    def __call__(self, exchange: Exchange) -> str:
        """Return the digest of what the function tells; where it tells nothing, the address."""
        function = self._functions.get(self._name)
        told = "" if function is None else told_by(function, exchange)
        if not told:
            return by_address(exchange)
        digest = self._hash.copy()
        digest.update(told.encode("utf-8", "surrogatepass"))
        return digest.hexdigest()


def told_by(function: LimitKey, exchange: Exchange) -> str:
    """Return whom a function of the user's names, as text; empty where it names nobody.

    Raises:
        PolicyMisused: It returned something whose text need not be the same at the next request,
            such as a coroutine.
    """
    told = function(exchange)
    if isinstance(told, str):
        return told
    if told is None:
        return ""
    if isinstance(told, int | UUID):
        return str(told)
    raise PolicyMisused(
        f"a function for `limit_key` returned a {type(told).__name__}: it must be no coroutine, "
        "and return a text, a whole number, a UUID or None"
    )
