"""Which requests may be sent twice. Pure."""

_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
"""RFC 9110, 9.2.2."""


def may_repeat(method: str, idempotency_key: str | bytes | None) -> bool:
    """Return whether a request may be made twice: by its method, or because it has a key.

    Args:
        method: In any case of letters.
        idempotency_key: The value of its ``Idempotency-Key`` header; an empty one is none.
    """
    return bool(idempotency_key) or method.upper() in _IDEMPOTENT
