"""Which answers of a Redis client are kept as last good ones, and how callers get them. Pure."""

import math
from typing import Any

KEPT_BYTES_MAX = 65_536
"""A larger answer is not kept: ``last_good`` bounds the number of answers, and this their size."""

_ELEMENT_BYTES = 16
_DEPTH_MAX = 8
_SCALARS = (bytes, str, int, float, type(None))


class Kept:
    """An answer that its callers could change, so that each gets a copy of their own.

    Args:
        answer: Of a kind that is kept. Any: it is the client's.
    """

    __slots__ = ("_answer",)

    def __init__(self, answer: Any) -> None:
        self._answer = copied(answer)

    def copy(self) -> Any:
        """Return the answer, for one caller. Any: it is the client's."""
        return copied(self._answer)


def size_of(answer: Any, depth: int = 0) -> float:
    """Return about how many bytes an answer has, or infinity: it is not to be kept.

    Any: it is the client's. Kept are strings, numbers, "not there", and lists, tuples, sets and
    dicts of those; what else a client makes of answers may be anything.
    """
    kind = type(answer)
    if isinstance(answer, _SCALARS):
        return _ELEMENT_BYTES + (len(answer) if isinstance(answer, bytes | str) else 0)
    if depth == _DEPTH_MAX or kind not in {list, tuple, set, frozenset, dict}:
        return math.inf
    if len(answer) * _ELEMENT_BYTES > KEPT_BYTES_MAX:
        return math.inf
    parts = [*answer.keys(), *answer.values()] if kind is dict else answer
    return _ELEMENT_BYTES + sum(size_of(part, depth + 1) for part in parts)


def copied(answer: Any) -> Any:
    """Return an answer of which nothing is shared that can be changed. Any: as above."""
    kind = type(answer)
    if kind is dict:
        return {key: copied(value) for key, value in answer.items()}
    if kind in {list, tuple, set, frozenset}:
        return kind(map(copied, answer))
    return answer
