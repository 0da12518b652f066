"""A handler that ends by what is no exception: its client gets a problem, and the process stays."""

import pytest
from tests.contract.frameworks.running import TRACE_ID, TRACEPARENT, Running, fresh_name
from tests.system.served import until

pytestmark = pytest.mark.system


@pytest.mark.parametrize("path", ["/leave", "/cancelled"])
def test_its_client_gets_a_problem_and_nobody_else_notices(one: Running, path: str) -> None:
    """The server would answer in words of its own, say nothing, or end with everyone in it."""
    if path == "/cancelled" and not one.case.is_async:
        pytest.skip("nothing cancels a thread")
    name = fresh_name()
    with one.asked(f"/gate?name={name}") as stream:
        assert stream.read(5) == b"first"
        answer = one.get(path, {"traceparent": TRACEPARENT})
        assert answer.status == 500
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json["trace_id"] == TRACE_ID
        assert answer.json["request_id"] == answer.headers["x-request-id"]
        one.get(f"/release?name={name}")
        assert stream.read() == b"second"
    until(lambda: bool(one.lines(path)), "the access line")
    line = one.lines(path)[-1]
    assert (line["status"], line["level"]) == (500, "error")
    until(one.idle, "nothing is held")
