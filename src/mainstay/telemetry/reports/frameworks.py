"""Errors that a framework makes an answer of by itself, so that no shell sees them.

Flask, Quart and Django tell of them by signals, Litestar by hooks. FastAPI and Starlette raise them
again when they have answered, which the shells see.
"""

import sys
from typing import Any, Protocol


class Report(Protocol):
    """What takes an unhandled error."""

    def __call__(self, error: BaseException, *, is_logged: bool = True) -> object:
        """Take it; ``is_logged``: the framework says a line about it by itself."""
        ...


_SERVER_ERROR = 500


def watch_errors(app: object, report: Report) -> None:
    """Have unhandled errors of an app reported, whichever of the frameworks it is made with.

    Args:
        app: What is wrapped; of any framework or none.
        report: Takes an error; that of one that was reported before does nothing.
    """
    for name, watch in (("flask", _flask), ("quart", _quart), ("litestar", _litestar)):
        framework = sys.modules.get(name)
        if framework is not None:
            watch(framework, app, report)
    if (handlers := sys.modules.get("django.core.handlers.base")) is not None:
        _django(handlers, app, report)


# Any, here and below: frameworks that may not be installed.
def _flask(flask: Any, app: Any, report: Report) -> None:
    if isinstance(app, flask.Flask):

        def tell(_sender: object, exception: BaseException, **_told: Any) -> None:
            report(exception)

        flask.got_request_exception.connect(tell, app, weak=False)


def _quart(quart: Any, app: Any, report: Report) -> None:
    if isinstance(app, quart.Quart):
        # A coroutine, since others would be run in threads.
        async def tell(_sender: object, exception: BaseException, **_told: Any) -> None:
            report(exception)

        quart.got_request_exception.connect(tell, app, weak=False)


def _litestar(litestar: Any, app: Any, report: Report) -> None:
    if isinstance(app, litestar.Litestar):

        async def tell(error: Exception, _scope: Any) -> None:
            # It tells of every error, also of those that are answers: "not found" and the like.
            if getattr(error, "status_code", _SERVER_ERROR) >= _SERVER_ERROR:
                says = getattr(app.logging_config, "log_exceptions", "never")
                report(error, is_logged=says == "always" or (says == "debug" and app.debug))

        app.after_exception.append(tell)


def _django(handlers: Any, app: Any, report: Report) -> None:
    if isinstance(app, handlers.BaseHandler):
        # Only here: Django is loaded.
        from django.core.signals import (  # type: ignore[import-untyped]  # noqa: PLC0415  It ships no types.
            got_request_exception,
        )

        def tell(**_told: Any) -> None:
            error = sys.exc_info()[1]
            if error is not None:
                report(error)

        got_request_exception.connect(tell, weak=False, dispatch_uid=f"mainstay-{id(app)}")
