"""What an answer over WSGI wears: its headers with those that parts add, in text."""

from mainstay.service.inbound.exchange import Exchange
from mainstay.service.inbound.inbound import Inbound
from mainstay.service.inbound.perimeter.outfit import CONTENT_TYPE, REQUEST_ID
from mainstay.service.inbound.perimeter.perimeter import Perimeter
from mainstay.service.inbound.wsgi.text import LOWER, TITLES, TextHeaders, as_text, lower, title

_CLOSE = ("Connection", "close")


def dressed(exchange: Exchange, inbound: Inbound, headers: TextHeaders) -> TextHeaders:
    """Return the headers of an answer with everything that parts add to them.

    Args:
        exchange: The request.
        inbound: The parts of the service.
        headers: As the app said them.
    """
    environ = exchange.scope
    perimeter = inbound.perimeter
    heeded, media = perimeter.heeded, None
    # As the other shell: few headers, and nearly none that is heeded.
    for name, text in headers:
        lowered = LOWER.get(name) or lower(name)
        if lowered in heeded:
            if lowered != CONTENT_TYPE:
                worn = _fitted(exchange, perimeter, headers)
                break
            media = text
    else:
        is_secure = environ.get("wsgi.url_scheme") == "https" or (
            # Whoever may forge this only makes browsers ignore what is said over HTTPS alone.
            exchange.trusted and environ.get("HTTP_X_FORWARDED_PROTO") == "https"
        )
        known = perimeter.secure if is_secure else perimeter.plain
        outfit = known.get(media)
        if outfit is None:
            outfit = perimeter.outfit(exchange, {} if media is None else {CONTENT_TYPE: media})
        worn = [*headers, *as_text(outfit.headers), ("X-Request-Id", exchange.request_id)]
    if exchange.noted is not None:
        for key, value in exchange.noted:
            worn.append((TITLES.get(key) or title(key), value.decode("latin-1")))
    if inbound.drain.stopping:
        # The client opens its next connection elsewhere.
        worn.append(_CLOSE)
    return worn


def _fitted(exchange: Exchange, perimeter: Perimeter, headers: TextHeaders) -> TextHeaders:
    """Return headers among which the app set some of ours, with those that are added."""
    names = {lower(name): text for name, text in headers}
    worn = [one for one in headers if lower(one[0]) not in perimeter.hidden]
    worn += as_text(perimeter.dress(exchange, names))
    if REQUEST_ID not in names:
        worn.append(("X-Request-Id", exchange.request_id))
    return worn
