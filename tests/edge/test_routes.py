import json
import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mainstay.edge.envoy.listeners import compile_listeners
from mainstay.edge.envoy.routes import (
    hash_policy,
    retry_policy,
    route_configuration,
    route_timeout_s,
    split,
)
from mainstay.edge.topology import Endpoint, Topology
from mainstay.spec.declaration import Declaration
from mainstay.spec.edge import RETRY_CONDITIONS, Balance, Edge, EdgeRetry
from mainstay.spec.inbound import Inbound

VERSIONS = st.sampled_from(["v1", "v2", "v3", "v4"])


def endpoints(versions: list[str], weight: int = 1) -> tuple[Endpoint, ...]:
    return tuple(
        Endpoint(host="127.0.0.1", port=9000 + n, version=version, weight=weight)
        for n, version in enumerate(versions)
    )


def declared(edge: Edge) -> Declaration:
    return Declaration(service="web", app="a:b", edge=edge)


@given(
    running=st.lists(VERSIONS, max_size=6),
    weights=st.dictionaries(VERSIONS, st.integers(0, 100)),
    source=st.sampled_from(["declared", "topology"]),
)
def test_only_what_runs_gets_traffic_and_something_always_does(
    running: list[str], weights: dict[str, int], source: str
) -> None:
    pairs = tuple(weights.items())
    edge = Edge() if source == "topology" else Edge(weights=pairs)
    topology = Topology(
        endpoints=(("web", endpoints(running)),),
        weights=(("web", pairs),) if source == "topology" else (),
    )
    shares = dict(split(declared(edge), topology))
    assert shares
    assert all(weight > 0 for weight in shares.values())
    if not running:
        assert shares == {"dev": 1}
        return
    assert set(shares) <= set(running)
    wanted = {version: weight for version, weight in pairs if weight and version in running}
    assert shares == (wanted or {version: running.count(version) for version in running})


def test_the_topologys_weights_override_the_declared_ones() -> None:
    topology = Topology(
        endpoints=(("web", endpoints(["v1", "v2"])),), weights=(("web", (("v2", 5),)),)
    )
    assert split(declared(Edge(weights=(("v1", 1),))), topology) == (("v2", 5),)


def test_under_weighted_a_version_counts_the_weights_of_its_replicas() -> None:
    both = (*endpoints(["v1"], weight=7), Endpoint(host="h", port=1, version="v2", weight=3))
    topology = Topology(endpoints=(("web", both),))
    weighted = declared(Edge(balance=Balance(policy="weighted")))
    assert split(weighted, topology) == (("v1", 7), ("v2", 3))
    assert split(declared(Edge()), topology) == (("v1", 1), ("v2", 1))


@given(
    on=st.lists(st.sampled_from(RETRY_CONDITIONS), unique=True).map(tuple),
    attempts=st.integers(1, 10),
    timeout_s=st.floats(0.1, 3600),
)
def test_what_a_replica_has_answered_is_only_repeated_for_repeatable_methods(
    on: tuple[str, ...], attempts: int, timeout_s: float
) -> None:
    retry = EdgeRetry(on=on, attempts=attempts)
    other = retry_policy(retry, timeout_s, repeatable=False)
    if other is not None:
        conditions = set(str(other["retry_on"]).split(","))
        assert conditions <= {"connect-failure", "reset-before-request", "reset"}
        assert ("reset" in conditions) == ("reset" in on), "only where it was asked for"
        assert "per_try_timeout" not in other
        assert other["num_retries"] == attempts - 1
    repeatable = retry_policy(retry, timeout_s, repeatable=True)
    assert (repeatable is None) == (attempts == 1 or not on)
    if repeatable is not None:
        assert "reset" in str(repeatable["retry_on"]).split(",")
        assert ("retriable_status_codes" in repeatable) == ("503" in on)


def test_attempts_share_the_time() -> None:
    policy = retry_policy(EdgeRetry(attempts=3), 6.0, repeatable=True)
    assert policy is not None
    assert policy["per_try_timeout"] == "2s"


def test_the_edge_waits_a_little_longer_than_the_service_unless_declared() -> None:
    declaration = Declaration(service="web", app="a:b", inbound=Inbound(deadline_s=5))
    assert route_timeout_s(declaration) == 6
    assert route_timeout_s(declared(Edge(timeout_s=2.5))) == 2.5


def test_without_a_deadline_the_edge_waits_for_ever() -> None:
    """Envoy writes that as nothing; a part of it for each attempt there is none."""
    declaration = Declaration(
        service="shop", app="shop:app", edge=Edge(port=8080), inbound=Inbound(deadline_s=math.inf)
    )
    assert route_timeout_s(declaration) == math.inf
    topology = Topology()
    vhost: Any = route_configuration([declaration], topology)["virtual_hosts"]
    for route in vhost[0]["routes"][-2:]:
        assert route["route"]["timeout"] == "0s"
        assert "hedge_policy" not in route["route"]
        assert "per_try_timeout" not in route["route"].get("retry_policy", {})
    (listener,) = compile_listeners(declaration, topology)
    assert '"request_timeout": "300s"' in json.dumps(listener)


def test_the_header_comes_first_and_the_address_stands_in() -> None:
    assert len(hash_policy(Balance(policy="maglev"))) == 1
    first, second = hash_policy(Balance(policy="maglev", hash_header="x-user"))
    assert first == {"header": {"header_name": "x-user"}, "terminal": True}
    assert second == {"connection_properties": {"source_ip": True}}
