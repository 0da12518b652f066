import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.edge.envoy.clusters import (
    balance_policy,
    cluster_name,
    compile_clusters,
    health_check,
    outlier_detection,
    service_of_cluster,
    version_of_cluster,
)
from mainstay.edge.topology import Endpoint, Topology
from mainstay.spec.declaration import Declaration
from mainstay.spec.edge import BALANCE_POLICIES, Balance, Edge, EdgeRetry, Ejection, HealthCheck
from mainstay.spec.health import Health
from mainstay.spec.inbound import Inbound


def compiled(declaration: Declaration, *endpoints: Endpoint, check: str = "http") -> list[object]:
    topology = Topology(
        endpoints=((declaration.service, endpoints),), checks=((declaration.service, check),)
    )
    return list(compile_clusters(declaration, topology))


def endpoint(port: int, version: str = "dev", weight: int = 1) -> Endpoint:
    return Endpoint(host="127.0.0.1", port=port, version=version, weight=weight)


WEB = Declaration(service="web", app="a:b")


def test_the_order_of_the_replicas_is_no_change() -> None:
    one, two, three = endpoint(3), endpoint(1), endpoint(2, "v2")
    assert compiled(WEB, one, two, three) == compiled(WEB, three, two, one)


def test_a_service_without_replicas_has_an_empty_cluster() -> None:
    (cluster,) = compiled(WEB)
    assert isinstance(cluster, dict)
    assert cluster["name"] == "web@dev"
    assert cluster["load_assignment"]["endpoints"] == [{"lb_endpoints": []}]


def test_each_version_has_its_cluster() -> None:
    names = [
        cluster["name"]
        for cluster in compiled(WEB, endpoint(1, "v2"), endpoint(2, "v1"), endpoint(3, "v2"))
        if isinstance(cluster, dict)
    ]
    assert names == ["web@v1", "web@v2"]


@given(service=st.from_regex(r"[a-z][a-z0-9-]{0,20}", fullmatch=True), version=st.text())
def test_a_clusters_name_tells_service_and_version(service: str, version: str) -> None:
    name = cluster_name(service, version)
    assert service_of_cluster(name) == service
    assert version_of_cluster(name) == version


@pytest.mark.parametrize("policy", BALANCE_POLICIES)
def test_only_weighted_uses_the_weights(policy: str) -> None:
    declaration = Declaration(service="web", app="a:b", edge=Edge(balance=Balance(policy=policy)))
    text = repr(compiled(declaration, endpoint(1, weight=7)))
    assert ("'load_balancing_weight': 7" in text) == (policy == "weighted")


@pytest.mark.parametrize("policy", BALANCE_POLICIES)
def test_every_policy_of_the_declaration_has_its_form(policy: str) -> None:
    assert balance_policy(policy)["policies"]


@pytest.mark.parametrize(
    ("declared", "found", "kind"),
    [
        ("auto", "http", "http"),
        ("auto", "tcp", "tcp"),
        ("http", "tcp", "http"),
        ("tcp", "http", "tcp"),
    ],
)
def test_the_declaration_decides_unless_it_says_auto(declared: str, found: str, kind: str) -> None:
    check = health_check(HealthCheck(kind=declared), found, "web")
    assert f"{kind}_health_check" in check


def test_a_replica_without_traffic_is_checked_as_often() -> None:
    check = health_check(HealthCheck(interval_s=0.25), "tcp", "web")
    assert check["interval"] == check["no_traffic_interval"] == "0.25s"


@given(share=st.floats(0.01, 1.0), replicas=st.integers(1, 64))
def test_rounding_never_puts_a_declared_share_out_of_reach(share: float, replicas: int) -> None:
    """Envoy ejects while the ejected percent stays at or below a whole number."""
    percent = outlier_detection(Ejection(share_max=share))["max_ejection_percent"]
    assert isinstance(percent, int)
    assert 1 <= percent <= 100
    assert share * 100 - 1e-6 <= percent < share * 100 + 1
    allowed = int(share * replicas + 1e-9)
    assert 100.0 * allowed / replicas <= percent + 1e-9


@pytest.mark.parametrize("percent", range(1, 101))
def test_a_share_in_whole_percents_is_taken_as_it_is(percent: int) -> None:
    assert outlier_detection(Ejection(share_max=percent / 100))["max_ejection_percent"] == percent


def test_an_ejection_longer_than_envoys_longest_is_kept() -> None:
    assert outlier_detection(Ejection(time_s=3600))["max_ejection_time"] == "3600s"


def test_what_is_declared_off_is_left_out() -> None:
    edge = Edge(eject=None, retry=None)
    text = repr(compiled(Declaration(service="web", app="a:b", edge=edge), endpoint(1)))
    assert "outlier_detection" not in text
    assert "retry_budget" not in text
    assert "retry_budget" in repr(
        compiled(Declaration(service="web", app="a:b", edge=Edge(retry=EdgeRetry())), endpoint(1))
    )


def test_an_unknown_server_gets_its_connections_closed_before_it_closes_them() -> None:
    """Gunicorn closes after 2 s: a request must not meet a connection that is just closing."""
    command = Declaration(service="web", command=("serve", "$PORT"))
    assert "'idle_timeout': '1.5s'" in repr(compiled(command, endpoint(1)))
    assert "'idle_timeout': '30s'" in repr(compiled(WEB, endpoint(1)))


def asked_at(declaration: Declaration, *, check: str = "http") -> int | None:
    """Return the port at which checks are asked of a replica that has one for them."""
    one = Endpoint(host="127.0.0.1", port=1, version="dev", probe_port=7)
    (cluster,) = compiled(declaration, one, check=check)
    assert isinstance(cluster, dict)
    (member,) = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]
    assert member["endpoint"]["address"]["socket_address"]["port_value"] == 1
    config = member["endpoint"].get("health_check_config")
    return None if config is None else config["port_value"]


@pytest.mark.parametrize(
    ("health", "at"),
    [
        (HealthCheck(), 7),
        (HealthCheck(path="/health/live?verbose=1"), 7),
        (HealthCheck(path="/health/group/orders"), 7),
        (HealthCheck(path="/health/group/unknown"), None),
        (HealthCheck(path="/healthz"), None),
        (HealthCheck(kind="tcp"), None),
    ],
)
def test_only_what_the_port_for_probes_answers_is_asked_there(
    health: HealthCheck, at: int | None
) -> None:
    groups = Health(groups=(("orders", ("disk",)),))
    inbound = Inbound(health=groups)
    declaration = Declaration(service="web", app="a:b", inbound=inbound, edge=Edge(health=health))
    assert asked_at(declaration) == at


def test_whether_a_port_is_open_is_asked_of_that_port() -> None:
    assert asked_at(WEB, check="tcp") is None


def test_a_replica_without_a_port_for_probes_is_asked_at_its_own() -> None:
    assert "health_check_config" not in repr(compiled(WEB, endpoint(1)))
