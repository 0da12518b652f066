"""What differs between two declarations of one service, by key. Pure."""

from collections.abc import Iterator
from typing import Any

from mainstay.spec.declaration import Declaration
from mainstay.spec.kinds.keys import keys_of
from mainstay.spec.kinds.kinds import Section

_PARTED = frozenset(("edge", "inbound", "run", "telemetry"))
"""Sections with a key for each part, which is what people look for."""


def changed_keys(before: Declaration, after: Declaration) -> tuple[str, ...]:
    """Return the keys whose values differ, in declared order: ``inbound.rate_limit``, ``version``.

    Args:
        before: What runs.
        after: What is declared now.
    """
    return tuple(_changed(before, after, ""))


def _changed(before: Any, after: Any, path: str) -> Iterator[str]:
    """Yield what differs in a section. Any: each has a class of its own."""
    for field, key, _ in keys_of(type(before)):
        one, other = getattr(before, field), getattr(after, field)
        if one == other:
            continue
        is_parted = not path and key.name in _PARTED and isinstance(key.kind, Section)
        if is_parted and type(one) is type(other):
            yield from _changed(one, other, f"{key.name}.")
        else:
            yield f"{path}{key.name}"
