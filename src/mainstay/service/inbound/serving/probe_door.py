"""A door of its own for probes: a thread that answers them beside whatever the app is busy with.

In the app's event loop, a probe waits for one step of each handler that is ready and for each
refusal before it; under overload that is tens of milliseconds. Here it waits for the interpreter
alone, and not for long, since a thread that wants it may say how soon.

It tells what the background found, and runs nothing: a check that nobody ran yet is run where the
app is, and its asker waits for that. An app that is stuck (see ``stuck.py``) is not hidden: then
every answer is 503. Nor is one ready whose own port is not open yet: servers start the app first.
"""

import asyncio
import contextlib
import errno
import json
import selectors
import socket
import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING

from mainstay.core import at_once
from mainstay.core.clock import Clock
from mainstay.core.complaint import complain
from mainstay.service.inbound.health.document import HEALTH_TYPE
from mainstay.service.inbound.health.probes import ALLOWED_METHODS, Probe, Probes, Question
from mainstay.service.inbound.serving.stuck import Stuck
from mainstay.service.inbound.serving.turns import Turns

if TYPE_CHECKING:
    from concurrent.futures import Future

CONNECTIONS_MAX = 64
"""Who comes when so many are open takes the place of the oldest."""

CONNECTION_S = 5.0
"""From its beginning to its end: each has one question, and no probe waits so long."""

HEAD_BYTES_MAX = 8192

_EXHAUSTED = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))
_EXHAUSTED_S = 0.05
"""Between two attempts to take a connection in while the system has no room for one."""

_LOOK_S = 0.05
"""For one look at the app's own port."""

_BACKLOG = 128
_READ_BYTES = 4096
_PHRASES = {status.value: status.phrase for status in HTTPStatus}
_UNAVAILABLE = 503
_NO_SUCH = (404, b"")
_WRONG_METHOD = (405, b"")
_MALFORMED = (400, b"")

_ABOUT_THE_PORT = frozenset((Question.READY, Question.STARTUP, Question.ALL))

Said = tuple[int, bytes]
"""Status and body of an answer."""


class ProbeDoor:
    """Answers probes at a port of its own, in a thread of its own, one question a connection.

    Args:
        probes: What it answers with.
        listener: Bound and listening; closed with the door.
        stuck: Asked before each answer.
        is_open: Asked before each answer about traffic: whether the app's own port is open.
        turns: Hurried while one is answered.
        loop: The app's; None where it has none, as under WSGI.
        clock: For the bounds of connections.
        complain: Writes a text to stderr; must not raise.
    """

    def __init__(
        self,
        probes: Probes,
        listener: socket.socket,
        *,
        stuck: Stuck,
        is_open: Callable[[], bool],
        turns: Turns,
        loop: asyncio.AbstractEventLoop | None,
        clock: Clock,
        complain: Callable[[str], object] = complain,
    ) -> None:
        self._complain = complain
        self._complained = False
        self._probes = probes
        self._listener = listener
        self._stuck = stuck
        self._is_open = is_open
        self._turns = turns
        self._loop = loop
        self._now_s = clock.monotonic_s
        self._open: OrderedDict[_Talk, None] = OrderedDict()
        # What was run elsewhere, and the sockets that wake the thread to hear of it.
        self._done: deque[tuple[_Talk, Said]] = deque()
        self._waker, self._woken = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        for one in (listener, self._woken):
            one.setblocking(False)  # noqa: FBT003  The standard library's.
            self._selector.register(one, selectors.EVENT_READ)
        self._waker.setblocking(False)  # noqa: FBT003  As above.
        self._thread = threading.Thread(target=self._run, name="mainstay-probes", daemon=True)
        self._ended = threading.Event()

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def close(self) -> None:
        """End it, and wait until it has ended."""
        self._ended.set()
        self._wake()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.is_set():
            ready = self._selector.select(self._left_s())
            with self._turns.hurried():
                for key, _ in ready:
                    if isinstance(key.data, _Talk):
                        self._attend(key.data)
                    elif key.fileobj is self._listener:
                        self._accept()
                    else:
                        self._finish()
                self._end_late()
        for talk in list(self._open):
            self._end(talk)
        self._selector.close()
        for one in (self._listener, self._waker, self._woken):
            one.close()

    def _accept(self) -> None:
        try:
            stream = at_once.accept(self._listener)
        except OSError as error:
            # Who came may have left. Where no file is left, it would be ready at once again.
            if error.errno in _EXHAUSTED:
                self._ended.wait(_EXHAUSTED_S)
            return
        if len(self._open) >= CONNECTIONS_MAX:
            self._end(next(iter(self._open)))
        talk = _Talk(stream, self._now_s() + CONNECTION_S)
        self._open[talk] = None
        # The question is there as a rule.
        self._attend(talk)

    def _attend(self, talk: "_Talk") -> None:
        """Hear one, and look at it again if there is more to come; whatever it breaks, it alone."""
        try:
            self._hear(talk)
            # Each call of the system is another wait, so there is none that only others need.
            if talk in self._open and not talk.watched and not talk.is_over:
                self._selector.register(talk.stream, selectors.EVENT_READ, talk)
                talk.watched = True
        except Exception as error:  # noqa: BLE001  The thread answers everybody else.
            self._end(talk)
            if not self._complained:
                self._complained = True
                self._complain(f"mainstay: a probe is not answered, by a {type(error).__name__}\n")

    def _hear(self, talk: "_Talk") -> None:
        if talk not in self._open:
            # One before it in the same round has ended it.
            return
        try:
            data = at_once.receive(talk.stream, _READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if talk.waits:
            # What follows its question is not asked for. Whether somebody is still there who hears,
            # the answer finds out.
            if not data:
                talk.is_over = True
                self._unwatch(talk)
            return
        talk.head += data
        if not data:
            self._end(talk)
        elif b"\r\n\r\n" in talk.head:
            self._answer(talk)
        elif len(talk.head) > HEAD_BYTES_MAX:
            self._say(talk, _MALFORMED)

    def _answer(self, talk: "_Talk") -> None:
        asked = question_of(bytes(talk.head))
        if asked is None:
            self._say(talk, _MALFORMED)
            return
        method, path = asked
        talk.is_head = method == "HEAD"
        probe = self._probes.routes.get(path)
        if probe is None or probe.question is Question.FIGURES:
            self._say(talk, _NO_SUCH)
        elif method not in ALLOWED_METHODS:
            self._say(talk, _WRONG_METHOD)
        elif (trouble := self._trouble(probe)) is not None:
            document = json.dumps({"status": "fail", "output": trouble})
            self._say(talk, (_UNAVAILABLE, document.encode()))
        else:
            said = self._probes.answer_known(probe)
            if said is None:
                self._ask_elsewhere(talk, probe)
            else:
                self._say(talk, said)

    def _trouble(self, probe: Probe) -> str | None:
        """Return what the app can't know of itself, in a few words."""
        if probe.question in _ABOUT_THE_PORT and not self._is_open():
            return "starting"
        return self._stuck()

    def _ask_elsewhere(self, talk: "_Talk", probe: Probe) -> None:
        """Have checks run where the app is, and answer when they have ended."""
        talk.waits = True
        if self._loop is None:
            threading.Thread(
                target=lambda: self._hand_in(talk, self._probes.answer(probe)),
                name="mainstay-probe",
                daemon=True,
            ).start()
            return

        def ended(answer: "Future[Said]") -> None:
            if not answer.cancelled() and answer.exception() is None:
                self._hand_in(talk, answer.result())

        coroutine = self._probes.answer_async(probe)
        try:
            asyncio.run_coroutine_threadsafe(coroutine, self._loop).add_done_callback(ended)
        except RuntimeError:
            coroutine.close()
            self._end(talk)

    def _hand_in(self, talk: "_Talk", said: Said) -> None:
        self._done.append((talk, said))
        self._wake()

    def _wake(self) -> None:
        # Full: then it is awake. Closed: then nobody waits any more.
        with contextlib.suppress(OSError):
            self._waker.send(b"x")

    def _finish(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._woken.recv(_READ_BYTES)
        while self._done:
            self._say(*self._done.popleft())

    def _say(self, talk: "_Talk", said: Said) -> None:
        if talk not in self._open:
            return
        # What the kernel does not take at once, nobody reads: it has room for any such answer.
        with contextlib.suppress(OSError):
            at_once.send(talk.stream, written(said, with_body=not talk.is_head))
        self._end(talk)

    def _end(self, talk: "_Talk") -> None:
        if talk in self._open:
            del self._open[talk]
            self._unwatch(talk)
            at_once.close(talk.stream)

    def _unwatch(self, talk: "_Talk") -> None:
        if talk.watched:
            talk.watched = False
            self._selector.unregister(talk.stream)

    def _left_s(self) -> float | None:
        """Return how long the oldest one still has; None where nobody is there."""
        oldest = next(iter(self._open), None)
        return None if oldest is None else max(0.0, oldest.until_s - self._now_s())

    def _end_late(self) -> None:
        now_s = self._now_s()
        while self._open and next(iter(self._open)).until_s <= now_s:
            self._end(next(iter(self._open)))


class _Talk:
    """One connection.

    Attributes:
        stream: Of it.
        until_s: When it is ended, whatever was said; monotonic.
        head: What was heard.
        is_head: Whether only the head of the answer is asked for.
        waits: Whether it waits for checks that are run elsewhere.
        watched: Whether it is looked at when there is more to hear.
        is_over: Whether its client says nothing more.
    """

    __slots__ = ("head", "is_head", "is_over", "stream", "until_s", "waits", "watched")

    def __init__(self, stream: socket.socket, until_s: float) -> None:
        self.stream = stream
        self.until_s = until_s
        self.head = bytearray()
        self.is_head = False
        self.waits = False
        self.watched = self.is_over = False


class Opened:
    """Whether somebody listens at a port; asked of the kernel until it has been so once.

    Args:
        host: Its address.
        port: Its number.
    """

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._family = _family_of(host)
        self._seen = False

    def __call__(self) -> bool:
        """Look; on its own host, a port that is not open is told of at once."""
        if not self._seen:
            # Without a file or a name for it, nobody can tell.
            with contextlib.suppress(OSError), socket.socket(self._family) as asks:
                asks.settimeout(_LOOK_S)
                found = asks.connect_ex(self._address)
                # Who leaves callers waiting is open too. A port that clients are given, and that
                # nobody listens at, may happen to be the one that asks itself.
                self._seen = found == errno.EAGAIN or (
                    found == 0 and asks.getsockname() != asks.getpeername()
                )
        return self._seen


def question_of(head: bytes) -> tuple[str, str] | None:
    """Return method and path of a request, without its query; None where it is none of HTTP/1."""
    words = head.partition(b"\r\n")[0].decode("latin-1").split(" ")
    match words:
        case [method, target, "HTTP/1.0" | "HTTP/1.1"]:
            return method, target.partition("?")[0]
    return None


def written(said: Said, *, with_body: bool) -> bytes:
    """Return an answer as it is sent."""
    status, body = said
    head = (
        f"HTTP/1.1 {status} {_PHRASES[status]}\r\ncontent-type: {HEALTH_TYPE}\r\n"
        f"content-length: {len(body)}\r\ncache-control: no-store\r\nconnection: close\r\n\r\n"
    )
    return head.encode() + (body if with_body else b"")


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Raises:
        OSError: It can't be listened on.
    """
    return socket.create_server((host, port), family=_family_of(host), backlog=_BACKLOG)


def _family_of(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
