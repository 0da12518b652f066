"""A session as another framework names its parts: the dictionary is ours, the rest is theirs."""

from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any

from mainstay.core.errors import PolicyMisused
from mainstay.service.inbound.sessions.session import Session
from mainstay.service.inbound.sessions.wsgi import SESSION_KEY


class SessionView(MutableMapping[str, Any]):
    """A dictionary that is a session's. Any: its values are what JSON can hold.

    Attributes:
        ours: The session, with ``bind``, ``rotate``, ``user`` and ``handle``.
        accessed: For frameworks that set it; what was touched is noticed by itself.
        modified: As ``accessed``, for what was changed, also within a value.
    """

    def __init__(self, ours: Session) -> None:
        self.ours = ours
        self.accessed = False
        self.modified = False

    def __getitem__(self, key: str) -> Any:
        return self.ours[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.ours[key] = value

    def __delitem__(self, key: str) -> None:
        del self.ours[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.ours)

    def __len__(self) -> int:
        return len(self.ours)

    def clear(self) -> None:
        """End the session; what is set after is a new one."""
        self.ours.clear()


def session_in(environ: Mapping[str, Any]) -> Session:
    """Return the session of a request by its environ.

    Raises:
        PolicyMisused: The app is not wrapped, or its service declares no sessions.
    """
    session = environ.get(SESSION_KEY)
    if not isinstance(session, Session):
        raise PolicyMisused("no session here: wrap the app, and declare `inbound.session`")
    return session
