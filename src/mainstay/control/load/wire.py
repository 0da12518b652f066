"""Requests as bytes, made before the test starts so that sending one costs next to nothing."""

from mainstay import __version__
from mainstay.control.load.target import Target

_DEFAULTS = (("User-Agent", f"mainstay-load/{__version__}"), ("Accept", "*/*"))
_NEEDS_LENGTH = frozenset({"POST", "PUT", "PATCH"})


class Wire:
    """The requests of one target; ``request(turn)`` goes round its paths and its bodies."""

    __slots__ = ("_heads", "_tails")

    def __init__(self, target: Target) -> None:
        given = {name.lower() for name, _ in target.headers}
        host = (("Host", target.origin.authority),)
        lines = [pair for pair in (*host, *_DEFAULTS) if pair[0].lower() not in given]
        # Latin-1 is what HTTP/1.1 headers are; the target's check has refused all else.
        headers = "".join(f"{name}: {value}\r\n" for name, value in (*lines, *target.headers))
        self._heads = [
            f"{target.method} {path} HTTP/1.1\r\n{headers}".encode("latin-1")
            for path in target.paths
        ]
        self._tails = [
            b"Content-Length: %d\r\n\r\n%b" % (len(body), body) for body in target.bodies
        ]
        if not self._tails:
            # A POST without a length is refused by some servers (RFC 9110, 8.6).
            self._tails = [
                b"Content-Length: 0\r\n\r\n" if target.method in _NEEDS_LENGTH else b"\r\n"
            ]

    def request(self, turn: int) -> bytes:
        """Return the whole request of that turn."""
        return self._heads[turn % len(self._heads)] + self._tails[turn % len(self._tails)]
