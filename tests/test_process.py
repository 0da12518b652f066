"""The rooms joined in the process of a user's service."""

import subprocess
import sys
import threading

import pytest

import mainstay
from mainstay.core.errors import ConfigInvalid, StoreUnavailable
from mainstay.core.events import Event
from mainstay.core.limits import Ask
from mainstay.service.service import Service
from mainstay.spec.declaration import Declaration
from mainstay.spec.dependency import Breaker, Dependency
from mainstay.spec.idempotency import Idempotency
from mainstay.spec.inbound import Inbound
from mainstay.spec.kinds.units import Quota
from mainstay.spec.ratelimit import RateLimit
from mainstay.state.breakers import SharedBreakers
from mainstay.state.idempotency.postgres import PostgresRecords
from mainstay.state.idempotency.valkey import ValkeyRecords
from mainstay.state.stores import Stores
from mainstay.state.valkey import StoreAway


def declared(url: str, **inbound: object) -> Declaration:
    return Declaration(
        service="shop",
        app="shop:app",
        dependencies=(("store", Dependency(url=url)),),
        inbound=Inbound(**inbound),  # type: ignore[arg-type]  # Each test names fitting keys.
    )


LIMIT = RateLimit(rate=Quota(count=10, per_s=1), store="store")


def test_a_limit_gets_the_store_that_it_names() -> None:
    service = mainstay.Service(declared("valkey://127.0.0.1:1", rate_limit=(LIMIT,)), environ={})
    limits = service._inbound.limits
    assert limits is not None
    assert limits.waits


def test_the_service_hears_of_a_store_that_is_away() -> None:
    """So that telemetry can count it; each client tells the service's own listeners."""
    service = mainstay.Service(declared("valkey://127.0.0.1:1", rate_limit=(LIMIT,)), environ={})
    told: list[StoreAway] = []
    heard = threading.Event()

    def hear(event: Event) -> None:
        if isinstance(event, StoreAway):
            told.append(event)
            heard.set()

    service.events.add(hear)
    limits = service._inbound.limits
    assert limits is not None
    assert limits._store is not None
    with pytest.raises(StoreUnavailable):
        limits._store.take([Ask("a", 1.0, 1)])
    # By a thread of the client's own, a moment later.
    assert heard.wait(60)
    assert [one.store for one in told] == ["valkey at 127.0.0.1:1"]
    service._stores.close()


@pytest.mark.parametrize(
    ("url", "kind"),
    [("redis://127.0.0.1:1/0", ValkeyRecords), ("postgresql://127.0.0.1:1/shop", PostgresRecords)],
)
def test_keys_are_kept_where_the_url_leads(url: str, kind: type) -> None:
    service = mainstay.Service(declared(url, idempotency=Idempotency(store="store")), environ={})
    assert service._inbound.idempotency is not None
    assert type(service._inbound.idempotency.records) is kind


def test_a_service_made_without_stores_says_how_to_have_them() -> None:
    with pytest.raises(ConfigInvalid, match="made without stores: take"):
        Service(declared("valkey://127.0.0.1:1", rate_limit=(LIMIT,)), environ={})


def test_a_url_that_leads_to_no_store_is_refused() -> None:
    with pytest.raises(ConfigInvalid):
        mainstay.Service(
            declared("https://example.org", idempotency=Idempotency(store="store")), environ={}
        )


def test_a_live_change_may_name_the_first_store() -> None:
    """Nothing is connected to: a store that is away leaves each circuit on its own."""

    def sharing(share: str | None) -> Declaration:
        store = Dependency(url="valkey://127.0.0.1:1")
        payments = Dependency(url="http://p", breaker=Breaker(failures=1, share=share))
        return Declaration(
            service="shop", app="shop:app", dependencies=(("store", store), ("payments", payments))
        )

    service = mainstay.Service(sharing(None), environ={})
    payments = service.dependency("payments")
    alone = payments.plan.share
    service.take_dependencies(sharing("store"))
    assert (alone is None, payments.plan.share is None) == (True, False)
    assert payments.call(int) == 0
    service._stores.close()


def test_circuits_of_one_store_have_one_thread() -> None:
    stores = Stores()
    breakers = stores.breakers("valkey://127.0.0.1:1")
    assert type(breakers) is SharedBreakers
    assert stores.breakers("valkey://127.0.0.1:1") is breakers
    assert stores.breakers("valkey://127.0.0.1:1/2") is not breakers
    breakers.of("shop.payments").write(None)
    worker = breakers._thread
    assert worker is not None
    stores.close()
    worker.join(60)
    assert not worker.is_alive()
    with pytest.raises(ConfigInvalid):
        stores.breakers("https://example.org")


def test_a_service_without_stores_starts_without_their_room() -> None:
    code = (
        "import sys, mainstay; from mainstay.spec.declaration import Declaration;"
        "mainstay.Service(Declaration(service='shop', app='shop:app'))._stores.close();"
        "print([name for name in sys.modules if name.startswith('mainstay.state')])"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60
    )
    assert said.stdout == "[]\n"
