"""What a call asks, so that a last good answer is found again by the next call that asks the same.

A client makes a new function for each call, so its last good answers would never be found.
"""

from collections.abc import Callable, Hashable
from typing import Any


class Asked:
    """A function that equals another one which asks the same.

    Args:
        send: Makes one attempt. Any: it is the client's.
        what: What is asked; None: the answer is not to be kept.

    Attributes:
        what: As given. Set to None where the answer turns out to be one that is not to be kept.
    """

    __slots__ = ("_send", "what")

    def __init__(self, send: Callable[..., Any], what: Hashable | None) -> None:
        self._send: Callable[..., Any] | None = send
        self.what = what

    def __call__(self, *args: Any) -> Any:
        """Make one attempt."""
        assert self._send is not None, "called before the end of its call alone"
        return self._send(*args)

    def done(self) -> None:
        """Forget how it is sent: as a key it may live for long."""
        self._send = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Asked) and self.what == other.what

    def __hash__(self) -> int:
        """Return the hash of what is asked.

        Raises:
            TypeError: The answer is not to be kept, which is how a store is told.
        """
        if self.what is None:
            raise TypeError("not to be kept")
        return hash(self.what)
