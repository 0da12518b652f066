"""The WSGI side: the twin of ``asgi.py`` for apps that answer in a thread."""

import io
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from typing import Any

from mainstay.core.errors import StoreUnavailable
from mainstay.service.inbound.exchange import EXCHANGE_KEY
from mainstay.service.inbound.idempotency import refusals
from mainstay.service.inbound.idempotency.answer import Answer, lasting, replay_headers
from mainstay.service.inbound.idempotency.asgi import ATTEMPT_KEY
from mainstay.service.inbound.idempotency.attempt import Attempt, enter_attempt, leave_attempt
from mainstay.service.inbound.idempotency.idempotency import Idempotency
from mainstay.service.inbound.problems.refusal import Refused
from mainstay.service.inbound.wsgi.types import Environ, StartResponse, WsgiApp

_BLOCK_BYTES = 64 * 1024


class WsgiKeyed:
    """A WSGI app that asks another one once for each key.

    Args:
        idempotency: What decides.
        app: Asked at once where a request has no key, which costs one look-up of a header.
    """

    __slots__ = ("_app", "_idempotency")

    def __init__(self, idempotency: Idempotency, app: WsgiApp) -> None:
        self._idempotency = idempotency
        self._app = app

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request, whose exchange the shell has put into its environ."""
        key = self._idempotency.key_of(environ[EXCHANGE_KEY])
        if key is None:
            return self._app(environ, start_response)
        return self._keyed(key, environ, start_response)

    def _keyed(
        self, key: bytes, environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        idempotency = self._idempotency
        data, whole = _read(environ, idempotency.body_bytes_max)
        _give_back(environ, data)
        if not whole:
            # The client left before it had said all: the app finds so, as it would without us.
            return self._app(environ, start_response)
        query = environ.get("QUERY_STRING", "").encode("latin-1", "replace")
        attempt = idempotency.attempt(environ[EXCHANGE_KEY], key, query, data)
        answer = _begin(idempotency, attempt)
        if answer is not None:
            return _replay(answer, start_response)
        environ[ATTEMPT_KEY] = attempt
        listener = _Listener(idempotency, attempt, environ, start_response)
        token = enter_attempt(attempt)
        try:
            return listener.answer(self._app(environ, listener.start_response))
        except BaseException as error:
            listener.fail(error)
            raise
        finally:
            leave_attempt(token)


def _begin(idempotency: Idempotency, attempt: Attempt) -> Answer | None:
    """Return the answer to repeat, or None where the attempt may do the work."""
    try:
        claim = idempotency.records.begin(attempt.record, idempotency.bid(attempt))
    except StoreUnavailable as error:
        raise idempotency.unbegun(attempt, error) from error
    return idempotency.judge(attempt, claim)


def _replay(answer: Answer, start_response: StartResponse) -> Iterable[bytes]:
    pairs = replay_headers(answer)
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in pairs]
    start_response(_status_line(answer.status), headers)
    return [answer.body or b""]


def _status_line(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"{status} Unknown"


def _read(environ: Environ, bytes_max: int) -> tuple[bytes, bool]:
    """Return the body, and whether it is all that the client announced.

    Raises:
        Refused: It is longer than ``bytes_max``.
    """
    announced = environ.get("CONTENT_LENGTH") or ""
    length = int(announced) if announced.isdecimal() and len(announced) < 20 else None  # noqa: PLR2004  Digits of 2**63.
    if length is None and not environ.get("wsgi.input_terminated"):
        # Without a length, and a server that ends its input, there is no body to read.
        return b"", True
    if length is not None and length > bytes_max:
        raise Refused(refusals.BODY_TOO_LARGE)
    wanted = bytes_max + 1 if length is None else length
    data = bytearray()
    while len(data) < wanted:
        block = environ["wsgi.input"].read(min(_BLOCK_BYTES, wanted - len(data)))
        if not block:
            break
        data += block
    if len(data) > bytes_max:
        raise Refused(refusals.BODY_TOO_LARGE)
    return bytes(data), length is None or len(data) == length


def _give_back(environ: Environ, data: bytes) -> None:
    environ["wsgi.input"] = io.BytesIO(data)
    environ["wsgi.input_terminated"] = True
    # A framework that knows no input that ends by itself gets the length that it needs.
    if not environ.get("CONTENT_LENGTH"):
        environ["CONTENT_LENGTH"] = str(len(data))


class _Listener:
    """Collects an answer while it passes, and keeps it before its last part goes out."""

    def __init__(
        self,
        idempotency: Idempotency,
        attempt: Attempt,
        environ: Environ,
        start_response: StartResponse,
    ) -> None:
        self._idempotency = idempotency
        self._attempt = attempt
        self._environ = environ
        self._start_response = start_response
        self._status = 0
        self._headers: tuple[tuple[bytes, bytes], ...] = ()
        self._length: int | None = None
        self._body: bytearray | None = bytearray()
        self._settled = False

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Any:
        """Note the head and hand it on. Any: see the types above."""
        self._status = int(status[:3])
        self._headers = tuple(
            (name.encode("latin-1"), value.encode("latin-1")) for name, value in headers
        )
        lengths = [value for name, value in self._headers if name.lower() == b"content-length"]
        self._length = int(lengths[0]) if len(lengths) == 1 and lengths[0].isdigit() else None
        if exc_info is None:
            write = self._start_response(status, headers)
        else:
            write = self._start_response(status, headers, exc_info)

        def noted(part: bytes) -> Any:
            self._collect(part)
            return write(part)

        return noted

    def answer(self, body: Iterable[bytes]) -> Iterable[bytes]:
        """Return the body as the shell may have it."""
        if type(body) is list or type(body) is tuple:
            for part in body:
                self._collect(part)
            self._settle()
            return body
        file_wrapper = self._environ.get("wsgi.file_wrapper")
        if isinstance(file_wrapper, type) and isinstance(body, file_wrapper):
            # The server sends it without Python, and so it is not seen.
            self._body = None
            self._settle()
            return body
        return _Parts(body, self)

    def part(self, part: bytes) -> None:
        """Note a part of the body; the last one, by the announced length, settles it."""
        self._collect(part)
        if self._body is not None and len(self._body) == self._length:
            self._settle()

    def end(self, *, whole: bool) -> None:
        """Settle after the last part."""
        if not whole or self._status == 0:
            self._body = None
        self._settle()

    def fail(self, error: BaseException) -> None:
        """Settle for work that ended in an exception."""
        if self._settled:
            return
        self._settled = True
        if isinstance(error, Exception):
            self._keep(self._idempotency.failed_answer(self._attempt))
        else:
            self._idempotency.abandon(self._attempt)

    def _collect(self, part: bytes) -> None:
        if self._body is None:
            return
        if len(self._body) + len(part) > self._idempotency.answer_bytes_max:
            self._body = None
        else:
            self._body += part

    def _settle(self) -> None:
        if self._settled:
            return
        self._settled = True
        if self._status == 0:
            # Nobody says how far it came.
            self._idempotency.abandon(self._attempt)
            return
        body = None if self._body is None else bytes(self._body)
        answer = Answer(status=self._status, headers=lasting(self._headers), body=body)
        self._keep(self._idempotency.lasting_answer(self._attempt, answer))

    def _keep(self, data: bytes | None) -> None:
        exchange = self._environ.get(EXCHANGE_KEY)
        if data is None and exchange is not None and self._idempotency.is_cut(exchange):
            self._idempotency.abandon(self._attempt)
        else:
            self._idempotency.settle(self._attempt, data)


class _Parts:
    """The parts of a body, noted on their way to the server."""

    def __init__(self, body: Iterable[bytes], listener: _Listener) -> None:
        self._body = body
        self._parts = iter(body)
        self._listener = listener

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            part = next(self._parts)
        except StopIteration:
            self._listener.end(whole=True)
            raise
        except BaseException as error:
            self._listener.fail(error)
            raise
        self._listener.part(part)
        return part

    def close(self) -> None:
        """Close what the app gave; a server that does so before the end has lost its client."""
        try:
            close = getattr(self._body, "close", None)
            if close is not None:
                close()
        finally:
            self._listener.end(whole=False)
