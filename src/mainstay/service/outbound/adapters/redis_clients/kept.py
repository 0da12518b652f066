"""Which answers of a Redis client are kept as last good ones. Pure."""

import math
from typing import Any

from mainstay.service.outbound.adapters.asked import KEPT_BYTES_MAX

_ELEMENT_BYTES = 16
_DEPTH_MAX = 8
_SCALARS = (bytes, str, int, float, type(None))


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
