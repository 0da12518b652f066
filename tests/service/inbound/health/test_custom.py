"""Checks that a service adds by the decorator."""

import json
from collections.abc import Callable
from typing import Any

from mainstay.service.service import Service
from mainstay.spec.health import Health, ServiceChecks
from mainstay.spec.inbound import Inbound

MakeService = Callable[..., Service]


def answer(service: Service, path: str) -> tuple[int, Any]:
    """Ask an endpoint; Any: the values of JSON."""
    probes = service._inbound.probes
    service._inbound.drain.started = True
    status, body = probes.answer(probes.routes[path])
    return status, json.loads(body)


def test_what_the_decorator_says_goes_before_what_is_declared(make_service: MakeService) -> None:
    health = Health(services=ServiceChecks(interval_s=7, failures=4, successes=2), timeout_s=1.5)
    service = make_service(inbound=Inbound(health=health))

    @service.check("usual")
    def usual() -> None: ...

    @service.check("own", timeout_s=1, interval_s=2, failures=3, successes=5, affects=("/x",))
    def own() -> None: ...

    checks = {name: watch.check for name, watch in service._board._watches.items()}
    shown = [
        (one.timeout_s, one.interval_s, one.failures, one.successes, one.affects)
        for one in (checks["usual"], checks["own"])
    ]
    assert shown == [(1.5, 7, 4, 2, ()), (1, 2, 3, 5, ("/x",))]


def test_groups_are_those_declared_and_those_that_checks_name(make_service: MakeService) -> None:
    """All of a group is critical there, and a check that is missing fails it."""
    groups = (("orders", ("ledger", "disk")), ("broken", ("nothing",)))
    service = make_service(inbound=Inbound(health=Health(groups=groups, cache_s=0, refresh=False)))
    good = [True]

    @service.check("ledger", critical=False, groups=("write",))
    def ledger() -> bool:
        return good[0]

    assert answer(service, "/health/group/orders")[0] == 200
    status, body = answer(service, "/health/group/write")
    assert (status, list(body["checks"])) == (200, ["ledger"])
    status, body = answer(service, "/health/group/broken")
    assert (status, body["output"]) == (503, "no such check: nothing")
    good[0] = False
    for _ in range(3):
        answer(service, "/health/group/write")
    assert answer(service, "/health/group/orders")[0] == 503
    assert answer(service, "/health/group/write")[0] == 503
    assert answer(service, "/health/ready")[0] == 200
