"""The pool of an engine: each connection that is out holds a place in the policy's bulkhead."""

from typing import TYPE_CHECKING, ClassVar, cast

from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection, QueuePool

from mainstay.service.outbound.adapters.place import Place

if TYPE_CHECKING:
    from mainstay.service.outbound.adapters.databases.gate import Gate

_PLACE = "mainstay_place"


class PolicyPool(QueuePool):
    """SQLAlchemy's own, without a bound of its own: the bulkhead is the bound, and where one waits.

    Attributes:
        gate: The engine's; set on a subclass, so that the pool that follows after ``dispose`` has
            it too.
    """

    gate: "ClassVar[Gate]"

    def connect(self) -> PoolProxiedConnection:
        """Take a connection out; see ``Gate.checkout``."""
        return self.gate.checkout(super().connect, _keep)

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        # The pool's one way back in, for connections that are broken too.
        super()._do_return_conn(record)
        info = record.record_info
        place = cast("Place | None", info.pop(_PLACE, None)) if info else None
        if place is not None:
            place.give_back()


def _keep(connection: PoolProxiedConnection, place: Place) -> None:
    info = connection.record_info
    assert info is not None, "a connection of a pool"
    info[_PLACE] = place
