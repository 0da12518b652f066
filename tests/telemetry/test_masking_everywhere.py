"""The corpus of secrets goes through a service's every door, and gets out in no signal."""

import asyncio
import re
from collections.abc import Iterator
from random import Random
from typing import Any
from urllib.parse import quote

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from tests.telemetry.logs.sinks import Kept
from tests.telemetry.masking import corpus
from tests.telemetry.reports.receiver import receiving as receiving_reports
from tests.telemetry.traces.receiver import receiving

from mainstay import Service
from mainstay.core.trace import SAMPLE_ALL
from mainstay.spec.declaration import Declaration
from mainstay.spec.inbound import Inbound
from mainstay.spec.telemetry import ErrorReports, Telemetry, Traces
from mainstay.telemetry.logs.writer import Writer
from mainstay.telemetry.masking import MASKED, Masker
from mainstay.telemetry.traces.bridge import TracerProvider

SEED = 20_261_122
COUNT = 500
AT_ONCE = 20
"""As many errors as are reported before their rate is bounded."""


class Hurried:
    """A clock by which a second passes with each look, so that no rate is ever exceeded."""

    def __init__(self) -> None:
        self._now_s = 1000.0

    def monotonic_s(self) -> float:
        self._now_s += 1.0
        return self._now_s

    def wall_s(self) -> float:
        return 1_800_000_000.0 + self._now_s


class World:
    """A service that tells whatever it is told, by every signal."""

    def __init__(self, endpoint: str, dsn: str) -> None:
        self.kept = Kept()
        declaration = Declaration(
            service="shop",
            app="shop:app",
            inbound=Inbound(deadline_s=3600.0, shed=None),
            telemetry=Telemetry(
                traces=Traces(sample=1.0, endpoint=endpoint), errors=ErrorReports(dsn=dsn)
            ),
        )
        self.service = Service(
            declaration, clock=Hurried(), environ={}, writer=Writer(self.kept.outlet())
        )
        tracing = self.service.telemetry.tracing
        assert tracing is not None
        # One of its own, since the process's may be that of another test.
        self.tracer = TracerProvider(
            put=tracing.exporter.put, clock=Hurried(), rng=Random(SEED), below=SAMPLE_ALL,
            flush=tracing.exporter.flush,
        ).get_tracer("shop")  # fmt: skip
        self.case = corpus.Case("", "", "")
        routes = [Route("/say/{text:path}", self._say), Route("/fail", self._fail)]
        self.app = self.service.asgi(Starlette(routes=routes))
        self.answers: list[str] = []

    async def _say(self, _request: Request) -> PlainTextResponse:
        case = self.case
        with self.tracer.start_as_current_span("work") as span:
            span.set_attribute(case.key, _plain(case.value))
            span.add_event("seen", {case.key: _plain(case.value)})
        self.service.log.info("seen", **{case.key: case.value})
        said = f"saw {_field(case)}"
        self.service.log.warning(said)
        return PlainTextResponse("ok")

    async def _fail(self, _request: Request) -> None:
        raise LookupError(_field(self.case)) from _cause(self.case)

    async def go_through(self, cases: list[corpus.Case]) -> None:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
            for case in cases:
                self.case = case
                text = quote(_field(case).replace("\n", " "), safe="")
                headers = {f"x-{name}": value for name, value in _header(case)}
                # What a problem says goes back to whoever called the request so.
                asked = {f"/say/{text}": headers | _ids(case), f"/fail?{_query(case)}": headers}
                for path, sent in asked.items():
                    answer = await client.get(path, headers=sent)
                    self.answers.append(answer.text)
            self.answers.append((await client.get("/metrics")).text)


def _plain(value: object) -> str:
    """Return a value as a span's attribute may be."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _field(case: corpus.Case) -> str:
    """Return a field as people write it into a text."""
    return f"{case.key}={_plain(case.value)}"


def _query(case: corpus.Case) -> str:
    return f"{quote(case.key)}={quote(_plain(case.value))}"


def _header(case: corpus.Case) -> Iterator[tuple[str, str]]:
    """Yield a field as a header, where it can be one."""
    value = _plain(case.value)
    if re.fullmatch(r"[A-Za-z0-9_-]+", case.key) and value.isascii() and value.isprintable():
        yield case.key, value.strip()


def _ids(case: corpus.Case) -> dict[str, str]:
    """Return what a caller may call its request and its part of a trace."""
    if not re.fullmatch(r"[A-Za-z0-9._:@/+=~-]{1,80}", case.secret):
        return {}
    # A password that nothing tells to be one may be anybody's id.
    said = case.secret if Masker().text(case.secret) == MASKED else f"password={case.secret}"
    return {
        "x-request-id": said,
        "traceparent": f"00-{'a' * 32}-{'b' * 16}-01",
        "tracestate": f"shop={said.replace('=', ':')}",
    }


def _cause(case: corpus.Case) -> BaseException:
    return case.value if isinstance(case.value, BaseException) else ValueError(_field(case))


def _in_one_line(text: str) -> str:
    """Return a text without line ends, written out or not: secrets of several lines have them."""
    return re.sub(r"\\+n|\n", "", text)


def _leaks(secret: str, shown: str) -> bool:
    """Return whether a part of a secret that tells something is in what is shown, in one line."""
    secret = _in_one_line(secret)
    return secret[-24:] in shown or (len(secret) > 40 and secret[12:36] in shown)


def test_no_secret_gets_out_in_any_signal() -> None:
    cases = list(corpus.secrets(SEED, COUNT))
    with receiving() as spans, receiving_reports() as reported:
        world = World(spans.url, reported.dsn)
        telemetry = world.service.telemetry
        assert telemetry.tracing is not None
        assert telemetry.reports is not None
        for first in range(0, COUNT, AT_ONCE):
            asyncio.run(world.go_through(cases[first : first + AT_ONCE]))
            telemetry.reports.close(30.0)
            assert telemetry.tracing.exporter.flush(30.0)
        assert len(reported.events) == COUNT
        # A server's span and a user's for what was said, a server's for what failed.
        assert len(spans.spans) == 3 * COUNT
        signals: dict[str, Any] = {
            "lines": world.kept.written.decode(),
            "spans": "\n".join(str(one) for one in spans.requests),
            "reports": "\n".join(reported.raw),
            "answers and metrics": "\n".join(world.answers),
        }
    got_out = [
        (signal, case)
        for signal, shown in ((name, _in_one_line(told)) for name, told in signals.items())
        for case in cases
        if _leaks(case.secret, shown)
    ]
    assert got_out == []
    assert world.kept.written.count(b'"event":"request failed"') == COUNT
