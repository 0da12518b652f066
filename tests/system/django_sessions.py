"""A Django project with our sessions, its own messages and its own login, asked by hand.

Prints what three requests came to. A program of its own, since Django's settings are a process's.
"""

# Django ships no types.
# mypy: disable-error-code="import-untyped"

import json

import django
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY, login, logout
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path
from tests.service.inbound.sessions.drive import Wsgi
from tests.service.inbound.sessions.test_frameworks import wsgi_client

settings.configure(
    SECRET_KEY="x" * 50,
    ALLOWED_HOSTS=["shop"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes"],
    AUTHENTICATION_BACKENDS=["django.contrib.auth.backends.ModelBackend"],
    MESSAGE_STORAGE="django.contrib.messages.storage.session.SessionStorage",
    MIDDLEWARE=[
        "mainstay.service.inbound.sessions.django.session_middleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ],
)
django.setup()


def enter(request: HttpRequest) -> JsonResponse:
    from django.contrib.auth.models import User

    user = User(pk=7, username="ada", password="unusable")
    # It would be written to a database, of which there is none here.
    user.save = lambda **_: None
    login(request, user, "django.contrib.auth.backends.ModelBackend")
    request.session.ours.bind(str(user.pk))
    messages.info(request, "welcome")
    return JsonResponse({"keys": sorted(request.session)})


def look(request: HttpRequest) -> JsonResponse:
    told = [str(one) for one in messages.get_messages(request)]
    signed = SESSION_KEY in request.session and HASH_SESSION_KEY in request.session
    return JsonResponse({"told": told, "signed": signed, "user": request.session.ours.user})


def leave(request: HttpRequest) -> JsonResponse:
    logout(request)
    return JsonResponse({"keys": sorted(request.session)})


urlpatterns = [path("enter", enter), path("look", look), path("leave", leave)]


def main() -> None:
    get = wsgi_client(Wsgi(), get_wsgi_application())
    print(json.dumps([json.loads(get(one)[1]) for one in ("/enter", "/look", "/leave", "/look")]))  # noqa: T201  To the test.


if __name__ == "__main__":
    main()
