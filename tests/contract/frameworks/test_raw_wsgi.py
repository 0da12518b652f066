"""WSGI by hand on Granian: each form of an answer that PEP 3333 allows, wrapped."""

from collections.abc import Iterator

import pytest
from tests.contract.frameworks.apps.kit import SECRET
from tests.contract.frameworks.running import (
    TRACE_ID,
    TRACEPARENT,
    Answer,
    Case,
    Running,
    fresh_name,
)
from tests.system.served import until

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    case = Case(app="raw_wsgi", server="granian")
    with Running(tmp_path_factory.mktemp("raw"), case) as running:
        yield running.ready()


def assert_dressed(answer: Answer) -> None:
    assert answer.headers["x-request-id"]
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_generator_that_begins_late(raw: Running) -> None:
    answer = raw.get("/lazy", {"traceparent": TRACEPARENT})
    assert (answer.status, answer.body) == (200, f"lazy {TRACE_ID}".encode())
    assert answer.headers["x-own"] == "lazy"
    assert_dressed(answer)


def test_a_generator_that_fails_before_it_begins(raw: Running) -> None:
    answer = raw.get("/lazy-fails")
    assert answer.status == 500
    assert answer.json["type"].endswith("#internal-error")
    assert SECRET.encode() not in answer.body
    assert_dressed(answer)


def test_what_is_written_stands_before_what_is_returned(raw: Running) -> None:
    answer = raw.get("/write")
    assert (answer.status, answer.body) == (200, b"written twice and returned")
    assert answer.headers["x-own"] == "write"
    assert_dressed(answer)


def test_an_answer_that_is_begun_anew(raw: Running) -> None:
    answer = raw.get("/changed")
    assert (answer.status, answer.body) == (418, b"teapot")
    assert "x-own" not in answer.headers
    assert_dressed(answer)


def test_a_file_leaves_by_the_servers_own_wrapper_or_without(raw: Running) -> None:
    answer = raw.get("/file")
    assert answer.body == b"0123456789" * 100_000
    assert answer.headers["x-own"] == "file"
    assert_dressed(answer)


def test_a_body_is_closed_once_when_it_has_ended(raw: Running) -> None:
    name = fresh_name()
    with raw.asked(f"/gate?{name}") as answer:
        assert answer.read(5) == b"first"
        assert name not in raw.get("/closed").body.decode().split()
        assert raw.get(f"/release?{name}").status == 200
        assert answer.read() == b"second"
    until(lambda: name in raw.get("/closed").body.decode().split(), "closed")
    assert raw.get("/closed").body.decode().split().count(name) == 1
