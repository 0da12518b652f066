"""The call of a synchronous channel that nobody answered: a fallback stands in for it."""

from collections.abc import Callable
from typing import Any

import grpc  # type: ignore[import-untyped]  # It ships no types, so all of it is Any.


class StoodIn(grpc.Call, grpc.Future):  # type: ignore[misc]  # As above.
    """A call that is over, with an answer that no server gave.

    Args:
        message: The answer.
    """

    def __init__(self, message: Any) -> None:
        self._message = message

    def result(self, timeout: float | None = None) -> Any:
        """Return the answer."""
        del timeout
        return self._message

    def exception(self, timeout: float | None = None) -> None:
        """Return that there is none."""
        del timeout

    def traceback(self, timeout: float | None = None) -> None:
        """Return that there is none."""
        del timeout

    def code(self) -> Any:
        """Return the status: it is an answer."""
        return grpc.StatusCode.OK

    def details(self) -> str:
        """Return what is said about the status."""
        return ""

    def initial_metadata(self) -> tuple[()]:
        """Return that nobody said anything."""
        return ()

    def trailing_metadata(self) -> tuple[()]:
        """Return that nobody said anything."""
        return ()

    def time_remaining(self) -> None:
        """Return that nothing bounds it."""

    def add_callback(self, callback: Callable[[], None]) -> bool:
        """Return that it is over, so ``callback`` is never called."""
        del callback
        return False

    def add_done_callback(self, fn: Callable[[Any], None]) -> None:
        """Call ``fn`` at once."""
        fn(self)

    def cancel(self) -> bool:
        """Return that it is too late for that."""
        return False

    def cancelled(self) -> bool:
        """Return whether somebody ended it."""
        return False

    def is_active(self) -> bool:
        """Return whether it is on its way."""
        return False

    def running(self) -> bool:
        """Return whether it is on its way."""
        return False

    def done(self) -> bool:
        """Return whether it is over."""
        return True
