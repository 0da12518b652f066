"""What an app says in an error of its own, whatever framework wrote it. Pure.

Read are the forms of FastAPI, Starlette, Litestar, Django REST framework (JSON) and of Flask and
Quart (HTML), and plain text. Other HTML says nothing that a program could use, and an error page
of a framework in its debug mode holds everything: none of it is kept.
"""

import html
import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

_PROBLEM_TYPES = ("application/problem+json", "application/problem+xml")
_READ_TYPES = ("", "application/json", "text/html", "text/plain")
_SERVER_ERROR = 500
_TEXT_MAX = 1000
"""Characters: a longer text is no sentence but a page."""
_FAULTS_MAX = 100
"""Faults of one input that are told; who gets a hundred begins anew."""

# The members that a document has anyway, and what frameworks call them.
_OURS = frozenset(("type", "title", "status", "detail", "instance", "trace_id", "request_id"))
_STATUSES = ("status_code", "code")
_SENTENCES = ("detail", "message", "error", "msg", "description")

# The page that Werkzeug writes, from its first byte to its last.
_WERKZEUG = re.compile(
    r"<!doctype html>\s*<html lang=en>\s*<title>\d{3} [^<]{0,100}</title>\s*"
    r"<h1>[^<]{0,100}</h1>\s*<p>([^<]{1,1000})</p>\s*",
    re.IGNORECASE,
)

_TAGS = re.compile(rb"<[^>]{0,200}>")
_UNHANDLED_BYTES_MAX = 1000
# What frameworks answer for an error that nobody handled, and that they tell of in the log alone.
_UNHANDLED = frozenset(
    (
        # Flask and Quart.
        (
            b"500 Internal Server Error Internal Server Error The server encountered an internal "
            b"error and was unable to complete your request. Either the server is overloaded or "
            b"there is an error in the application."
        ),
        b"Server Error (500) Server Error (500)",  # Django.
        b'{"status_code":500,"detail":"Internal Server Error"}',  # Litestar.
    )
)


class Told(NamedTuple):
    """What an error says.

    Attributes:
        detail: One sentence, or None.
        kind: ``input-invalid`` where faults of the input were listed, else None.
        members: Extension members, of any JSON value.
    """

    detail: str | None
    kind: str | None
    members: Mapping[str, object]


_SERVER = Told("The service could not answer. The trace id finds the cause in its log.", None, {})
_NOTHING = Told(None, None, {})


def is_convertible(status: int, content_type: str | None) -> bool:
    """Return whether an answer may become a problem document: from its head alone.

    So a shell knows whether to hold the body back.
    """
    media = _media(content_type)
    if media in _PROBLEM_TYPES:
        return False
    return status >= _SERVER_ERROR or media in _READ_TYPES


def is_page_asked_for(status: int, content_type: str | None, accept: bytes | None) -> bool:
    """Return whether an error is the app's own page, for a client that shows pages.

    Browsers say that they take ``text/html``; programs that mean any type don't. A 500 is never
    one: frameworks write theirs in debug modes, with everything in it.
    """
    return (
        status != _SERVER_ERROR
        and accept is not None
        and _media(content_type) == "text/html"
        and b"text/html" in accept
    )


def is_unhandled(body: bytes) -> bool:
    """Return whether a 500 is what a framework says when the app raised and nobody handled it.

    FastAPI and Starlette raise it again. Flask, Quart, Django and Litestar answer with words that
    are always the same; a page of the app's own has other ones.
    """
    if len(body) > _UNHANDLED_BYTES_MAX:
        return False
    return b" ".join(_TAGS.sub(b" ", body).split()) in _UNHANDLED


def told(status: int, content_type: str | None, body: bytes) -> Told | None:
    """Return what an answer that is convertible says; None where it is to stay as it is."""
    if status >= _SERVER_ERROR:
        return _SERVER
    media = _media(content_type)
    if media == "application/json":
        return _told_json(status, body)
    text = body[: 4 * _TEXT_MAX].decode("utf-8", "replace").strip()
    if media == "text/html":
        page = _WERKZEUG.fullmatch(text)
        return _NOTHING if page is None else Told(html.unescape(page[1]), None, {})
    is_sentence = 0 < len(text) <= _TEXT_MAX and media == "text/plain"
    return Told(text, None, {}) if is_sentence else _NOTHING


def _media(content_type: str | None) -> str:
    return "" if content_type is None else content_type.partition(";")[0].strip().lower()


def _told_json(status: int, body: bytes) -> Told | None:
    try:
        # NaN is no JSON: nobody could read what we would write.
        found = json.loads(body, parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        return _NOTHING
    if isinstance(found, list):
        return Told(None, None, {"errors": found})
    if not isinstance(found, dict):
        return Told(found, None, {}) if isinstance(found, str) else _NOTHING
    if {"type", "title", "status"} <= found.keys():
        # A problem document in all but its content type.
        return None
    if isinstance(found.get("detail"), dict):
        # FastAPI's HTTPException(detail={...}): the app's own members, one level down.
        found = found["detail"]
    return _told_object(status, found)


def _told_object(status: int, found: dict[str, Any]) -> Told:
    """Return what a JSON object says. Any: the app's JSON."""
    members = {
        name: value
        for name, value in found.items()
        if name not in _OURS and not (name in _STATUSES and value == status)
    }
    detail = None
    for name in _SENTENCES:
        if isinstance(found.get(name), str):
            detail = found[name]
            members.pop(name, None)
            break
    listed = found.get("detail")
    faults = listed if isinstance(listed, list) else members.get("extra")
    if not isinstance(faults, list):
        return Told(detail, None, members)
    if not all(map(_is_fault, faults)):
        return Told(detail, None, {"errors": faults, **members})
    members.pop("extra", None)
    members["errors"] = [_fault(one) for one in faults[:_FAULTS_MAX]]
    return Told(detail or "The input has faults; `errors` lists them.", "input-invalid", members)


def _is_fault(item: object) -> bool:
    """Return whether an item is a fault of the input, as FastAPI or Litestar write it."""
    return isinstance(item, dict) and (
        (isinstance(item.get("msg"), str) and isinstance(item.get("loc"), list))
        or (isinstance(item.get("message"), str) and isinstance(item.get("key"), str))
    )


def _fault(item: dict[str, Any]) -> dict[str, str]:
    """Return one fault, without the input itself, which may be a password.

    Any: checked by ``_is_fault``.
    """
    if "loc" in item:
        detail, (place, *way) = item["msg"], item["loc"] or ("body",)
    else:
        detail, place, way = item["message"], item.get("source", "body"), item["key"].split(".")
    if place == "body":
        pointer = "".join("/" + _escaped(step) for step in way)
        return {"detail": detail, "in": "body", "pointer": "#" + pointer}
    return {"detail": detail, "in": str(place), "name": ".".join(map(str, way))}


def _escaped(step: object) -> str:
    """Return one step of a JSON Pointer in a URI fragment (RFC 6901, sections 3 and 6)."""
    return quote(str(step).replace("~", "~0").replace("/", "~1"), safe="~!$&'()*+,;=:@")
