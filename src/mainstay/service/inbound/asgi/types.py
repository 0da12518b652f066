"""ASGI's own types, as asgiref has them; that package is not needed for them."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

# Any: ASGI's scopes and messages are dictionaries of anything.
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
# Any: frameworks type these three each in a way of their own (Litestar, Quart), which nothing else
# fits.
AsgiApp = Callable[[Any, Any, Any], Awaitable[None]]
