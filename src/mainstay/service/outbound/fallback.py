"""Fallback: what stands in when a call fails: a value, a function, or the last good answer."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Final

from mainstay.core.errors import CallRejected
from mainstay.service.outbound.failure import Errors, is_errors, is_failure, matcher
from mainstay.service.outbound.own_copy import own_copy
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


Packing = Callable[[Question, Any], Any]
"""From a call and its answer to what is kept of it. Any: as above."""


def arguments_key(*args: Any, **kwargs: Any) -> Hashable:
    """Return the arguments themselves as the key. Any: they are the user's."""
    return (args, tuple(sorted(kwargs.items())))


@dataclass(frozen=True, slots=True, kw_only=True)
class Fallback:
    """Answer something else when the call fails or is rejected. The answer is marked degraded.

    The last good answer goes first, then the function, then the value; at least one is needed.

    Attributes:
        value: Answered as it is; of plain data, each caller gets a copy, see ``own_copy``.
        function: Called with the arguments of the call; for ``acall`` it may be a coroutine
            function. What it raises is raised.
        last_good: So many last good answers are kept, by ``key``; 0: none. Of plain data, each
            caller gets a copy; other objects are shared, and nobody may change them.
        age_max: Older ones are not answered.
        key: From the arguments to the key of the answer; by default the arguments themselves. Each
            function has answers of its own, so a lambda that is made for one call has none. 1 and
            True are two keys. A call whose key can't be made or hashed is not kept, whatever the
            function raises: what went well stays so.
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


def _as_it_is(_question: Question, answer: Any) -> Any:
    return answer


class LastGood:
    """The last good answers, the least recently written dropped first. Shared by threads.

    Args:
        options: How many, for how long, and by what key.
        packing: Makes of an answer what is kept of it; where it raises, nothing is.
    """

    __slots__ = ("_answers", "_lock", "_options", "_packing")

    def __init__(self, options: Fallback, packing: Packing = _as_it_is) -> None:
        self._lock = threading.Lock()
        self._options = options
        self._packing = packing
        self._answers: OrderedDict[Hashable, tuple[float, Any]] = OrderedDict()

    def renew_lock(self) -> None:
        """Take a new lock, for a child process."""
        self._lock = threading.Lock()

    def keep(self, question: Question, answer: Any, now_s: float) -> None:
        """Keep an answer. Any: it is the user's."""
        _isolated(self._keep, question, answer, now_s)

    def find(self, question: Question, now_s: float) -> tuple[float, Any] | None:
        """Return the age in seconds and the answer, or None where there is none young enough."""
        found = _isolated(self._find, question)
        if found is None or now_s - found[0] > float(self._options.age_max):
            return None
        return now_s - found[0], own_copy(found[1])

    def reconfigure(self, options: Fallback) -> None:
        """Take new bounds; answers beyond a smaller one are dropped, the oldest first."""
        with self._lock:
            self._options = options
            while len(self._answers) > options.last_good:
                self._answers.popitem(last=False)

    def _keep(self, question: Question, answer: Any, now_s: float) -> None:
        kept = now_s, own_copy(self._packing(question, answer))
        key = self._key(question)
        with self._lock:
            self._answers[key] = kept
            self._answers.move_to_end(key)
            if len(self._answers) > self._options.last_good:
                self._answers.popitem(last=False)

    def _find(self, question: Question) -> tuple[float, Any] | None:
        key = self._key(question)
        with self._lock:
            return self._answers.get(key)

    def _key(self, question: Question) -> Hashable:
        fn, args, kwargs = question
        return fn, _typed(self._options.key(*args, **kwargs))


def _typed(key: Hashable) -> Hashable:
    """Return a key that equals only what has the same types: 1 equals True, and is another."""
    if type(key) is tuple:
        return tuple(map(_typed, key))
    if type(key) is frozenset:
        return frozenset(map(_typed, key))
    return type(key), key


def _isolated(job: Callable[..., Any], *args: Any) -> Any:
    """Return what a job returns, or None where a key can't be made, compared or hashed.

    Any: the store's and the user's.
    """
    try:
        return job(*args)
    except Exception:  # noqa: BLE001  The user's own function, hash and equality: it may be any.
        return None
