"""The rooms joined in the process of a user's service."""

import pytest

import mainstay
from mainstay.core.errors import ConfigInvalid
from mainstay.service.service import Service
from mainstay.spec.declaration import Declaration
from mainstay.spec.dependency import Dependency
from mainstay.spec.idempotency import Idempotency
from mainstay.spec.inbound import Inbound
from mainstay.spec.ratelimit import RateLimit
from mainstay.spec.units import Quota
from mainstay.state.idempotency.postgres import PostgresRecords
from mainstay.state.idempotency.valkey import ValkeyRecords


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
