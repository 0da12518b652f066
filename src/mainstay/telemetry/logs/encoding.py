"""Values as JSON in UTF-8. With orjson where that is installed, which is ten times as fast."""

import json
from collections.abc import Callable
from types import ModuleType

try:
    import orjson as fast
except ImportError:
    # An extra: `mainstay[telemetry]`.
    fast = None  # type: ignore[assignment]  # Said below to be one or the other.

_fast: ModuleType | None = fast

_utf8 = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode
_ascii = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


def encode_with_json(value: object) -> bytes:
    """Return a value as JSON without newlines, made by the standard library.

    Args:
        value: Plain, as a ``Masker`` returns it.
    """
    try:
        return _utf8(value).encode()
    except UnicodeEncodeError:
        # Half of a surrogate pair, which UTF-8 can't hold and an escape can.
        return _ascii(value).encode()


def encode_with_orjson(value: object) -> bytes:
    """Return a value as JSON without newlines, made by orjson; as ``encode_with_json``."""
    try:
        return fast.dumps(value)
    except TypeError:
        # It takes no half of a surrogate pair.
        return encode_with_json(value)


encode: Callable[[object], bytes] = encode_with_json if _fast is None else encode_with_orjson
"""The faster one of those that are installed."""
