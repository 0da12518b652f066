"""The pools of engines: each connection that is out holds a place in the policy's bulkhead."""

from typing import TYPE_CHECKING, ClassVar, cast

from sqlalchemy.pool import (
    AsyncAdaptedQueuePool,
    ConnectionPoolEntry,
    PoolProxiedConnection,
    QueuePool,
)
from sqlalchemy.util import await_only, greenlet_spawn

from mainstay.service.outbound.adapters.place import Place

if TYPE_CHECKING:
    from mainstay.service.outbound.adapters.databases.async_gate import AsyncGate
    from mainstay.service.outbound.adapters.databases.sync_gate import SyncGate

_PLACE = "mainstay_place"


class PolicyPool(QueuePool):
    """SQLAlchemy's own, without a bound of its own: the bulkhead is the bound, and where one waits.

    Attributes:
        gate: The engine's; set on a subclass, so that the pool that follows after ``dispose`` has
            it too.
    """

    gate: "ClassVar[SyncGate]"

    def connect(self) -> PoolProxiedConnection:
        """Take a connection out; see ``SyncGate.checkout``."""
        return self.gate.checkout(super().connect, _keep)

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        # The pool's one way back in, for connections that are broken too.
        super()._do_return_conn(record)
        _give_back(record)


class AsyncPolicyPool(AsyncAdaptedQueuePool):
    """The same for an asynchronous engine, within whose greenlets all of it runs.

    Attributes:
        gate: As that of ``PolicyPool``.
    """

    gate: "ClassVar[AsyncGate]"

    def connect(self) -> PoolProxiedConnection:
        """Take a connection out; see ``AsyncGate.checkout``."""
        take = super().connect
        return await_only(self.gate.checkout(lambda: greenlet_spawn(take), _keep))

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        super()._do_return_conn(record)
        _give_back(record)


def _keep(connection: PoolProxiedConnection, place: Place) -> None:
    info = connection.record_info
    assert info is not None, "a connection of a pool"
    info[_PLACE] = place


def _give_back(record: ConnectionPoolEntry) -> None:
    info = record.record_info
    place = cast("Place | None", info.pop(_PLACE, None)) if info else None
    if place is not None:
        place.give_back()
