"""``edge.protocol``: a service that speaks no HTTP, and who may stand on it."""

import pytest
from tests.spec.conftest import Complain, Load

from mainstay.spec.edge import PROTOCOLS

WEB = """
service: web
app: web:app
dependencies:
  store: {service: store, timeout: 1s}
inbound:
  idempotency: store
  rate_limit: {rate: 1/s, store: store}
"""
STORE = "service: store\ncommand: serve $PORT\nedge: {protocol: valkey}\n"


def test_services_speak_http_unless_they_say_otherwise(load: Load) -> None:
    edge = load("service: web\ncommand: serve $PORT\n").system.members[0].declaration.edge
    assert (edge.protocol, edge.check_kind) == ("http", "auto")


@pytest.mark.parametrize("protocol", PROTOCOLS[1:])
def test_what_speaks_no_http_is_asked_by_tcp(load: Load, protocol: str) -> None:
    text = f"service: store\ncommand: serve $PORT\nedge: {{protocol: {protocol}}}\n"
    assert load(text).system.members[0].declaration.edge.check_kind == "tcp"


@pytest.mark.parametrize("protocol", ["valkey", "redis"])
def test_parts_may_stand_on_a_service_that_is_a_store(load: Load, protocol: str) -> None:
    store = STORE.replace("valkey", protocol)
    files = {
        "mainstay.yaml": "system: [web, store]\n",
        "web/mainstay.yaml": WEB,
        "store/mainstay.yaml": store,
    }
    assert [member.name for member in load(files).system.members] == ["web", "store"]


@pytest.mark.parametrize("protocol", ["http", "tcp", "nats"])
def test_they_may_not_where_it_speaks_something_else(complain: Complain, protocol: str) -> None:
    files = {
        "mainstay.yaml": "system: [web, store]\n",
        "web/mainstay.yaml": WEB,
        "store/mainstay.yaml": STORE.replace("valkey", protocol),
    }
    found = complain(files)
    assert [fault.path for fault in found] == [
        "inbound.idempotency.store",
        "inbound.rate_limit.store",
    ]
    assert "store can't be the store" in str(found[0])


def test_one_service_alone_takes_the_word_of_whoever_starts_it(load: Load) -> None:
    loaded = load(WEB, environ={"MAINSTAY_URL_STORE": "valkey://127.0.0.1:1"})
    assert loaded.system.members[0].declaration.inbound.idempotency is not None


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("app: a:b\nedge: {protocol: valkey}\n", "edge.protocol"),
        ("command: serve\nedge: {protocol: valkey, health: http}\n", "edge.health.kind"),
        ("command: serve\nedge: {protocol: valkei}\n", "edge.protocol"),
    ],
)
def test_what_can_not_be(complain: Complain, text: str, path: str) -> None:
    (found,) = complain("service: store\n" + text)
    assert found.path == path
