"""``Failures``: where unhandled errors come in, whoever saw them, and who is told of them."""

from collections.abc import Callable

from mainstay.core.trace import current_traced
from mainstay.service.inbound.exchange import Exchange

Told = Callable[[Exchange | None, BaseException, str], object]
"""Takes an error with its request, or None outside of one, and the name of background work."""

_SEEN = "mainstay_told"


class Failures:
    """Tells of each unhandled error once.

    The same error may come by a framework's signal and then from the shell.

    Args:
        told: Who is told, in this order; none of them raises.
    """

    __slots__ = ("_told",)

    def __init__(self, *told: Told) -> None:
        self._told = told

    def failed(self, exchange: Exchange, error: BaseException) -> None:
        """Take what an app let through: ``Inbound.report``."""
        self._tell(exchange, error, "")

    def unhandled(self, error: BaseException) -> None:
        """Take what a framework made an answer of; see ``watch_errors``."""
        self._tell(exchange_here(), error, "")

    def background(self, error: BaseException, work: str) -> None:
        """Take what work in the background raised: ``Background.report``."""
        self._tell(exchange_here(), error, work)

    def _tell(self, exchange: Exchange | None, error: BaseException, work: str) -> None:
        if not is_news(error, _SEEN, exchange):
            return
        for told in self._told:
            told(exchange, error, work)


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
    # Not through setattr, which a class may forbid.
    seen = vars(error)
    known = seen.get(mark) == here
    seen[mark] = here
    return not known


def exchange_here() -> Exchange | None:
    """Return the exchange of the request that is answered here, or None outside of one."""
    traced = current_traced()
    root = getattr(traced, "root", traced)
    return root if isinstance(root, Exchange) else None
