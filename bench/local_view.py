"""What the local view costs: ``python bench/local_view.py [--rounds 7] [--json]``.

Batches of 512 spans, as services send them, received, written and read again; then questions to a
ring that is full. The best round counts, since noise only adds.
"""

import argparse
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from mainstay.control.traces import otlp_protobuf
from mainstay.control.traces.intake import Letter, take
from mainstay.control.traces.kept import find, listing
from mainstay.control.traces.ring import SEGMENT_BYTES, SEGMENTS_MAX, Ring, segments
from mainstay.core.clock import SYSTEM_CLOCK

BATCH = 512
LETTERS_MAX = 2000

SPAN_US_MAX = 60.0
"""Of the daemon's CPU: 400 spans a second, as of a hundred requests with four each, are 2.4 %."""

FIND_S_MAX, LIST_S_MAX = 1.0, 5.0
"""A person waits for these."""


def letter(number: int) -> Letter:
    """Return a batch of requests with a call each, as a service of ours tells them."""
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.add(key="service.name").value.string_value = "storefront"
    spans = resource.scope_spans.add().spans
    for place in range(BATCH):
        span = spans.add(
            trace_id=(number * BATCH + place // 4 + 1).to_bytes(16),
            span_id=(place + 1).to_bytes(8),
            parent_span_id=bytes(8) if place % 4 == 0 else (place // 4 * 4 + 1).to_bytes(8),
            name="GET /items/{id}",
            kind=2,
            start_time_unix_nano=1_795_000_000_000_000_000 + number * 10**6 + place,
            end_time_unix_nano=1_795_000_000_000_000_000 + number * 10**6 + place + 10**7,
            flags=0x101,
        )
        for name in ("http.request.method", "url.path", "url.scheme", "http.route",
                     "network.protocol.version", "client.address", "user_agent.original",
                     "mainstay.request_id"):  # fmt: skip
            span.attributes.add(key=name).value.string_value = "0123456789 of some value"
        span.attributes.add(key="http.response.status_code").value.int_value = 200
    return Letter(body=request.SerializeToString(), encoding="", as_json=False)


def best_s(job: Callable[[], object], rounds: int) -> float:
    """Return the least time of a job in seconds."""
    found = []
    for _ in range(rounds):
        began_s = SYSTEM_CLOCK.monotonic_s()
        job()
        found.append(SYSTEM_CLOCK.monotonic_s() - began_s)
    return min(found)


def measured(folder: Path, rounds: int) -> dict[str, float]:
    """Return figures by their names."""
    ring = Ring(folder)
    first = letter(1)
    figures = {
        "bytes of a span as sent": len(first.body) / BATCH,
        "read, us a span": best_s(lambda: otlp_protobuf.received(first.body), rounds) / BATCH * 1e6,
        "received and written, us a span": best_s(
            lambda: take(first, ring, SYSTEM_CLOCK.wall_s), rounds
        ) / BATCH * 1e6,
    }  # fmt: skip
    for number in range(2, LETTERS_MAX):
        if len(segments(folder)) == SEGMENTS_MAX and segments(folder)[-1].number > SEGMENTS_MAX:
            break
        take(letter(number), ring, SYSTEM_CLOCK.wall_s)
    found = listing(folder)
    latest = found.summaries[0]
    size = sum(one.path.stat().st_size for one in segments(folder))
    assert size <= SEGMENT_BYTES * SEGMENTS_MAX
    figures |= {
        "ring, MiB": size / 2**20,
        "ring, spans": float(sum(one.spans for one in found.summaries)),
        "one trace, s": best_s(lambda: find(folder, latest.trace_id), rounds),
        "all traces, s": best_s(lambda: listing(folder), min(rounds, 3)),
    }
    return figures


def main() -> None:
    """Measure and judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measured(Path(folder), asked.rounds)
    if asked.json:
        print(json.dumps(figures, indent=2))
    else:
        for name, value in figures.items():
            print(f"{name:<34} {value:>12,.2f}")
    short = (
        figures["received and written, us a span"] > SPAN_US_MAX
        or figures["one trace, s"] > FIND_S_MAX
        or figures["all traces, s"] > LIST_S_MAX
    )
    raise SystemExit(1 if short else 0)


if __name__ == "__main__":
    main()
