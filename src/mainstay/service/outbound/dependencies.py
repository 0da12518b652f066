"""The policies of all dependencies of a service: made when asked for, changed all together."""

import threading
from collections.abc import Mapping
from contextlib import ExitStack

from mainstay.core.clock import Clock
from mainstay.core.events import Listeners
from mainstay.service.outbound.dependency import DependencyPolicy, find_dependency
from mainstay.service.outbound.forked import follow_forks
from mainstay.service.stores import Stores
from mainstay.spec.declaration import Declaration


class Dependencies:
    """The policies that were asked for, each made once. Shared by threads.

    Args:
        declaration: Of the service that calls.
        environ: Where the engine says where dependencies are.
        clock: Where time comes from.
        events: Who hears what is decided.
        stores: Make the stores through which breakers are shared.

    Attributes:
        declaration: The present one.
    """

    def __init__(
        self,
        declaration: Declaration,
        environ: Mapping[str, str],
        *,
        clock: Clock,
        events: Listeners,
        stores: Stores,
    ) -> None:
        self.declaration = declaration
        self._environ = environ
        self._clock = clock
        self._events = events
        self._stores = stores
        self._made: dict[str, DependencyPolicy] = {}
        self._changing = threading.Lock()
        follow_forks(self)

    def named(self, name: str) -> DependencyPolicy:
        """Return the policy of a dependency: the same one at each call.

        Raises:
            ConfigInvalid: It is not declared, or there is no such store for its breaker.
            PartMissing: The library for that store is not installed.
        """
        known, _ = find_dependency(name, self.declaration)
        found = self._made.get(known)
        if found is not None:
            return found
        # Else one that is made in the midst of a change would keep what was declared before.
        with self._changing:
            if known not in self._made:
                self._made[known] = DependencyPolicy(
                    known,
                    self.declaration,
                    self._environ,
                    clock=self._clock,
                    events=self._events,
                    stores=self._stores,
                )
            return self._made[known]

    def made(self) -> list[DependencyPolicy]:
        """Return those that were asked for."""
        return list(self._made.values())

    def take(self, declaration: Declaration) -> None:
        """Let all of them take a new declaration, or none. Not for handlers of signals.

        What a handler interrupts may hold the very locks that this waits for.

        Raises:
            ConfigInvalid: One that is in use is not declared any more, or can't be as it is
                declared; then nothing has changed.
            PartMissing: The library for the store of a breaker is not installed; as above.
        """
        with self._changing:
            prepared = [policy.prepared(declaration) for policy in self.made()]
            undo = [policy.as_it_is() for policy in self.made()]
            before, self.declaration = self.declaration, declaration
            try:
                for apply in prepared:
                    apply()
            except BaseException:
                # Such as what a signal's handler raises in the midst of it.
                with ExitStack() as taken_back:
                    for one in undo:
                        taken_back.callback(one)
                self.declaration = before
                raise

    def renew_locks(self) -> None:
        """Take a new lock in a child process; see ``forked``."""
        self._changing = threading.Lock()

    def free_places(self) -> None:
        """Do nothing: the policies free theirs."""
