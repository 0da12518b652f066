"""WSGI's own types, for those who need no more than their names."""

from collections.abc import Callable, Iterable
from typing import Any

# Any: WSGI's environ is a dictionary of anything, and start_response has a legacy result.
Environ = dict[str, Any]
StartResponse = Callable[..., Any]
WsgiApp = Callable[[Environ, StartResponse], Iterable[bytes]]
