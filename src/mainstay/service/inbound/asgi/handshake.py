"""What a server says it can do with the handshake of a websocket, and can't."""

from mainstay.service.inbound.asgi.types import Scope, Send

DENIAL = "websocket.http.response"
"""ASGI's extension for an answer to a handshake that is refused."""

_GRANIAN = "granian._granian"


def spare_denial(scope: Scope, send: Send) -> None:
    """Take the extension for refusals away where its use may end the process.

    Granian (2.8) answers by itself when an app's call ends, and may not know yet that the app has
    answered: of two answers the second one aborts the process, with all that it serves. A handshake
    that is closed instead gets a 403.

    Args:
        scope: Of a websocket; may be changed.
        send: The server's own.
    """
    extensions = scope.get("extensions")
    if extensions and DENIAL in extensions:
        server = type(getattr(send, "__self__", None))
        if server.__module__ == _GRANIAN:
            scope["extensions"] = {
                name: told for name, told in extensions.items() if name != DENIAL
            }
