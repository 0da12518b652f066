"""One attempt of a client, told when it has ended: what policies don't know and adapters do.

Told only where somebody asked for it, since it costs two microseconds.
"""

from types import TracebackType
from typing import Self

from mainstay.core.trace import current_trace, new_span_id
from mainstay.service.outbound.events import CallEnded
from mainstay.service.outbound.plan import Plan

TARGET_CHARS_MAX = 1024


class Telling:
    """``with`` around one attempt.

    Args:
        plan: The call's.
        system: See ``CallEnded``, and so are the following.
        operation: What is asked for.
        target: Of what.
        server: Name or address.
        port: Of it.

    Attributes:
        status: What was answered; set it when that is known.
        error: What the answer means, where nothing is raised for it.
        span_id: To be sent as the parent of what the callee does; None: nobody will know it.
    """

    __slots__ = ("_began_s", "_operation", "_plan", "_port", "_server", "_system", "_target",
                 "error", "span_id", "status")  # fmt: skip

    def __init__(
        self,
        plan: Plan,
        system: str,
        operation: str,
        *,
        target: str = "",
        server: str | None = None,
        port: int | None = None,
    ) -> None:
        self._plan = plan
        self._system = system
        self._operation = operation
        self._target = target
        self._server = server
        self._port = port
        self.status: str | int | None = None
        self.error: str | None = None
        self.span_id: str | None = None

    def __enter__(self) -> Self:
        self._began_s = self._plan.now()
        if current_trace() is not None:
            self.span_id = new_span_id(self._plan.rng)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        plan = self._plan
        plan.events.emit(
            CallEnded(
                at_s=plan.clock.wall_s(),
                dependency=plan.name,
                system=self._system,
                operation=self._operation,
                target=self._target[:TARGET_CHARS_MAX],
                server=self._server,
                port=self._port,
                status=self.status,
                error=self.error if kind is None else kind.__name__,
                span_id=self.span_id,
                took_s=plan.now() - self._began_s,
            )
        )


class _Quiet(Telling):
    """Tells nobody. One for all calls, so what is noted on it means nothing."""

    __slots__ = ()

    def __init__(self) -> None:
        self.span_id = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return


QUIET = _Quiet()
"""Where nobody asked to be told."""
