import copy
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.edge.running.stats import (
    EdgeStats,
    FiguresUnreadable,
    ReplicaStats,
    ServiceStats,
    parse_stats,
)

PERCENTS = [0, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 100]


def quantiles(name: str, cumulative: float | None, interval: float | None) -> dict[str, Any]:
    return {
        "name": name,
        "values": [{"cumulative": cumulative, "interval": interval} for _ in PERCENTS],
    }


SERVICES: dict[str, Any] = {
    "stats": [
        {"name": "http.service-web.downstream_rq_total", "value": 20},
        {"name": "http.service-web.downstream_rq_5xx", "value": 3},
        {"name": "http.service-web.downstream_rq_active", "value": 2},
        {"name": "http.service-api.downstream_rq_total", "value": 0},
        {
            "histograms": {
                "supported_quantiles": PERCENTS,
                "computed_quantiles": [
                    quantiles("http.service-web.downstream_rq_time", 5.5, 7.5),
                    quantiles("http.service-api.downstream_rq_time", 4.5, None),
                ],
            }
        },
    ]
}
REPLICAS: dict[str, Any] = {
    "cluster_statuses": [
        {
            "name": "web@v2",
            "host_statuses": [
                {
                    "address": {"socket_address": {"address": "127.0.0.1", "port_value": 2}},
                    "stats": [
                        {"name": "rq_total", "value": "9"},
                        {"name": "rq_error", "value": "4"},
                        {"type": "GAUGE", "name": "rq_active"},
                    ],
                    "health_status": {"failed_outlier_check": True, "eds_health_status": "HEALTHY"},
                }
            ],
        },
        {"name": "web@v1"},
    ]
}


def encode(value: object) -> bytes:
    return json.dumps(value).encode()


def test_figures_are_read() -> None:
    api, web = parse_stats(encode(SERVICES), encode(REPLICAS)).services
    assert api.service == "api"
    assert (api.p50_ms, api.p99_ms) == (4.5, 4.5), "without a recent one, since the start"
    assert web == ServiceStats(
        service="web",
        requests=20,
        errors=3,
        active=2,
        p50_ms=7.5,
        p99_ms=7.5,
        replicas=(
            ReplicaStats(
                address="127.0.0.1:2",
                version="v2",
                healthy=False,
                why="ejected: it failed too many requests in a row",
                ejected=True,
                passing=True,
                requests=9,
                errors=4,
                active=0,
            ),
        ),
    )


@pytest.mark.parametrize(
    ("flags", "passing", "why"),
    [
        ((), "passing", None),
        (("failed_active_health_check",), "failing", "fails its health checks"),
        (
            ("failed_active_health_check", "failed_outlier_check"),
            "failing",
            "fails its health checks",
        ),
        (("pending_active_hc",), "passing", "not checked yet"),
    ],
)
def test_why_a_replica_gets_nothing(flags: tuple[str, ...], passing: str, why: str | None) -> None:
    replicas = copy.deepcopy(REPLICAS)
    replicas["cluster_statuses"][0]["host_statuses"][0]["health_status"] = dict.fromkeys(
        flags, True
    )
    found = parse_stats(encode(SERVICES), encode(replicas)).services[1].replicas[0]
    assert (found.healthy, found.passing, found.why) == (why is None, passing == "passing", why)


@pytest.mark.parametrize("broken", [b"", b"[]", b"{}", b"nonsense", b"[" * 100_000])
def test_something_else_than_figures_is_a_clear_error(broken: bytes) -> None:
    with pytest.raises(FiguresUnreadable, match="Envoy's figures"):
        parse_stats(broken, encode(REPLICAS))
    with pytest.raises(FiguresUnreadable, match="Envoy's figures"):
        parse_stats(encode(SERVICES), broken)


def paths(value: object, at: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    inside: list[tuple[object, ...]] = [at] if at else []
    if isinstance(value, dict):
        for key, child in value.items():
            inside += paths(child, (*at, key))
    if isinstance(value, list):
        for index, child in enumerate(value):
            inside += paths(child, (*at, index))
    return inside


@given(data=st.data())
def test_any_single_change_is_read_or_refused(data: st.DataObject) -> None:
    """Envoy of another version: no change of one value ends in another error."""
    both: Any = [copy.deepcopy(SERVICES), copy.deepcopy(REPLICAS)]
    path = data.draw(st.sampled_from([one for one in paths(both) if len(one) > 1]))
    junk: object = data.draw(
        st.none() | st.integers() | st.text() | st.just([]) | st.just({}) | st.booleans()
    )
    parent = both
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = junk
    with suppress(FiguresUnreadable):
        assert isinstance(parse_stats(encode(both[0]), encode(both[1])), EdgeStats)
