"""Every error of Mainstay. A branch answers the caller's question: may I try again?

    MainstayError
    ├── ConfigInvalid        the declaration is wrong: mend it, a retry changes nothing
    ├── PartMissing          a real part (Envoy, Granian, …) is not installed: install it
    ├── EdgeRefused          the proxy refused a configuration; the last good one still serves
    ├── EdgeUnavailable      the proxy did not answer in time: trying again may help
    ├── EngineRefused        the engine cannot do what was asked in its present state
    │   ├── AlreadyRunning   another daemon holds this system
    │   └── NotRunning       no daemon runs this system
    ├── LoadRefused          a load test cannot run as asked
    ├── PolicyMisused        a policy cannot be used in this way: mend the code (also a TypeError)
    ├── CallRejected         the call never left this process: elsewhere or later may work
    │   ├── CircuitOpen      its dependency fails; no call is let through for now
    │   ├── BulkheadFull     as many calls as allowed are in flight
    │   └── RateLimited      as many calls as allowed were made
    ├── StoreUnavailable     a store (Valkey, …) did not do what was asked: go on without, or later
    │   └── StoreRefused     it answered with an error, whose code says which
    ├── DeadlineExceeded     no time is left, so a retry has none either (also a TimeoutError)
    └── AttemptTimedOut      one attempt took too long; another may not (also a TimeoutError)

A room may add leaves below these; it never adds a second root. Those of calls that leave, and of
the test kit:

    MainstayError
    ├── ConfigInvalid
    │   └── AddressUnknown       a dependency isn't declared, or nobody said where it is
    ├── PolicyMisused
    │   └── CallUnsendable       the client library refuses to send this: mend the code
    ├── CallRejected
    │   └── NoEndpoint           the balancer knows nobody whom it could choose
    ├── ConnectFailed            no connection could be opened; nothing was sent
    ├── ConnectionLost           the connection broke: whether it was done is unknown
    ├── NotServed                the server refused to do it now; nothing was done
    ├── ServerFailed             the server says that it failed: whether it was done is unknown
    ├── BadAnswer                a status that is a failure: only the policy sees it
    ├── FaultInjected            a test asked for this failure
    ├── RecordingIncomplete      more events came than the recorder keeps
    └── VirtualRunFailed         a run under virtual time could not go on
        ├── Deadlocked           every task waits for another
        ├── RealWaitRefused      sockets, files and threads take real time
        └── RunEndless           the loop turned more often than its bound
"""


class MainstayError(Exception):
    """The root. ``str(error)`` is one sentence for people; attributes are for machines."""


class ConfigInvalid(MainstayError):
    """A declaration has faults, all of which are in ``faults``, in the order of their place.

    Args:
        faults: What is wrong; each one prints itself as one line with file, line and column.
    """

    def __init__(self, faults: "tuple[object, ...]") -> None:
        assert faults, "an invalid declaration names at least one fault"
        self.faults = faults
        super().__init__("\n".join(str(fault) for fault in faults))


class PartMissing(MainstayError):
    """A real part that this work needs is not installed. The sentence says how to get it."""


class EdgeRefused(MainstayError):
    """The proxy refused a configuration and goes on with the last good one."""


class EdgeUnavailable(MainstayError):
    """The proxy did not answer within its bound; it may answer later."""


class EngineRefused(MainstayError):
    """The engine cannot do what was asked in its present state."""


class AlreadyRunning(EngineRefused):
    """Another daemon holds this system; ``pid`` is its process.

    Args:
        message: One sentence for people.
        pid: Process id of the daemon that runs, or 0 where it is not known.
    """

    def __init__(self, message: str, *, pid: int) -> None:
        self.pid = pid
        super().__init__(message)


class NotRunning(EngineRefused):
    """No daemon runs this system."""


class LoadRefused(MainstayError):
    """A load test cannot run as it was asked for."""


class PolicyMisused(MainstayError, TypeError):
    """A policy is used in a way that cannot work. The sentence says what would."""


class CallRejected(MainstayError):
    """The call never left this process, so trying elsewhere, or later, is safe.

    Each rejection is an error object of its own: one that is raised again and again would grow
    its traceback without end.

    Made from the name of the policy that rejected the call and the seconds after which one may be
    let through, or None where unknown. There is no constructor of our own, and the sentence is made
    when it is asked for: most rejections are counted and never shown, and must be cheap.
    """

    sentence = "the call was rejected"

    @property
    def policy(self) -> str:
        """The name of the policy that rejected the call."""
        return str(self.args[0])

    @property
    def retry_after_s(self) -> float | None:
        """Seconds after which a call may be let through, or None where unknown."""
        found: float | None = self.args[1]
        return found

    def __str__(self) -> str:
        again = "" if self.retry_after_s is None else f"; try again in {self.retry_after_s:.3g} s"
        return f"{self.policy}: {self.sentence}{again}"


class CircuitOpen(CallRejected):
    """The circuit of the dependency is open."""

    sentence = "the circuit is open"


class BulkheadFull(CallRejected):
    """As many calls as allowed are in flight, and as many as allowed wait."""

    sentence = "too many calls in flight"


class RateLimited(CallRejected):
    """As many calls as allowed were made."""

    sentence = "too many calls in this time"


class StoreUnavailable(MainstayError):
    """A store did not answer within its bound, or is known to be away.

    Whoever guards with the help of a store goes on without it.

    Args:
        message: One sentence for people; it never holds a password.
        begun: Whether something was sent, so that its effect is unknown; False: nothing was.
    """

    def __init__(self, message: str, *, begun: bool) -> None:
        self.begun = begun
        super().__init__(message)

    def __reduce__(self) -> tuple[object, ...]:
        return _restore_store, (type(self), str(self), {"begun": self.begun})


class StoreRefused(StoreUnavailable):
    """A store answered, with an error: what was asked was not done.

    Args:
        message: What the store said.
        code: The first word of it, as ``WRONGTYPE`` or ``OOM``, for machines.
    """

    def __init__(self, message: str, *, code: str) -> None:
        self.code = code
        super().__init__(message, begun=True)

    def __reduce__(self) -> tuple[object, ...]:
        return _restore_store, (type(self), str(self), {"code": self.code})


def _restore_store(
    kind: type[StoreUnavailable], message: str, named: dict[str, object]
) -> StoreUnavailable:
    # An exception's own way loses what is keyword-only.
    return kind(message, **named)  # type: ignore[arg-type]  # What __reduce__ put there.


class DeadlineExceeded(MainstayError, TimeoutError):
    """No time is left for what was asked.

    Args:
        message: One sentence for people.
        begun: Whether a call had begun, so that its effect is unknown; False: nothing was sent.
    """

    def __init__(self, message: str, *, begun: bool) -> None:
        self.begun = begun
        super().__init__(message)

    def __reduce__(self) -> tuple[object, ...]:
        # OSError's own way loses what is keyword-only.
        return _restore_deadline, (str(self), self.begun)


def _restore_deadline(message: str, begun: bool) -> DeadlineExceeded:  # noqa: FBT001  For pickle.
    return DeadlineExceeded(message, begun=begun)


class AttemptTimedOut(MainstayError, TimeoutError):
    """One attempt took longer than it may; its effect is unknown.

    Args:
        policy: Name of the policy whose bound it was.
        after_s: The bound, in seconds.
    """

    def __init__(self, policy: str, after_s: float) -> None:
        self.policy = policy
        self.after_s = after_s
        super().__init__(policy, after_s)

    def __str__(self) -> str:
        return f"{self.policy}: the attempt took longer than {self.after_s:.3g} s"
