"""Flask's ``session`` as one of ours: ``app.session_interface = FlaskSessions()``.

Nothing of Flask is imported: what it asks for is three methods and a few attributes.
"""

from typing import Any

from mainstay.service.inbound.sessions.session import Session
from mainstay.service.inbound.sessions.view import SessionView, session_in


class FlaskSession(SessionView):
    """What ``flask.session`` stands for.

    Attributes:
        permanent: For programs that set it; how long a session lives is declared.
    """

    def __init__(self, ours: Session) -> None:
        super().__init__(ours)
        self.permanent = False

    @property
    def new(self) -> bool:
        """Whether the request came without a session that is alive."""
        return self.ours.new


class FlaskSessions:
    """A session interface as ``flask.sessions.SessionInterface`` describes it.

    Any: Flask's apps, requests and responses.
    """

    pickle_based = False

    def open_session(self, app: Any, request: Any) -> FlaskSession:  # noqa: ARG002  Flask's form.
        """Return the session of the request.

        Raises:
            PolicyMisused: The app is not wrapped, or its service declares no sessions.
        """
        return FlaskSession(session_in(request.environ))

    def is_null_session(self, session: object) -> bool:  # noqa: ARG002  Flask's form.
        """Return False: there is always one."""
        return False

    def save_session(self, app: Any, session: object, response: Any) -> None:
        """Do nothing: the wrapper keeps it when the answer begins."""
