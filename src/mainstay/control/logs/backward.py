"""The lines of a log from its end to its beginning, so that the last ones are found at once."""

import os
from collections.abc import Iterator
from typing import Final

CHUNK_BYTES: Final = 256 * 1024

LINE_BYTES_MAX: Final = 64 * 1024
"""A line without an end is given out in pieces, of this size at least."""


def backward(fd: int, end: int) -> Iterator[bytes]:
    """Yield the lines before ``end``, the last one first, without their ends.

    The first one is what follows the last end of line: empty where the file ends with one.

    Args:
        fd: Of a file that can be read.
        end: In bytes; what was appended since is not looked at.
    """
    rest, at = b"", end
    while at > 0:
        size = min(CHUNK_BYTES, at)
        at -= size
        head, *whole = (os.pread(fd, size, at) + rest).split(b"\n")
        yield from reversed(whole)
        rest = head
        if len(rest) > LINE_BYTES_MAX:
            yield rest
            rest = b""
    yield rest
