"""The JSON form of Envoy's protobuf messages: values, durations, typed extensions."""

from collections.abc import Mapping, Sequence

JsonValue = str | int | float | bool | None | Sequence["JsonValue"] | Mapping[str, "JsonValue"]
JsonObject = Mapping[str, JsonValue]
"""Read-only, since what was compiled is compared, hashed and written, and never changed."""


def seconds(duration_s: float) -> str:
    """Return a duration as protobuf writes it: ``5s``, ``0.25s``; to the nanosecond."""
    return f"{duration_s:.9f}".rstrip("0").rstrip(".") + "s"


def any_of(message: str, fields: JsonObject | None = None) -> JsonObject:
    """Return a ``google.protobuf.Any`` that holds ``message`` with ``fields``."""
    return {"@type": f"type.googleapis.com/{message}", **(fields or {})}


def extension(name: str, message: str, fields: JsonObject | None = None) -> JsonObject:
    """Return an extension of that name, configured by ``message``."""
    return {"name": name, "typed_config": any_of(message, fields)}
