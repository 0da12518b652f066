"""From what is declared to a balancer, and what a new declaration changes about it."""

from dataclasses import replace
from typing import get_args

import pytest

from mainstay.core.events import Listeners
from mainstay.service.address import AddressUnknown
from mainstay.service.outbound.balance import Ejection, Endpoint, OnDemandBalancer, Way
from mainstay.service.outbound.balance.balancing import Balancing, declared_balancing
from mainstay.service.outbound.dependency import DependencyPolicy
from mainstay.spec.balance import WAYS, CallBalance, CallEjection
from mainstay.spec.declaration import Declaration
from mainstay.spec.dependency import Dependency
from mainstay.spec.kinds.units import ShareOfCalls
from mainstay.testing import VirtualClock

TWO = ("10.0.0.1:8080", "10.0.0.2:8080 weight=3")


def declaration(balance: CallBalance | None, url: str = "http://catalog.internal") -> Declaration:
    dependency = Dependency(url=url, balance=balance)
    return Declaration(service="shop", app="shop:app", dependencies=(("catalog", dependency),))


def balancing(balance: CallBalance | None, url: str = "http://catalog.internal") -> Balancing:
    found = declared_balancing("catalog", declaration(balance, url), {})
    assert found is not None
    return found


def dependency(balance: CallBalance | None, **environ: str) -> DependencyPolicy:
    return DependencyPolicy(
        "catalog", declaration(balance), environ, clock=VirtualClock(), events=Listeners()
    )


def known(balancer: OnDemandBalancer | None) -> list[tuple[str, int]]:
    assert balancer is not None
    return [(str(one.endpoint), one.endpoint.weight) for one in balancer.endpoints()]


def test_the_words_are_those_of_the_balancer() -> None:
    assert sorted(WAYS) == sorted(get_args(Way))


def test_declared_endpoints_are_taken_with_their_weights() -> None:
    found = balancing(CallBalance(policy="weighted", endpoints=TWO))
    assert [(one.port, one.weight) for one in found.endpoints] == [(8080, 1), (8080, 3)]
    assert (found.way, found.name) == ("weighted", None)


def test_without_endpoints_dns_is_asked_about_the_host() -> None:
    found = balancing(CallBalance(refresh_s=5.0), "https://catalog.internal/v1")
    place = Endpoint(host="catalog.internal", port=443)
    assert (found.endpoints, found.name, found.refresh_s) == ((place,), place, 5.0)


def test_an_address_needs_no_dns() -> None:
    found = balancing(CallBalance(), "http://10.1.2.3:81")
    assert (found.endpoints, found.name) == ((Endpoint(host="10.1.2.3", port=81),), None)


def test_the_engines_word_goes_before_declared_endpoints() -> None:
    """A test, or another place, can point the dependency elsewhere."""
    environ = {"MAINSTAY_URL_CATALOG": "http://127.0.0.1:4711"}
    found = declared_balancing("catalog", declaration(CallBalance(endpoints=TWO)), environ)
    assert found is not None
    assert found.endpoints == (Endpoint(host="127.0.0.1", port=4711),)


def test_what_is_not_declared_is_not_balanced() -> None:
    assert declared_balancing("catalog", declaration(None), {}) is None
    assert dependency(None).balancer is None


def test_the_rules_of_ejection_are_those_declared() -> None:
    rate = ShareOfCalls(share=0.25, calls_min=8, window_s=12.0)
    declared = CallEjection(failures=3, rate=rate, time_s=400.0, time_max_s=300.0, share_max=0.3)
    found = balancing(CallBalance(eject=declared, slow_start_s=7.0))
    assert found.ejection == Ejection(
        failures=3, share=0.25, calls_min=8, window_s=12.0, time_s=400.0, time_max_s=400.0,
        share_max=0.3, slow_start_s=7.0,
    )  # fmt: skip
    assert balancing(CallBalance()).ejection == Ejection()
    assert balancing(CallBalance(eject=None)).ejection is None
    slow_only = balancing(CallBalance(eject=None, slow_start_s=7.0)).ejection
    assert slow_only is not None
    assert (slow_only.share_max, slow_only.slow_start_s) == (0.0, 7.0)
    without_rate = balancing(CallBalance(eject=CallEjection(rate=None))).ejection
    assert without_rate is not None
    assert without_rate.share is None


def test_all_clients_of_a_dependency_share_one_balancer() -> None:
    policy = dependency(CallBalance(endpoints=TWO))
    assert policy.balancer is policy.balancer
    assert policy._http().balancer is policy.balancer


def test_a_new_declaration_keeps_the_records_of_endpoints_that_stay() -> None:
    policy = dependency(CallBalance(endpoints=TWO, eject=CallEjection(failures=1)))
    balancer = policy.balancer
    assert balancer is not None
    lease = balancer.pick(exclude=[Endpoint.parse(TWO[1])])
    lease.failed()
    (first, _) = balancer.endpoints()
    assert first.ejections == 1
    three = CallBalance(policy="round_robin", endpoints=(TWO[0], "10.0.0.3:8080"))
    policy.take(declaration(three))
    assert policy.balancer is balancer
    assert balancer.by == "round_robin"
    assert known(balancer) == [("10.0.0.1:8080", 1), ("10.0.0.3:8080", 1)]
    assert [one.ejections for one in balancer.endpoints()] == [1, 0]


def test_who_may_not_be_away_any_more_is_back_at_once() -> None:
    policy = dependency(CallBalance(endpoints=TWO, eject=CallEjection(failures=1)))
    balancer = policy.balancer
    assert balancer is not None
    balancer.pick(exclude=[Endpoint.parse(TWO[1])]).failed()
    assert [one.returns_in_s for one in balancer.endpoints()] == [10.0, None]
    policy.take(declaration(CallBalance(endpoints=TWO, eject=None)))
    assert [one.returns_in_s for one in balancer.endpoints()] == [None, None]


def test_a_declaration_that_names_no_place_is_refused_whole() -> None:
    policy = dependency(CallBalance(endpoints=TWO))
    balancer = policy.balancer
    wrong = declaration(CallBalance(policy="round_robin"), "http://:80")
    wrong = replace(wrong, inbound=replace(wrong.inbound, deadline_s=1.0))
    before = policy.plan
    with pytest.raises(AddressUnknown):
        policy.take(wrong)
    assert balancer is not None
    assert (balancer.by, policy.plan) == ("two_choices", before)
