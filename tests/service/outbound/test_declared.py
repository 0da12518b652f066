"""From a declaration to policies, and a new declaration while they are in use."""

from typing import Any

import pytest

from mainstay import Policy, Service, deadline
from mainstay.core.errors import CircuitOpen, ConfigInvalid, DeadlineExceeded
from mainstay.service.outbound.breaker.circuit import State
from mainstay.service.outbound.declared import declared_parts
from mainstay.service.outbound.plan import Parts
from mainstay.spec.declaration import Declaration
from mainstay.spec.dependency import (
    Breaker,
    Bulkhead,
    CallRate,
    Dependency,
    Fallback,
    Hedge,
    Retry,
    SlowCalls,
    Timeouts,
)
from mainstay.spec.inbound import Inbound
from mainstay.spec.kinds.units import Between, ShareOfCalls
from mainstay.testing import VirtualClock


def declared(**dependencies: Dependency) -> Declaration:
    return Declaration(
        service="shop",
        app="shop:app",
        inbound=Inbound(deadline_s=5.0),
        dependencies=tuple(dependencies.items()),
    )


def service(declaration: Declaration) -> Service:
    return Service(
        declaration, clock=VirtualClock(), environ={"MAINSTAY_URL_PAYMENTS": "http://p/"}
    )


def fail() -> None:
    raise ConnectionError


def test_what_is_not_declared_has_the_documented_defaults() -> None:
    parts = declared_parts(Dependency(service="payments"), deadline_s=5.0)
    assert parts.retry is not None
    assert (parts.retry.attempts, parts.retry.budget, parts.retry.jitter) == (3, 0.2, "full")
    assert parts.breaker is not None
    assert (parts.breaker.failures, parts.breaker.open, parts.breaker.successes) == (5, 60.0, 2)
    assert parts.bulkhead is not None
    assert (parts.bulkhead.limit, parts.bulkhead.queue) == (32, 0)
    assert parts.deadline is not None
    assert parts.deadline.within == 2.0
    assert (parts.fallback, parts.rate_limit, parts.attempt_timeout, parts.hedge) == (None,) * 4


@pytest.mark.parametrize("attempt_s", [None, 0.8, "auto"])
def test_what_must_be_left_for_an_attempt(attempt_s: float | str | None) -> None:
    """Also where nothing else is said of attempts; the total bounds one then, as ever."""
    timeouts = Timeouts(total_s=2.0, attempt_s=attempt_s, least_s=0.02)
    parts = declared_parts(Dependency(service="payments", timeout=timeouts), deadline_s=5.0)
    assert parts.attempt_timeout is not None
    assert (parts.attempt_timeout.within, parts.attempt_timeout.least) == (attempt_s or 2.0, 0.02)


def test_no_attempt_begins_that_could_not_finish() -> None:
    timeouts = Timeouts(total_s=1.0, least_s=0.3)
    made = service(declared(payments=Dependency(service="payments", timeout=timeouts)))
    payments = made.dependency("payments")
    clock = payments.plan.clock
    began: list[float] = []

    def call() -> None:
        began.append(clock.monotonic_s())

    with deadline(0.4, clock=clock):
        payments.call(call)
    with deadline(0.2, clock=clock), pytest.raises(DeadlineExceeded):
        payments.call(call)
    assert len(began) == 1


def test_each_key_reaches_its_part() -> None:
    share = ShareOfCalls(share=0.5, calls_min=20, window_s=30.0)
    parts = declared_parts(
        Dependency(
            url="http://x",
            timeout=Timeouts(
                total_s=9.0, attempt_s="auto", auto=Between(low_s=0.1, high_s=3.0)
            ),
            retry=Retry(
                attempts=4, backoff=Between(low_s=0.2, high_s=2.0), jitter="equal", budget=0.1,
                floor_per_s=3.0,
            ),
            breaker=Breaker(
                failures=7, rate=share, slow=SlowCalls(after_s=1.5), open_s=30.0, open_max_s=90.0,
                successes=3, probes=2, shadow=True,
            ),
            bulkhead=Bulkhead(limit=5, queue=6, wait_s=0.7, per_key=2),
            rate_limit=CallRate(rate_per_s=50.0, burst=4, wait_s=0.3),
            hedge=Hedge(after_s="p95"),
            fallback=Fallback(last_good=10, age_max_s=60.0),
        )
    )  # fmt: skip
    assert parts.deadline is not None
    assert parts.attempt_timeout is not None
    assert parts.retry is not None
    assert parts.breaker is not None
    assert parts.bulkhead is not None
    assert parts.rate_limit is not None
    assert parts.hedge is not None
    assert parts.fallback is not None
    timeout, retry, breaker = parts.attempt_timeout, parts.retry, parts.breaker
    assert parts.deadline.within == 9.0
    assert (timeout.within, timeout.floor, timeout.ceiling) == ("auto", 0.1, 3.0)
    assert (retry.attempts, retry.jitter, retry.budget, retry.budget_floor) == (
        4,
        "equal",
        0.1,
        3.0,
    )
    assert retry.backoff == Between(low_s=0.2, high_s=2.0)
    assert (breaker.failures, breaker.rate, breaker.slow, breaker.slow_rate) == (
        7,
        share,
        1.5,
        share,
    )
    assert (breaker.open, breaker.open_max, breaker.successes, breaker.probes) == (30, 90, 3, 2)
    assert (breaker.shadow, breaker.lease) == (True, 9.0)
    assert (parts.bulkhead.limit, parts.bulkhead.queue, parts.bulkhead.wait) == (5, 6, 0.7)
    assert parts.bulkhead.per_key == 2
    assert (parts.rate_limit.rate, parts.rate_limit.burst, parts.rate_limit.wait) == (50, 4, 0.3)
    assert parts.hedge.after == "p95"
    assert (parts.fallback.last_good, parts.fallback.age_max) == (10, 60.0)


def test_what_is_off_is_no_part() -> None:
    dependency = Dependency(url="http://x", retry=None, breaker=None, bulkhead=None)
    parts = declared_parts(dependency)
    assert parts == Parts(deadline=parts.deadline)
    assert declared_parts(Dependency(url="http://x", retry=Retry(attempts=1))).retry is None


def test_a_dependency_is_one_policy_however_often_it_is_asked_for() -> None:
    shop = service(declared(payments=Dependency(service="pay")))
    payments = shop.dependency("payments")
    assert isinstance(payments, Policy)
    assert payments is shop.dependency("payments")
    assert payments is shop.dependency("pay")
    assert (payments.name, payments.url) == ("payments", "http://p")
    with pytest.raises(ConfigInvalid, match=r"declares no dependency 'catalog' \(it declares: pay"):
        shop.dependency("catalog")


def test_its_events_are_the_services() -> None:
    shop = service(declared(payments=Dependency(service="pay", breaker=Breaker(failures=1))))
    heard: list[Any] = []
    shop.events.add(heard.append)
    with pytest.raises(ConnectionError):
        shop.dependency("payments").once.call(fail)
    assert {event.dependency for event in heard} == {"payments"}


def test_a_guard_answers_with_its_fallback() -> None:
    shop = service(declared(payments=Dependency(service="pay", retry=None)))
    payments = shop.dependency("payments")

    @payments.guard(fallback=lambda order: f"cached {order}")
    def quote(order: str) -> str:
        raise ConnectionError

    @payments.guard(value=0)
    def total(order: str) -> int:
        raise ConnectionError

    @payments.guard()
    def plain(order: str) -> str:
        return order

    assert quote("order") == "cached order"
    assert total("order") == 0
    assert plain("order") == "order"


def test_guards_share_the_circuit_of_their_dependency() -> None:
    shop = service(
        declared(payments=Dependency(service="pay", retry=None, breaker=Breaker(failures=2)))
    )
    payments = shop.dependency("payments")
    guarded = payments.guard(value=None)(fail)
    guarded()
    guarded()
    with pytest.raises(CircuitOpen):
        payments.call(int)


def test_a_new_declaration_holds_at_once_and_keeps_what_was_counted() -> None:
    def with_failures(failures: int) -> Declaration:
        return declared(
            payments=Dependency(service="pay", retry=None, breaker=Breaker(failures=failures))
        )

    shop = service(with_failures(5))
    payments = shop.dependency("payments")
    guarded = payments.guard(value=None)(fail)
    for _ in range(3):
        guarded()
    shop.take_dependencies(with_failures(4))
    assert payments.stats().failures_in_a_row == 3
    guarded()
    assert payments.breaker.state is State.OPEN


def test_a_declaration_without_a_dependency_that_is_in_use_is_refused_whole() -> None:
    both = declared(
        catalog=Dependency(service="cat"),
        payments=Dependency(service="pay", bulkhead=Bulkhead(limit=3)),
    )
    shop = service(both)
    payments, catalog = shop.dependency("payments"), shop.dependency("catalog")
    plans = payments.plan, catalog.plan
    with pytest.raises(ConfigInvalid):
        shop.take_dependencies(declared(payments=Dependency(service="pay")))
    assert (payments.plan, catalog.plan) == plans
    assert shop.declaration is both


def test_http_clients_are_told_what_is_declared() -> None:
    pytest.importorskip("httpx")
    shop = service(
        declared(
            payments=Dependency(
                service="pay", timeout=Timeouts(connect_s=0.3, total_s=2.0), excluded=(501,)
            )
        )
    )
    http = shop.dependency("payments")._http()
    assert (http.base_url, http.connect, http.read) == ("http://p", 0.3, 2.0)
    assert not http.is_failure(501)
    assert http.is_failure(500)
