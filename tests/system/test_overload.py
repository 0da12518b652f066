"""A real server under ten times what it can do, for seconds; a minute is in bench/overload.py."""

import asyncio
import json

import pytest
from bench.overload import Load, offer, served
from tests.system.served import Client

from mainstay.control.load import LoadReport, TargetReport

pytestmark = pytest.mark.system

LOAD = Load(places=4, work_s=0.05)


def target(report: LoadReport, name: str) -> TargetReport:
    return next(one for one in report.targets if one.name == name)


def answered_per_s(report: LoadReport) -> float:
    work = [one for one in report.targets if one.name != "probe"]
    return sum(one.requests - one.failed for one in work) / report.sending_s


async def refused(client: Client) -> tuple[dict[str, str], bytes]:
    """Ask until the answer is 503."""
    for _ in range(1_000):
        status, headers, body = await asyncio.to_thread(client.ask, "/reports")
        if status == 503:
            return headers, body
        await asyncio.sleep(0.01)
    raise AssertionError("never turned away")


async def test_what_can_be_done_gets_done_and_the_rest_is_told_when_to_come_back() -> None:
    with served(LOAD, shed=True) as (port, _):
        overload = asyncio.create_task(offer(port, LOAD.per_s * LOAD.factor, 5.0))
        headers, body = await refused(Client(port))
        report = await overload
        calm = await offer(port, LOAD.per_s / 2, 2.0)
    assert answered_per_s(report) > 0.6 * LOAD.per_s
    critical, low = target(report, "critical"), target(report, "low")
    assert critical.failed / critical.requests < 0.4
    assert low.failed / low.requests > 0.8
    probe = target(report, "probe")
    assert probe.failed / probe.requests < 0.05
    assert set(report.total.statuses) <= {"200", "503", "504"}
    assert report.total.statuses["503"] > 1_000
    # It is over when it is over: before, four of five were turned away.
    assert calm.failed / calm.requests < 0.2
    assert 1 <= int(headers["retry-after"]) <= 5
    assert headers["content-type"] == "application/problem+json"
    problem = json.loads(body)
    assert problem["status"] == 503
    assert problem["type"].endswith("overloaded")


async def test_without_admission_next_to_nothing_gets_done() -> None:
    with served(LOAD, shed=False) as (port, _):
        report = await offer(port, LOAD.per_s * LOAD.factor, 2.0, warmup_s=2.5)
    assert answered_per_s(report) < 0.3 * LOAD.per_s
