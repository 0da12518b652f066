"""Checks across the services of a system."""

from collections.abc import Callable, Mapping

import pytest

from mainstay.spec.faults import Fault
from mainstay.spec.load import Loaded

Load = Callable[..., Loaded]
Complain = Callable[..., list[Fault]]


def system(**services: str) -> Mapping[str, str]:
    """Return the files of a system whose services have these lines beside name and app."""
    files = {"mainstay.yaml": f"system: [{', '.join(services)}]\n"}
    for name, lines in services.items():
        files[f"{name}/mainstay.yaml"] = f"service: {name}\napp: a:a\n{lines}\n"
    return files


def calls(*services: str) -> str:
    inner = ", ".join(f"{name}: {{service: {name}, timeout: 2s}}" for name in services)
    return f"dependencies: {{{inner}}}"


def test_an_unknown_service_is_told_with_the_nearest_name(complain: Complain) -> None:
    (fault,) = complain(system(front=calls("paymnts"), payments=""))
    assert (fault.file, fault.line, fault.column) == ("front/mainstay.yaml", 3, 35)
    assert fault.path == "dependencies.paymnts.service"
    assert fault.nearest == "payments"
    assert fault.sentence == "unknown service paymnts; did you mean payments?"


def test_an_unknown_service_far_from_all_lists_them(complain: Complain) -> None:
    (fault,) = complain(system(front=calls("zzz"), payments="", catalog=""))
    assert fault.sentence == "unknown service zzz; known here: payments, catalog"


def test_a_service_that_the_environment_names_is_known(load: Load) -> None:
    files = system(front=calls("cata-log"))
    assert load(files, environ={"MAINSTAY_URL_CATA_LOG": "http://x"}).system.members


def test_nothing_is_unknown_while_a_name_is_broken(complain: Complain) -> None:
    """The service that could not be read may be the one that is looked for."""
    files = dict(system(front=calls("payments"), back=""))
    files["back/mainstay.yaml"] = "service: Payments\napp: a:a\n"
    assert [(f.file, f.path) for f in complain(files)] == [("back/mainstay.yaml", "service")]


@pytest.mark.parametrize(
    ("services", "way"),
    [
        ({"a": calls("a")}, "a > a"),
        ({"a": calls("b"), "b": calls("a")}, "a > b > a"),
        ({"a": calls("b"), "b": calls("c"), "c": calls("b")}, "b > c > b"),
        ({"a": calls("d", "b"), "b": calls("c"), "c": calls("a"), "d": ""}, "a > b > c > a"),
    ],
)
def test_a_cycle_is_named_whole(complain: Complain, services: Mapping[str, str], way: str) -> None:
    (fault,) = complain(system(**services))
    assert f"in a circle: {way};" in fault.sentence
    closing = way.split(" > ")[-2]
    assert (fault.file, fault.line) == (f"{closing}/mainstay.yaml", 3)


def test_two_cycles_are_two_faults(complain: Complain) -> None:
    faults = complain(system(a=calls("b"), b=calls("a"), c=calls("d"), d=calls("c")))
    assert [f.found for f in faults] == ["a > b > a", "c > d > c"]


def test_a_diamond_is_no_cycle(load: Load) -> None:
    assert load(system(a=calls("b", "c"), b=calls("d"), c=calls("d"), d="")).system.members


def test_a_deep_and_wide_graph_is_walked_in_no_time(load: Load) -> None:
    """Two ways at each of thirty levels are a billion paths; each service is walked once."""
    layers: dict[str, str] = {}
    for level in range(30):
        below = calls(f"l{level + 1}", f"r{level + 1}") if level < 29 else ""
        layers |= {f"l{level}": below, f"r{level}": below}
    loaded = load(system(**layers))
    assert len(loaded.system.members) == 60


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("8080", "8080"),
        ("{port: 8080, host: 0.0.0.0}", "8080"),
        ("8080", "{port: 8080, host: 0.0.0.0}"),
        ("{port: 8080, host: '::'}", "{port: 8080, host: '::1'}"),
    ],
)
def test_a_port_used_twice(complain: Complain, one: str, other: str) -> None:
    (fault,) = complain(system(a=f"edge: {one}", b=f"edge: {other}"))
    assert (fault.file, fault.line, fault.path) == ("b/mainstay.yaml", 3, "edge.port")
    assert "port 8080 is used twice, also by a at" in fault.sentence
    assert "a/mainstay.yaml:3:" in fault.sentence


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("{port: 8080}", "{port: 8081}"),
        ("{port: 8080, host: 127.0.0.1}", "{port: 8080, host: 127.0.0.2}"),
        ("{port: 8080, host: '::1'}", "{port: 8080}"),
        ("{port: off}", "{port: off}"),
    ],
)
def test_ports_that_do_not_meet(load: Load, one: str, other: str) -> None:
    assert load(system(a=f"edge: {one}", b=f"edge: {other}")).system.members


def test_two_services_of_one_name(complain: Complain) -> None:
    files = dict(system(a=calls("b"), b="", c=""))
    files["c/mainstay.yaml"] = "app: a:a\nservice: b\n"
    (fault,) = complain(files)
    assert (fault.file, fault.line, fault.column) == ("c/mainstay.yaml", 2, 10)
    assert "a second service named b; the first is at" in fault.sentence


@pytest.mark.parametrize(
    "timeout",
    ["", ", timeout: {}", ", timeout: {connect: 1s}", ", criticality: required",
     ", timeout: {write: 1s}"],
)  # fmt: skip
def test_a_required_dependency_says_how_long_it_may_take(complain: Complain, timeout: str) -> None:
    (fault,) = complain(system(a=f"dependencies:\n  db:\n    {{url: 'http://x'{timeout}}}"))
    assert fault.path == "dependencies.db.timeout"
    assert fault.line in {4, 5}
    assert "a required dependency without a timeout" in fault.sentence


@pytest.mark.parametrize(
    "timeout",
    ["timeout: 2s", "timeout: {total: 2s}", "timeout: {attempt: 1s}", "timeout: {attempt: auto}",
     "timeout: {read: 1s}", "criticality: optional"],
)  # fmt: skip
def test_it_says_so_in_one_of_these_ways(load: Load, timeout: str) -> None:
    assert load(system(a=f"dependencies: {{db: {{url: 'http://x', {timeout}}}}}")).system.members


def test_a_broken_timeout_is_not_missing_as_well(complain: Complain) -> None:
    faults = complain(system(a="dependencies: {db: {url: 'http://x', timeout: 800}}"))
    assert [f.path for f in faults] == ["dependencies.db.timeout"]
    assert "expected a duration" in faults[0].sentence
