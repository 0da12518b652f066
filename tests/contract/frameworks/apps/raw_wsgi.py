"""WSGI by hand, in each form that PEP 3333 allows."""

import io
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from tests.contract.frameworks.apps import kit

from mainstay import Service
from mainstay.service.inbound.wsgi.shell import WsgiShell

# Any: WSGI's environ is a dictionary of anything, and start_response has a legacy result.
Environ = dict[str, Any]
StartResponse = Callable[..., Any]

closed: list[str] = []


class Closing:
    """A body that wants to know when it is over."""

    def __init__(self, parts: Iterable[bytes], name: str) -> None:
        self._parts = iter(parts)
        self._name = name

    def __iter__(self) -> Iterator[bytes]:
        return self._parts

    def close(self) -> None:
        closed.append(self._name)


def lazy(_environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
    """Say how the answer begins only when somebody wants it."""
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-Own", "lazy")])
    yield b""
    yield b"lazy "
    yield kit.seen()["trace_id"].encode()


def lazy_fails(_environ: Environ, _start_response: StartResponse) -> Iterator[bytes]:
    """Fail when somebody wants the first part."""
    yield from ()
    raise LookupError(kit.SECRET)


def write(_environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Answer by the callable that old code writes to."""
    say = start_response("200 OK", [("Content-Type", "text/plain"), ("X-Own", "write")])
    say(b"written ")
    say(b"twice ")
    return [b"and returned"]


def changed(_environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Begin an answer, then another one, as an error handler does."""
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-Own", "first")])
    error = LookupError(kit.SECRET)
    told = (LookupError, error, error.__traceback__)
    start_response("418 I'm a Teapot", [("Content-Type", "text/plain")], told)
    return [b"teapot"]


def file(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-Own", "file")])
    body = io.BytesIO(b"0123456789" * 100_000)
    wrap: Callable[..., Iterable[bytes]] = environ.get("wsgi.file_wrapper", iterated)
    return wrap(body, 65_536)


def iterated(body: io.BytesIO, size: int) -> Iterator[bytes]:
    return iter(lambda: body.read(size), b"")


def gate(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    name = environ["QUERY_STRING"]
    return Closing(kit.gate_sync(name), name)


def release(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [])
    return [kit.release(environ["QUERY_STRING"]).encode()]


def told(_environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return (" ".join(closed).encode(),)


def nothing(_environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response("404 Not Found", [("Content-Type", "text/plain")])
    return []


ROUTES = {
    "/lazy": lazy,
    "/lazy-fails": lazy_fails,
    "/write": write,
    "/changed": changed,
    "/file": file,
    "/gate": gate,
    "/release": release,
    "/closed": told,
}


def api(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    return ROUTES.get(environ["PATH_INFO"], nothing)(environ, start_response)


def make(service: Service) -> WsgiShell:
    return service.wsgi(api)


app = make(kit.service)
