"""What is counted, and where."""

from hypothesis import given, settings
from hypothesis import strategies as st

from mainstay.control.load import LoadPlan, target
from mainstay.control.load.arrivals import Arrival
from mainstay.control.load.exchange import Exchange, Failure, Outcome
from mainstay.control.load.recorder import Recorder

TARGETS = (
    target("http://127.0.0.1/", name="a"),
    target("http://127.0.0.1/", name="b", expect=frozenset({404})),
)


def recorder(*, warmup_s: float = 0.0, duration_s: float = 10.0) -> Recorder:
    return Recorder(
        LoadPlan(targets=TARGETS, rate_per_s=10.0, duration_s=duration_s, warmup_s=warmup_s)
    )


def exchange(
    offset_s: float, *, which: int = 0, lag_s: float = 0.0, counted: bool = True
) -> Exchange:
    return Exchange(
        arrival=Arrival(offset_s=offset_s, counted=counted, target=which, turn=0),
        due_s=offset_s,
        sent_s=offset_s + lag_s,
        written_s=offset_s + lag_s,
        wire=b"",
        bodiless=False,
    )


def record(one: Recorder, sent: Exchange, outcome: Outcome, took_s: float) -> None:
    one.sent(sent)
    one.finished(sent, outcome, now_s=sent.due_s + took_s)


OUTCOMES = st.sampled_from(
    [
        Outcome(status=200),
        Outcome(status=404),
        Outcome(status=503),
        *(Outcome(failure=f) for f in Failure),
    ]
)


@settings(max_examples=40)
@given(st.lists(st.tuples(st.floats(0, 9.9), st.integers(0, 1), OUTCOMES, st.floats(0.001, 5))))
def test_every_request_is_counted_once_everywhere(
    ended: list[tuple[float, int, Outcome, float]],
) -> None:
    """Targets, kinds and the timeline add up to the total, in whatever order requests end."""
    one = recorder()
    sent = [
        (exchange(at, which=which), outcome, took)
        for at, which, outcome, took in sorted(ended, key=lambda item: item[0])
    ]
    for each, _, _ in sent:
        one.sent(each)
    for each, outcome, took_s in sorted(sent, key=lambda item: item[0].due_s + item[2]):
        one.finished(each, outcome, now_s=each.due_s + took_s)
    total, targets, latency = one.totals()
    timeline = one.timeline()
    assert total.requests == len(ended) == sum(target.requests for target in targets)
    assert sum(step.requests for step in timeline) == total.requests
    assert total.failed == sum(total.kinds.values()) == sum(step.failed for step in timeline)
    good = total.requests - total.failed
    assert latency.count == good + total.kinds.get(Failure.TIMEOUT, 0)
    assert [step.at_s for step in timeline] == sorted({step.at_s for step in timeline})
    assert one.unfinished == 0


def test_latency_counts_from_due_and_service_from_written() -> None:
    one = recorder()
    record(one, exchange(1.0, lag_s=0.5), Outcome(status=200), took_s=0.75)
    total, _, _ = one.totals()
    assert total.latency is not None
    assert total.service is not None
    assert round(total.latency.p50_ms) == 750
    assert round(total.service.p50_ms) == 250
    assert (one.lag_max_s, one.lag_total_s) == (0.5, 0.5)


def test_each_target_has_its_own_good_statuses() -> None:
    one = recorder()
    for which in (0, 1):
        for status in (200, 404, 503):
            record(one, exchange(0.0, which=which), Outcome(status=status), took_s=0.01)
    _, (a, b), _ = one.totals()
    assert (a.failed, b.failed) == (1, 2)
    assert a.statuses == {"200": 1, "404": 1, "503": 1}
    assert one.examples == {"status": "status 503"}


def test_a_quick_failure_never_improves_latency() -> None:
    one = recorder()
    record(one, exchange(0.0), Outcome(status=200), took_s=1.0)
    for _ in range(99):
        record(one, exchange(0.0), Outcome(status=503), took_s=0.001)
    total, _, _ = one.totals()
    assert total.latency is not None
    assert total.latency.min_ms > 900


def test_a_timeout_counts_with_the_time_it_waited() -> None:
    one = recorder()
    record(one, exchange(0.0), Outcome(failure=Failure.TIMEOUT), took_s=10.0)
    total, _, _ = one.totals()
    assert total.latency is not None
    assert (round(total.latency.max_ms, -2), total.failed) == (10_000, 1)


def test_the_warm_up_is_not_counted() -> None:
    one = recorder(warmup_s=2.0)
    record(one, exchange(0.5, counted=False), Outcome(failure=Failure.RESET), took_s=0.1)
    record(one, exchange(2.5), Outcome(status=200), took_s=0.1)
    total, _, _ = one.totals()
    assert (total.requests, total.failed, one.due) == (1, 0, 1)
    assert [step.at_s for step in one.timeline()] == [0.0]


def test_a_step_belongs_to_when_requests_were_due() -> None:
    one = recorder()
    slow = exchange(0.9)
    one.sent(slow)
    record(one, exchange(1.0), Outcome(status=200), took_s=0.01)
    record(one, exchange(2.0), Outcome(status=200), took_s=0.01)
    one.finished(slow, Outcome(status=200), now_s=3.0)
    first, second, third = one.timeline()
    assert first.p99_ms is not None
    assert second.p99_ms is not None
    assert first.p99_ms > 2000
    assert second.p99_ms < 100
    assert third.requests == 1


def test_progress_tells_the_last_second_that_is_over() -> None:
    one = recorder()
    record(one, exchange(0.1), Outcome(status=200), took_s=0.01)
    assert one.progress(elapsed_s=0.5, in_flight=0).step is None
    record(one, exchange(1.1), Outcome(status=503), took_s=0.01)
    progress = one.progress(elapsed_s=1.2, in_flight=3)
    assert progress.step is not None
    assert (progress.step.at_s, progress.requests, progress.failed) == (0.0, 2, 1)


def test_a_long_test_keeps_few_steps() -> None:
    one = recorder(duration_s=86_400.0)
    for second in range(0, 86_400, 60):
        record(one, exchange(float(second)), Outcome(status=200), took_s=0.01)
    assert len(one.timeline()) == 600
