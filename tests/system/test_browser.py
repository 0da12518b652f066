"""Security headers and CORS as a real browser reads them; skipped where there is none.

The pages are served on the loopback, by the wrapper around a WSGI app, and the browser can reach
nothing else.
"""

import json
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import pytest

from mainstay.service.inbound.perimeter import csp_nonce
from mainstay.service.inbound.wsgi.types import Environ, StartResponse, WsgiApp
from mainstay.service.service import Service
from mainstay.spec.declaration import Declaration
from mainstay.spec.inbound import Inbound
from mainstay.spec.perimeter import Cors, SecurityHeaders

pytestmark = pytest.mark.system

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
BROWSER_TIMEOUT_S = 100

Serve = Callable[[Callable[[], bytes], Inbound], str]
Look = Callable[[str], str]


class Server(ThreadingMixIn, WSGIServer):
    """A server of the standard library: what is looked at here is the wrapper's work."""

    daemon_threads = True


class Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  Its name, and its Any.
        pass


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serve a page of a service; give its origin."""
    servers: list[Server] = []

    def start(page: Callable[[], bytes], inbound: Inbound) -> str:
        declaration = Declaration(service="shop", app="shop:app", inbound=inbound)
        service = Service(declaration)

        def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
            body = page()
            media = "text/html" if body.startswith(b"<") else "application/json"
            start_response("200 OK", [("Content-Type", media), ("Content-Length", str(len(body)))])
            return [body]

        typed: WsgiApp = app
        server = Server(("127.0.0.1", 0), Quiet)
        server.set_app(service.wsgi(typed))
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def look(tmp_path: Path) -> Look:
    """Open a page in a browser; give its document after its scripts ran."""
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        pytest.skip("no browser of the Chromium family is installed")

    def dump(url: str) -> str:
        done = subprocess.run(
            [
                browser,
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
                f"--user-data-dir={tmp_path / 'profile'}",
                "--virtual-time-budget=5000",
                "--dump-dom",
                url,
            ],
            check=True,
            capture_output=True,
            timeout=BROWSER_TIMEOUT_S,
        )
        return done.stdout.decode()

    return dump


def text_of(document: str, name: str) -> str:
    found = re.search(rf'<p id="{name}">(.*?)</p>', document, flags=re.DOTALL)
    assert found is not None, document
    return unescape(found[1])


def scripted() -> bytes:
    """Return a page with a script of its own and one that was smuggled in."""
    return f"""<!doctype html><p id="ours">-</p><p id="theirs">-</p>
        <script nonce="{csp_nonce()}">document.getElementById("ours").textContent = "ran"</script>
        <script>document.getElementById("theirs").textContent = "ran"</script>
        <img src="data:image/gif;base64,x"
             onerror="document.getElementById('theirs').textContent = 'ran'">""".encode()


def test_only_the_script_with_the_nonce_runs(serve: Serve, look: Look) -> None:
    origin = serve(scripted, Inbound(headers=SecurityHeaders(preset="pages")))
    document = look(origin)
    assert (text_of(document, "ours"), text_of(document, "theirs")) == ("ran", "-")


def test_it_is_the_policy_that_stops_a_script(serve: Serve, look: Look) -> None:
    page = b"""<!doctype html><p id="x">-</p>
        <script>document.getElementById("x").textContent = "ran"</script>"""
    assert text_of(look(serve(lambda: page, Inbound(headers=None))), "x") == "ran"
    assert text_of(look(serve(lambda: page, Inbound())), "x") == "-"


def asking(url: str) -> bytes:
    """Return a page that asks another origin in three ways, and writes down what it may read."""
    return f"""<!doctype html><p id="answers">-</p><script>
        const ways = {{
          plain: {{}},
          json: {{method: "PUT", headers: {{"Content-Type": "application/json",
                  "Idempotency-Key": "k"}}, body: "{{}}"}},
          other: {{headers: {{"X-Not-Declared": "1"}}}},
        }};
        const ask = async (way) => {{
          try {{
            const answer = await fetch("{url}/", way);
            return [answer.status, answer.headers.get("X-Request-ID") !== null];
          }} catch (error) {{ return "refused"; }}
        }};
        (async () => {{
          const answers = {{}};
          for (const name in ways) answers[name] = await ask(ways[name]);
          document.getElementById("answers").textContent = JSON.stringify(answers);
        }})();
        </script>""".encode()


def test_declared_origins_may_and_others_may_not(serve: Serve, look: Look) -> None:
    """A page reads what its origin was granted: plainly, by preflight, and our headers too."""
    page = {"url": ""}
    friend = serve(lambda: asking(page["url"]), Inbound(headers=None))
    stranger = serve(lambda: asking(page["url"]), Inbound(headers=None))
    page["url"] = serve(lambda: b"{}", Inbound(cors=Cors(origins=(friend,))))
    answers = json.loads(text_of(look(friend), "answers"))
    assert answers == {"plain": [200, True], "json": [200, True], "other": "refused"}
    answers = json.loads(text_of(look(stranger), "answers"))
    assert answers == dict.fromkeys(("plain", "json", "other"), "refused")


def test_every_origin_may_where_all_are_declared(serve: Serve, look: Look) -> None:
    page = {"url": serve(lambda: b"{}", Inbound(cors=Cors(origins=("*",))))}
    answers = json.loads(
        text_of(look(serve(lambda: asking(page["url"]), Inbound(headers=None))), "answers")
    )
    assert answers == {"plain": [200, True], "json": [200, True], "other": "refused"}
