"""The README's service, as it stands there: its program runs with its declaration."""

import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from tests.system.served import GENEROUS_S

pytestmark = pytest.mark.system

README = Path(__file__).parents[2] / "README.md"

ASK = """
from shop.storefront import app
from starlette.testclient import TestClient

client = TestClient(app)
print("answered", client.post("/orders").json())
print(*(line for line in client.get("/metrics").text.splitlines() if line.startswith("orders_")))
"""


class Payments(BaseHTTPRequestHandler):
    """Takes every charge."""

    def do_POST(self) -> None:
        """Answer."""
        body = b'{"id": "c-1"}'
        self.send_response(201)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *said: object) -> None:
        """Say nothing."""


def test_the_program_runs_with_the_declaration(tmp_path: Path) -> None:
    text = README.read_text("utf-8")
    (declared,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    (program,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "storefront.py").write_text(program, "utf-8")
    with HTTPServer(("127.0.0.1", 0), Payments) as payments:
        threading.Thread(target=payments.serve_forever, daemon=True).start()
        there = f"http://127.0.0.1:{payments.server_port}"
        assert "https://payments.example.com" in declared
        (tmp_path / "mainstay.yaml").write_text(
            declared.replace("https://payments.example.com", there), "utf-8"
        )
        done = subprocess.run(
            [sys.executable, "-c", ASK],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=GENEROUS_S,
            check=False,
        )
        payments.shutdown()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "answered {'charge': 'c-1'}" in done.stdout
    assert "orders_total 1.0" in done.stdout
