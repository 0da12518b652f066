"""The route that a request took: the template that the framework matched, never the path.

Frameworks leave it where they keep what they know of a request: in the ASGI scope or the WSGI
environ, each in its own way. Any other may put a template there by itself, as ``mainstay.route``.
"""

import functools
import re
import sys
from collections.abc import Hashable, Iterable, Mapping
from typing import Any, Final

from mainstay.service.inbound.exchange import Exchange

ROUTE_KEY = "mainstay.route"
"""Where a template is noted: by an app, or once it was found."""

UNMATCHED = "(unmatched)"
"""The route of a request that no route was found for, or that was refused before."""

_DJANGO_PATHS_MAX = 2048
_ENDPOINTS_MAX = 4096
_ROUTES_MAX = 4096
_MOUNTED = "{path}"
_MOUNT = "/{mount}"
"""Stands for a path that something was mounted at and that nobody proves to be a template."""

_MOUNTS_MAX = 16
"""Within each other."""

_NOTHING = re.compile(r"(?!)")

_dispatched: set[str] = set()
"""Paths at which Werkzeug's dispatcher mounts apps, of all apps of the process: by its code."""


def route_of(exchange: Exchange) -> str:
    """Return the template of a request's route, or ``(unmatched)``; see ``matched_route``."""
    return matched_route(exchange) or UNMATCHED


def matched_route(exchange: Exchange) -> str | None:
    """Return the template of a request's route, or None where none was matched.

    To be asked when the request has ended: before, a framework may not be done with matching. What
    took a search is kept in the scope, so that whoever asks next gets it for nothing.
    """
    scope = exchange.scope
    found: str | None = scope.get(ROUTE_KEY)
    if found is None:
        # As nearly all, without another call.
        known = _known.get(id(scope.get("route")))
        if known is not None and "app_root_path" not in scope and "fastapi" not in scope:
            return known[1]
        found = _find(exchange)
        if found is not None:
            scope[ROUTE_KEY] = found
    return found


def watch_routes(app: object = None) -> None:
    """Have Flask and Quart note routes, which they keep to themselves otherwise.

    To be called when an app is wrapped. By their own signals, once for all apps of a process; an
    app of Flask itself by a function before its requests, for a third of what a signal costs.

    Args:
        app: What is wrapped.
    """
    flask = sys.modules.get("flask")
    _note_dispatched(app, "", _MOUNTS_MAX)
    if flask is not None and isinstance(app, flask.Flask):
        before: list[object] = app.before_request_funcs.setdefault(None, [])
        if _note_flask not in before:
            before.insert(0, _note_flask)
    elif flask is not None:
        _watch_flask()
    if "quart" in sys.modules:
        _watch_quart()


@functools.cache
def _watch_flask() -> None:
    # Any: what signals carry along.
    def note(sender: object, **told: Any) -> None:
        del sender, told
        _note_flask()

    sys.modules["flask"].request_started.connect(note, weak=False)


def _note_flask() -> None:
    # The request itself, since each look through what stands for it costs as much as all the rest.
    request = sys.modules["flask"].request._get_current_object()  # noqa: SLF001  Werkzeug documents it.
    rule = request.url_rule
    if rule is not None:
        environ = request.environ
        mount = environ.get("SCRIPT_NAME")
        environ[ROUTE_KEY] = _below(mount) + rule.rule if mount else rule.rule


def _note_dispatched(app: Any, at: str, depth: int) -> None:
    """Note where Werkzeug's dispatcher mounts apps. Any: of any framework."""
    dispatcher = sys.modules.get("werkzeug.middleware.dispatcher")
    if dispatcher is None or not depth or not isinstance(app, dispatcher.DispatcherMiddleware):
        return
    _note_dispatched(app.app, at, depth - 1)
    for path, mounted in app.mounts.items():
        _dispatched.add(at + path)
        _note_dispatched(mounted, at + path, depth - 1)


def _below(script_name: str) -> str:
    """Return the template of where an app of WSGI is mounted.

    A dispatcher's are known. Whatever else moves a part of the path there, may take it from the
    path: the name of a tenant, or of a user.
    """
    return script_name if script_name in _dispatched else _MOUNT


@functools.cache
def _watch_quart() -> None:
    quart = sys.modules["quart"]

    # Coroutines, since other receivers are run in threads. Any: as above.
    async def note(sender: object, **told: Any) -> None:
        del sender, told
        _note_rule(quart.request)

    async def note_websocket(sender: object, **told: Any) -> None:
        del sender, told
        _note_rule(quart.websocket)

    quart.request_started.connect(note, weak=False)
    quart.websocket_started.connect(note_websocket, weak=False)


def _note_rule(request: Any) -> None:
    """Note the rule of a request of Quart. Any: a proxy of theirs."""
    rule = request.url_rule
    if rule is not None:
        request.scope[ROUTE_KEY] = rule.rule


def _find(exchange: Exchange) -> str | None:
    scope = exchange.scope
    route = scope.get("route")
    if route is not None:
        return _of_starlette(scope, route)
    template = scope.get("path_template")
    if template:
        return str(template)
    if "werkzeug.request" in scope:
        # Flask: what it matched was noted while it lasted, by ``watch_routes``.
        return None
    if "router" in scope or "app" in scope:
        return _of_endpoint(scope)
    if "path_params" in scope:
        return None
    return _of_django(exchange.path)


_known: Final[dict[int, tuple[object, str]]] = {}
"""Templates by the ids of their routes, which can't be keys and are kept, so that no other object
gets such an id. Those that say all by themselves: nothing is mounted."""


def _of_starlette(scope: Mapping[str, Any], route: Any) -> str | None:
    """Return the template of a route of Starlette or FastAPI, below what it is mounted at.

    Any: a route of theirs.
    """
    if hasattr(route, "routes"):
        # A mount, whose inner app found nothing, or notes no route as FastAPI does of Starlette's.
        return _of_endpoint(scope) or f"{_mount(scope)}/{_MOUNTED}"
    template = _template(scope, route)
    if template is None:
        return None
    is_whole = "app_root_path" not in scope and "fastapi" not in scope
    if is_whole and len(_known) < _ROUTES_MAX:
        _known[id(route)] = route, template
    return _mount(scope) + template


def _template(scope: Mapping[str, Any], route: Any) -> str | None:
    # A route that FastAPI included with a prefix keeps its own path; what it became is beside it.
    said = scope.get("fastapi")
    if said:
        context = said.get("effective_route_context")
        if getattr(context, "original_route", None) is route:
            route = context
    template = getattr(route, "path_format", None) or getattr(route, "path", None)
    return template if isinstance(template, str) else None


def _mount(scope: Mapping[str, Any]) -> str:
    """Return the template of where the matched app is mounted; empty for the outermost one.

    The scope has the path that was matched and not its template, so the mounts of the outermost
    router are asked which of them it is. Of what none of those says, nothing of the path is shown.
    """
    outer = scope.get("app_root_path")
    if outer is None:
        return ""
    path = scope.get("root_path", "")[len(outer) :]
    found = _mounted(getattr(scope.get("router"), "routes", ()), f"{path}/", _MOUNTS_MAX)
    return _MOUNT if found is None else found


def _mounted(routes: Iterable[Any], path: str, depth: int) -> str | None:
    """Return the template of the mounts that a path leads through, or None where there are none.

    Args:
        routes: Among which the first one is. Any: they are theirs.
        path: Where the matched app is mounted, with a slash at its end.
        depth: How many mounts within each other are looked at.
    """
    if path == "/":
        return ""
    if not depth:
        return None
    for route in routes:
        within = getattr(route, "routes", None)
        if within is None:
            continue
        template, rest = "", path
        if not hasattr(route, "host_regex"):
            match = getattr(route, "path_regex", _NOTHING).match(path)
            if match is None or "path" not in match.re.groupindex:
                continue
            template = str(route.path_format).removesuffix("/{path}")
            rest = f"/{match['path']}"
        below = _mounted(within, rest, depth - 1)
        if below is not None:
            return template + below
    return None


def _of_endpoint(scope: Mapping[str, Any]) -> str | None:
    """Return the template by the function that was called, or by the mount that was entered.

    For versions of Starlette that note no route, and for what FastAPI did not make itself.
    """
    app, endpoint = scope.get("app"), scope.get("endpoint")
    if endpoint is None or not isinstance(endpoint, Hashable):
        return None
    template = _template_of(app, endpoint)
    if template is not None:
        return _mount(scope) + template
    mount = _mount(scope)
    return f"{mount}/{_MOUNTED}" if mount else None


@functools.lru_cache(maxsize=_ENDPOINTS_MAX)
def _template_of(app: Any, endpoint: Any) -> str | None:
    """Return the template of an endpoint among the routes of an app. Any: both are theirs."""
    for route in getattr(app, "routes", ()):
        if getattr(route, "endpoint", None) is endpoint:
            template = getattr(route, "path_format", None)
            return template if isinstance(template, str) else None
    return None


@functools.lru_cache(maxsize=_DJANGO_PATHS_MAX)
def _of_django(path: str) -> str | None:
    """Return the template that Django matches a path with; it says nowhere what it matched."""
    conf, urls = sys.modules.get("django.conf"), sys.modules.get("django.urls")
    if conf is None or urls is None or not conf.settings.configured:
        return None
    if not getattr(conf.settings, "ROOT_URLCONF", None):
        return None
    try:
        return f"/{urls.resolve(path).route}"
    except urls.Resolver404:
        return None
