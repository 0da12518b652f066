"""What stands in, what is a failure, and for how long an answer is good."""

import asyncio
from typing import Any

import pytest

from mainstay.core.errors import CircuitOpen, ConfigInvalid, DeadlineExceeded, PolicyMisused
from mainstay.service.outbound.failure import MISTAKES, is_errors, is_failure, matcher
from mainstay.service.outbound.fallback import (
    NOTHING,
    Fallback,
    LastGood,
    Question,
    arguments_key,
)

CANCELLED = asyncio.CancelledError()


def asked(*args: object, **kwargs: object) -> Question:
    return (len, args, kwargs)


def test_nothing_says_so() -> None:
    assert repr(NOTHING) == "nothing"


def test_it_stands_in_for_failures_and_rejections() -> None:
    fallback = Fallback(value=1)
    for error in (OSError(), CircuitOpen("payments", 1.0), DeadlineExceeded("late", begun=True)):
        assert fallback.covers(error)
    for other in (TypeError(), CANCELLED, KeyboardInterrupt(), PolicyMisused("no")):
        assert not fallback.covers(other)


def test_it_stands_in_for_the_errors_it_was_told_of_and_no_others() -> None:
    fallback = Fallback(value=1, on=KeyError)
    assert fallback.covers(KeyError())
    assert not fallback.covers(OSError())
    assert not fallback.covers(CircuitOpen("payments", 1.0))
    assert not Fallback(value=1, on=BaseException).covers(CANCELLED)


def test_an_answer_is_good_up_to_its_very_age() -> None:
    kept = LastGood(Fallback(last_good=2, age_max=10))
    kept.keep(asked(1), "one", 100.0)
    assert kept.find(asked(1), 104.0) == (4.0, "one")
    assert kept.find(asked(1), 110.0) == (10.0, "one")
    assert kept.find(asked(1), 110.001) is None
    assert kept.find(asked(2), 100.0) is None


def test_the_least_recently_written_goes_first() -> None:
    kept = LastGood(Fallback(last_good=2))
    for number in (1, 2, 1, 3):
        kept.keep(asked(number), number, 0.0)
    found = [kept.find(asked(number), 0.0) is not None for number in (1, 2, 3)]
    assert found == [True, False, True]


def test_a_smaller_bound_drops_the_oldest_and_a_shorter_age_holds_at_once() -> None:
    kept = LastGood(Fallback(last_good=3, age_max=100))
    for number in (1, 2, 3):
        kept.keep(asked(number), number, 0.0)
    kept.reconfigure(Fallback(last_good=2, age_max=10))
    assert [kept.find(asked(number), 5.0) for number in (1, 2, 3)] == [None, (5.0, 2), (5.0, 3)]
    assert kept.find(asked(3), 11.0) is None


def test_answers_are_kept_by_function_and_all_arguments() -> None:
    kept = LastGood(Fallback(last_good=9))
    kept.keep(asked(1, b=2, a=3), "kept", 0.0)
    assert kept.find(asked(1, a=3, b=2), 0.0) == (0.0, "kept")
    for other in (asked(1), asked(1, a=3, b=3), asked(2, a=3, b=2), (repr, (1,), {"a": 3, "b": 2})):
        assert kept.find(other, 0.0) is None
    assert arguments_key(1, b=2, a=3) == ((1,), (("a", 3), ("b", 2)))


def test_a_call_whose_key_cannot_be_hashed_is_not_kept() -> None:
    kept = LastGood(Fallback(last_good=9))
    kept.keep(asked([1]), "kept", 0.0)
    kept.keep(asked({2}), "kept", 0.0)
    assert kept.find(asked([1]), 0.0) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [(1, True), (1, 1.0), ((1,), (True,)), (((0,),), ((False,),)),
     (frozenset({1}), frozenset({True}))],
)  # fmt: skip
def test_what_is_equal_and_of_another_type_is_another_question(one: object, other: object) -> None:
    kept = LastGood(Fallback(last_good=9))
    kept.keep(asked(one), "kept", 0.0)
    kept.keep(asked(a=one), "kept", 0.0)
    assert kept.find(asked(one), 0.0) == kept.find(asked(a=one), 0.0) == (0.0, "kept")
    assert kept.find(asked(other), 0.0) is kept.find(asked(a=other), 0.0) is None
    by_key = LastGood(Fallback(last_good=9, key=lambda first: first))
    by_key.keep(asked(one), "kept", 0.0)
    assert by_key.find(asked(other), 0.0) is None


def test_who_changes_an_answer_changes_nobody_elses() -> None:
    """Neither the caller whose answer it was, nor one whom it stood in for."""
    kept = LastGood(Fallback(last_good=9))
    mine: dict[str, list[object]] = {"items": []}
    kept.keep(asked(1), mine, 0.0)
    for _ in range(2):
        mine["items"].append("mine")
        found: Any = kept.find(asked(1), 0.0)
        assert found == (0.0, {"items": []})
        found[1]["items"].append("theirs")


class _Odd:
    """Raises what nobody thinks of, when it is hashed or compared."""

    def __init__(self, *, hashed: bool) -> None:
        self._hashed = hashed

    def __hash__(self) -> int:
        if not self._hashed:
            raise ZeroDivisionError
        return 1

    def __eq__(self, other: object) -> bool:
        raise LookupError


def test_a_key_that_raises_is_not_kept_and_says_nothing() -> None:
    """What went well stays so, and what failed is raised as it is."""

    def broken(*_args: object) -> object:
        raise AttributeError("name")

    kept = LastGood(Fallback(last_good=9, key=broken))
    kept.keep(asked(1), "kept", 0.0)
    assert kept.find(asked(1), 0.0) is None
    for hashed in (False, True):
        odd = LastGood(Fallback(last_good=9, key=lambda _, hashed=hashed: _Odd(hashed=hashed)))
        odd.keep(asked(1), "kept", 0.0)
        odd.keep(asked(2), "kept", 0.0)
        assert odd.find(asked(1), 0.0) is None


@pytest.mark.parametrize("mistake", [*MISTAKES, ConfigInvalid])
def test_mistakes_of_the_program_are_no_failures(mistake: type[BaseException]) -> None:
    error = mistake(("a fault",))
    assert not is_failure(error)
    assert matcher(mistake, None)(error)


def test_on_and_ignore_stand_alone_and_together() -> None:
    cases: list[tuple[BaseException, list[bool]]] = [
        (OSError(), [True, True, True, True]),
        (TimeoutError(), [True, True, False, False]),
        (KeyError(), [False, True, False, True]),
        (CANCELLED, [False, False, False, False]),
    ]
    on = (OSError, KeyError, asyncio.CancelledError)
    matchers = [
        matcher(None, None), matcher(on, None),
        matcher(None, TimeoutError), matcher(on, lambda error: isinstance(error, TimeoutError)),
    ]  # fmt: skip
    for error, expected in cases:
        assert [match(error) for match in matchers] == expected


def test_a_predicate_is_never_asked_about_a_cancellation() -> None:
    seen: list[BaseException] = []

    def on(error: BaseException) -> bool:
        seen.append(error)
        return True

    error = OSError()
    assert matcher(on, None)(error)
    assert not matcher(on, None)(CANCELLED)
    assert seen == [error]


def test_errors_are_types_of_errors_or_can_be_called() -> None:
    for right in (None, OSError, BaseException, (), (OSError, KeyError), len):
        assert is_errors(right)
    for wrong in (int, (int,), (OSError, int), (OSError(),), 3, "OSError"):
        assert not is_errors(wrong)
