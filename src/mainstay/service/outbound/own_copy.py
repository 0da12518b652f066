"""Copies of plain data, so that who changes an answer changes nobody else's. Pure."""

from typing import Any

_DEPTH_MAX = 64
"""What is nested deeper is shared: nobody writes such data by hand, and the stack is bounded."""

_PLAIN = frozenset({dict, list, set, tuple})


def own_copy(data: Any) -> Any:
    """Return dicts, lists, sets and tuples anew, at any place within each other.

    Everything else is returned as it is: most of it can't be changed, and of objects nobody knows
    what a copy would be or do. Data that holds itself does so in the copy too.

    Any: the user's.
    """
    return _copied(data, {}, 0) if type(data) in _PLAIN else data


def _copied(data: Any, seen: dict[int, Any], depth: int) -> Any:
    # Any: the user's. By their numbers in memory: ``data`` holds them all while this runs.
    kind = type(data)
    if kind not in _PLAIN or depth == _DEPTH_MAX:
        return data
    if id(data) in seen:
        return seen[id(data)]
    if kind is tuple:
        made = tuple(_copied(part, seen, depth + 1) for part in data)
        return seen.setdefault(id(data), made)
    made = seen[id(data)] = kind()
    if kind is dict:
        made.update({name: _copied(part, seen, depth + 1) for name, part in data.items()})
    elif kind is list:
        made.extend(_copied(part, seen, depth + 1) for part in data)
    else:
        made.update(data)  # What is in a set can't be changed.
    return made
