"""An OTLP request for traces in JSON. Pure: bytes in, spans out.

Source: OTLP specification, "JSON Protobuf Encoding": names in lowerCamelCase, ids in hexadecimal,
enumerations as numbers, numbers of 64 bits as texts or numbers; what is unknown is passed over.
"""

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from mainstay.control.traces.protobuf import Unreadable
from mainstay.control.traces.span import (
    DEPTH_MAX,
    ITEMS_MAX,
    Attributes,
    KeptMoment,
    Received,
    Sent,
    all_kept,
    bounded_attributes,
    moment,
)

# Any, in all of this file: what JSON has.
_Object = dict[str, Any]

_NUMBER_MAX = (1 << 64) - 1
_DIGITS_MAX = 21
"""Of such a number, with its sign."""


def received(body: bytes) -> Received:
    """Return the spans of an ``ExportTraceServiceRequest``.

    Raises:
        Unreadable: It is none.
    """
    try:
        request = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Unreadable("the body is no JSON") from error
    if not isinstance(request, dict):
        raise Unreadable("the body is JSON, and no object")
    return all_kept(_spans(request), _sent)


def _spans(request: _Object) -> Iterator[tuple[Attributes, _Object]]:
    for part in _objects(request, "resourceSpans"):
        resource = bounded_attributes(_pairs(_object(part, "resource")))
        for scope in _objects(part, "scopeSpans"):
            for span in _objects(scope, "spans"):
                yield resource, span


def _sent(span: _Object) -> Sent:
    status = _object(span, "status")
    return Sent(
        trace_id=_text(span, "traceId"),
        span_id=_text(span, "spanId"),
        parent_id=_text(span, "parentSpanId"),
        name=_text(span, "name"),
        kind=_whole(span.get("kind")),
        start_ns=_whole(span.get("startTimeUnixNano")),
        end_ns=_whole(span.get("endTimeUnixNano")),
        attributes=_pairs(span),
        moments=map(_moment, _objects(span, "events")),
        status=_whole(status.get("code")),
        message=_text(status, "message"),
    )


def _moment(event: _Object) -> KeptMoment:
    return moment(_text(event, "name"), _whole(event.get("timeUnixNano")), _pairs(event))


def _pairs(holder: _Object) -> Iterator[tuple[str, Any]]:
    for pair in _objects(holder, "attributes"):
        yield _text(pair, "key"), _any(_object(pair, "value"), 0)


def _any(value: _Object, depth: int) -> Any:
    """Return an ``AnyValue``."""
    for name, said in value.items():
        read = _READ.get(name)
        if read is not None:
            return read(said, depth)
    return None


def _list(said: Any, depth: int) -> list[Any]:
    return [_any(one, depth + 1) for one in _inner(said, depth)]


def _mapping(said: Any, depth: int) -> _Object:
    return {
        _text(one, "key"): _any(_object(one, "value"), depth + 1) for one in _inner(said, depth)
    }


def _inner(said: Any, depth: int) -> list[_Object]:
    values = _objects(said, "values") if isinstance(said, dict) else []
    # Below the bound nothing is looked into.
    return values[:ITEMS_MAX] if depth <= DEPTH_MAX else []


def _raw(said: Any, depth: int) -> str:
    del depth
    try:
        return base64.b64decode(str(said), validate=True).hex()
    except ValueError:
        return str(said)


_READ: Final[Mapping[str, Callable[[Any, int], Any]]] = {
    "stringValue": lambda said, _: str(said),
    "boolValue": lambda said, _: bool(said),
    "intValue": lambda said, _: _whole(said),
    "doubleValue": lambda said, _: _number(said),
    "bytesValue": _raw,
    "arrayValue": _list,
    "kvlistValue": _mapping,
}


def _whole(said: Any) -> int:
    """Return a number of 64 bits; 0 for what is none, as for what is not there."""
    if isinstance(said, str) and len(said) <= _DIGITS_MAX:
        try:
            said = int(said)
        except ValueError:
            return 0
    return min(max(said, -_NUMBER_MAX), _NUMBER_MAX) if isinstance(said, int) else 0


def _number(said: Any) -> float | str:
    if isinstance(said, int | float):
        try:
            return float(said)
        except OverflowError:
            return str(said)
    # "NaN" and "Infinity" are told as they are.
    return str(said)


def _text(holder: _Object, name: str) -> str:
    said = holder.get(name)
    return said if isinstance(said, str) else ""


def _object(holder: _Object, name: str) -> _Object:
    said = holder.get(name)
    return said if isinstance(said, dict) else {}


def _objects(holder: _Object, name: str) -> list[_Object]:
    said = holder.get(name)
    return [one for one in said if isinstance(one, dict)] if isinstance(said, list) else []
