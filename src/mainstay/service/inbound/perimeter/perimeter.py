"""The perimeter: what is refused for its head alone, and what every answer wears.

Everything that the declaration fixes is made when the app is wrapped. On the way of a request there
are a few look-ups, and in the usual case no object is made.
"""

from collections.abc import Mapping
from typing import NamedTuple

from mainstay.service.inbound.asgi.types import Scope
from mainstay.service.inbound.client import Trust
from mainstay.service.inbound.exchange import Exchange
from mainstay.service.inbound.perimeter.body import too_large
from mainstay.service.inbound.perimeter.cors import CrossOrigin
from mainstay.service.inbound.perimeter.hosts import Hosts
from mainstay.service.inbound.perimeter.nonce import taken
from mainstay.service.inbound.perimeter.outfit import CONTENT_TYPE, EVENTS, Outfit
from mainstay.service.inbound.perimeter.preflight import Preflight
from mainstay.service.inbound.perimeter.security import (
    HSTS,
    Csp,
    csp_of,
    data_headers,
    hsts_value,
    plain_headers,
)
from mainstay.service.inbound.problems.refusal import RawHeaders, Refusal
from mainstay.spec.inbound import Inbound
from mainstay.spec.perimeter import SecurityHeaders

_LENGTH_DIGITS_MAX = 19
_HTTPS = b"https"
_NOT_MODIFIED = 304
_HTML = "text/html"
_JSON = ("/json", "+json")
_TYPES_MAX = 256
"""Content types whose wardrobe is remembered: an app has few."""
_ORIGINS_MAX = 1024
"""Origins below a wildcard whose headers are remembered, some 2 KiB each."""
_BAD_LENGTH = Refusal.of("header-invalid", "The Content-Length header is no number.")


class _Rail:
    """One outfit, and what it becomes for origins whose pages may read the answer."""

    __slots__ = ("by_origin", "outfit")

    def __init__(self, headers: RawHeaders, hidden: frozenset[bytes]) -> None:
        self.outfit = Outfit(headers, hidden)
        self.by_origin: dict[bytes, Outfit] = {}


class _Wardrobe:
    """What answers wear under one Content-Security-Policy."""

    __slots__ = ("csp", "plain", "secure")

    def __init__(
        self, csp: Csp | None, plain: RawHeaders, hsts: RawHeaders, hidden: frozenset[bytes]
    ) -> None:
        # The policy stands first, so that the one with a nonce can take its place.
        first: RawHeaders = () if csp is None else ((csp.name, csp.text),)
        self.csp = csp if csp is not None and csp.has_nonce else None
        self.plain = _Rail((*first, *plain), hidden)
        self.secure = _Rail((*first, *plain, *hsts), hidden)


class _Wardrobes(NamedTuple):
    """What is worn by which kind of answer.

    Attributes:
        pages: HTML.
        docs: FastAPI's documentation.
        data: JSON.
        other: Everything else.
        unchanged: A 304 without a type. A browser takes its headers over into what it has kept,
            and the policy for data would blank a page.
    """

    pages: _Wardrobe
    docs: _Wardrobe
    data: _Wardrobe
    other: _Wardrobe
    unchanged: _Wardrobe


class Perimeter:
    """The perimeter of one service; safe to share between threads, tasks and loops.

    Args:
        declared: ``inbound``.

    Attributes:
        body_max: Bytes that a request's body may have; None: any number.
        has_nonce: Whether the policy of pages knows nonces.
        heeded: The names, in lower case, of headers of an app's answer that matter for what it
            wears: its type, and what is ``touchy`` of any outfit.
        hidden: Names of headers that are to be left out of the app's answers, in lower case.
        is_curious: Whether ``ask`` looks at every request, and not only at those with a length.
        plain: What answers over HTTP wear, by their type, where nothing else decides; filled as
            types are met. Who dresses every answer looks here before it asks ``outfit``.
        secure: The same over HTTPS.
    """

    __slots__ = (
        "_by_origin",
        "_cors",
        "_docs",
        "_hosts",
        "_too_large",
        "_too_large_http2",
        "_trust",
        "_wardrobes",
        "body_max",
        "has_nonce",
        "heeded",
        "hidden",
        "is_curious",
        "plain",
        "secure",
    )

    def __init__(self, declared: Inbound) -> None:
        self.body_max = declared.body_bytes_max
        bound = self.body_max or 0
        self._too_large = too_large(bound, close=True)
        self._too_large_http2 = too_large(bound, close=False)
        self._trust = Trust(declared.trust)
        self._hosts = Hosts(declared.hosts) if declared.hosts else None
        self._cors = None if declared.cors is None else CrossOrigin(declared.cors)
        # None also where every origin may: then nothing depends on who asks.
        self._by_origin = None if self._cors is None or self._cors.is_any else self._cors
        headers = declared.headers
        self.hidden = frozenset(
            () if headers is None else (name.lower().encode() for name in headers.hide)
        )
        self._wardrobes = _wardrobes(headers, self._cors, self.hidden)
        self.has_nonce = self._wardrobes.pages.csp is not None
        self.is_curious = self._hosts is not None or self._cors is not None
        self.plain: dict[bytes | str | None, Outfit] = {}
        self.secure: dict[bytes | str | None, Outfit] = {}
        self._docs = frozenset(() if headers is None else headers.docs)
        outfits = [rail.outfit for one in self._wardrobes for rail in (one.plain, one.secure)]
        if self._by_origin is not None:
            outfits.append(Outfit(self._by_origin.granted(b""), self.hidden))
        self.heeded = frozenset((CONTENT_TYPE,)).union(*(one.touchy for one in outfits))

    def ask(self, exchange: Exchange) -> Refusal | Preflight | None:
        """Return what is answered without the app; None lets the request pass."""
        hosts = self._hosts
        if hosts is not None:
            host = exchange.get(b"host")
            if host not in hosts.known:
                # Through the edge everybody's peer is trusted; the client is who asks.
                trusted = exchange.trusted and exchange.client in self._trust
                refusal = hosts.refusal(host, trusted=trusted)
                if refusal is not None:
                    return refusal
        if self.body_max is not None:
            length = exchange.get(b"content-length")
            # An empty one is how WSGI says that there is none.
            if length:
                refusal = self._length_refusal(length, exchange.scope)
                if refusal is not None:
                    return refusal
        if self._cors is not None and exchange.method == "OPTIONS":
            return self._cors.preflight(exchange)
        return None

    def must_count(self, exchange: Exchange) -> bool:
        """Return whether the body has no length that could be trusted, but has a bound.

        Then it is to be read through ``BoundedReceive`` or ``BoundedInput``.
        """
        if self.body_max is None:
            return False
        if exchange.get(b"transfer-encoding"):
            return True
        # Without either header a request has a body over HTTP/2 and later only.
        return not exchange.get(b"content-length") and _is_http2(exchange.scope)

    def dress(
        self, exchange: Exchange, answer: Mapping[bytes, bytes] | Mapping[bytes, str]
    ) -> RawHeaders:
        """Return the headers to add to an answer.

        Where nothing but the declaration, scheme and origin decided about them, it is the same
        object at each call. ``Vary`` is to be added to the app's own.

        Args:
            exchange: The request, and the status of its answer.
            answer: The answer's headers, their names in lower case: what they say is the app's to
                say, and their type tells whether it is a page.
        """
        outfit = self.outfit(exchange, answer)
        return outfit.headers if outfit.names.isdisjoint(answer) else outfit.less(answer)

    def outfit(
        self, exchange: Exchange, answer: Mapping[bytes, bytes] | Mapping[bytes, str]
    ) -> Outfit:
        """Return what an answer wears where it says nothing of that itself; as ``dress``."""
        media = answer.get(b"content-type")
        scope = exchange.scope
        # Whoever may forge the proxy's header only makes browsers ignore the answer's.
        is_secure = (scope.get("scheme") or scope.get("wsgi.url_scheme")) == "https" or (
            exchange.trusted and exchange.get(b"x-forwarded-proto") == _HTTPS
        )
        known = self.secure if is_secure else self.plain
        return known.get(media) or self._outfit(exchange, media, is_secure=is_secure)

    def _outfit(self, exchange: Exchange, media: bytes | str | None, *, is_secure: bool) -> Outfit:
        """Return what ``outfit`` does, and remember it where only the type decided."""
        wardrobe = self._wardrobe_for(exchange, media)
        rail = wardrobe.secure if is_secure else wardrobe.plain
        outfit = rail.outfit
        if self._by_origin is not None:
            origin = exchange.get(b"origin")
            if origin is not None:
                outfit = rail.by_origin.get(origin) or self._outfit_for(rail, origin)
        elif media and wardrobe.csp is None and _is_fixed(media):
            known = self.secure if is_secure else self.plain
            if len(known) < _TYPES_MAX:
                known[media] = outfit
        if wardrobe.csp is not None:
            nonce = taken(exchange.scope)
            if nonce:
                csp = (wardrobe.csp.name, wardrobe.csp.with_nonce(nonce))
                return Outfit((csp, *outfit.headers[1:]), self.hidden)
        return outfit

    def _outfit_for(self, rail: _Rail, origin: bytes) -> Outfit:
        """Return what an answer wears for an origin; those that are refused are not remembered."""
        cors = self._by_origin
        assert cors is not None, "asked only where origins differ"
        if not cors.allows(origin):
            return rail.outfit
        outfit = Outfit((*rail.outfit.headers, *cors.granted(origin)), self.hidden)
        if origin in cors.exact or len(rail.by_origin) < _ORIGINS_MAX:
            # Of two threads that made it, both go on with the first one's.
            return rail.by_origin.setdefault(origin, outfit)
        return outfit

    def _wardrobe_for(self, exchange: Exchange, media: bytes | str | None) -> _Wardrobe:
        """Return what an answer of a type wears."""
        if not media and exchange.path in self._docs:
            return self._wardrobes.docs
        if media is None:
            is_unchanged = exchange.status == _NOT_MODIFIED
            return self._wardrobes.unchanged if is_unchanged else self._wardrobes.other
        if _is_page(media):
            return self._wardrobes.docs if exchange.path in self._docs else self._wardrobes.pages
        if _is_json(media):
            return self._wardrobes.data
        return self._wardrobes.other

    def _length_refusal(self, length: bytes, scope: Scope) -> Refusal | None:
        """Return why a declared length is refused."""
        assert self.body_max is not None, "asked only where there is a bound"
        if not length.isdigit():
            return _BAD_LENGTH
        # Bounded digits: a number of thousands of them takes long to read, and then raises.
        if len(length) <= _LENGTH_DIGITS_MAX and int(length) <= self.body_max:
            return None
        return self._too_large_http2 if _is_http2(scope) else self._too_large


def _wardrobes(
    declared: SecurityHeaders | None, cors: CrossOrigin | None, hidden: frozenset[bytes]
) -> _Wardrobes:
    """Return what all kinds of answers wear."""
    always = () if cors is None else cors.always
    if declared is None:
        bare = _Wardrobe(None, always, (), hidden)
        return _Wardrobes(pages=bare, docs=bare, data=bare, other=bare, unchanged=bare)
    plain = (*plain_headers(declared), *always)
    hsts = () if declared.hsts is None else ((HSTS, hsts_value(declared.hsts)),)
    api = _Wardrobe(csp_of(declared, "api"), plain, hsts, hidden)
    pages = _Wardrobe(csp_of(declared, "pages"), plain, hsts, hidden)
    docs = _Wardrobe(csp_of(declared, "docs"), plain, hsts, hidden)
    data = api
    if declared.data == "brief":
        brief = (*data_headers(declared), *always)
        data = _Wardrobe(csp_of(declared, "api"), brief, hsts, hidden)
    match declared.preset:
        case "api":
            return _Wardrobes(pages=api, docs=docs, data=data, other=api, unchanged=api)
        case "pages":
            return _Wardrobes(pages=pages, docs=docs, data=pages, other=pages, unchanged=pages)
        case _:
            bare = _Wardrobe(None, plain, hsts, hidden)
            return _Wardrobes(pages=pages, docs=docs, data=data, other=api, unchanged=bare)


def _text(media: bytes | str) -> str:
    return media if isinstance(media, str) else media.decode("latin-1")


def _is_page(media: bytes | str) -> bool:
    return _text(media)[: len(_HTML)].lower() == _HTML


def _is_json(media: bytes | str) -> bool:
    return _text(media).partition(";")[0].strip().lower().endswith(_JSON)


def _is_fixed(media: bytes | str) -> bool:
    """Return whether answers of a type wear the same whatever else there is to them."""
    # Of a page the path may decide, and of a stream of events the shell wants to hear each time.
    return not _is_page(media) and not _text(media).startswith(EVENTS.decode())


def _is_http2(scope: Scope) -> bool:
    """Return whether a request came by HTTP/2 or later."""
    version: str = scope.get("http_version") or scope.get("SERVER_PROTOCOL", "HTTP/1.1")[5:]
    return version >= "2"
