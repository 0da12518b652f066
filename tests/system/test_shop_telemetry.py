"""One order of the shop, followed by one id: in lines, spans, counts, reports and problems."""

import contextlib
import http.client
import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from tests.system.shop_site import shop_site
from tests.system.up.site import Site, eventually
from tests.telemetry.metrics.parsing import parse
from tests.telemetry.reports.receiver import Receiver, receiving

pytestmark = pytest.mark.system

FOUR = {"storefront", "catalog", "payments", "recommendations"}
CALLER = "00f067aa0ba902b7"
NAME, EMAIL = "Quay Customer", "customer@example.org"
ORDER = {"items": [{"product_id": 42, "quantity": 1}], "name": NAME, "email": EMAIL}
TOTAL_CENTS = 1100

Line = dict[str, Any]  # Any, here and below: the values of JSON.


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: dict[str, Any]


class World:
    """The shop as it runs, a customer of it with a session, and who receives reports."""

    def __init__(self, site: Site, reports: Receiver) -> None:
        self.site = site
        self.reports = reports
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        _, headers, _ = self._ask("POST", "/cart", "product_id=42", form)
        self.cookie = headers["set-cookie"].partition(";")[0]

    def order(self, trace_id: str, *, sampled: bool) -> Answer:
        flag = "01" if sampled else "00"
        asked = {
            "Content-Type": "application/json",
            "Cookie": self.cookie,
            "traceparent": f"00-{trace_id}-{CALLER}-{flag}",
        }
        status, headers, body = self._ask("POST", "/api/orders", json.dumps(ORDER), asked)
        return Answer(status=status, headers=headers, body=json.loads(body))

    def lines(self, trace_id: str, *, beside: set[str]) -> list[Line]:
        """Return the lines of a trace, once there are access lines of these services."""

        def found() -> list[Line]:
            done = self.site.run("logs", "--trace", trace_id, "--json")
            assert done.returncode == 0, done.stderr
            lines = [json.loads(line) for line in done.stdout.splitlines()]
            served = {one["service"] for one in lines if one.get("event") == "request"}
            public = [one for one in lines if one.get("listener") == "public"]
            return lines if served >= beside and public else []

        lines: list[Line] = eventually(found, what=f"lines of {beside} and of the edge")
        return lines

    def spans(self, trace_id: str, *, of: set[str]) -> list[dict[str, Any]]:
        """Return the spans of a trace, once there are some of these services."""

        def found() -> list[dict[str, Any]]:
            done = self.site.run("trace", trace_id, "--json")
            spans: list[dict[str, Any]] = json.loads(done.stdout)["spans"] if done.stdout else []
            return spans if {one["service"] for one in spans} >= of else []

        spans: list[dict[str, Any]] = eventually(found, what=f"spans of {of}")
        return spans

    def report(self, trace_id: str) -> dict[str, Any]:
        """Return the first report of a trace, once it came."""

        def found() -> list[dict[str, Any]]:
            return [
                one
                for one in self.reports.events
                if one["contexts"]["trace"]["trace_id"] == trace_id
            ]

        report: dict[str, Any] = eventually(found, what="a report")[0]
        return report

    def confirmed(self) -> dict[str, float]:
        """Return how many orders each replica of the storefront has counted as confirmed."""
        services = self.site.status()["services"]
        (storefront,) = (one for one in services if one["name"] == "storefront")
        return {one["name"]: self._confirmed(one["port"]) for one in storefront["replicas"]}

    def assert_nobody_is_named(self) -> None:
        """What was written, kept and reported so far has nothing of the customer."""
        told = list(self.reports.raw)
        for folder in ("logs", "traces"):
            told += [
                path.read_text("utf-8", "replace")
                for path in (self.site.folder / ".mainstay" / folder).iterdir()
                if path.suffix in {".log", ".jsonl"}
            ]
        assert any("/api/orders" in one for one in told)
        for secret in (NAME, EMAIL, self.cookie.partition("=")[2]):
            assert not any(secret in one for one in told), secret

    @contextmanager
    def broken(self, database: str, table: str) -> Iterator[None]:
        """Have a table refuse new rows, as a change of its schema might that went wrong."""
        path = self.site.folder / "data" / database
        with contextlib.closing(sqlite3.connect(path, timeout=30)) as connection:
            connection.execute(
                f"CREATE TRIGGER closed BEFORE INSERT ON {table}"
                " BEGIN SELECT RAISE(ABORT, 'closed for an audit'); END"
            )
            try:
                yield
            finally:
                connection.execute("DROP TRIGGER closed")

    def _confirmed(self, port: int) -> float:
        _, _, text = self._ask("GET", "/metrics", None, {}, port=port)
        (orders,) = (one for one in parse(text, openmetrics=False) if one.name == "orders")
        counted = {one.labels["state"]: float(one.value) for one in orders.samples}
        return counted.get("confirmed", 0.0)

    def _ask(
        self,
        method: str,
        path: str,
        body: str | None,
        headers: dict[str, str],
        *,
        port: int | None = None,
    ) -> tuple[int, dict[str, str], str]:
        wire = http.client.HTTPConnection("127.0.0.1", port or self.site.port, timeout=30)
        with contextlib.closing(wire):
            wire.request(method, path, body, headers)
            answer = wire.getresponse()
            told = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, told, answer.read().decode()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with (
        receiving() as reports,
        pytest.MonkeyPatch.context() as environment,
        shop_site(tmp_path_factory.mktemp("shop")) as site,
    ):
        environment.setenv("SENTRY_DSN", reports.dsn)
        site.up()
        yield World(site, reports)


def assert_one_tree(spans: list[dict[str, Any]]) -> dict[str, Any]:
    """Every span has its parent among the others, but for the one whose parent called the edge."""
    ids = {one["span_id"] for one in spans}
    (root,) = (one for one in spans if one["parent_id"] not in ids)
    assert (root["parent_id"], root["service"]) == (CALLER, "storefront")
    by_id = {one["span_id"]: one for one in spans}
    # Whoever serves was called by the span of that very call.
    for one in spans:
        if one["kind"] == "server" and one is not root:
            parent = by_id[one["parent_id"]]
            assert (parent["kind"], parent["service"]) == ("client", "storefront")
            assert parent["attributes"]["mainstay.dependency"] == one["service"]
    return root


def test_an_order_has_one_id_in_four_services(world: World) -> None:
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
    before = world.confirmed()
    answer = world.order(trace_id, sampled=True)
    assert (answer.status, answer.body["state"]) == (201, "confirmed")
    assert len(answer.body["goes_with"]) == 4

    lines = world.lines(trace_id, beside=FOUR)
    (charged,) = (one for one in lines if one.get("event") == "charge made")
    (settled,) = (one for one in lines if one.get("event") == "order settled")
    assert settled["order_id"] == charged["reference"] == answer.body["id"]
    assert settled["total_cents"] == charged["amount_cents"] == TOTAL_CENTS
    own = [one for one in lines if one["log"] != "edge"]
    assert {one["trace_id"] for one in own} == {trace_id}
    assert {one["request_id"] for one in lines} == {answer.headers["x-request-id"]}
    assert {(one["version"], one["environment"]) for one in own} == {("1.0.0", "demo")}
    edge = [one for one in lines if one["log"] == "edge"]
    assert {one["service"] for one in edge} == FOUR
    assert {one["traceparent"].split("-")[1] for one in edge} == {trace_id}

    spans = world.spans(trace_id, of=FOUR)
    root = assert_one_tree(spans)
    assert root["name"] == "POST /api/orders"
    assert root["attributes"]["mainstay.request_id"] == answer.headers["x-request-id"]
    assert len(spans) == 1 + 2 * 3

    after = world.confirmed()
    assert after == before | {settled["replica"]: before[settled["replica"]] + 1}
    world.assert_nobody_is_named()


def test_an_error_has_the_id_of_its_order_wherever_it_is_told(world: World) -> None:
    trace_id = "7d3c1a2b9d8e4f607f3c1a2b9d8e4f60"
    with world.broken("payments.db", "charges"):
        answer = world.order(trace_id, sampled=True)
    assert (answer.status, answer.body["trace_id"]) == (503, trace_id)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.body["request_id"] == answer.headers["x-request-id"]
    assert "audit" not in json.dumps(answer.body)

    lines = world.lines(trace_id, beside={"storefront", "catalog", "payments"})
    failed = [one for one in lines if one.get("event") == "request failed"]
    assert {(one["service"], one["level"]) for one in failed} == {("payments", "error")}
    assert all("IntegrityError: closed for an audit" in one["exception"] for one in failed)
    (pending,) = (one for one in lines if one.get("event") == "order stays pending")
    assert (pending["level"], pending["total_cents"]) == ("warning", TOTAL_CENTS)

    report = world.report(trace_id)
    assert (report["release"], report["environment"]) == ("payments@1.0.0", "demo")
    assert report["transaction"] == "POST /charges"
    assert report["tags"]["request_id"] == answer.headers["x-request-id"]
    assert report["exception"]["values"][-1]["type"] == "IntegrityError"

    spans = world.spans(trace_id, of={"storefront", "catalog", "payments"})
    assert_one_tree(spans)
    charges = [one for one in spans if one["service"] == "payments"]
    assert report["contexts"]["trace"]["span_id"] in {one["span_id"] for one in charges}
    assert {one["status"] for one in charges} == {"error"}
    world.assert_nobody_is_named()


def test_an_order_that_fails_without_a_sample_is_kept_late(world: World) -> None:
    """In the services in which it failed: each decides for itself."""
    trace_id = "a3ce929d0e0e47364bf92f3577b34da6"
    with world.broken("payments.db", "charges"):
        answer = world.order(trace_id, sampled=False)
    assert (answer.status, answer.body["trace_id"]) == (503, trace_id)
    spans = world.spans(trace_id, of={"storefront", "payments"})
    assert_one_tree(spans)
    served = [one for one in spans if one["kind"] == "server"]
    assert {one["attributes"]["mainstay.kept"] for one in served} == {"error"}
    assert {one["service"] for one in served} == {"storefront", "payments"}
    assert world.report(trace_id)["release"] == "payments@1.0.0"
    world.assert_nobody_is_named()


def test_an_error_where_the_customer_is_known_names_nobody(world: World) -> None:
    trace_id = "0e0e47364bf92f3577b34da6a3ce929d"
    with world.broken("orders.db", "orders"):
        answer = world.order(trace_id, sampled=True)
    assert (answer.status, answer.body["trace_id"]) == (500, trace_id)
    assert answer.body["type"].endswith("#internal-error")
    report = world.report(trace_id)
    assert (report["release"], report["transaction"]) == ("storefront@1.0.0", "POST /api/orders")
    # The headers of the customer's own request were told, and the cookie among them was not.
    assert report["request"]["headers"]["content-type"] == "application/json"
    assert world.cookie not in json.dumps(report)
    world.spans(trace_id, of={"storefront", "catalog"})
    world.assert_nobody_is_named()
