"""What a session can't do, below the tree of ``core/errors.py``.

PolicyMisused
├── SessionNotLoaded      read in a task before it was loaded: await it first
├── SessionClosed         changed after its answer began: nobody would keep it
├── SessionValueInvalid   a value that is no JSON
└── SessionTooLarge       more than ``inbound.session.data_max``
"""

from mainstay.core.errors import PolicyMisused


class SessionNotLoaded(PolicyMisused):
    """A task would have to wait for the store, which an item access can't."""


class SessionClosed(PolicyMisused):
    """The answer has begun, and the session was kept with it."""


class SessionValueInvalid(PolicyMisused):
    """A name or a value can't be kept as JSON."""


class SessionTooLarge(PolicyMisused):
    """A session holds less than that: keep records in a database, and their ids here."""
