"""`mainstay up [PATH]`."""

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import click

from mainstay.cli import place
from mainstay.cli.asking import ask
from mainstay.cli.parts import need
from mainstay.cli.showing import print_status
from mainstay.cli.telling import print_line, quiet, tell
from mainstay.control.api.client import DaemonGone, listening
from mainstay.control.api.wire import Json
from mainstay.control.engines.local.folder import lock_holder, prepare
from mainstay.core.clock import SystemClock, pause
from mainstay.core.errors import AlreadyRunning, ConfigInvalid, EngineRefused, NotRunning
from mainstay.core.events import Event
from mainstay.spec.load import load_system

APPEAR_S: Final = 20.0
"""A daemon that does not answer by then is stuck; on an idle machine it takes 0.3 s."""

LOOK_S: Final = 0.03
"""Between two looks for it."""

END_S: Final = 10.0
"""A daemon that has closed its socket has ended by then: what it started first, then itself."""

SILENCE_S: Final = 180.0
"""The longest that nothing may happen while a system starts: longer than any start timeout here."""


@click.command()
@place.path_argument
@click.option("--detach", "-d", is_flag=True, help="Run in the background; return when ready.")
@click.option("--env", metavar="NAME", help="Lay mainstay.NAME.yaml over each declaration.")
@place.json_option
def command(path: Path | None, *, detach: bool, env: str | None, as_json: bool) -> None:
    """Run the system declared in PATH: its replicas, the proxy before them, and the daemon.

    In the foreground Ctrl-C drains and ends it; a second Ctrl-C ends it at once. With -d it runs
    on; if it runs already, the declaration is applied as it is now, or refused whole. What an
    earlier daemon left running is taken over, not started again. With --json the foreground prints
    each event as a line, and -d the status.
    """
    need("up", "psutil", "rich")
    env = env or os.environ.get("MAINSTAY_ENV") or None
    loaded = load_system(path or Path(), env=env, environ=os.environ)
    for note in loaded.notes:
        click.echo(f"note: {note}", err=True)
    root = loaded.system.root
    prepare(place.state_of(root))
    if detach:
        answer = in_background(root, env, quiet if as_json else tell)
        print_status(answer, as_json=as_json)
        return
    in_foreground(root, env, print_line if as_json else tell)


def in_foreground(root: Path, env: str | None, on_event: Callable[[Json], None]) -> None:
    """Be the daemon until Ctrl-C."""
    from mainstay.cli.serving import logging_to
    from mainstay.cli.wiring import Site
    from mainstay.control.daemon import event_json

    log = logging_to(place.state_of(root))

    def hear(event: Event) -> None:
        log(event)
        on_event(event_json(event))

    site = Site(root, env=env, environ=dict(os.environ), on_event=hear)
    try:
        asyncio.run(site.run())
    except AlreadyRunning as error:
        raise AlreadyRunning(
            f"{error}: `mainstay up -d` applies the declaration to it, `mainstay down` ends it",
            pid=error.pid,
        ) from error


def in_background(root: Path, env: str | None, on_event: Callable[[Json], None]) -> Json:
    """Start a daemon, or apply the declaration to the one that runs; return the status."""
    state = place.state_of(root)

    def apply() -> Json:
        # The overlay and the environment of who asks, not those that the daemon began with.
        environ = dict(os.environ)
        return ask(state, "apply", timeout_s=SILENCE_S, on_event=on_event, env=env, environ=environ)

    try:
        return apply()
    except NotRunning:
        daemon = start_daemon(root, env)
    ours = until_it_answers(place.control_socket(state), daemon, state)
    # Two who start at once: one daemon runs, and applying to it what it has changes nothing.
    try:
        return ask(state, "wait", timeout_s=SILENCE_S, on_event=on_event) if ours else apply()
    except (DaemonGone, NotRunning) as error:
        if ours:
            with contextlib.suppress(subprocess.TimeoutExpired):
                # Its last words are complete when it has ended, a moment after its socket.
                daemon.wait(END_S)
                raise why_it_ended(state) from error
        raise


def start_daemon(root: Path, env: str | None) -> subprocess.Popen[bytes]:
    """Start a daemon in a session of its own, with nothing of this terminal."""
    words = [sys.executable, "-m", "mainstay.cli.serving", str(root)]
    if env is not None:
        words += ["--env", env]
    errors = place.state_of(root) / "daemon.err"
    descriptor = os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
    try:
        return subprocess.Popen(  # noqa: S603  Our own interpreter and module.
            words,
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            cwd=root,
            start_new_session=True,
        )
    finally:
        os.close(descriptor)


def until_it_answers(socket: Path, daemon: subprocess.Popen[bytes], state: Path) -> bool:
    """Wait until a daemon answers; return whether it is the one that was started here.

    Raises:
        EngineRefused: It ended, with its own last words, or did not appear in time.
    """
    clock = SystemClock()
    give_up_s = clock.monotonic_s() + APPEAR_S
    while clock.monotonic_s() < give_up_s:
        holder = lock_holder(state / "lock")
        if daemon.poll() is not None and holder in {None, daemon.pid}:
            raise why_it_ended(state)
        if holder and listening(socket):
            return holder == daemon.pid
        pause(LOOK_S)
    raise EngineRefused(
        f"the daemon did not answer within {APPEAR_S:.0f} s; see {state}/daemon.err"
    )


def why_it_ended(state: Path) -> EngineRefused | ConfigInvalid:
    """Return the error that the daemon's last words amount to."""
    words = (state / "daemon.err").read_text("utf-8", "replace").strip()
    return EngineRefused(words.removeprefix("mainstay: ") or "the daemon ended without a word")
