"""Who a request is: W3C Trace Context, level 2, as every framework's handlers see it."""

import pytest
from tests.contract.frameworks.apps.kit import HOST
from tests.contract.frameworks.running import (
    PARENT_ID,
    STRANGER,
    TRACE_ID,
    TRACEPARENT,
    Running,
    fresh_name,
)
from tests.system.served import until

pytestmark = pytest.mark.system


@pytest.mark.parametrize("path", ["/seen", "/seen-sync"])
def test_a_trace_is_seen_wherever_the_handler_works(one: Running, path: str) -> None:
    """In itself, in tasks, threads and executors; and so is the deadline."""
    found = one.get(path, {"traceparent": TRACEPARENT, "X-Request-ID": "find-me"}).json
    places = {"handler", "thread", "executor"}
    assert places <= found.keys() <= {*places, "task"}
    for place, seen in found.items():
        expected = (TRACE_ID, PARENT_ID, "find-me", True)
        given = tuple(seen[key] for key in ("trace_id", "parent_id", "request_id", "bounded"))
        assert given == expected, place


def test_two_requests_have_two_traces(one: Running) -> None:
    ids = {one.get("/seen").json["handler"]["trace_id"] for _ in range(5)}
    assert len(ids) == 5


def test_a_call_carries_trace_id_and_deadline_on(one: Running) -> None:
    asked = {
        "traceparent": TRACEPARENT,
        "tracestate": "rojo=1",
        "baggage": "tier=gold",
        "X-Request-ID": "find-me",
        "X-Request-Timeout": "20s",
    }
    arrived = one.get("/outbound", asked).json
    version, trace_id, parent_id, flags = arrived["traceparent"].split("-")
    assert (version, trace_id, flags) == ("00", TRACE_ID, "01")
    assert parent_id != PARENT_ID
    assert (arrived["tracestate"], arrived["baggage"]) == ("rojo=1", "tier=gold")
    assert arrived["x-request-id"] == "find-me"
    assert 0 < int(arrived["x-envoy-expected-rq-timeout-ms"]) <= 20_000


def test_a_stream_belongs_to_its_request(one: Running) -> None:
    body = one.get("/events", {"traceparent": TRACEPARENT}).body
    assert body.decode().count(TRACE_ID) == 3


def test_work_in_the_background_belongs_to_its_request(one: Running) -> None:
    name = fresh_name()
    asked = {"traceparent": TRACEPARENT, "X-Request-ID": name}
    assert b"whole" in one.get(f"/background?name={name}&fail=0", asked).body
    until(lambda: name in one.state()["after"], "the work is done")
    seen = one.state()["after"][name]
    assert (seen["trace_id"], seen["request_id"]) == (TRACE_ID, name)


def test_a_line_is_written_with_the_ids(one: Running) -> None:
    name = fresh_name()
    one.get("/limited", {"traceparent": TRACEPARENT, "X-Request-ID": name})
    until(lambda: any(one_line["request_id"] == name for one_line in one.lines("/limited")), "line")
    (line,) = [one_line for one_line in one.lines("/limited") if one_line["request_id"] == name]
    assert line["trace_id"] == TRACE_ID


def trace_of(one: Running, *values: str) -> str:
    """Return the trace id that a request has whose ``traceparent`` lines are these."""
    with one.dialled() as connection:
        lines = "".join(f"traceparent: {value}\r\n" for value in values)
        asked = f"GET /boom HTTP/1.1\r\nHost: 127.0.0.1\r\n{lines}Connection: close\r\n\r\n"
        connection.sendall(asked.encode("latin-1"))
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    return answer.rpartition(b'"trace_id":"')[2].partition(b'"')[0].decode()


OTHER = TRACEPARENT.replace("-00f0", "-0af0")


@pytest.mark.parametrize(
    ("values", "taken"),
    [
        ((TRACEPARENT,), True),
        ((f" \t{TRACEPARENT} \t",), True),
        ((TRACEPARENT.replace("00-4", "cc-4"),), True),
        ((TRACEPARENT.replace("00-4", "cc-4") + "-more",), True),
        ((TRACEPARENT.replace("00-4", "ff-4"),), False),
        ((TRACEPARENT + "-more",), False),
        ((TRACEPARENT.upper(),), False),
        ((f"00-{'0' * 32}-{PARENT_ID}-01",), False),
        ((f"00-{TRACE_ID}-{'0' * 16}-01",), False),
        ((TRACEPARENT, OTHER), False),
        (("",), False),
    ],
)
def test_only_a_valid_traceparent_is_taken_over(
    one: Running, values: tuple[str, ...], *, taken: bool
) -> None:
    trace_id = trace_of(one, *values)
    assert (trace_id == TRACE_ID) is taken
    assert len(trace_id) == 32
    assert int(trace_id, 16) > 0


@pytest.mark.parametrize(
    ("lines", "sent_on"),
    [
        (("foo=1,bar=2",), "foo=1,bar=2"),
        (("foo=1", "bar=2"), "foo=1,bar=2"),
        ((" foo=1 ,\t bar=2 ",), "foo=1,bar=2"),
        (("foo=1,foo=2",), "foo=1"),
        (("a@b@c=1",), "a@b@c=1"),
        (("Foo=1",), None),
        ((",".join(f"k{n}=1" for n in range(33)),), None),
    ],
)
def test_tracestate_goes_on_where_it_is_valid(
    one: Running, lines: tuple[str, ...], sent_on: str | None
) -> None:
    """Of several lines, joined; nothing of one that is not valid."""
    with one.dialled() as connection:
        said = "".join(f"TraceState: {line}\r\n" for line in lines)
        head = f"GET /outbound HTTP/1.1\r\nHost: 127.0.0.1\r\ntraceparent: {TRACEPARENT}\r\n"
        connection.sendall(f"{head}{said}Connection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert b" 200 " in answer.partition(b"\r\n")[0]
    expected = b'"tracestate"' if sent_on is None else f'"{sent_on}"'.encode()
    assert (expected in answer) is (sent_on is not None)


def test_a_stranger_begins_no_request_id(one: Running) -> None:
    """But its trace is taken over: it names nobody."""
    asked = {"traceparent": TRACEPARENT, "X-Request-ID": "forged", "Host": HOST}
    seen = one.get("/seen", asked, by=STRANGER).json["handler"]
    assert seen["trace_id"] == TRACE_ID
    assert seen["request_id"] != "forged"
