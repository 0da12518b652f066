"""The shop's declarations and its mix of requests, as Mainstay reads them."""

from pathlib import Path
from urllib.parse import urlsplit

from tests.examples.together import shop

from mainstay.control.load.requests_file import read_requests
from mainstay.spec.load import load_system

EXAMPLES = Path(__file__).parents[2] / "examples"
SHOP = EXAMPLES / "shop"


def test_the_shop_is_a_system_of_four_services_and_a_store() -> None:
    loaded = load_system(SHOP, env=None, environ={})
    system = loaded.system
    assert system.name == "shop"
    replicas = {member.name: member.declaration.run.replicas for member in system.members}
    assert replicas == {
        "storefront": 3,
        "catalog": 3,
        "recommendations": 2,
        "payments": 2,
        "store": 1,
    }
    ports = {member.name: member.declaration.edge.port for member in system.members}
    assert ports == dict.fromkeys(replicas) | {"storefront": 8080}
    assert loaded.notes == ()


def test_only_the_catalog_makes_the_storefront_unready() -> None:
    storefront = load_system(SHOP, env=None, environ={}).system.member("storefront")
    criticality = {
        name: dependency.criticality for name, dependency in storefront.declaration.dependencies
    }
    assert criticality == {
        "catalog": "required",
        "recommendations": "optional",
        "payments": "optional",
        "store": "optional",
    }


def test_no_secret_is_in_the_repository() -> None:
    """The key of sessions is made at the first start; see ``tests/system/test_shop_store.py``."""
    storefront = load_system(SHOP, env=None, environ={}).system.member("storefront")
    session = storefront.declaration.inbound.session
    assert session is not None
    assert session.keys == ()


def test_only_one_layer_retries() -> None:
    system = load_system(SHOP, env=None, environ={}).system
    for name, dependency in system.member("storefront").declaration.dependencies:
        edge = system.member(name).declaration.edge
        if edge.protocol == "http":
            assert (dependency.retry is None) != (edge.retry is None), name


def test_what_must_hold_at_the_storefront_is_declared() -> None:
    storefront = load_system(SHOP, env=None, environ={}).system.member("storefront")
    inbound = storefront.declaration.inbound
    assert inbound.shed is not None
    assert "/orders" in inbound.shed.priorities.critical
    assert "/search" in inbound.shed.priorities.low
    assert [limit.name for limit in inbound.rate_limit or ()] == ["address", "orders"]
    for part in (inbound.session, inbound.idempotency):
        assert part is not None
        assert part.store == "store"


def test_a_caller_waits_longer_than_who_is_called() -> None:
    system = load_system(SHOP, env=None, environ={}).system
    storefront = system.member("storefront").declaration
    totals_s = {name: one.timeout.total_s or 0.0 for name, one in storefront.dependencies}
    for name, total_s in totals_s.items():
        called = system.member(name).declaration
        if called.command is not None:
            continue
        assert called.inbound.deadline_s < (called.edge.timeout_s or 0.0) <= total_s
    # The longest way through the storefront: an order.
    in_turn_s = (totals_s[name] for name in ("catalog", "payments", "recommendations"))
    assert sum(in_turn_s) < storefront.inbound.deadline_s


async def test_every_request_of_the_mix_gets_what_it_expects(tmp_path: Path) -> None:
    targets = read_requests(SHOP / "requests.yaml", base="http://127.0.0.1:8080")
    weights = {target.name: target.weight for target in targets}
    assert weights == {
        "home": 20,
        "category": 20,
        "product": 30,
        "search": 15,
        "recommendations": 10,
        "order": 5,
    }
    async with shop(tmp_path) as client:
        for target in targets:
            for n in range(max(len(target.paths), len(target.bodies))):
                path = target.paths[n % len(target.paths)]
                answer = await client.request(
                    target.method,
                    urlsplit(path)._replace(scheme="", netloc="").geturl(),
                    headers=dict(target.headers),
                    content=target.bodies[n % len(target.bodies)] if target.bodies else None,
                )
                assert answer.status_code in target.expect, (target.name, path)
