"""Serve one app in this one process: ``python -m mainstay.service.inbound.serve --app shop:app``.

One process, so that its pid is the one that works: killing it kills the work, and SIGTERM reaches
the code that drains. Exit codes: 0 stopped as asked; 1 the server can't run (the port is in use,
the server is not installed); 2 wrong arguments; 3 the app can't be loaded or failed to start.
"""

import asyncio
import atexit
import contextlib
import functools
import io
import json
import os
import resource
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from mainstay.core.clock import SystemClock, utc_text
from mainstay.core.complaint import complain
from mainstay.core.errors import MainstayError, PartMissing
from mainstay.core.events import Listeners
from mainstay.service.inbound.asgi.shell import AsgiShell
from mainstay.service.inbound.serving.answering import lend_answers
from mainstay.service.inbound.serving.crew import Crew
from mainstay.service.inbound.serving.guest import Guest
from mainstay.service.inbound.serving.options import Options, parse
from mainstay.service.inbound.serving.places import SERVER_THREADS_MORE, WORKERS_MORE, fitted
from mainstay.service.inbound.serving.probe_door import Opened, ProbeDoor, listen
from mainstay.service.inbound.serving.reloading import Reloader
from mainstay.service.inbound.serving.signals import take_signals, take_signals_in_a_thread
from mainstay.service.inbound.serving.stuck import LoopStuck, Stuck, ThreadsStuck
from mainstay.service.inbound.serving.target import AppUnusable, interface_of, load_app
from mainstay.service.inbound.serving.turns import Turns
from mainstay.service.inbound.serving.workers import Workers
from mainstay.service.inbound.stopping.drain import Drain
from mainstay.service.inbound.wsgi.shell import WsgiShell
from mainstay.spec.inbound import Inbound

BACKLOG = 1024
KEEP_ALIVE_S = 75
"""Idle connections are kept longer than Envoy keeps them (30 s here), so that it is never Envoy
that sends a request into a connection which the server is closing."""

CONNECTIONS_MAX = 16_384
"""Open at once, the idle ones included. Granian's own default is the backlog, and behind so many
idle or slow clients no probe would be heard. How many *requests* are worked on, admission says."""

STDOUT = 1
CANNOT_SERVE = 1
APP_UNUSABLE = 3


class CannotServe(MainstayError):
    """The server can't run here, whatever the app: the port is in use, for instance."""


def main(argv: list[str] | None = None) -> int:
    """Serve until a signal comes; return the exit code."""
    options = parse(argv)
    _open_standard_streams()
    _allow_connections()
    try:
        app = load_app(options.app)
        interface = _interface(app, options)
        drain = _drain_of(app, options)
        if isinstance(app, AsgiShell | WsgiShell) and app.inbound.reload is not None:
            Reloader(app.inbound.reload, app.inbound.telling.complain).listen()
        require_free(options.host, options.port)
        _announce(app, options, interface)
        _server(options.server, interface)(app, drain, options)
    except AppUnusable as error:
        complain(f"{error.trail}mainstay: {error}\n")
        return APP_UNUSABLE
    except (CannotServe, PartMissing) as error:
        complain(f"mainstay: {error}\n")
        return CANNOT_SERVE
    if not drain.stopping:
        complain(f"mainstay: {options.app} failed to start\n")
        return APP_UNUSABLE
    return 0


def _open_standard_streams() -> None:
    """Give a process that was started without stdin, stdout or stderr one that leads nowhere.

    Otherwise the next thing it opens gets the number, and a client's socket the access lines.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def _allow_connections() -> None:
    """Let this process open as many files as it may: many systems begin with 1024 of them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * CONNECTIONS_MAX
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        # macOS refuses what is above a bound of its own, whatever the hard limit says.
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def require_free(host: str, port: int) -> None:
    """Raise CannotServe unless ``port`` can be listened on.

    Granian shares a port with whoever shares it too, and would then get a part of the requests
    without a word; a socket that doesn't share finds out.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise _cannot_listen(host, port, error) from error


def _cannot_listen(host: str, port: int, error: OSError) -> CannotServe:
    reason = os.strerror(error.errno) if error.errno else str(error)
    return CannotServe(f"cannot listen on {host}:{port}: {reason}")


def _interface(app: Any, options: Options) -> str:
    """Return ``asgi`` or ``wsgi``, as asked or as the app looks. Any: any framework's app."""
    interface = interface_of(app) if options.interface == "auto" else options.interface
    if options.server == "uvicorn" and interface == "wsgi":
        raise AppUnusable(f"uvicorn serves ASGI only, and {options.app} is WSGI: use granian")
    return interface


def _drain_of(app: Any, options: Options) -> Drain:
    """Return the app's own drain, or one for an app that has none. Any: any framework's app."""
    if isinstance(app, AsgiShell | WsgiShell):
        drain = app.inbound.drain
    else:
        defaults = Inbound()
        drain = Drain(
            delay_s=defaults.drain_delay_s,
            bound_s=defaults.drain_s,
            clock=SystemClock(),
            events=Listeners(),
        )
    drain.managed = True
    if options.drain_s is not None:
        drain.bound_s = options.drain_s
    if options.drain_delay_s is not None:
        drain.delay_s = options.drain_delay_s
    return drain


def _announce(app: Any, options: Options, interface: str) -> None:
    """Say in one JSON line what starts. Prints of the app appear line by line from here on.

    Any: any framework's app.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)
    line = {
        "timestamp": utc_text(SystemClock().wall_s()),
        "level": "info",
        "event": f"serving {options.app}",
        "server": options.server,
        "interface": interface,
        "address": f"{options.host}:{options.port}",
        "pid": os.getpid(),
    }
    if options.probe_port is not None:
        is_wrapped = isinstance(app, AsgiShell | WsgiShell)
        own = f"{options.host}:{options.probe_port}"
        line["probes"] = own if is_wrapped else "no port of their own: the app is not wrapped"
    with contextlib.suppress(OSError):
        os.write(STDOUT, (json.dumps(line) + "\n").encode())


def _server(server: str, interface: str) -> Callable[[Any, Drain, Options], None]:
    if server == "uvicorn":
        return serve_uvicorn
    return serve_granian_asgi if interface == "asgi" else serve_granian_wsgi


def _open_probe_door(
    app: Any, options: Options, turns: Turns, loop: asyncio.AbstractEventLoop | None = None
) -> None:
    """Answer probes at a port of their own too, where one is given. Any: any framework's app.

    Before the app's own port is open: who is answered there knows whether this one is there. An app
    that is not wrapped has no answers, and none is opened for it.
    """
    if options.probe_port is None or not isinstance(app, AsgiShell | WsgiShell):
        return
    try:
        listener = listen(options.host, options.probe_port)
    except OSError as error:
        raise _cannot_listen(options.host, options.probe_port, error) from error
    inbound = app.inbound
    stuck: Stuck
    if loop is not None:
        stuck = LoopStuck(loop, inbound.now_s)
    else:
        assert inbound.admission is not None, "a served WSGI app has places"
        stuck = ThreadsStuck(inbound.admission, inbound.drain, inbound.now_s)
    is_open = Opened(options.host, options.port)
    door = ProbeDoor(
        inbound.probes,
        listener,
        stuck=stuck,
        is_open=is_open,
        turns=turns,
        loop=loop,
        clock=inbound.clock,
    )
    door.start()


def _turns_around(app: Any) -> Turns:
    """Return how often threads take turns around the loop of an app. Any: any framework's app."""
    turns = Turns()
    if isinstance(app, AsgiShell):
        app.inbound.events.add(turns.heard)
    return turns


def _drainable(app: Any, drain: Drain) -> Any:
    return app if isinstance(app, AsgiShell) else Guest(app, drain)


def serve_granian_asgi(app: Any, drain: Drain, options: Options) -> None:
    """Serve in Granian's embedded server on uvloop, or on asyncio's own loop without it."""
    try:
        from granian.errors import FatalError  # noqa: PLC0415  Servers are extras.
        from granian.server.embed import Server  # noqa: PLC0415
    except ImportError as error:
        raise PartMissing("granian is not installed: pip install 'mainstay[asgi]'") from error

    turns = _turns_around(app)
    if isinstance(app, AsgiShell):
        app.outermost = True

    # What it is called by: to find that again for each request costs more than the call.
    call = _drainable(app, drain).__call__

    async def serve() -> None:
        server = Server(call, interface=_asgi_interface(), **_granian_settings(options))
        loop = asyncio.get_running_loop()
        take_signals(drain, functools.partial(loop.call_soon_threadsafe, server.stop))
        _open_probe_door(app, options, turns, loop)
        # Granian has logged why.
        with contextlib.suppress(FatalError):
            await server.serve()

    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(serve())


def serve_granian_wsgi(app: Any, drain: Drain, options: Options) -> None:
    """Serve in Granian's threaded server: the worker is a thread of this process."""
    try:
        from granian.constants import Interfaces  # noqa: PLC0415  Servers are extras.
        from granian.server import mt  # noqa: PLC0415
    except ImportError as error:
        raise PartMissing("granian is not installed: pip install 'mainstay[asgi]'") from error

    class ThreadedServer(mt.MTServer):
        def _check_gil(self) -> None:
            """Serve under the GIL too: WSGI needs one worker, and its threads release it."""

    threads, turns = options.threads, Turns()
    if isinstance(app, WsgiShell):
        app, threads = fitted(app, options.threads, turns), options.threads + SERVER_THREADS_MORE
        crew = Crew()
        workers = Workers(options.threads, options.threads + WORKERS_MORE, late=crew.all_hands)
        lend_answers(mt, workers, crew, app.inbound.probes.routes)
    server = ThreadedServer(
        "app",
        interface=Interfaces.WSGI,
        blocking_threads=threads,
        **_granian_settings(options),
    )
    # Its worker may serve before the handlers of signals are ours: until then it is not ready.
    drain.started = False
    # Granian sets handlers of its own as it starts, and calls this afterwards.
    take_signals = functools.partial(
        take_signals_in_a_thread,
        drain,
        server.signal_handler_interrupt,
        signal.getsignal(signal.SIGHUP),
    )
    server.on_startup(take_signals)
    server.on_startup(drain.start)
    _open_probe_door(app, options, turns)
    server.serve(target_loader=lambda: app, wrap_loader=False)
    # There is no lifespan in whose end this would be done.
    drain.finish()


def serve_uvicorn(app: Any, drain: Drain, options: Options) -> None:
    """Serve in uvicorn."""
    try:
        import uvicorn  # noqa: PLC0415  Servers are extras.
    except ImportError as error:
        raise PartMissing("uvicorn is not installed: pip install uvicorn") from error

    turns = _turns_around(app)

    class Server(uvicorn.Server):
        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            """Leave the signals to us; uvicorn's own handler would end the process by them."""
            yield

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            """Open the door of probes first: it says that nothing is ready yet."""
            _open_probe_door(app, options, turns, asyncio.get_running_loop())
            await super().startup(sockets)

        def leave(self) -> None:
            """Take no more and finish; safe from any thread, since uvicorn looks every 0.1 s."""
            self.should_exit = True

    server = Server(
        uvicorn.Config(
            _drainable(app, drain),
            host=options.host,
            port=options.port,
            interface="asgi3",
            lifespan="on",
            backlog=BACKLOG,
            timeout_keep_alive=KEEP_ALIVE_S,
            access_log=False,
            log_config=None,
            log_level="warning",
            server_header=False,
            proxy_headers=False,
        )
    )
    take_signals(drain, server.leave)
    # uvicorn ends by SystemExit where the app failed to start, and has logged why.
    with contextlib.suppress(SystemExit):
        server.run()


def _asgi_interface() -> Any:
    from granian.constants import Interfaces  # noqa: PLC0415  Servers are extras.

    return Interfaces.ASGI


def _granian_settings(options: Options) -> dict[str, Any]:
    """Return what both of Granian's servers are given. Any: keyword arguments of a constructor."""
    from granian.http import HTTP1Settings  # noqa: PLC0415  Servers are extras.
    from granian.log import LogLevels  # noqa: PLC0415

    return {
        "address": options.host,
        "port": options.port,
        "backlog": BACKLOG,
        "backpressure": CONNECTIONS_MAX,
        # hyper counts the idle time between two requests as reading the head of the next one.
        "http1_settings": HTTP1Settings(header_read_timeout=KEEP_ALIVE_S * 1000),
        "log_level": LogLevels.error,
        # Incremental: a full configuration would close the log files that the app has opened, and
        # take its logger away from the service's logs.
        "log_dictconfig": {"incremental": True, "handlers": {}, "loggers": {}},
    }


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415  An extra.
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def _end(code: int) -> NoReturn:
    """End the process as the interpreter does, but for taking itself apart.

    A thread of a server's own that still reads from a client, and is woken after the interpreter
    has gone, aborts the process.
    """
    threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001  As the interpreter does first.
    atexit._run_exitfuncs()  # noqa: SLF001  And then.
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    _end(main())
