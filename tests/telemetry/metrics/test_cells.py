import math
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.telemetry.metrics.cells import CounterCell, Exemplar, GaugeCell, HistogramCell

THREADS = 8
EACH = 2_000


def crowd(work: Callable[[], None]) -> None:
    """Run ``work`` in several threads at once, which are switched as often as can be."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        together = threading.Barrier(THREADS)

        def one() -> None:
            together.wait(30)
            for _ in range(EACH):
                work()

        with ThreadPoolExecutor(THREADS) as pool:
            for done in [pool.submit(one) for _ in range(THREADS)]:
                done.result()
    finally:
        sys.setswitchinterval(before)


def test_threads_lose_no_increment_of_a_counter() -> None:
    cell = CounterCell()
    crowd(cell.inc)
    assert cell.read() == (THREADS * EACH,)


def test_threads_lose_nothing_of_a_gauge() -> None:
    cell = GaugeCell()

    def up_and_down() -> None:
        cell.inc(3)
        cell.dec(2)

    crowd(up_and_down)
    assert cell.read() == (THREADS * EACH,)


def test_threads_lose_no_observation_and_none_of_their_sum() -> None:
    cell = HistogramCell((1.0, 2.0))
    crowd(lambda: cell.observe(1.5))
    assert cell.read() == (0, THREADS * EACH, 0, THREADS * EACH * 1.5)


@given(st.lists(st.floats(0, 100)), st.lists(st.floats(0.1, 90), min_size=1, unique=True))
def test_a_histogram_is_what_a_naive_one_is(values: list[float], bounds: list[float]) -> None:
    edges = tuple(sorted(bounds))
    cell = HistogramCell(edges)
    for value in values:
        cell.observe(value)
    *counts, total = cell.read()
    upto = [sum(value <= edge for value in values) for edge in (*edges, math.inf)]
    assert [sum(counts[: n + 1]) for n in range(len(counts))] == upto
    assert total == pytest.approx(math.fsum(values))


@pytest.mark.parametrize("amount", [-1, math.nan, math.inf, -math.inf])
def test_a_counter_only_goes_up_and_by_numbers(amount: float) -> None:
    cell = CounterCell()
    with pytest.raises(ValueError, match="only goes up"):
        cell.inc(amount)
    with pytest.raises(ValueError, match="numbers from 0 up"):
        HistogramCell((1.0,)).observe(amount)
    assert cell.read() == (0,)


def test_who_counts_while_its_own_thread_counts_does_not_wait_for_itself() -> None:
    """Law: a signal's handler or a finalizer may count whatever its thread is doing."""
    cell = CounterCell()
    with cell._lock:
        cell.inc()
    assert cell.read() == (1,)


def test_an_exemplar_stands_in_its_bucket_until_the_next_one_does() -> None:
    cell = HistogramCell((1.0, 2.0))
    assert cell.exemplars() == ()
    first, second = Exemplar(1.5, "a" * 32, 7.0), Exemplar(1.7, "b" * 32, 8.0)
    cell.exemplify(first)
    assert cell.exemplars() == (None, first, None)
    cell.exemplify(second)
    assert cell.exemplars() == (None, second, None)


def test_a_cell_begins_anew_with_a_lock_that_nobody_holds() -> None:
    cell = CounterCell()
    cell.inc(5)
    held = threading.Event()
    let_go = threading.Event()

    def hold() -> None:
        with cell._lock:
            held.set()
            let_go.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(30)
    cell.reset()
    cell.inc()
    let_go.set()
    thread.join()
    assert cell.read() == (1,)


def test_who_observes_in_the_midst_of_counting_is_counted_once() -> None:
    """Law: a signal's handler may come whenever values are taken to their buckets."""
    cell = HistogramCell((1.0, 2.0))
    handler = iter([1.5] * 100)

    class Bounds(tuple[float, ...]):
        __slots__ = ()

        def __iter__(self) -> Iterator[float]:
            for value in handler:
                cell.observe(value)
            return super().__iter__()

    cell.observe(0.5)
    cell._bounds = Bounds(cell._bounds)
    cell.read()
    cell._bounds = (1.0, 2.0)
    assert cell.read() == (1, 100, 0, 150.5)
