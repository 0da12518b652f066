"""What the WSGI shell has of its own: bodies that are closed, lists, file wrappers, paths."""

import io
import json
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from mainstay.core.trace import current_trace
from mainstay.service.service import Service

if TYPE_CHECKING:
    from tests.service.conftest import Lines

MakeService = Callable[..., Service]


class Recorder:
    """A start_response that remembers."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def __call__(self, status: str, headers: Any, exc_info: Any = None) -> None:
        self.said.append(status)


def environ(path: str = "/", **more: Any) -> dict[str, Any]:
    return {"REQUEST_METHOD": "GET", "PATH_INFO": path, **more}


def test_close_is_called_and_ends_the_flight(make_service: MakeService, lines: "Lines") -> None:
    """A client that leaves in the middle of a stream: the server closes it, unexhausted."""
    service = make_service()
    closed: list[bool] = []

    class Stream:
        def __iter__(self) -> Iterator[bytes]:
            yield b"abc"
            yield b"never asked for"

        def close(self) -> None:
            closed.append(current_trace() is not None)

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return Stream()

    body: Any = service.wsgi(app)(environ(), Recorder())
    assert next(iter(body)) == b"abc"
    assert len(service._inbound.drain.flights) == 1
    body.close()
    body.close()
    assert closed == [True, True]
    assert not service._inbound.drain.flights
    assert [line["bytes"] for line in lines.parsed] == [3]


def test_a_list_passes_as_it_is(make_service: MakeService, lines: "Lines") -> None:
    """Servers send a list in one piece; a wrapper around it would cost that."""
    body = [b"ab", b"c"]

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return body

    assert make_service().wsgi(app)(environ(), Recorder()) is body
    assert lines.parsed[0]["bytes"] == 3


def test_the_servers_file_wrapper_passes_as_it_is(make_service: MakeService) -> None:
    class FileWrapper:
        def __init__(self, file: io.BytesIO) -> None:
            self.file = file

        def __iter__(self) -> Iterator[bytes]:
            return iter(self.file)

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        wrapped: Iterable[bytes] = environ["wsgi.file_wrapper"](io.BytesIO(b"abc"))
        return wrapped

    service = make_service()
    given = {**environ(), "wsgi.file_wrapper": FileWrapper}
    assert isinstance(service.wsgi(app)(given, Recorder()), FileWrapper)
    assert not service._inbound.drain.flights


def test_an_app_that_raises_after_start_response(make_service: MakeService, lines: "Lines") -> None:
    """Nothing is sent before the first part of the body, so the answer can still be changed."""

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        raise LookupError

    said = Recorder()
    body = b"".join(make_service().wsgi(app)(environ(), said))
    assert said.said == ["500 Internal Server Error"]
    assert json.loads(body)["status"] == lines.parsed[0]["status"] == 500


def test_an_app_that_returns_nothing_is_a_failure(make_service: MakeService) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        return None

    said = Recorder()
    make_service().wsgi(app)(environ(), said)
    assert said.said == ["500 Internal Server Error"]


@pytest.mark.parametrize(
    ("raw", "shown"), [("/caf\u00c3\u00a9", "/café"), ("/\u00ff", "/\ufffd"), ("/\u20ac", "/?")]
)
def test_paths_are_shown_as_text(
    make_service: MakeService, lines: "Lines", raw: str, shown: str
) -> None:
    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return []

    make_service().wsgi(app)(environ(raw), Recorder())
    assert lines.parsed[0]["path"] == shown
