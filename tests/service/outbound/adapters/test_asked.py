"""What of a client's answers is kept, as each of its calls says."""

from typing import Any

import pytest

from mainstay import Breaker, Fallback, Policy
from mainstay.core.errors import CircuitOpen
from mainstay.service.outbound.adapters.asked import Asked, answering


def refusing(_answer: Any) -> Any:
    raise TypeError("not to be kept")


@pytest.fixture
def policy() -> Policy:
    shop = Policy(name="shop", breaker=Breaker(), fallback=Fallback(last_good=3))
    return answering(shop, lambda *args: args)


def test_callers_get_the_answer_and_later_ones_what_was_kept_of_it(policy: Policy) -> None:
    asked = Asked(lambda _: "pear", "one", str.upper)
    assert policy.call(asked, 1) == "pear"
    asked.done()
    policy.breaker.force_open()
    assert policy.call(Asked(lambda _: "other", "one"), 1) == "PEAR"


def test_without_a_packing_all_of_it_is_kept(policy: Policy) -> None:
    answer = ["pear"]
    assert policy.call(Asked(lambda _: answer, "one"), 1) is answer
    answer.clear()
    policy.breaker.force_open()
    assert policy.call(Asked(lambda _: [], "one"), 1) == ["pear"]


@pytest.mark.parametrize(
    "call",
    [
        Asked(lambda _: "pear", None),
        Asked(lambda _: "pear", "one", refusing),
        # As it is where the options came to keep answers while it was made.
        lambda _: "pear",
    ],
    ids=["not asked", "refused", "begun before"],
)
def test_what_is_not_to_be_kept_is_answered(call: Any, policy: Policy) -> None:
    assert policy.call(call, 1) == "pear"
    policy.breaker.force_open()
    with pytest.raises(CircuitOpen):
        policy.call(call, 1)
