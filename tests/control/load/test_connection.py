"""Responses, good and bad, in whatever pieces they come."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.control.load.arrivals import Arrival
from mainstay.control.load.connection import HEAD_BYTES_MAX, INTERIM_MAX, Connection
from mainstay.control.load.exchange import Exchange, Failure, Outcome

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Transport:
    """Keeps what is written; closing is noted and nothing else."""

    def __init__(self) -> None:
        self.written = b""
        self.closing = False
        self.unsent = 0

    def write(self, data: bytes) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    abort = close

    def get_write_buffer_size(self) -> int:
        return self.unsent


class Owner:
    """Hears what a pool would hear."""

    response_bytes_max = 1000

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self.reusable = 0
        self.strays = 0

    def finished(self, exchange: Exchange, outcome: Outcome) -> None:
        del exchange
        self.outcomes.append(outcome)

    def idle(self, connection: Connection) -> None:
        del connection
        self.reusable += 1

    def lost(self, connection: Connection) -> None:
        del connection

    def stray(self) -> None:
        self.strays += 1


class Talk:
    """A connection between a fake transport and a fake owner."""

    def __init__(self) -> None:
        self.owner = Owner()
        self.transport = Transport()
        self.connection = Connection(self.owner)
        # Any: the fake has the methods that are used, and no others.
        fake: Any = self.transport
        self.connection.connection_made(fake)

    def ask(self, *, bodiless: bool = False) -> None:
        arrival = Arrival(offset_s=0.0, counted=True, target=0, turn=0)
        self.connection.begin(
            Exchange(arrival=arrival, due_s=0.0, sent_s=0.0, wire=b"ask", bodiless=bodiless)
        )

    def hear(self, data: bytes, *cuts: int) -> None:
        """Receive ``data`` in pieces; a closed transport delivers nothing more."""
        edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
        for start, end in pairwise(edges):
            if start < end and not self.transport.closing:
                self.connection.data_received(data[start:end])

    @property
    def outcome(self) -> Outcome:
        assert len(self.owner.outcomes) == 1, "an exchange ends exactly once"
        return self.owner.outcomes[0]


CUTS = st.lists(st.integers(0, 10_000), max_size=6)
GOOD = {
    "length": (OK, 200, True),
    "chunked": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX: y\r\n\r\n",
        200,
        True,
    ),
    "empty": (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", 404, True),
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n", 204, True),
    "304": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 999\r\n\r\n", 304, True),
    "100": (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, 200, True),
    "103": (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 3 + OK, 200, True),
    "close": (OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"), 200, False),
    "1.0": (OK.replace(b"1.1", b"1.0"), 200, False),
    "redirect": (b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", 302, True),
}


@pytest.mark.parametrize("case", GOOD)
@given(cuts=CUTS)
def test_a_good_response_is_read_however_it_is_cut(case: str, cuts: list[int]) -> None:
    data, status, reusable = GOOD[case]
    talk = Talk()
    talk.ask()
    talk.hear(data, *cuts)
    assert talk.outcome == Outcome(status=status)
    assert (talk.owner.reusable, talk.transport.closing) == (int(reusable), not reusable)
    assert talk.owner.strays == 0


BAD = {
    "garbage": b"220 smtp.example ESMTP\r\n",
    "bad length": b"HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\nok",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
    "both": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
    "bad chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "upgrade": b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
    "huge headers": b"HTTP/1.1 200 OK\r\nX: " + b"x" * (HEAD_BYTES_MAX + 10),
    "endless interim": b"HTTP/1.1 100 Continue\r\n\r\n" * (INTERIM_MAX + 2),
    "huge body": b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + b"x" * 1001,
}


@pytest.mark.parametrize("case", BAD)
@given(cuts=CUTS)
def test_a_bad_response_is_a_failure_of_its_kind(case: str, cuts: list[int]) -> None:
    talk = Talk()
    talk.ask()
    talk.hear(BAD[case], *cuts)
    assert talk.outcome.failure is Failure.PROTOCOL
    assert talk.outcome.detail
    assert talk.transport.closing
    assert talk.owner.reusable == 0


@given(st.binary(max_size=400), CUTS)
def test_any_bytes_end_the_exchange_once(data: bytes, cuts: list[int]) -> None:
    """Whatever a server sends before it goes away: one outcome, never an exception."""
    talk = Talk()
    talk.ask()
    talk.hear(b"HTTP/1.1 " + data, *cuts)
    talk.connection.connection_lost(None)
    assert talk.outcome is not None


@pytest.mark.parametrize(
    "extra", [b"\0garbage", OK, b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"]
)
def test_bytes_behind_a_response_spoil_the_connection_and_not_the_response(extra: bytes) -> None:
    talk = Talk()
    talk.ask()
    talk.hear(OK + extra)
    assert talk.outcome == Outcome(status=200)
    assert (talk.owner.reusable, talk.owner.strays, talk.transport.closing) == (0, 1, True)


def test_bytes_on_an_idle_connection_close_it() -> None:
    talk = Talk()
    talk.ask()
    talk.hear(OK)
    talk.hear(OK)
    assert talk.outcome == Outcome(status=200)
    assert (talk.owner.strays, talk.transport.closing) == (1, True)


@pytest.mark.parametrize("heard", [0, 1, 17, 39])
@pytest.mark.parametrize("error", [None, ConnectionResetError()])
def test_a_connection_that_ends_early_is_a_reset(heard: int, error: Exception | None) -> None:
    talk = Talk()
    talk.ask()
    talk.hear(OK[:heard])
    talk.connection.connection_lost(error)
    assert talk.outcome.failure is Failure.RESET
    assert ("before any response" in talk.outcome.detail) == (heard == 0)


def test_a_reset_of_a_reused_connection_counts_and_says_so() -> None:
    """Nothing is sent a second time: a keep-alive connection that dies takes its request along."""
    talk = Talk()
    talk.ask()
    talk.hear(OK)
    talk.ask()
    talk.connection.connection_lost(ConnectionResetError())
    assert talk.owner.outcomes[1].failure is Failure.RESET
    assert "used 1 times" in talk.owner.outcomes[1].detail
    assert talk.transport.written == b"askask"


def test_without_a_length_the_end_of_the_connection_ends_the_body() -> None:
    talk = Talk()
    talk.ask()
    talk.hear(b"HTTP/1.1 200 OK\r\n\r\nsome")
    assert talk.owner.outcomes == []
    talk.connection.connection_lost(None)
    assert talk.outcome == Outcome(status=200)


def test_without_a_length_a_reset_is_still_a_reset() -> None:
    talk = Talk()
    talk.ask()
    talk.hear(b"HTTP/1.1 200 OK\r\n\r\nsome")
    talk.connection.connection_lost(ConnectionResetError())
    assert talk.outcome.failure is Failure.RESET


@given(cuts=CUTS)
def test_head_has_no_body_and_the_connection_goes_on(cuts: list[int]) -> None:
    """The length that a HEAD's answer announces is of the body that GET would have had."""
    talk = Talk()
    talk.ask(bodiless=True)
    talk.hear(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n", *cuts)
    assert (talk.outcome, talk.owner.reusable) == (Outcome(status=200), 1)
    talk.ask()
    talk.hear(OK, *cuts)
    assert talk.owner.outcomes[1] == Outcome(status=200)


def test_a_body_behind_head_spoils_the_connection() -> None:
    talk = Talk()
    talk.ask(bodiless=True)
    talk.hear(OK)
    assert talk.outcome == Outcome(status=200)
    assert (talk.owner.reusable, talk.owner.strays) == (0, 1)


def test_a_response_before_its_request_was_written_ends_the_connection() -> None:
    talk = Talk()
    talk.ask()
    talk.transport.unsent = 100
    talk.hear(OK)
    assert talk.outcome == Outcome(status=200)
    assert (talk.owner.reusable, talk.transport.closing) == (0, True)


def test_a_connection_that_closed_before_it_was_used_fails_its_request() -> None:
    talk = Talk()
    talk.transport.closing = True
    talk.ask()
    assert talk.outcome.failure is Failure.RESET
    assert talk.transport.written == b""


def test_many_responses_on_one_connection() -> None:
    talk = Talk()
    for _ in range(50):
        talk.ask()
        talk.hear(OK, 7)
    assert [outcome.status for outcome in talk.owner.outcomes] == [200] * 50
    assert talk.owner.reusable == 50
