from typing import Any

from mainstay.service.inbound.asgi.handshake import DENIAL, spare_denial

Protocol = type("Protocol", (), {"send": lambda self, message: None})


def extensions_after(module: str) -> Any:
    Protocol.__module__ = module
    scope: Any = {"type": "websocket", "extensions": {DENIAL: {}, "other": {}}}
    spare_denial(scope, Protocol().send)
    return scope["extensions"]


def test_what_would_abort_granian_is_not_offered() -> None:
    assert extensions_after("granian._granian") == {"other": {}}


def test_other_servers_keep_it() -> None:
    assert extensions_after("uvicorn.protocols") == {DENIAL: {}, "other": {}}


def test_a_server_without_extensions_is_none_of_it() -> None:
    scope: Any = {"type": "websocket"}
    spare_denial(scope, Protocol().send)
    assert scope == {"type": "websocket"}
