"""requests with a policy inside: the adapter, and a session that has it."""

from collections.abc import Iterator
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError, ProtocolError, ReadTimeoutError

from mainstay.core.deadline import remaining_s
from mainstay.core.errors import MainstayError
from mainstay.service.outbound.adapters.asked import answering
from mainstay.service.outbound.adapters.errors import CallUnsendable, also
from mainstay.service.outbound.adapters.held import bulkhead_of
from mainstay.service.outbound.adapters.http_clients.call import (
    NEEDS_ONE,
    BadAnswer,
    HttpCall,
    bounded_s,
)
from mainstay.service.outbound.adapters.http_clients.options import Http
from mainstay.service.outbound.adapters.http_clients.stand_in import question_of
from mainstay.service.outbound.adapters.http_clients.urllib3_pool import pools
from mainstay.service.outbound.adapters.http_clients.wire import Wire
from mainstay.service.outbound.adapters.place import Lost
from mainstay.service.outbound.balance import Endpoint
from mainstay.service.outbound.policy import Policy

_ENDPOINT = "mainstay_endpoint"
"""Where a prepared request notes the endpoint that a balancer chose."""


class PolicyAdapter(HTTPAdapter):
    """Sends each request through a policy. Mount it in a session of your own, or take ours.

    Args:
        policy: Any, with a bulkhead.
        http: Options.

    Raises:
        PolicyMisused: The policy has no bulkhead.
    """

    def __init__(self, policy: Policy, http: Http | None = None) -> None:
        self._policy = answering(policy, question_of)
        self._http = http or Http()
        self._lost = Lost()
        # Retries are the policy's. So many connections may be idle; the bulkhead bounds the rest.
        super().__init__(max_retries=0, pool_maxsize=bulkhead_of(policy, NEEDS_ONE))
        plan = policy.plan
        self.poolmanager.pool_classes_by_scheme = pools(
            idle_s=float(self._http.idle), now=plan.clock.monotonic_s
        )

    # Any: the options are those of requests, and handed on.
    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,  # noqa: FBT001, FBT002  The form of requests'.
        timeout: Any = None,
        *args: Any,
        **options: Any,
    ) -> requests.Response:
        """Return the answer, whatever its status.

        Raises:
            CallRejected: A part of the policy rejected it: nothing was sent.
            DeadlineExceeded: It was not done by its deadline.
            AttemptTimedOut: The last attempt took too long.
            ConnectFailed: No connection could be opened.
            ConnectionLost: The connection broke. Each is a ``requests.RequestException`` too.
        """
        call = HttpCall(
            self._policy,
            self._http,
            self._lost,
            method=request.method or "GET",
            key=request.headers.get("Idempotency-Key"),
            replayable=request.body is None or isinstance(request.body, bytes | str),
            whole=not stream,
        )
        send = partial(self._attempt, call, timeout, partial(super().send, *args, **options))
        try:
            # One adapter serves whoever has a certificate: the options say who.
            asking = call.asking(send, request, *args, options)
            answer: requests.Response = call.policy.call(asking, request)
        except BadAnswer as bad:
            answer = bad.answer
        except MainstayError as error:
            raise _as_requests(error, request) from error.__cause__
        shown: requests.Response = call.shown(answer, request, requests.Response, _another)
        return shown

    def _attempt(
        self, call: HttpCall, timeout: Any, send: Any, request: requests.PreparedRequest
    ) -> requests.Response:
        # Any: a timeout as requests takes it, and the send of the class above.
        with call.telling(request.url) as told, call.turn() as endpoint, Wire() as wire:
            left_s = remaining_s()
            waits = _waits(timeout, self._http, left_s)
            try:
                sent = _outgoing(request, call, endpoint, told.span_id)
                answer = self._sent(call, wire, partial(send, sent, timeout=waits))
            except (requests.RequestException, HTTPError) as error:
                raise _translated(call, error, wire, waits[1]) from error
            told.status = answer.status_code
            call.judge(answer.status_code, answer.headers.get("Retry-After"), answer)
        return answer

    def _sent(self, call: HttpCall, wire: Wire, send: Any) -> requests.Response:
        # Any: the send of the class above, with its arguments.
        try:
            answer: requests.Response = send(stream=True)
        except requests.ConnectionError:
            if not wire.was_stale(call):
                raise
            answer = send(stream=True)
        if call.reads_whole(answer.status_code, answer.headers.get("Content-Length")):
            body_bytes = len(answer.content)
            call.answered(answer, answer.status_code, answer.headers, body_bytes)
            return answer
        held = HeldResponse(answer, call)
        call.answered(held, held.status_code, held.headers, None)
        return held

    # Any: the forms of requests'.
    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: Any, cert: Any = None
    ) -> tuple[Any, Any]:
        """Return where to connect to: the endpoint, with the certificate of the URL's host."""
        where: dict[str, Any]
        how: dict[str, Any]
        where, how = map(dict, super().build_connection_pool_key_attributes(request, verify, cert))
        if self._http.tls is not None:
            how["ssl_context"] = self._http.tls
        endpoint: Endpoint | None = getattr(request, _ENDPOINT, None)
        if endpoint is not None:
            if where["scheme"] == "https":
                how.update(server_hostname=where["host"], assert_hostname=where["host"])
            where.update(host=endpoint.host, port=endpoint.port)
        return where, how

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Let requests' own authorities be trusted, unless the options say who is."""
        if self._http.tls is None:
            super().cert_verify(conn, url, verify, cert)  # type: ignore[no-untyped-call]  # Theirs.


class HeldResponse(requests.Response):
    """A streamed answer: in time, and with its place in the bulkhead until it is read or closed.

    Args:
        answer: What was received; its attributes are taken over.
        call: Whose answer it is.
    """

    def __init__(self, answer: requests.Response, call: HttpCall) -> None:
        vars(self).update(vars(answer))
        self._call = call
        self._place = call.place()

    # Any: bytes, or text where that is asked for.
    def iter_content(
        self,
        chunk_size: int | None = 1,
        decode_unicode: bool = False,  # noqa: FBT001, FBT002  The form of requests'.
    ) -> Iterator[Any]:
        """Return the parts of the body as they come."""
        return self._in_time(super().iter_content(chunk_size, decode_unicode))

    def _in_time(self, parts: Iterator[Any]) -> Iterator[Any]:
        try:
            while True:
                with self._call.body_region():
                    part = next(parts, None)
                if part is None:
                    break
                yield part
        except requests.ConnectionError as error:
            self.close()
            if self._call.left_s() > 0.0:
                raise
            raise _as_requests(self._call.too_late(), self.request) from error
        except requests.RequestException:
            self.close()
            raise
        self._place.give_back()

    def close(self) -> None:
        """Close the connection where not all was read, and give the place back."""
        try:
            super().close()
        finally:
            self._place.give_back()


class PolicySession(requests.Session):
    """A ``requests.Session`` with a base URL and one policy for all that it sends.

    It does not take proxies and passwords from the environment: set ``trust_env`` if it should.
    """

    def __init__(self, policy: Policy, http: Http | None = None) -> None:
        super().__init__()
        self.trust_env = False
        self._base_url = (http or Http()).base_url.rstrip("/")
        adapter = PolicyAdapter(policy, http)
        self.mount("http://", adapter)
        self.mount("https://", adapter)

    # Any: the options are those of requests, and handed on.
    def request(  # type: ignore[override]  # The options are not repeated one by one.
        self, method: str, url: str, *args: Any, **options: Any
    ) -> requests.Response:
        """Send a request; a URL without a host is relative to the base URL."""
        if "://" not in url:
            url = f"{self._base_url}/{url.lstrip('/')}"
        return super().request(method, url, *args, **options)


def _waits(timeout: Any, http: Http, left_s: float | None) -> tuple[float, float]:
    """Return the seconds to connect and to read, from what the caller or the options say.

    Any: None, a number, or a pair of both, as requests takes it.
    """
    connect_s, read_s = timeout if isinstance(timeout, tuple) else (timeout, timeout)
    return (
        bounded_s(connect_s, float(http.connect), left_s),
        bounded_s(read_s, float(http.read), left_s),
    )


def _outgoing(
    request: requests.PreparedRequest,
    call: HttpCall,
    endpoint: Endpoint | None,
    span_id: str | None,
) -> requests.PreparedRequest:
    """Return the request of one attempt. The caller's stays as it is: it may be sent again."""
    sent = request.copy()
    sent.headers.update(call.headers(remaining_s(), sent.headers, span_id))
    if endpoint is not None:
        sent.headers.setdefault("Host", urlsplit(str(request.url)).netloc.rpartition("@")[2])
        setattr(sent, _ENDPOINT, endpoint)
    return sent


def _another(answer: requests.Response, request: requests.PreparedRequest) -> requests.Response:
    """Return a response like one that was kept, or that the user made."""
    answer.content  # noqa: B018  Reads the user's own, if nobody did.
    made = requests.Response()
    vars(made).update(vars(answer), request=request, raw=None, history=[])
    made.headers = answer.headers.copy()
    made.cookies = requests.cookies.RequestsCookieJar()
    made.url = made.url or str(request.url)
    return made


def _translated(
    call: HttpCall, error: requests.RequestException | HTTPError, wire: Wire, read_s: float
) -> MainstayError:
    """Return what an error of requests or urllib3 means."""
    if isinstance(error, ValueError):
        # A URL, a scheme or a header that can't be.
        return call.unsendable()
    if wire.never_sent:
        return call.not_connected()
    reason = error.args[0] if error.args else None
    # What is sent in vain for too long: urllib3 says no more than that the connection was aborted.
    sending = isinstance(reason, ProtocolError) and isinstance(reason.args[-1], TimeoutError)
    if sending or isinstance(error, requests.Timeout) or isinstance(reason, ReadTimeoutError):
        return call.timed_out(read_s)
    return call.broken_off()


def _as_requests(error: MainstayError, request: requests.PreparedRequest) -> MainstayError:
    """Return the error as one of requests too, of the nearest kind."""
    kind: type[requests.RequestException] = requests.RequestException
    if isinstance(error, TimeoutError):
        kind = requests.Timeout
    elif isinstance(error, ConnectionError):
        kind = requests.ConnectionError
    elif isinstance(error, CallUnsendable):
        kind = requests.exceptions.InvalidURL
    return also(error, kind, request=request, response=None)
