"""Requests as bytes."""

from dataclasses import replace

from httptools import HttpRequestParser
from hypothesis import given
from hypothesis import strategies as st

from mainstay.control.load import target
from mainstay.control.load.wire import Wire

GET = target("http://127.0.0.1:8080/a?b=c")


class Seen:
    """What a server's parser makes of a request."""

    def __init__(self, wire: bytes) -> None:
        self.url = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = b""
        self.complete = 0
        parser = HttpRequestParser(self)
        parser.feed_data(wire)
        self.method = parser.get_method()

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.complete += 1

    def all(self, name: bytes) -> list[bytes]:
        return [value for header, value in self.headers if header == name]


def test_a_get_has_one_host_and_no_body() -> None:
    seen = Seen(Wire(GET).request(0))
    assert (seen.method, seen.url, seen.complete) == (b"GET", b"/a?b=c", 1)
    assert seen.all(b"host") == [b"127.0.0.1:8080"]
    assert seen.all(b"content-length") == []


def test_own_headers_take_the_place_of_the_defaults() -> None:
    seen = Seen(Wire(replace(GET, headers=(("host", "shop"), ("USER-AGENT", "me")))).request(0))
    assert (seen.all(b"host"), seen.all(b"user-agent")) == ([b"shop"], [b"me"])


def test_a_post_without_a_body_says_so() -> None:
    seen = Seen(Wire(replace(GET, method="POST")).request(0))
    assert (seen.all(b"content-length"), seen.complete) == ([b"0"], 1)


@given(
    paths=st.lists(st.sampled_from(["/a", "/b", "/c?d"]), min_size=1, max_size=4),
    bodies=st.lists(st.binary(max_size=20), min_size=1, max_size=4),
    turn=st.integers(0, 1000),
)
def test_turns_go_round_paths_and_bodies(paths: list[str], bodies: list[bytes], turn: int) -> None:
    wire = Wire(replace(GET, method="PUT", paths=tuple(paths), bodies=tuple(bodies)))
    seen = Seen(wire.request(turn))
    assert seen.url.decode() == paths[turn % len(paths)]
    assert seen.body == bodies[turn % len(bodies)]
    assert seen.complete == 1
