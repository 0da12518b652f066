"""From ``module:attribute`` to an app, and from an app to what it speaks."""

import difflib
import importlib
import inspect
import sys
import traceback
from pathlib import Path
from typing import Any

from mainstay.core.errors import MainstayError
from mainstay.service.inbound.asgi.shell import AsgiShell
from mainstay.service.inbound.wsgi.shell import WsgiShell

_ASGI_PARAMETERS = 3
_WSGI_PARAMETERS = 2


class AppUnusable(MainstayError):
    """The app can't be imported, is not there, or speaks neither ASGI nor WSGI.

    Args:
        message: One sentence for people.
        trail: The traceback through the user's own code, or an empty text.
    """

    def __init__(self, message: str, *, trail: str = "") -> None:
        self.trail = trail
        super().__init__(message)


def load_app(reference: str) -> Any:
    """Import ``module:attribute``; with ``()`` at its end the attribute is called.

    Any: an app of any framework. The working folder is searched first, as ``python -m`` does.

    Raises:
        AppUnusable: Whatever went wrong, the user's own code included.
    """
    module_name, colon, attribute = reference.partition(":")
    is_factory = attribute.endswith("()")
    path = attribute.removesuffix("()")
    if not colon or not module_name or not path:
        raise AppUnusable(f"{reference!r} is not an app: write module:attribute")
    _search_here()
    try:
        found: Any = importlib.import_module(module_name)
        for name in path.split("."):
            found = _attribute(found, name, reference)
        return found() if is_factory else found
    except AppUnusable:
        raise
    except (Exception, SystemExit) as error:
        raise _unusable(reference, module_name, error) from error


def interface_of(app: Any) -> str:
    """Return ``asgi`` or ``wsgi``: a shell knows, else the signature tells. Any: any framework.

    A coroutine function, or an object whose ``__call__`` is one, speaks ASGI; so does what takes
    three arguments (scope, receive, send). What takes two (environ, start_response) speaks WSGI.

    Raises:
        AppUnusable: Neither.
    """
    if isinstance(app, AsgiShell):
        return "asgi"
    if isinstance(app, WsgiShell):
        return "wsgi"
    if not callable(app):
        raise AppUnusable(f"{type(app).__name__} is neither an ASGI nor a WSGI app: not callable")
    call = app if inspect.isroutine(app) else type(app).__call__
    if inspect.iscoroutinefunction(app) or inspect.iscoroutinefunction(call):
        return "asgi"
    arguments = _positional_parameters(app)
    if arguments == _ASGI_PARAMETERS:
        return "asgi"
    if arguments == _WSGI_PARAMETERS:
        return "wsgi"
    raise AppUnusable(
        f"{type(app).__name__} could speak either ASGI or WSGI: say which with "
        "`run: {interface: asgi}` or --interface"
    )


def _positional_parameters(app: Any) -> int | None:
    """Return how many arguments a call must have, or None where that is not told."""
    try:
        parameters = inspect.signature(app).parameters.values()
    except (TypeError, ValueError):
        return None
    kinds = {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}
    if any(parameter.kind is inspect.Parameter.VAR_POSITIONAL for parameter in parameters):
        return None
    return sum(
        parameter.kind in kinds and parameter.default is inspect.Parameter.empty
        for parameter in parameters
    )


def _search_here() -> None:
    here = str(Path.cwd())
    if here not in sys.path and "" not in sys.path:
        sys.path.insert(0, here)


def _attribute(owner: Any, name: str, reference: str) -> Any:
    try:
        return getattr(owner, name)
    except AttributeError:
        near = difflib.get_close_matches(name, vars(owner) if hasattr(owner, "__dict__") else (), 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        owned = getattr(owner, "__name__", type(owner).__name__)
        raise AppUnusable(f"cannot load {reference}: {owned} has no {name!r}{hint}") from None


def _unusable(reference: str, module_name: str, error: BaseException) -> AppUnusable:
    if isinstance(error, MainstayError):
        # Its sentence says what to mend; a traceback would bury it.
        return AppUnusable(f"cannot load {reference}: {error}")
    if isinstance(error, ModuleNotFoundError) and error.name is not None:
        parents = (module_name + ".").startswith(error.name + ".")
        if parents and not _own_frames(error):
            return AppUnusable(
                f"cannot load {reference}: there is no module {error.name!r} in {Path.cwd()}"
            )
    trail = traceback.TracebackException.from_exception(error)
    trail.stack = traceback.StackSummary.from_list(_own_frames(error))
    return AppUnusable(
        f"cannot load {reference}: {type(error).__name__}: {error}", trail="".join(trail.format())
    )


def _own_frames(error: BaseException) -> list[traceback.FrameSummary]:
    """Return the frames of a traceback that are neither ours nor the import system's."""
    ours = {__file__, importlib.__file__}
    return [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename not in ours and not frame.filename.startswith("<frozen importlib")
    ]
