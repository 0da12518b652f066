"""A refusal as a page, for people whose browser asked. Pure.

It says what the problem document says. It has no script, no style and loads nothing, so that any
Content-Security-Policy lets it be shown; and nothing of the request is in it but its ids.
"""

import re
from html import escape

from mainstay.service.inbound.problems.refusal import Refusal

HTML_TYPE = "text/html; charset=utf-8"

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
</head>
<body>
<main>
<h1>{title}</h1>
<p>{detail}</p>
<p><small>Status {status}. Whoever runs this site finds the request by {ids}.</small></p>
</main>
</body>
</html>
"""

_HTML = b"text/html"
_RANGES_MAX = 16
"""Media ranges that are looked at; browsers send up to eight."""
_RANGE = re.compile(
    rb"[ \t]*([!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}/[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100})[ \t]*(?:;(.*))?"
)
_QUALITY = re.compile(rb"[ \t]*[qQ]=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)[ \t]*")


def is_page_preferred(accept: bytes | None) -> bool:
    """Return whether a client would rather have a page than JSON (RFC 9110, section 12.5.1).

    Only one that names ``text/html`` shows pages; ``*/*`` says a program that takes anything, and
    of both the same, a program.
    """
    if accept is None or _HTML not in accept.lower():
        return False
    page = document = 0.0
    for text in accept.split(b",", _RANGES_MAX)[:_RANGES_MAX]:
        found = _RANGE.fullmatch(text)
        if found is None:
            continue
        media, quality = found[1].lower(), _quality(found[2])
        if media == _HTML:
            page = max(page, quality)
        elif media == b"application/json" or media.endswith(b"+json"):
            document = max(document, quality)
    return page > document


def _quality(parameters: bytes | None) -> float:
    """Return the weight of a media range; 1 where it says none that can be read."""
    for one in (parameters or b"").split(b";"):
        found = _QUALITY.fullmatch(one)
        if found is not None:
            return float(found[1])
    return 1.0


def error_page(refusal: Refusal, trace_id: str, request_id: str | None) -> bytes:
    """Return a refusal as a page, in ASCII.

    Args:
        refusal: Why; its title and detail are told as they are.
        trace_id: Finds the request in logs and traces.
        request_id: Likewise, and may be any text that a proxy made; None leaves it out.
    """
    ids = f"trace {_code(trace_id)}"
    if request_id is not None:
        ids = f"its id {_code(request_id)}, {ids}"
    page = _PAGE.format(
        title=escape(refusal.title),
        detail=escape(refusal.detail),
        status=refusal.status,
        ids=ids,
    )
    return page.encode("ascii", "xmlcharrefreplace")


def _code(text: str) -> str:
    return f"<code>{escape(text)}</code>"
