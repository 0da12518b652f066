"""A real receiver of Sentry's protocol: takes envelopes apart, answers as told."""

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.telemetry.answering import Answer, Told, answering


@dataclass
class Receiver:
    """What came in. ``gate`` holds every answer until it is set."""

    status: int = 200
    gate: threading.Event = field(default_factory=threading.Event)
    events: list[dict[str, Any]] = field(default_factory=list)
    raw: list[str] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)
    port: int = 0

    @property
    def dsn(self) -> str:
        return f"http://{'k' * 32}@127.0.0.1:{self.port}/42"

    def wait_for(self, count: int, within_s: float = 30.0) -> list[dict[str, Any]]:
        """Return the events once so many came."""
        with self.changed:
            came = self.changed.wait_for(lambda: len(self.events) >= count, timeout=within_s)
        assert came, f"{len(self.events)} of {count} events came"
        return self.events


def items_of(envelope: bytes) -> Iterator[tuple[dict[str, Any], bytes]]:
    """Yield the items of an envelope: header and payload. Source: Sentry, "Envelopes"."""
    head, _, rest = envelope.partition(b"\n")
    assert "event_id" in json.loads(head)
    while rest.strip():
        line, _, rest = rest.partition(b"\n")
        header = json.loads(line)
        if "length" in header:
            payload, rest = rest[: header["length"]], rest[header["length"] + 1 :]
        else:
            payload, _, rest = rest.partition(b"\n")
        yield header, payload


@contextmanager
def receiving(**told: Any) -> Iterator[Receiver]:
    """Run a receiver on a free port of loopback."""
    receiver = Receiver(**told)
    if "gate" not in told:
        receiver.gate.set()

    def answer(told: Told) -> Answer:
        body = told.body
        if told.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        receiver.gate.wait(30)
        with receiver.changed:
            receiver.asked.append({"path": told.path, **told.headers})
            receiver.raw.append(body.decode())
            for header, payload in items_of(body):
                if header["type"] == "event":
                    receiver.events.append(json.loads(payload))
            receiver.changed.notify_all()
        return Answer(status=receiver.status, body=b"{}")

    with answering(answer) as receiver.port:
        try:
            yield receiver
        finally:
            receiver.gate.set()
