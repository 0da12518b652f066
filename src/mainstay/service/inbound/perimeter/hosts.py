"""Trusted hosts: the names that a service is asked by.

An app that makes links, or a cache before it, believes what ``Host`` says. So a name that is not
the service's own is refused with 421: the request went to a server that can't speak for it, and a
client may try again over another connection (RFC 9110, section 15.5.20). A ``Host`` that is
missing, doubled or no host at all is 400 (RFC 9112, section 3.2).
"""

import re

from mainstay.service.inbound.problems.refusal import Refusal

_AUTHORITY = re.compile(rb"([A-Za-z0-9_.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{0,5})?")
_LOOPBACK = frozenset((b"localhost", b"127.0.0.1", b"[::1]"))
_REMEMBERED_MAX = 1024
"""Ways in which allowed hosts were written that are remembered, some 100 bytes each: with a port,
in upper case, names below a wildcard. The next ones are looked at anew each time."""

_NO_HOST = Refusal.of("header-invalid", "The request needs one valid Host header.")
_OTHER_HOST = Refusal.of("host-not-allowed", "The host that was asked for is not served here.")


class Hosts:
    """The hosts that are served; safe to share.

    Args:
        declared: ``inbound.hosts``, in lower case: names, addresses, ``*.`` before a name.

    Attributes:
        known: ``Host`` headers, as they were written, that are allowed. Who asks often looks here
            before it asks ``refusal``.
    """

    __slots__ = ("_below", "_exact", "known")

    def __init__(self, declared: tuple[str, ...]) -> None:
        names = [name.encode() for name in declared]
        self._exact = frozenset(name for name in names if not name.startswith(b"*."))
        self._below = tuple(name[1:] for name in names if name.startswith(b"*."))
        self.known = set(self._exact)

    def refusal(self, host: bytes | None, *, trusted: bool) -> Refusal | None:
        """Return why a request is refused, or None where its host is served.

        Args:
            host: The header; None where there is none, joined by commas where there are several.
            trusted: Whether the client is trusted. It may also ask by a name of the loopback, as
                other services of the system do; nobody else may, were it through a trusted proxy.
        """
        match = None if host is None else _AUTHORITY.fullmatch(host)
        if match is None:
            return _NO_HOST
        name = match[1].lower().removesuffix(b".")
        if name in self._exact or name.endswith(self._below):
            if len(self.known) < _REMEMBERED_MAX:
                self.known.add(match[0])
            return None
        return None if trusted and name in _LOOPBACK else _OTHER_HOST
