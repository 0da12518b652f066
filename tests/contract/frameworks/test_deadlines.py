"""The deadline in every framework: cancelled, answered, lifted for what has begun."""

import pytest
from tests.contract.frameworks.running import Answer, Running, fresh_name
from tests.system.served import until

pytestmark = pytest.mark.system


def assert_overran(answer: Answer) -> None:
    assert answer.status == 504
    assert answer.json["type"].endswith("#deadline-exceeded")
    assert answer.json["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize("name", ["X-Request-Timeout", "grpc-timeout"])
def test_a_handler_that_overruns_is_a_504(one: Running, name: str) -> None:
    """A coroutine is cancelled; a function in a thread is answered for."""
    before, said = one.state()["cancelled"], one.said()
    assert_overran(one.get("/slow", {name: "300m" if name == "grpc-timeout" else "300ms"}))
    if one.case.is_async:
        assert one.state()["cancelled"] == before + 1
        assert one.said() == said
    until(one.idle, "nothing is held")


def test_a_handler_in_a_thread_that_overruns_is_a_504(one: Running) -> None:
    assert_overran(one.get("/slow-sync", {"X-Request-Timeout": "300ms"}))
    until(one.idle, "nothing is held")


@pytest.mark.parametrize("time", ["0", "0ms"])
def test_who_has_no_time_left_does_not_reach_the_app(one: Running, time: str) -> None:
    assert_overran(one.get("/boom", {"X-Request-Timeout": time}))


def test_a_stream_goes_on_beyond_the_deadline(one: Running) -> None:
    """It holds until the answer begins; the other request shows that it is over."""
    name = fresh_name()
    for time_ms in (400, 1600, 6400):
        limit = {"X-Request-Timeout": f"{time_ms}ms"}
        with one.asked(f"/gate?name={name}", limit) as answer:
            if answer.status == 504:
                # A busy machine: once more, with more time.
                continue
            assert answer.read(5) == b"first"
            assert one.get("/slow", limit).status == 504
            assert one.get(f"/release?name={name}").status == 200
            assert answer.read() == b"second"
            return
    pytest.fail("no answer began within its time")
