"""The operator's hand on a circuit breaker."""

from mainstay.core.errors import PolicyMisused
from mainstay.service.outbound.breaker.circuit import Circuit, Mode, State
from mainstay.service.outbound.course import emit, tell_change
from mainstay.service.outbound.events import BreakerModeChanged
from mainstay.service.outbound.plan import Plan


class BreakerControl:
    """Forces the circuit of a policy open, disables it, or lets it only watch.

    Raises:
        PolicyMisused: The policy has no breaker.
    """

    __slots__ = ("_circuit", "_plan")

    def __init__(self, plan: Plan) -> None:
        if plan.circuit is None:
            raise PolicyMisused(f"{plan.name} has no breaker: Policy(breaker=Breaker())")
        self._plan = plan
        self._circuit: Circuit = plan.circuit

    @property
    def state(self) -> State:
        """What the circuit is, whatever the mode does about it."""
        return self._circuit.state

    @property
    def mode(self) -> Mode:
        """What it does about it."""
        return self._circuit.mode

    def force_open(self) -> None:
        """Reject every call until ``enforce``."""
        self._set(Mode.FORCED_OPEN)

    def disable(self) -> None:
        """Let every call through, and count none, until ``enforce``."""
        self._set(Mode.DISABLED)

    def shadow(self) -> None:
        """Count, change states and report, but reject nothing, until ``enforce``."""
        self._set(Mode.SHADOW)

    def enforce(self) -> None:
        """Do what a breaker does; the state is what it was."""
        self._set(Mode.ENFORCE)

    def reset(self) -> None:
        """Close the circuit and forget what was counted."""
        tell_change(self._plan, self._circuit.reset())

    def _set(self, mode: Mode) -> None:
        tell_mode(self._plan, self._circuit.set_mode(mode))


def tell_mode(plan: Plan, was: Mode) -> None:
    """Tell that the circuit does something else about its state than it did, if so."""
    if plan.circuit is not None and plan.circuit.mode is not was:
        emit(plan, BreakerModeChanged, was=was, mode=plan.circuit.mode)
