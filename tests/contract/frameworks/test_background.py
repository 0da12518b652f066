"""Errors in background tasks: the answer is whole, and the error is told once."""

import pytest
from tests.contract.frameworks.running import Running, fresh_name
from tests.system.served import until

pytestmark = pytest.mark.system


def test_an_error_in_the_background_leaves_the_answer_whole(one: Running) -> None:
    name = fresh_name()
    answer = one.get(f"/background?name={name}&fail=1")
    assert answer.status == 200
    assert b"whole" in answer.body
    one.told_once(f"LookupError: background {name}", 0)
    until(one.idle, "nothing is held")
