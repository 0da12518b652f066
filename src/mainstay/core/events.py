"""Events: frozen values that say what was decided, handed to listeners.

A concept emits; logs, metrics and views are made from events elsewhere. A listener that fails
never hurts the one who emitted: its error is handed to ``on_listener_error``, once per call.
``SystemExit`` is such an error in every thread but the main one, where it ends the process.
"""

from collections.abc import Callable
from dataclasses import dataclass
from threading import current_thread, main_thread

from mainstay.core.complaint import complain


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened. Subclasses add fields; every field is a plain value.

    Attributes:
        at_s: Wall time in seconds since 1970 (for people and records, not for durations).
    """

    at_s: float


Listener = Callable[[Event], None]


def report_to_stderr(listener: Listener, error: Exception | SystemExit) -> None:
    """Say on stderr that a listener failed; the default of ``Listeners``.

    A stderr that is closed or full loses it, and so does a process that was started without one.
    """
    complain(f"mainstay: listener {listener!r} failed: {error!r}\n")


class Listeners:
    """A bounded list of listeners, each isolated from the others' failures.

    Args:
        listeners_max: How many may be added; one more raises ValueError.
        on_listener_error: Told about each failure; must not raise.

    Attributes:
        listening: Whether anybody does. Who emits often looks here before an event is made.
        calls: Whether somebody asked to be told of each call of a client, which is dear.
    """

    __slots__ = ("_listeners", "_max", "_on_error", "calls", "listening")

    def __init__(
        self,
        *,
        listeners_max: int = 64,
        on_listener_error: Callable[[Listener, Exception | SystemExit], None] = report_to_stderr,
    ) -> None:
        self.listening = False
        self.calls = False
        self._listeners: tuple[Listener, ...] = ()
        self._max = listeners_max
        self._on_error = on_listener_error

    def add(self, listener: Listener) -> None:
        """Add a listener; it hears every event emitted from now on.

        Raises:
            ValueError: There are ``listeners_max`` already.
        """
        if len(self._listeners) >= self._max:
            raise ValueError(f"more than {self._max} listeners: is one added for every request?")
        # A new tuple, so that a thread that is emitting keeps the list it started with.
        self._listeners = (*self._listeners, listener)
        self.listening = True

    def remove(self, listener: Listener) -> None:
        """Remove a listener; one that was never added is not an error."""
        self._listeners = tuple(one for one in self._listeners if one is not listener)
        self.listening = bool(self._listeners)

    def emit(self, event: Event) -> None:
        """Hand ``event`` to every listener, in the order they were added."""
        for listener in self._listeners:
            try:
                listener(event)
            except Exception as error:  # noqa: BLE001  The one place that isolates listeners.
                self._on_error(listener, error)
            except SystemExit as error:
                # The main thread's may be a signal's, and the process is to end. Elsewhere it ends
                # a thread of ours and nothing else: the one that looks for a store that is away.
                if current_thread() is main_thread():
                    raise
                self._on_error(listener, error)
