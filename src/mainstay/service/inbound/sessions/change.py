"""What an answer must keep of a session: one of three changes."""

from typing import NamedTuple

from mainstay.core.sessions import Birth


class Altered(NamedTuple):
    """Fields of a session that stays.

    Attributes:
        fields: JSON by name.
        removed: Names.
    """

    fields: dict[str, str]
    removed: tuple[str, ...]


class Made(NamedTuple):
    """A session with a new id, in place of the one before, if there was one.

    Attributes:
        fields: All of them.
        birth: When it began.
    """

    fields: dict[str, str]
    birth: Birth


class Ended(NamedTuple):
    """The session ends, and no other takes its place."""


Change = Altered | Made | Ended
