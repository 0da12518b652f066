import pytest

from mainstay.spec.dependency import Dependency, Retry, Timeouts
from mainstay.spec.kinds.secret import Secret
from mainstay.spec.kinds.units import Between
from mainstay.spec.timeouts import derived_total_s, kind_of, pauses_s, resolve_timeouts


@pytest.mark.parametrize(
    ("url", "kind"),
    [("https://x", "api"), ("postgresql+asyncpg://x", "database"), ("redis://x", "cache"),
     ("nats://x", "other"), ("http://[", "api")],
)  # fmt: skip
def test_the_kind_comes_from_the_scheme(url: str, kind: str) -> None:
    assert kind_of(Dependency(url=url)) == kind
    assert kind_of(Dependency(url=Secret("${file:x}", url))) == kind


def test_the_defaults_of_the_starter_pack() -> None:
    database = resolve_timeouts(Dependency(url="postgresql://x"))
    assert (database.connect_s, database.read_s, database.total_s) == (3.0, 10.0, 10.0)
    cache = resolve_timeouts(Dependency(url="redis://x"))
    assert (cache.connect_s, cache.read_s) == (1.0, 2.0)
    api = resolve_timeouts(Dependency(url="https://x"))
    assert (api.connect_s, api.read_s) == (5.0, 60.0)
    service = resolve_timeouts(Dependency(service="x"))
    assert (service.connect_s, service.attempt_s, service.total_s) == (0.5, None, 2.0)


def test_no_default_is_longer_than_the_deadline() -> None:
    resolved = resolve_timeouts(Dependency(url="https://x"), deadline_s=1.0)
    assert (resolved.connect_s, resolved.read_s, resolved.write_s, resolved.total_s) == (
        1.0, 1.0, 1.0, 1.0,
    )  # fmt: skip


def test_what_is_declared_stays() -> None:
    timeouts = Timeouts(connect_s=9.0, read_s=9.0, write_s=9.0, attempt_s=9.0, total_s=8.0)
    resolved = resolve_timeouts(Dependency(url="redis://x", timeout=timeouts), deadline_s=1.0)
    assert (resolved.connect_s, resolved.read_s, resolved.write_s) == (9.0, 9.0, 9.0)
    assert (resolved.attempt_s, resolved.total_s) == (9.0, 8.0)


def test_a_total_follows_from_attempts() -> None:
    dependency = Dependency(service="x", timeout=Timeouts(attempt_s=0.8))
    assert resolve_timeouts(dependency).total_s == pytest.approx(2.55)
    assert resolve_timeouts(dependency, deadline_s=2.0).total_s == 2.0


def test_without_retries_the_total_is_one_attempt() -> None:
    dependency = Dependency(service="x", timeout=Timeouts(attempt_s=0.8), retry=None)
    assert derived_total_s(dependency) == 0.8
    assert derived_total_s(Dependency(service="x", timeout=Timeouts(attempt_s="auto"))) is None


def test_pauses_double_up_to_the_longest() -> None:
    retry = Retry(attempts=6, backoff=Between(low_s=1.0, high_s=3.0))
    assert pauses_s(retry) == 1.0 + 2.0 + 3.0 + 3.0 + 3.0
    assert pauses_s(Retry(attempts=1)) == 0.0
