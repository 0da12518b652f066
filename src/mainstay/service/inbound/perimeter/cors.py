"""CORS: which pages of other origins may read answers, and send what a form could not.

CORS protects nobody by refusing: it opens. A request of an origin that is not named reaches the app
as ever; its page just may not read the answer. Source: WHATWG Fetch, section 3.3.
"""

import re

from mainstay.service.inbound.exchange import Exchange
from mainstay.service.inbound.perimeter.preflight import Preflight
from mainstay.service.inbound.problems.refusal import RawHeaders, Refusal
from mainstay.spec.perimeter import Cors

ALLOW_ORIGIN = b"access-control-allow-origin"
PREFIX = b"access-control-"

_ANY = b"*"
_ORIGIN_BYTES_MAX = 300
_LABELS = re.compile(rb"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63}){0,20}")
_VARY = (b"vary", b"Origin")
_VARY_PREFLIGHT = (
    b"vary",
    b"Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
)
_REFUSED = Refusal.of(
    "origin-not-allowed",
    "This origin is not in inbound.cors.origins.",
    (_VARY_PREFLIGHT,),
)


class CrossOrigin:
    """What ``inbound.cors`` declares, made ready; safe to share.

    Attributes:
        is_any: Whether every origin may.
        exact: Origins that are named exactly.
        always: Headers of every answer, whoever asks: all of them where every origin may, else the
            ``Vary`` by which caches keep one origin's answer from another's page.
    """

    __slots__ = ("_answer", "_below", "_preflight", "always", "exact", "is_any")

    def __init__(self, declared: Cors) -> None:
        origins = [origin.encode() for origin in declared.origins]
        self.is_any = _ANY in origins
        self.exact = frozenset(origin for origin in origins if b"*" not in origin)
        # https://*.shop.example:8443 becomes (https://, .shop.example:8443).
        self._below = tuple(
            (scheme + b"://", rest[1:])
            for scheme, _, rest in (origin.partition(b"://") for origin in origins)
            if rest.startswith(b"*.")
        )
        credentials = (
            ((b"access-control-allow-credentials", b"true"),) if declared.credentials else ()
        )
        self._answer: RawHeaders = (
            *credentials,
            *_list(b"access-control-expose-headers", declared.expose),
        )
        self._preflight: RawHeaders = (
            *credentials,
            *_list(b"access-control-allow-methods", declared.methods),
            *_list(b"access-control-allow-headers", declared.headers),
            (b"access-control-max-age", b"%d" % declared.max_age_s),
            _VARY_PREFLIGHT,
        )
        self.always: RawHeaders = ((ALLOW_ORIGIN, _ANY), *self._answer) if self.is_any else (_VARY,)

    def allows(self, origin: bytes) -> bool:
        """Return whether pages of an origin may read answers; false for what is no origin."""
        if self.is_any or origin in self.exact:
            return True
        if len(origin) > _ORIGIN_BYTES_MAX:
            return False
        for start, end in self._below:
            if origin.startswith(start) and origin.endswith(end):
                # Nothing but labels in between: no path, port or user that only looks like it.
                return _LABELS.fullmatch(origin, len(start), len(origin) - len(end)) is not None
        return False

    def granted(self, origin: bytes) -> RawHeaders:
        """Return what an allowed origin gets beside ``always``, where not every origin may."""
        return ((ALLOW_ORIGIN, origin), *self._answer)

    def preflight(self, exchange: Exchange) -> Preflight | Refusal | None:
        """Answer a preflight; None where the request is none, whatever its method.

        Methods and headers are the browser's to compare: it says best what was not allowed.
        """
        origin = exchange.get(b"origin")
        if origin is None or exchange.get(b"access-control-request-method") is None:
            return None
        if not self.allows(origin):
            return _REFUSED
        return Preflight(((ALLOW_ORIGIN, _ANY if self.is_any else origin), *self._preflight))


def _list(name: bytes, values: tuple[str, ...]) -> RawHeaders:
    return ((name, ", ".join(values).encode()),) if values else ()
