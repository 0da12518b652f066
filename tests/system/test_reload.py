"""SIGHUP to a served process: its dependencies are declared anew, and it goes on."""

import signal
from pathlib import Path

import pytest
from tests.system.served import Serve, Served, until

pytestmark = pytest.mark.system


def write(path: Path, failures: str) -> None:
    path.write_text(
        "service: shop\n"
        "app: reloaded_apps:asgi_app\n"
        "dependencies:\n"
        "  payments:\n"
        "    url: http://127.0.0.1:9\n"
        "    timeout: 1s\n"
        f"    breaker: {failures}\n"
    )


def said(one: Served) -> str:
    return one.out.read_text() + one.err.read_text()


@pytest.mark.parametrize(
    ("app", "server"), [("asgi_app", "granian"), ("asgi_app", "uvicorn"), ("wsgi_app", "granian")]
)
def test_a_signal_has_the_declaration_read_again(
    app: str, server: str, serve: Serve, tmp_path: Path
) -> None:
    """A good one is taken, a bad one told of and refused, and neither ends the process."""
    path = tmp_path / "mainstay.yaml"
    write(path, "5")
    environ = {"MAINSTAY_DECLARATION": str(path)}
    one = serve(f"reloaded_apps:{app}", "--server", server, **environ).ready("/")
    assert one.ask("/")[2] == b"5"
    write(path, "7")
    one.stop(signal.SIGHUP)
    until(lambda: one.ask("/")[2] == b"7", "the new declaration")
    write(path, "{failures: -1, open: never}")
    one.stop(signal.SIGHUP)
    until(lambda: "the last good declaration stays" in said(one), "the refusal")
    for fault in ("breaker.failures", "breaker.open"):
        assert any(f"dependencies.payments.{fault}" in line for line in said(one).splitlines())
    path.unlink()
    one.stop(signal.SIGHUP)
    until(lambda: said(one).count("the last good declaration stays") == 2, "the other refusal")
    assert one.ask("/")[2] == b"7"
    write(path, "9")
    one.stop(signal.SIGHUP)
    until(lambda: one.ask("/")[2] == b"9", "the last declaration")
    one.stop()
    assert one.ended() == 0
