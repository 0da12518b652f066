"""What joins the rooms in the process of a user's service, as ``cli/wiring.py`` does in ours.

The planes don't know each other: ``service`` names ports, ``state`` has what fits them. Whoever
takes ``mainstay.Service`` gets both.
"""

from collections.abc import Callable, Mapping

from mainstay.core.clock import Clock
from mainstay.service import service
from mainstay.service.stores import Stores
from mainstay.spec.declaration import Declaration


class Service(service.Service):
    """One service, in its own process, with the stores that its declaration names.

    ::

        service = Service.load()
        app = service.asgi(FastAPI())

    Args:
        declaration: What the service declares.
        clock: Where time comes from; None takes the machine's.
        environ: Where the engine's words are found; None takes this process's environment.
        write_access: Takes one access line at a time; None writes to stdout.
        stores: Makes the stores that the declaration names; None: those of ``mainstay.state``.
    """

    def __init__(
        self,
        declaration: Declaration,
        *,
        clock: Clock | None = None,
        environ: Mapping[str, str] | None = None,
        write_access: Callable[[bytes], object] | None = None,
        stores: Stores | None = None,
    ) -> None:
        if stores is None and _names_a_store(declaration):
            # Only here: most services name none, and start without it.
            from mainstay.state.stores import Stores as StateStores  # noqa: PLC0415

            stores = StateStores() if clock is None else StateStores(clock=clock)
        super().__init__(
            declaration, clock=clock, environ=environ, write_access=write_access, stores=stores
        )


def _names_a_store(declaration: Declaration) -> bool:
    inbound = declaration.inbound
    return (
        inbound.idempotency is not None
        or inbound.session is not None
        or any(limit.store is not None for limit in inbound.rate_limit or ())
    )
