"""A kept span as one line of JSON, and back. What was written by nobody of us is never trusted."""

import json
from dataclasses import replace
from typing import Any, Final

from mainstay.control.traces.span import INSTANT_NS_MAX, KINDS, STATUSES, KeptMoment, KeptSpan

LINE_BYTES_MAX: Final = 64 * 1024
"""A longer line loses moments, then attributes."""

HEAD: Final = b'{"trace_id":"'
"""Every line begins so: who looks for a trace needs to read no others."""


def line_of(span: KeptSpan) -> bytes:
    """Return the line of a span, with its end."""
    line = _encoded(span)
    if len(line) > LINE_BYTES_MAX:
        line = _encoded(replace(span, moments=()))
    if len(line) > LINE_BYTES_MAX:
        line = _encoded(replace(span, moments=(), attributes={}))
    return line


def span_of(line: bytes) -> KeptSpan | None:
    """Return the span of a line; None for a line that is none of ours."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    match found:
        case {
            "trace_id": str(trace_id),
            "span_id": str(span_id),
            "parent_id": (str() | None) as parent_id,
            "service": str(service),
            "instance": str(instance),
            "name": str(name),
            "kind": str(kind),
            "start_ns": int(start_ns),
            "end_ns": int(end_ns),
            "status": str(status),
            "message": str(message),
            "attributes": dict(attributes),
            "moments": list(told),
        } if kind in KINDS and status in STATUSES and 0 <= start_ns <= end_ns <= INSTANT_NS_MAX:
            moments = _moments(told)
        case _:
            return None
    if moments is None:
        return None
    return KeptSpan(
        trace_id=trace_id,
        span_id=span_id,
        parent_id=parent_id,
        service=service,
        instance=instance,
        name=name,
        kind=kind,
        start_ns=start_ns,
        end_ns=end_ns,
        status=status,
        message=message,
        attributes=attributes,
        moments=moments,
    )


def _encoded(span: KeptSpan) -> bytes:
    plain = {
        "trace_id": span.trace_id,
        "span_id": span.span_id,
        "parent_id": span.parent_id,
        "service": span.service,
        "instance": span.instance,
        "name": span.name,
        "kind": span.kind,
        "start_ns": span.start_ns,
        "end_ns": span.end_ns,
        "status": span.status,
        "message": span.message,
        "attributes": span.attributes,
        "moments": [[one.name, one.at_ns, one.attributes] for one in span.moments],
    }
    return json.dumps(plain, separators=(",", ":")).encode("ascii") + b"\n"


def _moments(told: list[Any]) -> tuple[KeptMoment, ...] | None:
    """Return moments, or None for what are none. Any: what JSON has."""
    moments = []
    for one in told:
        match one:
            case [str(name), int(at_ns), dict(attributes)] if 0 <= at_ns <= INSTANT_NS_MAX:
                moments.append(KeptMoment(name=name, at_ns=at_ns, attributes=attributes))
            case _:
                return None
    return tuple(moments)
