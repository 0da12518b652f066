"""The nonce of a request's Content-Security-Policy: made when the app first asks for it.

It lives in the request's scope (ASGI) or environ (WSGI). Most requests never ask, and over ASGI pay
nothing for it: what leads to the exchange leads to its scope. Under WSGI a context variable does.
"""

import secrets
from contextvars import ContextVar

from mainstay.core.errors import MainstayError
from mainstay.core.scope import current
from mainstay.service.inbound.asgi.types import Scope
from mainstay.service.inbound.exchange import Exchange

_KEY = "mainstay.csp_nonce"
_BYTES = 16
"""128 bits, as the standard asks (CSP Level 3, section 7.1)."""
_TOO_LATE = ""

# What stays in a thread between two requests is the last one's, whose headers are gone: asking then
# raises.
_current: ContextVar[Scope | None] = ContextVar("mainstay_csp_nonce", default=None)

begin = _current.set
"""Called with the environ of each request under WSGI whose policy knows nonces."""


class NoNonce(MainstayError):
    """There is no nonce to be had here; the sentence says why."""


def csp_nonce() -> str:
    """Return the nonce of this request, for ``<script nonce="...">``; the same at each call.

    Raises:
        NoNonce: Outside of a request, under a policy without nonces, or after the headers of the
            answer were sent without one.
    """
    scope = _scope()
    if scope is None:
        raise NoNonce("no request with a nonce is answered here: inbound.headers has none in csp")
    nonce: str | None = scope.get(_KEY)
    if nonce is None:
        # Of two threads of one request that ask at the same time, both get the first one's.
        nonce = str(scope.setdefault(_KEY, secrets.token_urlsafe(_BYTES)))
    if nonce == _TOO_LATE:
        raise NoNonce("the headers were sent without a nonce: ask before the answer begins")
    return nonce


def _scope() -> Scope | None:
    """Return the scope or environ of the request that is answered here, where it may have one."""
    # Over ASGI the exchange is the scope of the deadline, and nothing has to be set for nonces.
    found = current()
    while found is not None:
        if isinstance(found, Exchange) and found.has_nonce:
            return found.scope
        found = found.outer
    return _current.get()


def taken(scope: Scope) -> str:
    """Return the nonce that was asked for, or nothing; from now on it is too late to ask."""
    nonce: str = scope.setdefault(_KEY, _TOO_LATE)
    return nonce
