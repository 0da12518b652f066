"""How our keys are named: a tag first, which says where a cluster keeps them."""

from mainstay.core.errors import PolicyMisused

PREFIX_BYTES_MAX = 100


def key_head(prefix: str, kind: str) -> bytes:
    """Return what keys of one kind begin with: ``{prefix}:kind:``.

    Args:
        prefix: Of one service's keys: 1 to 100 bytes, no braces. All keys of one prefix stand
            together, so that one script can touch several.
        kind: What the keys hold.

    Raises:
        PolicyMisused: The prefix is none.
    """
    if {"{", "}"} & set(prefix) or not 0 < len(prefix.encode(errors="replace")) <= PREFIX_BYTES_MAX:
        raise PolicyMisused("a prefix has 1 to 100 bytes, and no braces")
    return f"{{{prefix}}}:{kind}:".encode()
