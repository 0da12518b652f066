"""Names become endpoints, and a name server that fails takes nobody away."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from mainstay.core.events import Listeners
from mainstay.service.outbound.balance import DnsEndpoints, Endpoint, NameUnresolved, Pace
from mainstay.service.outbound.balance.dns import system_resolve
from mainstay.testing import Recorder, VirtualClock


@dataclass
class NameServer:
    """Answers what it is told to, one answer a look-up; the last one again and again."""

    answers: list[Sequence[str] | OSError | UnicodeError]
    asked: list[tuple[str, int]] = field(default_factory=list)

    def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append((host, port))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, (OSError, UnicodeError)):
            raise answer
        return answer


def at(*hosts: str) -> tuple[Endpoint, ...]:
    return tuple(Endpoint(host=host, port=8080) for host in hosts)


def test_a_name_becomes_endpoints() -> None:
    server = NameServer([["10.0.0.1", "10.0.0.2"], ["10.0.0.2", "10.0.0.3"]])
    source = DnsEndpoints("catalog.internal", 8080, resolve=server)
    assert source.endpoints == ()
    assert source.refresh() == at("10.0.0.1", "10.0.0.2")
    assert source.refresh() == at("10.0.0.2", "10.0.0.3")
    assert server.asked == [("catalog.internal", 8080)] * 2


@pytest.mark.parametrize(
    "failure", [OSError("no server answers"), UnicodeError("label too long"), [], ["no address!"]]
)
def test_the_last_good_answer_outlives_any_failure(
    failure: OSError | UnicodeError | list[str],
) -> None:
    server = NameServer([["10.0.0.1"], failure])
    source = DnsEndpoints(
        "catalog.internal", 8080, resolve=server, pace=Pace(ttl_s=30, retry_s=1, spread=0)
    )
    source.refresh()
    assert source.wait_s() == 30
    for nth in range(1, 100):
        assert source.refresh() == at("10.0.0.1")
        assert source.failures == nth
    assert source.wait_s() == 30
    server.answers = [["10.0.0.9"]]
    assert source.refresh() == at("10.0.0.9")
    assert source.failures == 0


def test_a_failure_is_told() -> None:
    clock, recorder, events = VirtualClock(), Recorder(), Listeners()
    events.add(recorder)
    server = NameServer([OSError("x" * 1_000), ["10.0.0.1"], OSError("")])
    source = DnsEndpoints("catalog.internal", 8080, resolve=server, clock=clock, events=events)
    for _ in range(3):
        source.refresh()
    first, second = recorder.of(NameUnresolved, host="catalog.internal", failures=1)
    assert first.at_s == clock.wall_s()
    assert len(first.reason) == 200
    assert (first.endpoints, second.endpoints, second.reason) == (0, 1, "OSError")


async def test_the_look_up_leaves_the_loop_alone() -> None:
    threads: list[int] = []

    def resolve(host: str, port: int) -> Sequence[str]:
        assert (host, port) == ("catalog.internal", 8080)
        threads.append(threading.get_ident())
        return ["10.0.0.1"]

    source = DnsEndpoints("catalog.internal", 8080, resolve=resolve)
    assert await source.arefresh() == at("10.0.0.1")
    assert threads != [threading.get_ident()]


def test_the_number_is_bounded() -> None:
    server = NameServer([[f"10.0.{n // 250}.{n % 250}" for n in range(1_000)]])
    assert len(DnsEndpoints("catalog.internal", 8080, resolve=server).refresh()) == 64
    for wrong in (0, 1_025):
        with pytest.raises(ValueError, match="between 1 and 1024"):
            DnsEndpoints("catalog.internal", 8080, endpoints_max=wrong)


@pytest.mark.parametrize(("host", "port"), [("a b", 80), ("", 80), ("h", 0)])
def test_what_is_wrong_is_said_early(host: str, port: int) -> None:
    with pytest.raises(ValueError, match="is n"):
        DnsEndpoints(host, port)


def test_the_systems_resolver_knows_this_machine() -> None:
    """Also what an address, and what nobody knows, look like from it."""
    assert set(system_resolve("localhost", 80)) & {"127.0.0.1", "::1"}
    assert system_resolve("127.0.0.1", 80) == ["127.0.0.1"]
    source = DnsEndpoints("not..a..name", 80)
    assert source.refresh() == ()
    assert source.failures == 1
