"""``inbound.shed``: its short forms, and what only several of its keys can be wrong in."""

from collections.abc import Callable

import pytest

from mainstay.spec.faults import Fault
from mainstay.spec.load import Loaded
from mainstay.spec.shed import Priorities, Shed

Load = Callable[..., Loaded]
Complain = Callable[..., list[Fault]]

HEAD = "service: shop\napp: shop:app\n"


def shed(loaded: Loaded) -> Shed | None:
    return loaded.system.members[0].declaration.inbound.shed


@pytest.mark.parametrize("text", ["", "inbound: {shed: adaptive}", "inbound: {shed: {}}"])
def test_it_is_adaptive_unless_declared(load: Load, text: str) -> None:
    loaded = load(HEAD + text + "\n")
    assert shed(loaded) == Shed(mode="adaptive", limit=100, limit_min=3, limit_max=1000)
    assert loaded.notes == ()


@pytest.mark.parametrize("text", ["off", "~"])
def test_it_may_be_off(load: Load, text: str) -> None:
    assert shed(load(f"{HEAD}inbound: {{shed: {text}}}\n")) is None


def test_every_key(load: Load) -> None:
    loaded = load(
        HEAD
        + """\
inbound:
  shed:
    mode: fixed
    limit: 8
    queue: 16
    wait: 1s
    priorities: {critical: /checkout, low: [/reports, "/users/*/export"]}
    header: X-Request-Priority
    cpu_max: off
    lag_max: 50ms
"""
    )
    assert shed(loaded) == Shed(
        mode="fixed",
        limit=8,
        queue=16,
        wait_s=1.0,
        priorities=Priorities(critical=("/checkout",), low=("/reports", "/users/*/export")),
        header="X-Request-Priority",
        cpu_max=None,
        lag_max_s=0.05,
    )


@pytest.mark.parametrize(
    ("text", "path", "sentence"),
    [
        (
            "{limit_min: 50, limit_max: 20}",
            "inbound.shed.limit_min",
            "the least limit, 50, is above the greatest, 20",
        ),
        (
            "{limit: 2000}",
            "inbound.shed.limit",
            "the limit begins at 2000, which is not within 3 and 1000",
        ),
        (
            "{limit: 2, limit_max: 50}",
            "inbound.shed.limit",
            "the limit begins at 2, which is not within 3 and 50",
        ),
        (
            "{priorities: {critical: [/a, /b], low: [/c, /b]}}",
            "inbound.shed.priorities.low[1]",
            "/b is critical already",
        ),
        (
            "{header: Host}",
            "inbound.shed.header",
            (
                "Host is taken: it says how the request is to be read, and the edge would remove "
                "what clients write there; take a header of its own: X-Request-Priority"
            ),
        ),
        (
            "{header: X_Priority}",
            "inbound.shed.header",
            "the edge drops headers with an underscore: write x-priority",
        ),
    ],
)
def test_faults_of_several_keys(complain: Complain, text: str, path: str, sentence: str) -> None:
    (fault,) = complain(f"{HEAD}inbound:\n  shed: {text}\n")
    assert fault.path == path
    assert fault.sentence == sentence
    assert fault.line == 4


def test_bounds_need_no_limit_within_them(load: Load) -> None:
    found = shed(load(f"{HEAD}inbound: {{shed: {{limit_max: 50}}}}\n"))
    assert found is not None
    assert found.limit_max == 50


def test_a_fixed_limit_may_be_anything(load: Load) -> None:
    found = shed(load(f"{HEAD}inbound: {{shed: {{mode: fixed, limit: 1}}}}\n"))
    assert found is not None
    assert found.limit == 1


@pytest.mark.parametrize(
    "header",
    ["Authorization", "Cookie", "Content-Type", "Accept", "Idempotency-Key", "X-Request-Id",
     "X-Request-Timeout", "Origin", "traceparent", "X-Forwarded-For", "Sec-Fetch-Site",
     "Access-Control-Request-Method", "X-Mainstay-Service"],
)  # fmt: skip
def test_a_header_that_means_something_says_no_priority(complain: Complain, header: str) -> None:
    """The edge removes it from all that comes from outside: nobody could log in any more."""
    (fault,) = complain(f"{HEAD}inbound: {{shed: {{header: {header}}}}}\n")
    assert fault.path == "inbound.shed.header"
    assert f"{header} is taken: " in fault.sentence


@pytest.mark.parametrize("header", ["X-Request-Priority", "X-Prio", "importance", "X-B", "section"])
def test_a_header_of_its_own_does(load: Load, header: str) -> None:
    found = shed(load(f"{HEAD}inbound: {{shed: {{header: {header}}}}}\n"))
    assert found is not None
    assert found.header == header
