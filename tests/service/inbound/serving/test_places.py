"""How many calls of a WSGI app there are at once, and who comes next."""

import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from tests.service.inbound.polling import until

from mainstay.service.inbound.admission.events import OverloadBegan, OverloadEnded
from mainstay.service.inbound.serving.places import WAITING_MAX, fitted
from mainstay.service.inbound.serving.turns import OVERLOADED_S, Turns
from mainstay.service.inbound.wsgi.shell import WsgiShell
from mainstay.service.service import Service
from mainstay.spec.inbound import Inbound
from mainstay.spec.shed import Priorities, Shed

if TYPE_CHECKING:
    from mainstay.core.events import Event

MakeService = Callable[..., Service]


@pytest.fixture(autouse=True)
def interval() -> Iterator[None]:
    usual_s = sys.getswitchinterval()
    yield
    sys.setswitchinterval(usual_s)


class App:
    """Holds each call until it is let go, and notes who came in, in order."""

    def __init__(self) -> None:
        self.came: list[str] = []
        self.gates: dict[str, threading.Event] = {}

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        gate = self.gates[path] = threading.Event()
        self.came.append(path)
        gate.wait(60)
        start_response("200 OK", [])
        return [b"done"]


class Asking:
    """Asks a shell in threads, one after another."""

    def __init__(self, shell: WsgiShell) -> None:
        self.shell = shell
        self.said: dict[str, str] = {}
        self.threads: list[threading.Thread] = []

    def ask(self, path: str) -> None:
        def run() -> None:
            def start_response(status: str, *_: Any) -> None:
                self.said[path] = status

            b"".join(self.shell({"REQUEST_METHOD": "GET", "PATH_INFO": path}, start_response))

        self.threads.append(threading.Thread(target=run))
        self.threads[-1].start()

    def join(self) -> None:
        for thread in self.threads:
            thread.join(60)


def waiting(shell: WsgiShell) -> int:
    admission = shell.inbound.admission
    assert admission is not None
    return admission.stats().waiting


@pytest.mark.parametrize("shed", [Shed(wait_s=60.0), None], ids=["shed", "off"])
def test_the_app_is_called_in_so_many_threads_and_the_rest_wait(
    make_service: MakeService, shed: Shed | None
) -> None:
    app = App()
    shell = fitted(make_service(inbound=Inbound(shed=shed)).wsgi(app), 2, Turns())
    asking = Asking(shell)
    for number in range(4):
        asking.ask(f"/{number}")
        until(lambda number=number: len(app.came) + waiting(shell) == number + 1)  # type: ignore[misc]
    assert (app.came, waiting(shell)) == (["/0", "/1"], 2)
    app.gates["/1"].set()
    until(lambda: app.came == ["/0", "/1", "/2"])
    app.gates["/2"].set()
    until(lambda: len(app.came) == 4)
    for gate in app.gates.values():
        gate.set()
    asking.join()
    assert asking.said == {f"/{number}": "200 OK" for number in range(4)}


def test_the_most_important_gets_the_next_thread(make_service: MakeService) -> None:
    shed = Shed(wait_s=60.0, priorities=Priorities(high=("/pay",)))
    app = App()
    shell = fitted(make_service(inbound=Inbound(shed=shed)).wsgi(app), 1, Turns())
    asking = Asking(shell)
    asking.ask("/0")
    until(lambda: app.came == ["/0"])
    for count, path in enumerate(("/1", "/pay"), start=1):
        asking.ask(path)
        until(lambda count=count: waiting(shell) == count)  # type: ignore[misc]
    app.gates["/0"].set()
    until(lambda: len(app.came) == 2)
    assert app.came == ["/0", "/pay"]
    app.gates["/pay"].set()
    until(lambda: len(app.came) == 3)
    app.gates["/1"].set()
    asking.join()


def test_what_is_declared_below_the_threads_holds(make_service: MakeService) -> None:
    shell = make_service(inbound=Inbound(shed=Shed(mode="fixed", limit=3))).wsgi(App())
    admission = fitted(shell, 16, Turns()).inbound.admission
    assert admission is not None
    assert admission.stats().limit == 3


@pytest.mark.parametrize(
    "shed", [Shed(limit=1000, limit_min=50, queue=100_000), Shed(mode="fixed")]
)
def test_no_limit_is_above_the_threads(make_service: MakeService, shed: Shed) -> None:
    admission = fitted(
        make_service(inbound=Inbound(shed=shed)).wsgi(App()), 16, Turns()
    ).inbound.admission
    assert admission is not None
    assert admission.stats().limit == 16
    assert admission._options.queue <= WAITING_MAX


def test_threads_take_turns_more_often_while_there_is_overload(make_service: MakeService) -> None:
    shell = fitted(make_service().wsgi(App()), 2, Turns())
    usual_s = sys.getswitchinterval()
    assert usual_s > OVERLOADED_S
    events: list[tuple[Event, float]] = [
        (OverloadBegan(at_s=0.0, limit=2, waiting=3), OVERLOADED_S),
        (OverloadEnded(at_s=1.0, duration_s=1.0, refused=0), usual_s),
    ]
    for event, interval_s in events:
        shell.inbound.events.emit(event)
        assert sys.getswitchinterval() == interval_s


def test_where_nothing_is_shed_they_always_do(make_service: MakeService) -> None:
    fitted(make_service(inbound=Inbound(shed=None)).wsgi(App()), 2, Turns())
    assert sys.getswitchinterval() == OVERLOADED_S
