"""A real OTLP receiver over HTTP: parses what comes with opentelemetry-proto, answers as told."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from tests.telemetry.answering import Answer, Told, answering


@dataclass
class Receiver:
    """What came in, and what is answered.

    ``statuses`` are answered one after the other, the last one from then on; ``gate`` holds every
    answer until it is set.
    """

    statuses: list[int] = field(default_factory=lambda: [200])
    headers: dict[str, str] = field(default_factory=dict)
    rejected: int = 0
    gate: threading.Event = field(default_factory=threading.Event)
    requests: list[ExportTraceServiceRequest] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def spans(self) -> list[Span]:
        """Of requests that were answered with success."""
        return [
            span
            for request in list(self.requests)
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    @property
    def resources(self) -> list[dict[str, Any]]:
        return [
            {one.key: value_of(one.value) for one in resource.resource.attributes}
            for request in list(self.requests)
            for resource in request.resource_spans
        ]

    def wait_for(self, count: int, within_s: float = 30.0) -> list[Span]:
        """Return the spans once so many came."""
        with self.changed:
            came = self.changed.wait_for(lambda: len(self.spans) >= count, timeout=within_s)
        assert came, f"{len(self.spans)} of {count} spans came"
        return self.spans


def value_of(value: Any) -> Any:
    """Return an AnyValue as Python has it."""
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [value_of(one) for one in value.array_value.values]
    return getattr(value, kind)


def attributes_of(found: Any) -> dict[str, Any]:
    """Return the attributes of a span, an event, or a link."""
    return {one.key: value_of(one.value) for one in found.attributes}


@contextmanager
def receiving(**told: Any) -> Iterator[Receiver]:
    """Run a receiver on a free port of loopback."""
    receiver = Receiver(**told)
    if "gate" not in told:
        receiver.gate.set()

    def answer(told: Told) -> Answer:
        receiver.gate.wait(30)
        with receiver.changed:
            receiver.asked.append({"path": told.path, **told.headers})
            status = receiver.statuses[0]
            if len(receiver.statuses) > 1:
                receiver.statuses.pop(0)
            if status == 200:
                request = ExportTraceServiceRequest()
                request.ParseFromString(told.body)
                receiver.requests.append(request)
            receiver.changed.notify_all()
        said = ExportTraceServiceResponse()
        said.partial_success.rejected_spans = receiver.rejected
        return Answer(status=status, body=said.SerializeToString(), headers=receiver.headers)

    with answering(answer) as receiver.port:
        try:
            yield receiver
        finally:
            receiver.gate.set()
