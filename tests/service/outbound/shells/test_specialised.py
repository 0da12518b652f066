"""Shells without the questions that their plan has answered: the same, and found in the source."""

import ast
import inspect
import sys
import threading
import traceback

import pytest

from mainstay import Breaker, Bulkhead, Policy, Retry
from mainstay.service.outbound.plan import FACTS, Parts
from mainstay.service.outbound.shells import async_shell, specialised, sync_shell


def answer() -> str:
    return "answer"


def test_every_question_of_the_facts_is_asked_in_both_shells() -> None:
    """One that is misspelt in the list would never be answered beforehand."""
    for shell in (sync_shell, async_shell):
        source = inspect.getsource(shell)
        asked = [fact for fact in FACTS if fact in source]
        assert asked == list(FACTS)


def test_a_shell_is_made_once_for_each_shape() -> None:
    plans = [Policy(breaker=Breaker(failures=n)).plan for n in (1, 2)]
    first, second = (specialised.specialised(sync_shell.guard, plan) for plan in plans)
    assert first is second
    other = specialised.specialised(sync_shell.guard, Policy(retry=Retry()).plan)
    assert other is not first
    assert plans[0].shape is plans[1].shape


def test_what_is_never_asked_is_left_out() -> None:
    bare = Policy()(answer)
    full = Policy(bulkhead=Bulkhead(), retry=Retry(), breaker=Breaker())(answer)
    assert len(bare.__code__.co_code) < 0.7 * len(full.__code__.co_code)
    assert "slots" not in bare.__code__.co_names
    assert "slots" in full.__code__.co_names


def test_a_traceback_shows_the_lines_of_the_source() -> None:
    def fail() -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError) as caught:
        Policy(breaker=Breaker())(fail)()
    frame = traceback.extract_tb(caught.value.__traceback__)[1]
    assert frame.filename == sync_shell.__file__
    assert frame.name == "call"
    assert frame.line == "result = fn(*args, **kwargs)"


def test_shells_are_made_in_many_threads_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """CPython 3.11 can't make two trees at once: SystemError, recursion depth mismatch."""
    policies = [
        Policy(breaker=Breaker() if n & 1 else None, retry=Retry() if n & 2 else None,
               bulkhead=Bulkhead() if n & 4 else None)
        for n in range(8)
    ]  # fmt: skip
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(5):
            monkeypatch.setattr(specialised, "_MADE", {})
            barrier = threading.Barrier(8)
            answers: list[str] = []

            def call(policy: Policy, barrier: threading.Barrier = barrier) -> None:
                barrier.wait(60)
                answers.append(policy.call(answer))  # noqa: B023  Of this round.

            threads = [threading.Thread(target=call, args=(policy,)) for policy in policies]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(60)
            assert answers == ["answer"] * 8
    finally:
        sys.setswitchinterval(before)


def test_where_a_tree_cannot_be_made_now_the_shell_is_used_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def mismatch(_: object) -> None:
        raise SystemError("AST constructor recursion depth mismatch")

    monkeypatch.setattr(specialised, "_MADE", {})
    policy = Policy(breaker=Breaker())
    with monkeypatch.context() as patched:
        patched.setattr(ast, "parse", mismatch)
        general = policy(answer)
        assert policy.call(answer) == general() == "answer"
    special = policy(answer)
    assert special() == "answer"
    assert "slots" in general.__code__.co_names
    assert "slots" not in special.__code__.co_names


def test_without_the_source_the_shell_is_used_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(_: object) -> None:
        raise OSError("could not get source code")

    monkeypatch.setattr(specialised, "_MADE", {})
    monkeypatch.setattr(inspect, "getsourcelines", gone)
    policy = Policy(breaker=Breaker())
    assert specialised.specialised(sync_shell.guard, policy.plan) is sync_shell.guard
    call = policy(answer)
    assert call() == "answer"
    policy.update(Parts(retry=Retry()))
    assert call() == "answer"
