"""What a client of another library reports, in our words: once, with its own error as the cause.

MainstayError
├── ConnectFailed     no connection could be opened: nothing was sent (also a ConnectionError)
├── ConnectionLost    the connection broke; the call's effect is unknown (also a ConnectionError)
└── PolicyMisused
    └── CallUnsendable    the client refuses to send this: mend the code that calls
"""

from typing import Any

from mainstay.core.errors import MainstayError, PolicyMisused


class ConnectFailed(MainstayError, ConnectionError):
    """No connection could be opened, so nothing was sent: elsewhere or later may work.

    Args:
        policy: Name of the policy whose call it was.
    """

    never_sent = True

    def __init__(self, policy: str) -> None:
        self.policy = policy
        super().__init__(policy)

    def __str__(self) -> str:
        return f"{self.policy}: no connection could be opened; nothing was sent"


class ConnectionLost(MainstayError, ConnectionError):
    """The connection broke before the answer was complete, so the call's effect is unknown.

    Args:
        policy: Name of the policy whose call it was.
    """

    def __init__(self, policy: str) -> None:
        self.policy = policy
        super().__init__(policy)

    def __str__(self) -> str:
        return f"{self.policy}: the connection broke before the answer was complete"


class CallUnsendable(PolicyMisused):
    """The client library refuses to send this. It says nothing about the dependency."""


def also(error: MainstayError, theirs: type[Exception], **fields: object) -> MainstayError:
    """Return ``error`` as one that is the client library's too.

    Code that was written for the bare client goes on catching what it caught: a client with a
    policy inside can take its place.

    Args:
        error: Ours. One that is theirs already is returned as it is.
        theirs: The kind that it becomes as well.
        fields: What their errors have beside, where the error has none of that name.
    """
    if isinstance(error, theirs):
        return error
    kind = _both(type(error), theirs)
    # Their constructors want what we don't have; ours set nothing but what is copied here. Of the
    # two, the base is the one whose objects have more in them, such as those of OSError.
    base: Any = kind.__base__
    twin: MainstayError = base.__new__(kind)
    twin.args = error.args
    vars(twin).update({**fields, **vars(error)})
    return twin.with_traceback(error.__traceback__)


# As many as there are kinds of errors in the code: a handful.
_KINDS: dict[tuple[type[MainstayError], type[Exception]], type[MainstayError]] = {}


def _both(ours: type[MainstayError], theirs: type[Exception]) -> type[MainstayError]:
    if (ours, theirs) in _KINDS:
        return _KINDS[ours, theirs]

    # Any: the form of a reduction is between pickle and the class.
    def reduce(self: MainstayError) -> Any:
        # Another process may not have the client library, and can't find this class by its name.
        reduced: Any = ours.__reduce__(self)
        return (ours if reduced[0] is kind else reduced[0], *reduced[1:])

    kind = type(ours.__name__, (ours, theirs), {"__doc__": ours.__doc__, "__reduce__": reduce})
    return _KINDS.setdefault((ours, theirs), kind)
