"""What Envoy is told, against golden files. ``MAINSTAY_GOLDEN=1`` writes them anew."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from tests.edge.systems import shuffled, worlds

from mainstay.edge.envoy.bootstrap import bootstrap, validation_bootstrap
from mainstay.edge.envoy.envoy import compile_edge
from mainstay.edge.envoy.listeners import service_of_stat_prefix, stat_prefix
from mainstay.edge.envoy.protojson import JsonValue, seconds
from mainstay.edge.envoy.resources import Resources, discoveries

GOLDEN = Path(__file__).parent / "golden"
GOLDEN_WORLDS = ("smallest", "shop", "everything", "bytewise")


def compare(name: str, found: JsonValue) -> None:
    path = GOLDEN / f"{name}.json"
    text = json.dumps(found, indent=1) + "\n"
    if os.environ.get("MAINSTAY_GOLDEN"):
        GOLDEN.mkdir(exist_ok=True)
        path.write_text(text)
    assert text == path.read_text(), f"see `git diff {path.name}` after MAINSTAY_GOLDEN=1"


def whole(resources: Resources) -> JsonValue:
    return {
        "clusters": resources.clusters,
        "routes": resources.routes,
        "listeners": resources.listeners,
    }


@pytest.mark.parametrize("name", GOLDEN_WORLDS)
def test_compiled_as_before(name: str) -> None:
    compare(name, whole(compile_edge(*worlds()[name])))


def test_the_bootstrap_is_as_before() -> None:
    compare("bootstrap", bootstrap(admin_socket=Path("/srv/admin.sock"), connections_max=5000))


@pytest.mark.parametrize("name", worlds())
def test_equal_worlds_are_compiled_equally_whatever_the_order(name: str) -> None:
    """Else every reordering of replicas would replace clusters for nothing."""
    world = worlds()[name]
    once, again = compile_edge(*world), compile_edge(*shuffled(world))
    assert discoveries(once) == discoveries(again)


@pytest.mark.parametrize("name", worlds())
def test_every_route_leads_to_a_cluster(name: str) -> None:
    resources = compile_edge(*worlds()[name])
    clusters = {one["name"] for one in resources.clusters}
    routed = {value for key, value in leaves(resources.routes) if key == "cluster"}
    split = {
        one["name"]
        for key, value in leaves(resources.routes)
        if key == "clusters" and isinstance(value, Sequence)
        for one in value
        if isinstance(one, Mapping)
    }
    assert routed | split <= clusters
    assert routed | split, "something is routed"


def leaves(value: JsonValue, key: str = "") -> Iterator[tuple[str, JsonValue]]:
    yield key, value
    if isinstance(value, Mapping):
        for name, child in value.items():
            yield from leaves(child, name)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for child in value:
            yield from leaves(child, key)


def test_validation_holds_everything_in_place() -> None:
    found = validation_bootstrap(compile_edge(*worlds()["shop"]))
    keys = {key for key, _ in leaves(found)}
    assert "rds" not in keys
    assert "route_config" in keys
    assert "path_config_source" not in keys


@pytest.mark.parametrize("service", ["web", "a-b-c", "admin"])
def test_a_stat_prefix_tells_its_service_and_nobody_elses(service: str) -> None:
    assert service_of_stat_prefix(stat_prefix(service)) == service
    assert service_of_stat_prefix(service) is None, "Envoy's own listener is called admin"


@pytest.mark.parametrize(
    ("duration_s", "text"),
    [(5, "5s"), (0.25, "0.25s"), (1e-9, "0.000000001s"), (86400.0, "86400s"), (0, "0s")],
)
def test_durations_are_written_as_protobuf_does(duration_s: float, text: str) -> None:
    assert seconds(duration_s) == text
