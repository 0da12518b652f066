import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from mainstay.edge.envoy.resources import Discovery, Kind, Resources, discoveries
from mainstay.edge.running.uptake import Uptake, plan_push, read_uptake


class Fake:
    """Envoy as far as pushes go: it takes files, and knows which clusters its routes need."""

    def __init__(self) -> None:
        self.versions: dict[Kind, str] = {}
        self.clusters: set[object] = set()
        self.needed: set[object] = set()

    def take(self, file: Discovery) -> None:
        resources = json.loads(file.text)["resources"]
        self.versions[file.kind] = file.version
        if file.kind is Kind.CLUSTERS:
            self.clusters = {one["name"] for one in resources}
        if file.kind is Kind.ROUTES:
            self.needed = set(resources[0]["to"])

    def uptake(self) -> Uptake:
        return Uptake(versions=dict(self.versions))


def resources(clusters: dict[str, int]) -> Resources:
    return Resources(
        clusters=tuple({"name": name, "size": size} for name, size in clusters.items()),
        routes=({"name": "mainstay", "to": sorted(clusters)},),
        listeners=tuple({"name": f"public-{name}"} for name in clusters),
    )


CLUSTERS = st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 2))


@given(states=st.lists(CLUSTERS, min_size=1, max_size=6))
def test_no_route_ever_leads_nowhere(states: list[dict[str, int]]) -> None:
    fake = Fake()
    held = Resources()
    for state in states:
        wanted = resources(state)
        files = discoveries(wanted)
        for step in plan_push(held, wanted, fake.uptake()):
            fake.take(step.file)
            assert fake.needed <= fake.clusters
        assert fake.uptake().serves_all(files)
        assert fake.clusters == set(state), "and nothing is left over"
        held = wanted
        assert plan_push(held, wanted, fake.uptake()) == (), "a second push writes nothing"


def test_only_what_changed_is_written() -> None:
    old = resources({"a": 1})
    fake = Fake()
    for file in discoveries(old):
        fake.take(file)
    new = replace(old, clusters=({"name": "a", "size": 2},))
    plan = plan_push(old, new, fake.uptake())
    assert [step.file.kind for step in plan] == [Kind.CLUSTERS]


def test_a_file_that_was_refused_is_written_again() -> None:
    """The file holds what is wanted, Envoy does not: what Envoy says decides."""
    wanted = resources({"a": 1})
    plan = plan_push(wanted, wanted, Uptake(versions={Kind.CLUSTERS: "old"}))
    assert [step.file.kind for step in plan] == [Kind.CLUSTERS, Kind.ROUTES, Kind.LISTENERS]


def test_equal_resources_have_equal_files() -> None:
    assert discoveries(resources({"a": 1})) == discoveries(resources({"a": 1}))
    assert (
        discoveries(resources({"a": 1}))[0].version != discoveries(resources({"a": 2}))[0].version
    )


def stats(*pairs: tuple[str, object]) -> bytes:
    return json.dumps({"stats": [{"name": name, "value": value} for name, value in pairs]}).encode()


def test_envoys_counters_are_read() -> None:
    uptake = read_uptake(
        stats(
            ("cluster_manager.cds.version_text", "c"),
            ("listener_manager.lds.version_text", "l"),
            ("http.service-web.rds.mainstay.version_text", "r"),
            ("cluster_manager.cds.update_rejected", 2),
            ("http.service-web.rds.mainstay.update_rejected", 1),
            ("cluster_manager.warming_clusters", 1),
            ("listener_manager.total_listeners_warming", 2),
        )
    )
    assert uptake.versions == {Kind.CLUSTERS: "c", Kind.LISTENERS: "l", Kind.ROUTES: "r"}
    assert uptake.rejected == {Kind.CLUSTERS: 2, Kind.ROUTES: 1}
    assert uptake.warming == 3


def test_what_is_warming_does_not_serve_yet() -> None:
    files = discoveries(resources({"a": 1}))
    versions = {file.kind: file.version for file in files}
    assert Uptake(versions=versions).serves_all(files)
    assert not Uptake(versions=versions, warming=1).serves_all(files)


def test_routes_that_no_listener_asks_for_are_not_waited_for() -> None:
    clusters, _, listeners = files = discoveries(Resources())
    versions = {clusters.kind: clusters.version, listeners.kind: listeners.version}
    assert Uptake(versions=versions).serves_all(files)


@given(
    junk=st.binary()
    | st.recursive(
        st.none() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner) | st.dictionaries(st.sampled_from(["stats", "name", "value"]), inner)
        ),
    ).map(lambda value: json.dumps(value).encode())
)
def test_nonsense_counts_as_nothing_taken(junk: bytes) -> None:
    assert read_uptake(junk).versions == {}
