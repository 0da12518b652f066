"""The body of an error that a middleware of the app's has compressed. Pure."""

import zlib

_ZLIB_OR_GZIP = 32 + zlib.MAX_WBITS
"""Which of both is told by the first bytes: ``deflate`` and ``gzip`` in RFC 9110, section 8.4.1."""

_READ = frozenset(("gzip", "x-gzip", "deflate"))
_PLAIN = frozenset(("", "identity"))


def decoded(body: bytes, encoding: str, *, bytes_max: int) -> bytes:
    """Return a body as it was before it was encoded; empty where that can't be told.

    Args:
        body: The whole of it.
        encoding: ``Content-Encoding``; empty where there is none.
        bytes_max: Of what comes out: an error that becomes longer says no sentence.
    """
    name = encoding.strip().lower()
    if name in _PLAIN:
        return body
    if name not in _READ:
        return b""
    reader = zlib.decompressobj(_ZLIB_OR_GZIP)
    try:
        plain = reader.decompress(body, bytes_max)
    except zlib.error:
        return b""
    return plain if reader.eof else b""
