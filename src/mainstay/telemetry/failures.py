"""``Failures``: where unhandled errors come in, whoever saw them, and who is told of them."""

import traceback
from collections.abc import Callable
from typing import Any, Protocol

from mainstay.core.complaint import complain
from mainstay.core.trace import current_traced
from mainstay.service.inbound.exchange import Exchange
from mainstay.telemetry.trail import class_of

Told = Callable[[Exchange | None, BaseException, str], object]
"""Takes an error with its request, or None outside of one, and the name of background work."""

_SEEN = "mainstay_told"

# Any: a descriptor of C, which has no types. It does not ask the class.
_DICT: Any = BaseException.__dict__["__dict__"]


class Line(Protocol):
    """What writes a line about an error."""

    def failed(self, exchange: Exchange | None, error: BaseException, work: str) -> None:
        """Write it."""
        ...


class Complaint:
    """Writes errors to stderr: where there are no logs."""

    __slots__ = ()

    def failed(self, exchange: Exchange | None, error: BaseException, work: str) -> None:
        """Write one, with its traceback."""
        what = f"background work {work}" if work else "something"
        if exchange is not None and not work:
            what = f"{exchange.method} {exchange.path!r}"
        trace = "" if exchange is None else f", trace_id {exchange.trace.trace_id}"
        trail = "".join(traceback.format_exception(error))
        complain(f"mainstay: {what} failed{trace}\n{trail}")


class Failures:
    """Tells of each unhandled error once.

    The same error may come by a framework's signal and then from the shell.

    Args:
        told: Who is told, in this order. One that raises takes nothing from the others.
        line: Told last, and not of what a framework has said a line about by itself.
    """

    __slots__ = ("_line", "_told")

    def __init__(self, *told: Told, line: Line) -> None:
        self._told = told
        self._line = line

    def failed(self, exchange: Exchange, error: BaseException) -> None:
        """Take what an app let through: ``Inbound.report``."""
        self._tell(exchange, error, "")

    def unhandled(self, error: BaseException, *, is_logged: bool = True) -> None:
        """Take what a framework made an answer of; see ``watch_errors``.

        Args:
            error: What was raised.
            is_logged: Whether the framework has said a line about it.
        """
        self._tell(exchange_here(), error, "", is_logged=is_logged)

    def background(self, error: BaseException, work: str) -> None:
        """Take what work in the background raised: ``Background.report``."""
        self._tell(exchange_here(), error, work)

    def _tell(
        self, exchange: Exchange | None, error: BaseException, work: str, *, is_logged: bool = False
    ) -> None:
        if not is_news(error, _SEEN, exchange):
            return
        tells = self._told if is_logged else (*self._told, self._line.failed)
        for told in tells:
            try:
                told(exchange, error, work)
            except Exception as broken:  # noqa: BLE001  An error's own class may raise wherever it is looked at.
                # By names that no class can lie about: the rest of it may raise again.
                complain(f"mainstay: a {class_of(error)} can't be told of: {class_of(broken)}\n")


def is_news(error: BaseException, mark: str, exchange: Exchange | None) -> bool:
    """Return whether an error is new to whoever asks, and mark it as seen.

    One that is raised in request after request, such as a constant, is new in each.

    Args:
        error: Any.
        mark: Of who asks.
        exchange: Of the request, or None outside of one.
    """
    # Its id, since the error must not hold the request.
    here = "" if exchange is None else exchange.trace.span_id
    try:
        # Not through setattr, which a class may forbid; nor through its own idea of its dict.
        seen = _DICT.__get__(error)
        known = seen.get(mark) == here
        seen[mark] = here
    except Exception:  # noqa: BLE001  Rather told twice than never.
        return True
    return bool(not known)


def exchange_here() -> Exchange | None:
    """Return the exchange of the request that is answered here, or None outside of one."""
    traced = current_traced()
    root = getattr(traced, "root", traced)
    return root if isinstance(root, Exchange) else None
