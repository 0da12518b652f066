"""The examples of the guide about the wrapper run as they stand."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from mainstay.service.inbound.asgi.shell import AsgiShell
from mainstay.service.inbound.wsgi.shell import WsgiShell
from mainstay.spec.inbound import Inbound
from mainstay.spec.load import load_system

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "wrapper.md"
URL = "http://127.0.0.1"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)


def block(word: str) -> str:
    (found,) = [one for one in blocks("python") if word in one]
    return found


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "mainstay.yaml").write_text(blocks("yaml")[0])
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MAINSTAY_DECLARATION", raising=False)
    return tmp_path


def run(code: str) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "shop"}
    exec(compile(code, GUIDE.name, "exec"), names)  # noqa: S102  Our own document.
    return names


async def test_the_asgi_example_answers(here: Path) -> None:
    app = run(block("FastAPI()"))["app"]
    assert isinstance(app, AsgiShell)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=URL) as client:
        answer = await client.get("/orders/7")
    assert answer.json() == {"number": 7, "request_id": answer.headers["x-request-id"]}


def test_the_wsgi_example_answers(here: Path) -> None:
    app = run(block("Flask(__name__)"))["app"]
    assert isinstance(app, WsgiShell)
    with httpx.Client(transport=httpx.WSGITransport(app), base_url=URL) as client:
        answer = client.get("/orders/7")
    assert (answer.json(), len(answer.headers["x-request-id"])) == ({"number": 7}, 16)


def test_the_django_example_answers(here: Path) -> None:
    """In a process of its own, since settings are for good."""
    package = here / "shop"
    package.mkdir()
    (package / "settings.py").write_text(
        block("ALLOWED_HOSTS") + "SECRET_KEY = 'not one'\nROOT_URLCONF = 'shop.urls'\n"
    )
    (package / "urls.py").write_text(
        "from django.http import JsonResponse\nfrom django.urls import path\n"
        "def order(_, number): return JsonResponse({'n': number})\n"
        "urlpatterns = [path('orders/<int:number>', order)]\n"
    )
    (package / "wsgi.py").write_text(block("get_wsgi_application"))
    code = (
        "import httpx; from shop.wsgi import application\n"
        f"client = httpx.Client(transport=httpx.WSGITransport(application), base_url='{URL}')\n"
        "answer = client.get('/orders/7')\n"
        "print(answer.json(), len(answer.headers['x-request-id']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=here,
        env={**os.environ, "PYTHONPATH": str(here)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines()[-1:] == ["{'n': 7} 16"], done.stderr


def test_every_part_can_be_turned_off(tmp_path: Path) -> None:
    file = tmp_path / "mainstay.yaml"
    file.write_text(blocks("yaml")[1])
    found = load_system(file, environ={}).system.members[0].declaration.inbound
    assert (found.body_bytes_max, found.headers, found.shed) == (None, None, None)
    assert not found.access_log
    assert found.deadline_s == 30 != Inbound().deadline_s


def test_the_pages_that_it_names_exist() -> None:
    named = re.findall(r"\]\(([\w./-]+\.md)\)", GUIDE.read_text("utf-8"))
    assert len(named) > 8
    assert [name for name in named if not (GUIDE.parent / name).exists()] == []
