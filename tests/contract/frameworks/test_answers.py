"""What every answer has, whatever framework gave it."""

import pytest
from tests.contract.frameworks.apps.kit import HOST, ORIGIN, SECRET
from tests.contract.frameworks.running import (
    STRANGER,
    TRACE_ID,
    TRACEPARENT,
    Running,
    fresh_address,
)

pytestmark = pytest.mark.system


def test_data_passes_and_wears_what_data_wears(one: Running) -> None:
    answer = one.get("/json")
    assert (answer.status, answer.json) == (200, {"hello": "world"})
    assert answer.headers["content-type"].startswith("application/json")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-request-id"]


def test_a_page_wears_what_pages_wear(one: Running) -> None:
    answer = one.get("/page")
    assert b"A page" in answer.body
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert answer.headers["x-frame-options"] == "DENY"


def test_no_header_comes_twice(one: Running) -> None:
    """Neither where the app says what we say, in whatever capitals."""
    for path in ("/json", "/page", "/own-id"):
        with one.asked(path) as answer:
            answer.read()
            names = [name.lower() for name, _ in answer.getheaders()]
        assert sorted(names) == sorted(set(names))


def test_what_the_app_calls_a_request_stays(one: Running) -> None:
    assert one.get("/own-id").headers["x-request-id"] == "of-the-app"


def test_head_is_get_without_the_body(one: Running) -> None:
    head, got = one.get("/json", method="HEAD"), one.get("/json")
    assert (head.status, head.body) == (200, b"")
    for name in ("content-type", "content-security-policy"):
        assert head.headers[name] == got.headers[name]


def test_an_id_is_taken_from_a_trusted_peer(one: Running) -> None:
    asked = {"X-Request-ID": "of-the-edge"}
    assert one.get("/json", asked).headers["x-request-id"] == "of-the-edge"
    taken = one.get("/json", {**asked, "Host": HOST}, by=STRANGER).headers["x-request-id"]
    assert taken != "of-the-edge"
    assert len(taken) == 16


def test_an_unhandled_error_is_a_problem_and_is_told_once(one: Running) -> None:
    """The ids are in it and in the headers, and nothing of the cause."""
    sentence = f"LookupError: {SECRET}"
    before = one.told(sentence)
    answer = one.get("/boom", {"traceparent": TRACEPARENT, "X-Request-ID": "find-me"})
    assert answer.status == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"] == "find-me"
    assert (answer.json["trace_id"], answer.json["request_id"]) == (TRACE_ID, "find-me")
    assert SECRET.encode() not in answer.body
    assert b"LookupError" not in answer.body
    assert int(answer.headers["content-length"]) == len(answer.body)
    one.told_once(sentence, before)


def test_what_the_framework_does_not_find_is_its_own_answer(one: Running) -> None:
    answer = one.get("/nowhere")
    assert answer.status == 404
    assert "problem" not in answer.headers["content-type"]
    assert answer.headers["x-request-id"]
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_limit_is_told_and_held(one: Running) -> None:
    caller = {"X-Forwarded-For": fresh_address(), "Host": HOST}
    answers = [one.get("/limited", caller) for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert answers[0].headers["ratelimit-policy"].startswith('"few";q=2')
    assert '"few";r=0' in answers[1].headers["ratelimit"]
    assert int(answers[2].headers["retry-after"]) > 1
    assert answers[2].json["type"].endswith("#rate-limited")
    assert answers[2].json["request_id"] == answers[2].headers["x-request-id"]
    # Somebody else has a limit of his own.
    another = {**caller, "X-Forwarded-For": fresh_address()}
    assert one.get("/limited", another).status == 200


def test_only_pages_that_may_can_read_answers(one: Running) -> None:
    allowed = one.get("/json", {"Origin": ORIGIN})
    assert allowed.headers["access-control-allow-origin"] == ORIGIN
    assert "Origin" in allowed.headers["vary"]
    assert (
        "access-control-allow-origin"
        not in one.get("/json", {"Origin": "https://evil.example"}).headers
    )


def test_a_preflight_is_answered_before_the_app(one: Running) -> None:
    asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "PUT"}
    answer = one.get("/nowhere", asked, method="OPTIONS")
    assert (answer.status, answer.body) == (204, b"")
    assert "PUT" in answer.headers["access-control-allow-methods"]


def test_only_hosts_that_are_ours_are_served(one: Running) -> None:
    assert one.get("/json", {"Host": HOST}).status == 200
    refused = one.get("/json", {"Host": "evil.example"})
    assert refused.status == 421
    assert refused.json["type"].endswith("#host-not-allowed")


def test_probes_are_answered_by_the_wrapper(one: Running) -> None:
    """Whatever host they ask for, and without an access line."""
    answer = one.get("/health/live", {"Host": "evil.example"})
    assert (answer.status, answer.json["status"]) == (200, "pass")
    assert one.lines("/health/live") == []
