"""A balancer that asks where its endpoints are when calls come, and not in between.

No task and no thread lives beside it: whoever makes clients need not end anything, a process that
forks takes nothing along that stopped, and a dependency that nobody calls is not looked up.
"""

import threading
from collections.abc import Collection

from mainstay.service.outbound.balance.balancer import Balancer
from mainstay.service.outbound.balance.endpoint import Endpoint
from mainstay.service.outbound.balance.follow import Source
from mainstay.service.outbound.balance.lease import Lease


class OnDemandBalancer(Balancer):
    """A ``Balancer`` that has a source asked, beside the call that comes when it is due.

    The call itself does not wait: it goes where the last answer says, and the very first one to
    the endpoints that the balancer was made with. At most one look-up is on its way at a time.
    Arguments are those of ``Balancer``; ``follow`` gives it a source.
    """

    _source: Source | None = None
    _due_s: float = 0.0
    _asking: threading.Thread | None = None

    def follow(self, source: Source | None) -> None:
        """Take endpoints from a source from now on; None: they stay what they are."""
        self._source = source
        self._due_s = 0.0

    def pick(self, *, exclude: Collection[Endpoint] = (), key: str | None = None) -> Lease:
        """Choose an endpoint; see ``Balancer.pick``."""
        if self._source is not None and self._now_s() >= self._due_s:
            self._ask(self._source)
        return super().pick(exclude=exclude, key=key)

    def _ask(self, source: Source) -> None:
        with self._lock:
            # One that a fork left behind is not alive in the child, so that it asks anew.
            if self._asking is not None and self._asking.is_alive():
                return
            self._asking = threading.Thread(
                target=self._refresh, args=(source,), name="mainstay-look-up", daemon=True
            )
            self._asking.start()

    def _refresh(self, source: Source) -> None:
        try:
            found = source.refresh()
            if found and self._source is source:
                self.replace(found)
        finally:
            if self._source is source:
                self._due_s = self._now_s() + source.wait_s()
