"""Fallback: what stands in when a call fails: a value, a function, or the last good answer."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Final

from mainstay.core.errors import CallRejected
from mainstay.service.outbound.failure import Errors, is_errors, is_failure, matcher
from mainstay.service.outbound.quantity import Duration, Options


class _Nothing:
    """Stands for no value, since None may be one."""

    def __repr__(self) -> str:
        return "nothing"


NOTHING: Final = _Nothing()

KeyOf = Callable[..., Hashable]
"""From the arguments of a call to the key of its last good answer."""


Question = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]
"""A call: the function and its arguments. Any: they are the user's."""


def arguments_key(*args: Any, **kwargs: Any) -> Hashable:
    """Return the arguments themselves as the key. Any: they are the user's."""
    return (args, tuple(sorted(kwargs.items())))


@dataclass(frozen=True, slots=True, kw_only=True)
class Fallback:
    """Answer something else when the call fails or is rejected. The answer is marked degraded.

    The last good answer goes first, then the function, then the value; at least one is needed.

    Attributes:
        value: Answered as it is.
        function: Called with the arguments of the call; for ``acall`` it may be a coroutine
            function. What it raises is raised.
        last_good: So many last good answers are kept, by ``key``; 0: none.
        age_max: Older ones are not answered.
        key: From the arguments to the key of the answer; by default the arguments themselves. Each
            function has answers of its own, so a lambda that is made for one call has none. A
            call whose key can't be hashed is not kept.
        on: Errors that it stands in for; None: failures (see ``failure.is_failure``), of which a
            passed deadline is one, and rejections.
    """

    value: Any = NOTHING  # Any: whatever the caller wants.
    function: Callable[..., Any] | None = None
    last_good: int = 0
    age_max: Duration = 300.0
    key: KeyOf = arguments_key
    on: Errors | None = None

    def __post_init__(self) -> None:
        options = Options("Fallback")
        options.whole("last_good", self.last_good, 0, 100_000)
        object.__setattr__(self, "age_max", options.seconds("age_max", self.age_max))
        if self.value is NOTHING and self.function is None and not self.last_good:
            options.wrong("value", "a value, a function or last_good", self.value)
        options.function("function", self.function)
        if not is_errors(self.on):
            options.wrong("on", "error types or a predicate", self.on)
        options.done()

    def covers(self, error: BaseException) -> bool:
        """Return whether it stands in for ``error``; never for a cancellation."""
        if self.on is not None:
            return matcher(self.on, None)(error)
        return isinstance(error, CallRejected) or is_failure(error)


class LastGood:
    """The last good answers, the least recently written dropped first. Shared by threads."""

    __slots__ = ("_answers", "_lock", "_options")

    def __init__(self, options: Fallback) -> None:
        self._lock = threading.Lock()
        self._options = options
        self._answers: OrderedDict[Hashable, tuple[float, Any]] = OrderedDict()

    def renew_lock(self) -> None:
        """Take a new lock, for a child process."""
        self._lock = threading.Lock()

    def keep(self, question: Question, answer: Any, now_s: float) -> None:
        """Keep an answer. Any: it is the user's."""
        key = self._key(question)
        if key is NOTHING:
            return
        with self._lock:
            self._answers[key] = (now_s, answer)
            self._answers.move_to_end(key)
            if len(self._answers) > self._options.last_good:
                self._answers.popitem(last=False)

    def find(self, question: Question, now_s: float) -> tuple[float, Any] | None:
        """Return the age in seconds and the answer, or None where there is none young enough."""
        key = self._key(question)
        with self._lock:
            found = None if key is NOTHING else self._answers.get(key)
        if found is None or now_s - found[0] > float(self._options.age_max):
            return None
        return now_s - found[0], found[1]

    def reconfigure(self, options: Fallback) -> None:
        """Take new bounds; answers beyond a smaller one are dropped, the oldest first."""
        with self._lock:
            self._options = options
            while len(self._answers) > options.last_good:
                self._answers.popitem(last=False)

    def _key(self, question: Question) -> Hashable:
        fn, args, kwargs = question
        try:
            key = (fn, self._options.key(*args, **kwargs))
            hash(key)
        except TypeError:
            return NOTHING
        return key
