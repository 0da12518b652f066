"""The cookie that names a session: an id and its signature, and nothing else.

The value is 86 letters of base64url: 12 bytes of group, 20 bytes of chance (160 bits, where OWASP
asks for 64), 32 bytes of HMAC-SHA256 over both. What is not signed by us never reaches a store.
"""

import binascii
import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

from mainstay.core.sessions import Name

GROUP_BYTES = 12
CHANCE_BYTES = 20
_ID_BYTES = GROUP_BYTES + CHANCE_BYTES
_VALUE_LETTERS = 86
_PADDING = b"=="
_COOKIES_BYTES_MAX = 16 * 1024
"""A longer Cookie header is none of ours: servers stop at half of that."""

_SAME_SITE = {"lax": b"Lax", "strict": b"Strict", "none": b"None"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cookie:
    """How the cookie looks; all bytes but the value are made once.

    Args:
        name: As declared.
        secure: Whether it is for https alone; then it is bound to the host by its prefix.
        same_site: lax, strict or none.

    Attributes:
        found: The name as clients send it.
        attributes: What follows the value.
    """

    found: bytes
    attributes: bytes

    @staticmethod
    def declared(name: str, *, secure: bool, same_site: str) -> "Cookie":
        """Return the cookie that a declaration asks for."""
        # RFC 6265bis, 4.1.3.2: __Host- is taken only with Secure, Path=/ and no Domain.
        found = b"__Host-" + name.encode("ascii") if secure else name.encode("ascii")
        attributes = b"; Path=/; HttpOnly; SameSite=" + _SAME_SITE[same_site]
        return Cookie(found=found, attributes=attributes + (b"; Secure" if secure else b""))

    def value_in(self, header: bytes | None) -> bytes | None:
        """Return the cookie's value in a ``Cookie`` header; the first, where there are several."""
        if not header or self.found not in header or len(header) > _COOKIES_BYTES_MAX:
            return None
        for pair in header.split(b";"):
            name, equals, value = pair.strip(b" \t").partition(b"=")
            if equals and name == self.found:
                return value
        return None

    def setting(self, value: bytes) -> bytes:
        """Return the ``Set-Cookie`` that gives the value until the browser is closed."""
        return b"%b=%b%b" % (self.found, value, self.attributes)

    def clearing(self) -> bytes:
        """Return the ``Set-Cookie`` that takes it away."""
        return b"%b=; Max-Age=0%b" % (self.found, self.attributes)


class Signer:
    """Makes ids and proves that they are ours.

    Args:
        keys: The first signs; all are accepted. Each has 32 bytes or more.
        service: Its cookies and users are apart from those of others with the same key.
    """

    __slots__ = ("_macs", "_person")

    def __init__(self, keys: Sequence[bytes], service: str) -> None:
        # Keyed once; a copy per use spares two thirds of the work.
        label = b"mainstay.session.1." + service.encode() + b"\0"
        self._macs = []
        for key in keys:
            mac = hmac.new(key, label, "sha256")
            self._macs.append(mac)
        self._person = blake2b(service.encode(), digest_size=16).digest()

    def new_id(self, user: str | None) -> bytes:
        """Return a new id, of the user's group where there is one."""
        group = secrets.token_bytes(GROUP_BYTES) if user is None else self._group(user)
        return group + secrets.token_bytes(CHANCE_BYTES)

    def group_of(self, user: str) -> str:
        """Return the group of all sessions of a user."""
        return self._group(user).hex()

    def _group(self, user: str) -> bytes:
        data = user.encode("utf-8", "surrogatepass")
        return blake2b(data, digest_size=GROUP_BYTES, key=self._person).digest()

    def sign(self, identity: bytes) -> bytes:
        """Return the cookie's value for an id."""
        return urlsafe_b64encode(identity + _mac(self._macs[0], identity)).rstrip(b"=")

    def verify(self, value: bytes | None) -> tuple[bytes, bool] | None:
        """Return the id that a value holds, and whether it ought to be signed anew; else None."""
        if value is None or len(value) != _VALUE_LETTERS:
            return None
        try:
            data = urlsafe_b64decode(value + _PADDING)
        except (binascii.Error, ValueError):
            return None
        # Its last letter has four bits that say nothing, and the alphabet has twins: one session
        # has one cookie, and no other text that passes for it.
        if urlsafe_b64encode(data).rstrip(b"=") != value:
            return None
        identity, signature = data[:_ID_BYTES], data[_ID_BYTES:]
        for number, mac in enumerate(self._macs):
            if hmac.compare_digest(_mac(mac, identity), signature):
                return identity, number > 0
        return None


def name_of(identity: bytes) -> Name:
    """Return the name by which a store knows an id: it holds no id that could be used."""
    digest = blake2b(identity, digest_size=20, person=b"mainstay.session").hexdigest()
    return Name(identity[:GROUP_BYTES].hex(), digest)


def _mac(keyed: hmac.HMAC, identity: bytes) -> bytes:
    mac = keyed.copy()
    mac.update(identity)
    return mac.digest()
