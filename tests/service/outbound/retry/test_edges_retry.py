"""Pauses, limits and hedges at their bounds."""

import os
import time  # noqa: TID251  The zone of this process, not the time.
from collections.abc import Iterator
from random import Random

import pytest

from mainstay.core.errors import AttemptTimedOut, CircuitOpen
from mainstay.service.outbound.hedge import Hedge, delay_s, percentile_of
from mainstay.service.outbound.latency import Latency
from mainstay.service.outbound.ratelimit import Limiter, RateLimit
from mainstay.service.outbound.retry.backoff import backoff_s
from mainstay.service.outbound.retry.retry import (
    Retry,
    asked_delay_s,
    never_sent,
    pause_before_next_s,
)
from mainstay.service.outbound.retry.retry_after import http_date, retry_after_s


def pause(
    retry: Retry,
    failures: int = 1,
    *,
    asked_s: float | None = None,
    last_s: float = 0.0,
    left_s: float = 1e9,
) -> float | str:
    rng = Random(1)
    return pause_before_next_s(
        retry, failures, asked_s=asked_s, last_s=last_s, left_s=left_s, rng=rng
    )


PLAIN = Retry(attempts=3, backoff=(0.5, 8.0), jitter="none", delay_max=10)


def test_as_many_attempts_as_said_and_no_more() -> None:
    assert [pause(PLAIN, failures) for failures in (1, 2, 3, 4)] == [
        0.5, 1.0, "attempts", "attempts",
    ]  # fmt: skip


def test_a_pause_ends_before_the_deadline_or_is_not_begun() -> None:
    assert pause(PLAIN, left_s=0.501) == 0.5
    assert pause(PLAIN, left_s=0.5) == "deadline"


def test_a_server_may_ask_for_nothing_and_for_the_most() -> None:
    for asked_s, expected in (
        (0.0, 0.5), (0.25, 0.75), (10.0, 10.5),
        (10.001, "server"), (-0.001, "server"), (float("nan"), "server"),
    ):  # fmt: skip
        assert pause(PLAIN, asked_s=asked_s) == expected


def test_the_jitter_is_the_one_asked_for() -> None:
    found = {}
    for jitter in ("full", "equal", "decorrelated"):
        retry = Retry(backoff=(0.5, 8.0), jitter=jitter)
        found[jitter] = pause(retry, last_s=2.0)
        assert found[jitter] == backoff_s(
            jitter, 1, base_s=0.5, max_s=8.0, last_s=2.0, rng=Random(1)
        )
    assert len(set(found.values())) == 3
    assert 0.5 < float(found["decorrelated"]) <= 6.0


def test_equal_jitter_spreads_over_the_upper_half() -> None:
    rng = Random(3)
    pauses = [backoff_s("equal", 2, base_s=1.0, max_s=9.0, last_s=0.0, rng=rng) for _ in range(500)]
    assert 1.0 <= min(pauses) < 1.05
    assert 1.95 < max(pauses) <= 2.0


def test_the_first_failure_counts_from_one() -> None:
    with pytest.raises(AssertionError):
        backoff_s("none", 0, base_s=1.0, max_s=9.0, last_s=0.0, rng=Random(1))


def test_only_what_surely_never_left_is_never_sent() -> None:
    class Told(Exception):
        def __init__(self, said: object) -> None:
            self.never_sent = said

    assert never_sent(Told(said=True))
    for error in (Told(said=False), Told(1), OSError(), AttemptTimedOut("payments", 1.0)):
        assert not never_sent(error)
    # Of whatever it was that a function did last.
    assert not never_sent(CircuitOpen("receipts", 1.0))
    assert not never_sent(ConnectionRefusedError())


def test_a_delay_is_read_from_the_outcome() -> None:
    class Answer:
        def __init__(self, delay: object) -> None:
            self.retry_after_s = delay

    for delay, expected in ((3, 3.0), (0.5, 0.5), ("3", None), (None, None)):
        assert asked_delay_s(Answer(delay)) == expected
    assert asked_delay_s(object()) is None


def test_a_rate_limit_refuses_what_would_wait_longer_than_it_may() -> None:
    options = RateLimit(rate=4.0, burst=2, wait=0.5)
    limiter = Limiter(options)
    assert limiter.options is options
    assert [limiter.take(8.0) for _ in range(5)] == [0.0, 0.0, 0.25, 0.5, -0.75]
    other = RateLimit(rate=2.0)
    limiter.reconfigure(other)
    assert limiter.options is other
    assert limiter.take(8.0) == -1.0
    assert limiter.take(9.0) == 0.0


def test_a_hedge_waits_for_its_floor_or_for_what_is_known() -> None:
    latency = Latency()
    for _ in range(50):
        latency.record(0.01)
    found_s = latency.percentile_s(0.95)
    assert delay_s(Hedge(after="p95"), latency) == found_s
    assert delay_s(Hedge(after="p95", floor="1s"), latency) == 1.0
    assert delay_s(Hedge(after=2, floor="5s"), None) == 2.0
    assert delay_s(Hedge(after="p95"), Latency()) is None


@pytest.mark.parametrize(
    ("after", "share"),
    [("p1", 0.01), ("p95", 0.95), ("p99.999", 0.99999), (95.0, None), ("95ms", None),
     ("P95", None), ("p100", None), ("p9.", None), ("p99.9999", None)],
)  # fmt: skip
def test_a_percentile_is_named_by_p(after: float | str, share: float | None) -> None:
    assert percentile_of(after) == (None if share is None else pytest.approx(share))


@pytest.fixture
def far_east(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Set the zone of this process to one that is never UTC."""
    monkeypatch.setenv("TZ", "FAR-9")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()
    assert os.environ.get("TZ") != "FAR-9"


def test_dates_are_in_utc_wherever_the_process_runs(far_east: None) -> None:
    assert http_date(1_767_268_800.0) == "Thu, 01 Jan 2026 12:00:00 GMT"
    for date in ("Thu, 01 Jan 2026 12:00:30 GMT", "Thu Jan  1 12:00:30 2026"):
        assert retry_after_s(date, now_wall_s=1_767_268_800.0) == 30.0
    elsewhere = "Thu, 01 Jan 2026 14:00:30 +0200"
    assert retry_after_s(elsewhere, now_wall_s=1_767_268_800.0) == 30.0


def test_a_longer_header_is_not_read() -> None:
    date = "Thu, 01 Jan 2026 12:00:30 GMT"
    for spaces, expected in ((64 - len(date), 30.0), (65 - len(date), None)):
        value = date.replace(" GMT", " " * (spaces + 1) + "GMT")
        assert retry_after_s(value, now_wall_s=1_767_268_800.0) == expected
    assert retry_after_s("999999999", now_wall_s=0.0) == 999_999_999.0
    assert retry_after_s("x" * 9, now_wall_s=0.0) is None
