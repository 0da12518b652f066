"""Django's ``request.session`` as one of ours.

In ``MIDDLEWARE``, in the place of ``django.contrib.sessions.middleware.SessionMiddleware``::

    "mainstay.service.inbound.sessions.django.session_middleware",

Nothing of Django is imported: a middleware is a function that is given the next one. For Django
under WSGI: its requests under ASGI carry no environ.
"""

from collections.abc import Callable
from typing import Any

from mainstay.service.inbound.sessions.view import SessionView, session_in


class DjangoSession(SessionView):
    """A session with the names that Django and its own apps use.

    ``login`` gives it a new id and ``logout`` ends it, as with Django's. To be able to end all
    sessions of a user, say who it is after ``login``: ``request.session.ours.bind(str(user.pk))``.
    """

    def cycle_key(self) -> None:
        """Give it a new id."""
        self.ours.rotate()

    def flush(self) -> None:
        """End it."""
        self.ours.clear()

    @property
    def session_key(self) -> str | None:
        """A name that is no secret; None while there is none in the store."""
        return self.ours.handle

    def is_empty(self) -> bool:
        """Return whether there is nothing in it."""
        return not self.ours

    def save(self) -> None:
        """Do nothing: the wrapper keeps it when the answer begins."""


def session_middleware(get_response: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a middleware of Django. Any: its requests and responses."""

    def middleware(request: Any) -> Any:
        request.session = DjangoSession(session_in(request.META))
        return get_response(request)

    return middleware
