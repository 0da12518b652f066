"""The timeout hierarchy: nobody waits shorter than what lies under it may take."""

from collections.abc import Callable, Mapping

import pytest

from mainstay.spec.faults import Fault
from mainstay.spec.load import Loaded

Load = Callable[..., Loaded]
Complain = Callable[..., list[Fault]]


def system(**services: str) -> Mapping[str, str]:
    files = {"mainstay.yaml": f"system: [{', '.join(services)}]\n"}
    for name, lines in services.items():
        files[f"{name}/mainstay.yaml"] = f"service: {name}\napp: a:a\n{lines}\n"
    return files


def lone(dependency: str, top: str = "") -> str:
    return (
        "service: shop\napp: a:a\n"
        f"{top}\n"
        f"dependencies: {{payments: {{url: 'http://x', {dependency}}}}}\n"
    )


def test_the_arithmetic_is_told_at_the_deadline(complain: Complain) -> None:
    (fault,) = complain(
        lone("timeout: {attempt: 800ms}, retry: {attempts: 3}", "inbound: {deadline: 1s}")
    )
    assert str(fault) == (
        "mainstay.yaml:3:21: inbound.deadline: deadline 1s is shorter than payments: "
        "3 x 800ms + 150ms = 2.55s; raise inbound.deadline or declare a shorter timeout.total "
        "for payments"
    )
    assert (fault.found, fault.expected) == ("1s", "at least 2.55s")


@pytest.mark.parametrize(
    ("dependency", "deadline", "text"),
    [
        ("timeout: 2s", "1s", "timeout.total 2s"),
        ("timeout: {attempt: 800ms, total: 2s}", "1s", "timeout.total 2s"),
        ("timeout: {attempt: 800ms, total: 9s}", "2s", "3 x 800ms + 150ms = 2.55s"),
        ("timeout: {attempt: 2s}, retry: off", "1s", "1 x 2s"),
        ("timeout: {attempt: 2s}, retry: 1", "1s", "1 x 2s"),
        ("timeout: {attempt: 1s}, retry: {attempts: 6, backoff: 1s..3s}", "5s",
         "6 x 1s + 12s = 18s"),
    ],
)  # fmt: skip
def test_a_deadline_shorter_than_a_call(
    complain: Complain, dependency: str, deadline: str, text: str
) -> None:
    (fault,) = complain(lone(dependency, f"inbound: {{deadline: {deadline}}}"))
    assert fault.path == "inbound.deadline"
    assert f"deadline {deadline} is shorter than payments: {text};" in fault.sentence


@pytest.mark.parametrize(
    ("dependency", "top"),
    [
        # A declared total bounds the call by itself.
        ("timeout: {attempt: 800ms, total: 2s}, retry: 20", "inbound: {deadline: 2s}"),
        ("timeout: {attempt: 800ms}, retry: 3", "inbound: {deadline: 2550ms}"),
        ("timeout: {attempt: auto}, retry: 20", "inbound: {deadline: 10ms}"),
        ("timeout: {read: 60s}", "inbound: {deadline: 1s}"),
        ("criticality: optional", "inbound: {deadline: 10ms}"),
        # Defaults give way: the deadline of 5 s, three attempts.
        ("timeout: {attempt: 3s}", ""),
        ("timeout: 5s", ""),
    ],
)
def test_no_false_alarm(load: Load, dependency: str, top: str) -> None:
    assert load(lone(dependency, top)).system.members


@pytest.mark.parametrize(
    ("dependency", "key"),
    [
        ("timeout: 6s", "total"),
        ("timeout: {attempt: 6s}", "attempt"),
        ("timeout: {attempt: 2s}, retry: {attempts: 4}", "attempt"),
    ],
)
def test_a_call_longer_than_the_default_deadline(
    complain: Complain, dependency: str, key: str
) -> None:
    (fault,) = complain(lone(dependency))
    assert fault.path == f"dependencies.payments.timeout.{key}"
    assert "inbound.deadline is 5s by default" in fault.sentence
    assert fault.expected == "at most 5s"


def test_a_call_shorter_than_what_the_other_service_calls_in_turn(complain: Complain) -> None:
    (fault,) = complain(
        system(
            front="dependencies:\n  back:\n    service: back\n"
            "    timeout: {attempt: 800ms, total: 3s}",
            back="dependencies:\n  db: {url: 'x://y', timeout: 2s}",
        )
    )
    assert (fault.file, fault.line, fault.column) == ("front/mainstay.yaml", 6, 24)
    assert fault.path == "dependencies.back.timeout.attempt"
    assert "attempt 800ms is shorter than what back calls in turn: db: timeout.total 2s" in (
        fault.sentence
    )


def test_a_call_shorter_than_the_deadline_of_the_other_service(complain: Complain) -> None:
    (fault,) = complain(
        system(
            front="dependencies: {back: {service: back, timeout: 1s}}",
            back="inbound: {deadline: 2s}",
        )
    )
    assert (fault.file, fault.path) == ("front/mainstay.yaml", "dependencies.back.timeout.total")
    assert "timeout.total 1s is shorter than inbound.deadline 2s of back" in fault.sentence


def test_the_default_deadline_of_the_other_service_is_no_fault(load: Load) -> None:
    assert load(
        system(front="dependencies: {back: {service: back, timeout: 1s}}", back="")
    ).system.members


def test_the_call_graph_is_followed_through_services_without_timeouts(complain: Complain) -> None:
    """Calls go a > b > c > d: only a's deadline and d's slow store are declared."""

    def passing(service: str) -> str:
        return f"dependencies: {{{service}: {{service: {service}, criticality: optional}}}}"

    (fault,) = complain(
        system(
            a="inbound: {deadline: 1s}\n" + passing("b"),
            b=passing("c"),
            c=passing("d"),
            d="dependencies: {store: {url: 'x://y', timeout: 3s}}",
        )
    )
    assert (fault.file, fault.path) == ("a/mainstay.yaml", "inbound.deadline")
    assert "shorter than b: b > c: c > d: d > store: timeout.total 3s" in fault.sentence


@pytest.mark.parametrize("bound", ["inbound: {deadline: 900ms}", "edge: {timeout: 900ms}"])
def test_a_bound_on_the_way_bounds_the_path(complain: Complain, bound: str) -> None:
    """What is wrong below is told there, and not again by everyone above."""
    (fault,) = complain(
        system(
            a="inbound: {deadline: 1s}\ndependencies: {b: {service: b, criticality: optional}}",
            b=f"{bound}\ndependencies: {{store: {{url: 'x://y', timeout: 3s}}}}",
        )
    )
    assert fault.file == "b/mainstay.yaml"
    assert "900ms is shorter than store" in fault.sentence


def test_the_proxy_waits_no_shorter_than_the_service(complain: Complain, load: Load) -> None:
    (fault,) = complain("service: a\napp: a:a\nedge: {timeout: 1s}\ninbound: {deadline: 2s}\n")
    assert (fault.line, fault.column, fault.path) == (3, 17, "edge.timeout")
    assert fault.sentence == "edge.timeout 1s is shorter than inbound.deadline 2s"
    assert load("service: a\napp: a:a\nedge: {timeout: 1s}\n").system.members


def test_the_proxy_waits_no_shorter_than_a_call(complain: Complain) -> None:
    (fault,) = complain(lone("timeout: 2s", "edge: {timeout: 1s}"))
    assert fault.path == "edge.timeout"
    assert "edge.timeout 1s is shorter than payments: timeout.total 2s" in fault.sentence


def test_the_retries_of_the_proxy_fit_under_its_timeout(complain: Complain, load: Load) -> None:
    files = "service: a\napp: a:a\nedge: {timeout: 3s, retry: {attempts: 2, on: [ON]}}\n"
    files += "inbound: {deadline: 2s}\n"
    (fault,) = complain(files.replace("ON", "5xx"))
    assert "edge.timeout 3s is shorter than 2 x 2s = 4s: after 5xx" in fault.sentence
    # A connection that is refused takes no time.
    assert load(files.replace("ON", "connect, 503")).system.members


def test_what_follows_from_a_broken_value_is_no_fault(complain: Complain) -> None:
    faults = complain(lone("timeout: {attempt: 800ms}, retry: many", "inbound: {deadline: 1s}"))
    assert [f.path for f in faults] == ["dependencies.payments.retry"]
    faults = complain(lone("timeout: 9s", "inbound: {deadline: soon}"))
    assert [f.path for f in faults] == ["inbound.deadline"]
    optional = "criticality: optional, timeout: {least: 9s}"
    faults = complain(lone(optional, "inbound: {deadline: soon}"))
    assert [f.path for f in faults] == ["inbound.deadline"]


def test_a_wrong_deadline_hides_nothing_that_does_not_follow_from_it(complain: Complain) -> None:
    faults = complain(lone("timeout: {total: 2s, least: 9s}", "inbound: {deadline: soon}"))
    assert [f.path for f in faults] == ["inbound.deadline", "dependencies.payments.timeout.least"]


@pytest.mark.parametrize(
    ("timeout", "total"),
    [("total: 1s", "1s"), ("attempt: 300ms", "1.05s"), ("connect: 1s, read: 1s", "5s")],
)
def test_what_must_be_left_for_an_attempt_is_less_than_there_is(
    timeout: str, total: str, complain: Complain, load: Load
) -> None:
    """Else no attempt would ever begin, whoever said how long the call may take."""
    (fault,) = complain(lone(f"timeout: {{{timeout}, least: {total}}}"))
    assert str(fault).endswith(
        f"dependencies.payments.timeout.least: no attempt would ever begin: least {total} is not "
        f"below the total, {total}"
    )
    assert fault.found == total
    load(lone(f"timeout: {{{timeout}, least: 900ms}}"))
