"""Django, by its WSGI handler and by its ASGI handler: one project in one file."""

import json
import os
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

# It ships no types.
import django  # type: ignore[import-untyped]
from django.conf import settings  # type: ignore[import-untyped]
from django.core.asgi import get_asgi_application  # type: ignore[import-untyped]
from django.core.handlers.asgi import ASGIRequest  # type: ignore[import-untyped]
from django.core.wsgi import get_wsgi_application  # type: ignore[import-untyped]
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse  # type: ignore[import-untyped]
from django.urls import include, path  # type: ignore[import-untyped]
from tests.contract.frameworks.apps import kit

from mainstay import Service
from mainstay.service.inbound.asgi.shell import AsgiShell
from mainstay.service.inbound.wsgi.shell import WsgiShell

settings.configure(
    SECRET_KEY="not one",
    ROOT_URLCONF=__name__,
    # `inbound.hosts` has them.
    ALLOWED_HOSTS=["*"],
    DATA_UPLOAD_MAX_MEMORY_SIZE=None,
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ],
    # Without this a project that is not in debug mode mails its tracebacks, and nobody reads them.
    LOGGING={
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {"stderr": {"class": "logging.StreamHandler", "stream": sys.stderr}},
        "loggers": {
            "django.request": {"handlers": ["stderr"], "level": "ERROR", "propagate": False}
        },
    },
)
django.setup()


def where(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"path": request.path, "root": request.META.get("SCRIPT_NAME", "")})


def plain(_request: HttpRequest) -> HttpResponse:
    kit.inner.set("handler")
    return JsonResponse({"hello": "world"})


def page(_request: HttpRequest) -> HttpResponse:
    return HttpResponse(kit.PAGE)


async def seen(_request: HttpRequest) -> HttpResponse:
    return JsonResponse(await kit.everywhere())


def seen_sync(_request: HttpRequest) -> HttpResponse:
    return JsonResponse(kit.everywhere_sync())


def background(request: HttpRequest) -> HttpResponse:
    kit.service.background(kit.note_after, request.GET["name"], request.GET["fail"])
    return HttpResponse("whole", content_type="text/plain")


def boom(_request: HttpRequest) -> HttpResponse:
    raise LookupError(kit.SECRET)


async def slow(_request: HttpRequest) -> HttpResponse:
    return HttpResponse(await kit.slow())


async def charge(request: HttpRequest) -> HttpResponse:
    return JsonResponse(await kit.charge(request.GET["name"]))


def charge_sync(request: HttpRequest) -> HttpResponse:
    return JsonResponse(kit.charge_sync(request.GET["name"]))


async def leave(_request: HttpRequest) -> HttpResponse:
    return HttpResponse(await kit.leave())


def leave_sync(_request: HttpRequest) -> HttpResponse:
    return HttpResponse(kit.leave_sync())


async def cancelled(_request: HttpRequest) -> HttpResponse:
    return HttpResponse(await kit.cancelled())


def slow_sync(_request: HttpRequest) -> HttpResponse:
    return HttpResponse(kit.slow_sync())


def _stream(request: HttpRequest, parts: Any, parts_sync: Any, kind: str) -> StreamingHttpResponse:
    """Return a stream in the handler's own way. Any: an iterator, asynchronous or not."""
    is_async = isinstance(request, ASGIRequest)
    return StreamingHttpResponse(parts() if is_async else parts_sync(), content_type=kind)


def gate(request: HttpRequest) -> StreamingHttpResponse:
    name = request.GET["name"]

    def parts() -> AsyncIterator[bytes]:
        return kit.gate(name)

    def parts_sync() -> Iterator[bytes]:
        return kit.gate_sync(name)

    return _stream(request, parts, parts_sync, "text/plain")


def release(request: HttpRequest) -> HttpResponse:
    return HttpResponse(kit.release(request.GET["name"]))


def events(request: HttpRequest) -> StreamingHttpResponse:
    return _stream(request, kit.events, kit.events_sync, "text/event-stream")


def upload(request: HttpRequest) -> HttpResponse:
    file = request.FILES["file"]
    return JsonResponse({"name": file.name, **kit.digest(file.chunks())})


def length(request: HttpRequest) -> HttpResponse:
    return JsonResponse(kit.digest([request.body]))


def item(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"name": json.loads(request.body)["name"]})


def read(request: HttpRequest) -> HttpResponse:
    while request.read(65_536):
        pass
    return HttpResponse("read")


def limited(_request: HttpRequest) -> HttpResponse:
    return HttpResponse("let in", content_type="text/plain")


def state(_request: HttpRequest) -> HttpResponse:
    return JsonResponse(kit.state())


def headers(request: HttpRequest) -> HttpResponse:
    return JsonResponse({name.lower(): value for name, value in request.headers.items()})


async def outbound(_request: HttpRequest) -> HttpResponse:
    return JsonResponse(await kit.outbound())


def outbound_sync(_request: HttpRequest) -> HttpResponse:
    return JsonResponse(kit.outbound_sync())


def own_id(_request: HttpRequest) -> HttpResponse:
    return HttpResponse("", headers={"X-Request-ID": "of-the-app"})


_BY_WSGI = os.environ.get("DJANGO_BY") == "wsgi"

urlpatterns = [
    path("sub/", include([path("where", where)])),
    path("json", plain),
    path("page", page),
    # A coroutine function under WSGI would get a loop of its own for each request.
    path("seen", seen_sync if _BY_WSGI else seen),
    path("seen-sync", seen_sync),
    path("background", background),
    path("boom", boom),
    path("slow", slow_sync if _BY_WSGI else slow),
    path("slow-sync", slow_sync),
    path("gate", gate),
    path("release", release),
    path("charge", charge_sync if _BY_WSGI else charge),
    path("leave", leave_sync if _BY_WSGI else leave),
    path("cancelled", cancelled),
    path("events", events),
    path("upload", upload),
    path("length", length),
    path("item", item),
    path("read", read),
    path("limited", limited),
    path("state", state),
    path("headers", headers),
    path("outbound", outbound_sync if _BY_WSGI else outbound),
    path("own-id", own_id),
]


def make(service: Service) -> AsgiShell | WsgiShell:
    if _BY_WSGI:
        return service.wsgi(get_wsgi_application())
    return service.asgi(get_asgi_application())


app = make(kit.service)
