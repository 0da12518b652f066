"""When requests are due, and which ones."""

from collections import Counter
from itertools import islice, pairwise
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from mainstay.control.load import LoadPlan, target
from mainstay.control.load.arrivals import arrivals, mix, offsets

URL = "http://127.0.0.1:8080/"
RATES = st.floats(0.5, 5000)


def plan(**settings: object) -> LoadPlan:
    given_targets = settings.pop("targets", (target(URL),))
    return LoadPlan(targets=given_targets, **settings)  # type: ignore[arg-type]  # Of many types.


@given(rate=RATES, n=st.integers(0, 10_000_000))
def test_constant_arrivals_never_drift(rate: float, n: int) -> None:
    """Request n is due at n / rate, exactly, however many came before."""
    first = list(islice(offsets(plan(rate_per_s=rate, requests=1), Random(0)), 50))
    assert first == [n / rate for n in range(50)]


@given(
    rate=RATES,
    requests=st.integers(1, 300),
    warmup=st.floats(0, 0.05),
    seed=st.integers(),
    poisson=st.booleans(),
)
def test_exactly_the_requests_asked_for_are_counted(
    rate: float,
    requests: int,
    warmup: float,
    seed: int,
    poisson: bool,  # noqa: FBT001  Drawn.
) -> None:
    asked = plan(
        rate_per_s=rate,
        requests=requests,
        warmup_s=warmup,
        seed=seed,
        arrivals="poisson" if poisson else "constant",
    )
    due = list(arrivals(asked))
    assert sum(one.counted for one in due) == requests
    assert all(one.counted == (one.offset_s >= warmup) for one in due)
    assert [one.offset_s for one in due] == sorted(one.offset_s for one in due)
    assert due == list(arrivals(asked)), "the same plan sends the same"


@given(rate=st.integers(1, 400), duration=st.integers(1, 5))
def test_a_duration_gives_rate_times_duration_requests(rate: int, duration: int) -> None:
    due = list(arrivals(plan(rate_per_s=float(rate), duration_s=float(duration))))
    assert len(due) == rate * duration
    assert due[-1].offset_s < duration


def test_what_ends_first_decides() -> None:
    short = plan(rate_per_s=100.0, requests=1000, duration_s=1.0)
    few = plan(rate_per_s=100.0, requests=10, duration_s=1.0)
    assert (len(list(arrivals(short))), len(list(arrivals(few)))) == (100, 10)


def test_poisson_gaps_have_the_mean_and_the_spread_of_a_poisson_process() -> None:
    """The gaps of independent callers are exponential: mean and deviation both 1 / rate."""
    at = list(
        islice(offsets(plan(rate_per_s=50.0, requests=1, arrivals="poisson"), Random(7)), 20_001)
    )
    gaps = [later - earlier for earlier, later in pairwise(at)]
    mean = sum(gaps) / len(gaps)
    deviation = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5
    assert abs(mean * 50 - 1) < 0.05
    assert abs(deviation * 50 - 1) < 0.05


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=8), st.integers(0, 2**32))
def test_the_mix_follows_the_weights(weights: list[float], seed: int) -> None:
    drawn = Counter(islice(mix(weights, Random(seed)), 4000))
    for index, weight in enumerate(weights):
        share = weight / sum(weights)
        # Six standard deviations of a binomial share, and some for tiny ones: never by chance.
        bound = 6 * (share * (1 - share) / 4000) ** 0.5 + 0.005
        assert abs(drawn[index] / 4000 - share) <= bound


def test_turns_count_each_target_on_its_own() -> None:
    targets = (target(URL, name="a"), target(URL, name="b", weight=3))
    due = list(arrivals(plan(targets=targets, rate_per_s=100.0, requests=200)))
    for index in (0, 1):
        turns = [one.turn for one in due if one.target == index]
        assert turns == list(range(len(turns)))
        assert turns


def test_another_seed_mixes_otherwise_and_gaps_do_not_change_the_mix() -> None:
    targets = (target(URL, name="a"), target(URL, name="b"))

    def order(**settings: object) -> list[int]:
        return [
            one.target
            for one in arrivals(plan(targets=targets, rate_per_s=10.0, requests=64, **settings))
        ]

    assert order(seed=1) != order(seed=2)
    assert order(seed=1) == order(seed=1, arrivals="poisson")
