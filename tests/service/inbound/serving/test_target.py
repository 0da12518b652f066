import functools
import sys
from pathlib import Path
from typing import Any

import pytest

from mainstay.core.errors import ConfigInvalid
from mainstay.service.inbound.serving.target import AppUnusable, interface_of, load_app
from mainstay.service.service import Service
from mainstay.spec.declaration import Declaration


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Any:
    """Return what writes a module into the working folder and returns its name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    name = f"target_{abs(hash(request.node.nodeid))}"

    def write(text: str) -> str:
        (tmp_path / f"{name}.py").write_text(text, "utf-8")
        return name

    yield write
    sys.modules.pop(name, None)


def test_an_attribute_of_an_attribute_and_a_factory(module: Any) -> None:
    name = module("class Box:\n  app = 'found'\n  @staticmethod\n  def make(): return 'made'\n")
    assert load_app(f"{name}:Box.app") == "found"
    assert load_app(f"{name}:Box.make()") == "made"


@pytest.mark.parametrize("reference", ["app", ":app", "shop:", "shop:()"])
def test_what_is_no_reference(reference: str) -> None:
    with pytest.raises(AppUnusable, match="write module:attribute"):
        load_app(reference)


def test_a_module_that_is_not_there(module: Any) -> None:
    module("")
    with pytest.raises(AppUnusable, match="there is no module 'nowhere_at_all' in") as caught:
        load_app("nowhere_at_all.sub:app")
    assert caught.value.trail == ""


def test_an_attribute_that_is_not_there_is_told_with_its_neighbour(module: Any) -> None:
    name = module("application = 1\n")
    with pytest.raises(AppUnusable, match="did you mean 'application'"):
        load_app(f"{name}:applicaton")


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("import no_such_thing\n", "ModuleNotFoundError: No module named 'no_such_thing'"),
        ("1 / 0\n", "ZeroDivisionError: division by zero"),
        ("def f(:\n", "SyntaxError"),
        ("raise SystemExit(0)\n", "SystemExit: 0"),
    ],
)
def test_code_that_raises_is_told_with_its_own_frames(
    module: Any, code: str, sentence: str
) -> None:
    name = module(code)
    with pytest.raises(AppUnusable, match=sentence) as caught:
        load_app(f"{name}:app")
    assert f"{name}.py" in caught.value.trail
    assert "target.py" not in caught.value.trail
    assert "importlib" not in caught.value.trail


def test_a_factory_that_raises_is_told(module: Any) -> None:
    name = module("def make():\n  raise LookupError('x')\n")
    with pytest.raises(AppUnusable, match="LookupError: x") as caught:
        load_app(f"{name}:make()")
    assert "in make" in caught.value.trail


def test_our_own_errors_need_no_traceback(module: Any) -> None:
    name = module(
        "from mainstay.core.errors import ConfigInvalid\nraise ConfigInvalid(('a fault',))\n"
    )
    with pytest.raises(AppUnusable, match="a fault") as caught:
        load_app(f"{name}:app")
    assert caught.value.trail == ""
    assert isinstance(caught.value.__cause__, ConfigInvalid)


async def asgi_function(scope: Any, receive: Any, send: Any) -> None: ...


def asgi_plain(scope: Any, receive: Any, send: Any) -> Any: ...


def wsgi_function(environ: Any, start_response: Any) -> Any: ...


class AsgiObject:
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...


class WsgiObject:
    def __call__(self, environ: Any, start_response: Any) -> Any: ...

    def method(self, environ: Any, start_response: Any, more: int = 1) -> Any: ...


@pytest.mark.parametrize(
    ("app", "interface"),
    [
        (asgi_function, "asgi"),
        (asgi_plain, "asgi"),
        (AsgiObject(), "asgi"),
        (functools.partial(asgi_function), "asgi"),
        (wsgi_function, "wsgi"),
        (WsgiObject(), "wsgi"),
        (WsgiObject().method, "wsgi"),
        (functools.partial(wsgi_function), "wsgi"),
    ],
)
def test_the_interface_is_seen(app: Any, interface: str) -> None:
    assert interface_of(app) == interface


def test_frameworks_and_shells_are_seen() -> None:
    fastapi = pytest.importorskip("fastapi")
    flask = pytest.importorskip("flask")
    service = Service(Declaration(service="s", app="a:b"))
    assert interface_of(fastapi.FastAPI()) == "asgi"
    assert interface_of(flask.Flask("x")) == "wsgi"
    assert interface_of(service.asgi(asgi_function)) == "asgi"
    assert interface_of(service.wsgi(wsgi_function)) == "wsgi"


@pytest.mark.parametrize("app", [lambda scope: None, lambda *args: None, 17])
def test_what_can_not_be_seen_is_asked_for(app: Any) -> None:
    with pytest.raises(AppUnusable, match="ASGI"):
        interface_of(app)
